// `ringway flush`: the running agent forgets what output to NORMAL has learned.

import ArgumentParser
import Foundation

struct FlushCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "flush",
        abstract: "Forget at which ports output to NORMAL has seen which addresses.",
        discussion: "Packets go to all ports of their VLAN until their destination is seen again."
    )

    @OptionGroup var agent: AgentOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        let line = try agent.ask(.flush)
        if output.json { return Console.print(String(decoding: line, as: UTF8.self)) }
        Console.print("\(try agent.result(FlushReport.self, of: line).addresses) addresses forgotten")
    }
}
