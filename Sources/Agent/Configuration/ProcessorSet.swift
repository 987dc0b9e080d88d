// The cores that this process may run on: what the configuration may give to workers.

import Foundation

package enum ProcessorSet {
    /// Core numbers, ascending, as `taskset -p` would tell them. Found out once, on first use: workers are pinned later, which must
    /// not count. Core 0 if the kernel does not say.
    package static let available: [Int] = {
        let cores = ProcessStatus.field("Cpus_allowed_list", in: "/proc/self/status").map { parse(list: $0) } ?? []
        return cores.isEmpty ? [0] : cores
    }()

    /// The numbers of a list as the kernel writes it: `0-3,8`.
    static func parse(list: String) -> [Int] {
        list.split(separator: ",").flatMap { part -> [Int] in
            let ends = part.split(separator: "-").compactMap { Int($0) }
            guard let first = ends.first, let last = ends.last, 0 <= first, first <= last, last <= Limits.core else {
                return []
            }
            return Array(first...last)
        }
    }
}
