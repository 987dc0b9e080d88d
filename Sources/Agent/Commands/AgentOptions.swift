// How `show`, `trace` and `reload` find the agent, and how they ask it.

import ArgumentParser
import Foundation

struct AgentOptions: ParsableArguments {
    @Option(
        name: [.long, .short],
        help: "The agent's configuration file, which tells where its socket is.",
        completion: .file()
    )
    var config: String?

    @Option(
        name: [.long, .short],
        help: "The agent's control socket. (default: /run/ringway/ringway.ctl)",
        completion: .file()
    )
    var socket: String?

    func validate() throws {
        if config != nil && socket != nil { throw ValidationError("--config and --socket exclude each other.") }
    }

    private func socketPath() throws -> String {
        if let socket { return socket }
        // The files that it names, and its cores, are the agent's affair.
        let configuration = try config.map { try loadConfiguration($0, ofAgent: true) }
        return configuration?.controlSocket ?? "/run/ringway/ringway.ctl"
    }

    /// Asks the agent; the line that it answered. What goes wrong goes to standard error.
    func ask(_ request: ControlRequest) throws -> Data {
        let path = try socketPath()
        return try reportingFailures { () throws(ControlClient.Failure) in try ControlClient.ask(request, path: path) }
    }

    /// The result within an answer.
    func result<Result: Decodable>(_: Result.Type, of line: Data) throws -> Result {
        try reportingFailures { () throws(ControlClient.Failure) in try ControlClient.result(Result.self, of: line) }
    }

    private func reportingFailures<Result>(_ body: () throws(ControlClient.Failure) -> Result) throws -> Result {
        do throws(ControlClient.Failure) {
            return try body()
        } catch {
            Console.printError("ringway: \(error)")
            if case .unreachable = error { throw ExitCode.unavailable }
            throw ExitCode.failure
        }
    }
}

struct OutputOptions: ParsableArguments {
    @Flag(help: "Print the agent's answer as it came: one line of JSON.")
    var json = false
}
