// `ringway trace`: what would happen to a packet.

import ArgumentParser
import Foundation

struct TraceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trace",
        abstract: "Tell what would happen to a packet, table by table.",
        discussion: """
            The packet is written as ovs-ofctl writes matches: 'in_port=1,tcp,nw_dst=10.0.0.2,tp_dst=80'. It goes through the tables that the \
            workers run and, beside that, through the switch model; nothing is sent, and nothing is counted. Fails if the two disagree.
            """
    )

    @Argument(help: ArgumentHelp("The packet.", valueName: "flow"))
    var flow: String

    @OptionGroup var agent: AgentOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        let line = try agent.ask(.trace(flow: flow))
        let report = try agent.result(TraceReport.self, of: line)
        Console.print(output.json ? String(decoding: line, as: UTF8.self) : report.text)
        if !report.agree {
            Console.printError(
                "ringway: the compiled tables and the switch model disagree: this is a mistake in the agent"
            )
            throw ExitCode.failure
        }
    }
}

extension TraceReport {
    /// The way through the tables; both ways, if they differ.
    package var text: String {
        var lines = ["packet: \(flow)"]
        lines +=
            agree
            ? compiled.lines : ["by the compiled tables:"] + compiled.lines + ["by the switch model:"] + model.lines
        return lines.joined(separator: "\n")
    }
}

extension TraceReport.Path {
    fileprivate var lines: [String] {
        steps + (outputs.isEmpty ? ["out: nothing"] : outputs.map { "out: \($0.destination): \($0.frame)" })
    }
}
