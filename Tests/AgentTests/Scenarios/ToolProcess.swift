// Programs that the tests start: found in PATH, ended by their process id, waited for with a limit.

import Foundation

enum ToolProcess {
    /// The program's path; nil: it is not there.
    static func find(_ name: String) -> String? {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        return "\(path):/usr/sbin:/sbin".split(separator: ":").map { "\($0)/\(name)" }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    static let ovsOfctl = find("ovs-ofctl")

    /// Runs a program to its end; its output, standard error included. After `seconds` it is killed.
    static func run(_ path: String, _ arguments: [String], seconds: Double = 30) throws -> (
        status: Int32, output: String
    ) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        process.standardInput = FileHandle.nullDevice
        let file = try TemporaryFolder.shared.file("output")
        defer { try? FileManager.default.removeItem(at: file) }
        _ = FileManager.default.createFile(atPath: file.path, contents: nil)
        let handle = try FileHandle(forWritingTo: file)
        defer { try? handle.close() }
        (process.standardOutput, process.standardError) = (handle, handle)
        try process.run()
        let ended = wait(seconds: seconds) { !process.isRunning }
        if !ended { kill(process.processIdentifier, SIGKILL) }
        process.waitUntilExit()
        let output = (try? String(contentsOf: file, encoding: .utf8)) ?? ""
        guard ended else {
            throw ScenarioError("\(path) \(arguments.joined(separator: " ")): killed after \(seconds) s\n\(output)")
        }
        return (process.terminationStatus, output)
    }

    /// Waits until something is so; false: it took longer.
    static func wait(seconds: Double, until condition: () throws -> Bool) rethrows -> Bool {
        let end = Date(timeIntervalSinceNow: seconds)
        while true {
            if try condition() { return true }
            if Date() > end { return false }
            usleep(1000)
        }
    }
}

/// A folder of this process for sockets and files, removed when the process ends.
final class TemporaryFolder: Sendable {
    static let shared = TemporaryFolder()
    let path: String
    private let count = Locked(0)

    private init() {
        path = NSTemporaryDirectory() + "ringway-scenarios-\(getpid())"
        try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        atexit { try? FileManager.default.removeItem(atPath: TemporaryFolder.shared.path) }
    }

    /// A name that nothing else has.
    func file(_ name: String) throws -> URL {
        let number = count.withLock { count in
            count += 1
            return count
        }
        return URL(fileURLWithPath: "\(path)/\(name)-\(number)")
    }
}

/// A value that several threads use.
final class Locked<Value>: @unchecked Sendable {
    private let lock = NSLock()
    private var value: Value

    init(_ value: Value) { self.value = value }

    func withLock<Result>(_ body: (inout Value) throws -> Result) rethrows -> Result {
        lock.lock()
        defer { lock.unlock() }
        return try body(&value)
    }
}
