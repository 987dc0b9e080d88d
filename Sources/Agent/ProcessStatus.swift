// What the kernel says of this process and its threads in their `status` files (proc(5)).

import Foundation

enum ProcessStatus {
    /// How often the kernel has taken the processor away from a thread that wanted to go on, since its start: never, on an isolated core.
    /// Nil: there is no such thread.
    static func involuntarySwitches(ofThread thread: Int32) -> UInt64? {
        field("nonvoluntary_ctxt_switches", in: "/proc/self/task/\(thread)/status").flatMap { UInt64($0) }
    }

    /// What stands behind a name; nil: there is no such file or line.
    static func field(_ name: String, in path: String) -> String? {
        let status = FileManager.default.contents(atPath: path) ?? Data()
        let line = String(decoding: status, as: UTF8.self).split(separator: "\n").first { $0.hasPrefix("\(name):") }
        return line?.dropFirst(name.count + 1).trimmingCharacters(in: .whitespaces)
    }
}
