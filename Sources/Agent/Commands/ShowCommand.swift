// `ringway show`: ports, tables, groups, meters, queues, workers, channels, drops, addresses, VMs or services of the running agent.

import ArgumentParser
import Foundation

extension ShowSubject: ExpressibleByArgument {}

struct ShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract:
            "Show ports, tables, groups, meters, queues, workers, channels, drops, addresses, VMs or services of the running agent."
    )

    @Argument(help: ArgumentHelp("What to show.", valueName: "what"))
    var what: ShowSubject

    @OptionGroup var agent: AgentOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        let line = try agent.ask(.show(what))
        if output.json { return Console.print(String(decoding: line, as: UTF8.self)) }
        let table =
            switch what {
            case .ports: TextTable(ports: try agent.result([PortReport].self, of: line))
            case .tables: TextTable(tables: try agent.result([TableReport].self, of: line))
            case .groups: TextTable(groups: try agent.result([GroupReport].self, of: line))
            case .meters: TextTable(meters: try agent.result([MeterReport].self, of: line))
            case .queues: TextTable(queues: try agent.result([QueueReport].self, of: line))
            case .workers: TextTable(workers: try agent.result([WorkerReport].self, of: line))
            case .channels: TextTable(channels: try agent.result([ChannelReport].self, of: line))
            case .drops: TextTable(drops: try agent.result([DropReport].self, of: line))
            case .addresses: TextTable(addresses: try agent.result([AddressReport].self, of: line))
            case .vms: TextTable(vms: try agent.result([VMReport].self, of: line))
            case .services: TextTable(services: try agent.result([ServiceReport].self, of: line))
            }
        Console.print(table.description)
    }
}
