// `ringway run`: the agent itself.

import ArgumentParser

struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run the switch in the foreground, until SIGINT or SIGTERM.",
        discussion: "SIGHUP, or `ringway reload`, puts a changed configuration file into force."
    )

    @Option(name: [.long, .short], help: "The configuration file.", completion: .file())
    var config: String

    func run() async throws {
        let configuration = try loadConfiguration(config)
        do {
            try await runAgent(configuration: configuration, path: config)
        } catch {
            Console.printError("ringway: \(error)")
            throw ExitCode.failure
        }
    }
}
