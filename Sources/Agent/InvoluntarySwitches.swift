// How often the kernel has taken the processor away from a thread that wanted to go on (proc(5)): never, on an isolated core.

import Foundation

enum InvoluntarySwitches {
    /// Of a thread of this process, since its start; nil: there is no such thread.
    static func count(ofThread thread: Int32) -> UInt64? {
        guard let status = FileManager.default.contents(atPath: "/proc/self/task/\(thread)/status") else { return nil }
        let name = "nonvoluntary_ctxt_switches:"
        let line = String(decoding: status, as: UTF8.self).split(separator: "\n").first { $0.hasPrefix(name) }
        return line.flatMap { UInt64($0.dropFirst(name.count).trimmingCharacters(in: .whitespaces)) }
    }
}
