// `ringway reload`: the running agent reads its configuration file again.

import ArgumentParser
import Foundation

struct ReloadCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reload",
        abstract: "Put the running agent's changed configuration file into force.",
        discussion:
            "What did not change forwards on undisturbed. A file that is wrong, or asks for what needs another start, changes nothing."
    )

    @OptionGroup var agent: AgentOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        let line = try agent.ask(.reload)
        if output.json { return Console.print(String(decoding: line, as: UTF8.self)) }
        let changes = try agent.result(ReloadReport.self, of: line).changes
        Console.print(changes.isEmpty ? "nothing changed" : changes.joined(separator: "\n"))
    }
}
