// Controllers built on os-ken, as processes in a switch's namespace: Faucet, and the one under Fixtures/controllers.

import Foundation

/// Faucet with a configuration of its own.
final class Faucet {
    let process: Command
    private let log: String

    /// - Parameter options: How it listens, such as `--ryu-ofp-tcp-listen-port`.
    init(_ configuration: String, at live: LiveSwitch, options: [String] = ["--ryu-ofp-tcp-listen-port", "6653"]) throws
    {
        log = live.directory.appendingPathComponent("faucet.log").path
        process = try Command(
            [Requirements.faucet, "--ryu-ofp-listen-host", "127.0.0.1"] + options,
            namespace: live.namespaces.ofSwitch,
            environment: [
                // It executes `osken-manager`, which lies beside it.
                "PATH": "\(Requirements.osKenFolder):/usr/sbin:/usr/bin:/sbin:/bin",
                "FAUCET_CONFIG": try live.file("faucet.yaml", configuration),
                "FAUCET_LOG": log,
                "FAUCET_EXCEPTION_LOG": "\(log).exceptions", "FAUCET_PROMETHEUS_ADDR": "127.0.0.1",
                "FAUCET_PROMETHEUS_PORT": "9302",
            ]
        )
    }

    /// What it has said up to now.
    var said: String { ((try? String(contentsOfFile: log, encoding: .utf8)) ?? "") + process.printed }

    /// Waits until it has set up the switch's port 2.
    func isUp() async throws -> Bool {
        _ = try await eventually(within: .seconds(60)) {
            said.contains("Port 2 (2) configured") || !process.isRunning
        }
        return process.isRunning
    }

    func end() { process.end() }
}

/// A controller that does what it is told: see Fixtures/controllers/obedient.py.
final class ObedientController {
    let process: Command
    private let words: FileHandle
    private var heard = 0

    /// - Parameter port: Where it listens for the switch.
    init(_ name: String, port: Int, at live: LiveSwitch) throws {
        let file = try live.file("\(name).words", "")
        words = try FileHandle(forWritingTo: URL(fileURLWithPath: file))
        process = try Command(
            [
                "\(Requirements.osKenFolder)/osken-manager", "--ofp-listen-host", "127.0.0.1", "--ofp-tcp-listen-port",
                "\(port)", Requirements.obedientController,
            ],
            namespace: live.namespaces.ofSwitch,
            environment: ["WORDS": file]
        )
    }

    /// Waits until a switch has said who it is.
    func isConnected() async throws -> Bool {
        try await eventually(within: .seconds(30)) { process.printed.contains("connected") || !process.isRunning }
            && process.isRunning
    }

    /// Tells it to do something, and waits until the switch has answered that with what it returns.
    func tell(_ order: String) async throws -> String {
        try words.write(contentsOf: Data("\(order)\n".utf8))
        heard += 1
        _ = try await eventually { answers.count >= heard || !process.isRunning }
        return answers.count >= heard ? answers[heard - 1] : "nothing: \(process.printed)"
    }

    private var answers: [String] {
        process.printed.split(separator: "\n").filter { $0.hasPrefix("answer: ") }.map { String($0.dropFirst(8)) }
    }

    func end() { process.end() }
}
