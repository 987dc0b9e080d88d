// The far ends of a live switch's ports: Fixtures/scenarios/live/ports.py in a network namespace of its own, which answers
// commands line by line. The agent is its child, so that both end with this process, however it ends.

import Foundation

final class PortsProcess {
    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()
    private var buffer: [UInt8] = []

    /// - Parameter log: Where its standard error and the agent's output go.
    init(portCount: Int, log: URL) throws {
        guard let unshare = ToolProcess.find("unshare"), let taskset = ToolProcess.find("taskset") else {
            throw ScenarioError("there is no unshare, or no taskset (Debian: util-linux)")
        }
        let script = Scenario.directory.appendingPathComponent("live/ports.py").path
        _ = FileManager.default.createFile(atPath: log.path, contents: nil)
        process.executableURL = URL(fileURLWithPath: taskset)
        // DPDK in this process may have pinned the thread that starts it.
        process.arguments = ["0xffffffff", unshare, "--net", "python3", script, "\(portCount)"]
        (process.standardInput, process.standardOutput) = (input, output)
        process.standardError = try FileHandle(forWritingTo: log)
        try process.run()
        guard try line() == "ready" else { throw ScenarioError("ports.py does not start") }
    }

    /// A command that is answered by one line.
    func ask(_ command: String, seconds: Double = 10) throws -> String {
        try send(command)
        return try line(seconds: seconds)
    }

    /// The frames captured since the last time.
    func take() throws -> [(port: UInt32, bytes: [UInt8])] {
        try send("take")
        var frames: [(port: UInt32, bytes: [UInt8])] = []
        while true {
            let answer = try line()
            if answer == "end" { return frames }
            let words = answer.split(separator: " ")
            guard words.count == 2, let port = UInt32(words[0]) else { throw ScenarioError("ports.py: \(answer)") }
            frames.append((port, try ScenarioValue(.text(String(words[1])), line: 0).hexBytes()))
        }
    }

    func stop() {
        if process.isRunning { _ = try? ask("stop", seconds: 15) }
        try? input.fileHandleForWriting.close()
        if !ToolProcess.wait(seconds: 5, until: { !process.isRunning }) { kill(process.processIdentifier, SIGKILL) }
    }

    private func send(_ command: String) throws {
        guard process.isRunning else { throw ScenarioError("ports.py has ended") }
        try input.fileHandleForWriting.write(contentsOf: Data((command + "\n").utf8))
    }

    private func line(seconds: Double = 10) throws -> String {
        let end = Date(timeIntervalSinceNow: seconds)
        while true {
            if let newline = buffer.firstIndex(of: UInt8(ascii: "\n")) {
                defer { buffer.removeSubrange(...newline) }
                return String(decoding: buffer[..<newline], as: UTF8.self)
            }
            let descriptor = output.fileHandleForReading.fileDescriptor
            var event = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&event, 1, Int32(max(0, end.timeIntervalSinceNow * 1000))) > 0 else {
                throw ScenarioError("ports.py: no answer within \(seconds) s")
            }
            var chunk = [UInt8](repeating: 0, count: 65536)
            let count = read(descriptor, &chunk, chunk.count)
            guard count > 0 else { throw ScenarioError("ports.py has ended") }
            buffer += chunk[..<count]
        }
    }
}
