// Other programs as processes: started, waited for with a limit, and ended by their process id. LiveSwitch builds on it.

import Foundation

/// A process of another program. What it prints goes to files, so that no reader is needed while it runs.
final class Command {
    /// How a process has ended.
    struct Outcome: CustomStringConvertible {
        /// The exit status, or the signal's number.
        let status: CInt
        let output: String
        let errors: String

        var lines: [Substring] { output.split(separator: "\n") }
        var description: String { "status \(status)\n\(output)\(errors)" }
    }

    /// A process did not end in time, or a program could not be found.
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    private let words: [String]
    private let folder: String
    let pid: pid_t
    /// As waitpid tells it; nil: it runs.
    private var ended: CInt?

    /// Starts a program, in a network namespace if one is named. `ip netns exec` becomes the program: the process id is its own.
    ///
    /// - Parameter input: A file that it reads as its standard input.
    init(
        _ words: [String],
        namespace: String? = nil,
        environment: [String: String] = [:],
        input: String = "/dev/null"
    ) throws {
        self.words = (namespace.map { ["ip", "netns", "exec", $0] } ?? []) + words
        folder = "/tmp/ringway-live-\(getpid())-\(UUID())"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let variables = ProcessInfo.processInfo.environment
            .merging(["PATH": Self.folders.joined(separator: ":"), "LC_ALL": "C"]) { $1 }.merging(environment) { $1 }
        do {
            pid = try Self.spawn(self.words, variables.map { "\($0)=\($1)" }, input: input, output: folder)
        } catch {
            try? FileManager.default.removeItem(atPath: folder)
            throw error
        }
    }

    deinit {
        end()
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// Foundation's `Process` would do, but it leaks descriptors, of which hundreds of processes take too many.
    private static func spawn(
        _ words: [String],
        _ variables: [String],
        input: String,
        output folder: String
    ) throws -> pid_t {
        guard let program = path(of: words[0]) else { throw Failure(description: "there is no \(words[0])") }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, input, O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, "\(folder)/out", O_WRONLY | O_CREAT, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, "\(folder)/err", O_WRONLY | O_CREAT, 0o600)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // The test runner's own handling of signals is not the program's.
        var signals = sigset_t()
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))
        let (arguments, environment) = (words.map { strdup($0) } + [nil], variables.map { strdup($0) } + [nil])
        defer { (arguments + environment).forEach { free($0) } }
        var pid: pid_t = 0
        let error = posix_spawn(&pid, program, &actions, &attributes, arguments, environment)
        guard error == 0 else { throw Failure(description: "\(program): \(String(cString: strerror(error)))") }
        return pid
    }

    var isRunning: Bool {
        if ended == nil { wait(WNOHANG) }
        return ended == nil
    }

    private func wait(_ options: CInt) {
        var status: CInt = 0
        if waitpid(pid, &status, options) == pid { ended = status & 0x7f == 0 ? status >> 8 & 0xff : status & 0x7f }
    }

    /// What it has printed up to now, errors behind.
    var printed: String { text("out") + text("err") }

    func send(_ signal: CInt) { if isRunning { kill(pid, signal) } }

    /// Ends the process, at once and for sure.
    func end() {
        guard isRunning else { return }
        kill(pid, SIGKILL)
        wait(0)
    }

    /// Waits until the process ends by itself; ends it and throws if that takes longer than `limit`.
    func outcome(within limit: Duration = .seconds(30)) async throws -> Outcome {
        guard try await eventually(within: limit, { !isRunning }) else {
            end()
            throw Failure(description: "\(words.joined(separator: " ")): still running after \(limit):\n\(printed)")
        }
        return Outcome(status: ended ?? -1, output: text("out"), errors: text("err"))
    }

    /// Starts a program and waits for its end.
    static func run(
        _ words: [String],
        namespace: String? = nil,
        environment: [String: String] = [:],
        within limit: Duration = .seconds(30)
    ) async throws -> Outcome {
        try await Command(words, namespace: namespace, environment: environment).outcome(within: limit)
    }

    private static let folders = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"]

    /// Where a program is; nil: nowhere.
    static func path(of program: String) -> String? {
        let candidates = program.contains("/") ? [program] : folders.map { "\($0)/\(program)" }
        return candidates.first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    private func text(_ name: String) -> String {
        String(decoding: FileManager.default.contents(atPath: "\(folder)/\(name)") ?? Data(), as: UTF8.self)
    }
}

/// Waits until `condition` holds, looking again and again; false if it does not within `limit`.
func eventually(within limit: Duration = .seconds(10), _ condition: () async throws -> Bool) async throws -> Bool {
    let end = ContinuousClock.now + limit
    while try await !condition() {
        guard ContinuousClock.now < end else { return false }
        try await Task.sleep(for: .milliseconds(5))
    }
    return true
}
