// `ringway check`: whether a configuration file is right, and what it takes to run it.

import ArgumentParser
import DataPlane

struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Check a configuration file, and tell the memory it needs.",
        discussion: """
            Every mistake is reported with its file, line and column. What the machine should have for cores that poll and has not \
            is a warning. Nothing is started.
            """
    )

    @Option(name: [.long, .short], help: "The configuration file.", completion: .file())
    var config: String

    func run() throws {
        let configuration = try loadConfiguration(config)
        Console.print("\(config): valid\n\(Self.summary(configuration))")
        for warning in ProcessorTopology().warnings(configuration) {
            Console.printError("ringway: warning: \(warning)")
        }
    }

    /// Ports, workers and memory, line by line.
    static func summary(_ configuration: Configuration) -> String {
        let needed = configuration.memoryNeeded
        let workers = configuration.workers.cores.map(String.init).joined(separator: ", ")
        var lines = [
            "ports     \(configuration.ports.count)",
            "workers   \(configuration.workers.cores.count), on core \(workers), \(configuration.workers.idle.rawValue)",
            "memory    \(sizeText(needed.inAll)) recommended, \(sizeText(needed.atLeast)) at least; memory.size is \(sizeText(configuration.memory.size))",
            "  packets \(sizeText(needed.packetBytes)): \(needed.packetBuffers) buffers of \(MemoryEstimate.bytesPerBuffer) bytes",
            "  tables  \(sizeText(needed.tableBytes)): \(configuration.openflow.flowLimit) flow entries (openflow.flow_limit)",
            "  other   \(sizeText(needed.otherBytes))",
        ]
        for group in configuration.groupNames {
            let buffers = configuration.buffers(ofGroup: group)
            lines.append(
                "group     \(group): \(sizeText(buffers * PacketRegion.bufferSize)) beside memory.size, \(buffers) buffers,"
                    + " of which \(configuration.buffersNeeded(ofGroup: group)) are needed; VMs: \(configuration.vms.filter { $0.group == group }.map(\.name).joined(separator: ", "))"
            )
        }
        for service in configuration.services {
            lines.append("service   \(service.name): \(service.replicas.joined(separator: ", "))")
        }
        if needed.serviceBytes > 0 {
            lines.append("  tables  \(sizeText(needed.serviceBytes)) for the connections of services")
        }
        if needed.flowEntries < configuration.openflow.flowLimit {
            lines.append(
                "There is room for about \(needed.flowEntries) flow entries; what is beyond is refused with TABLE_FULL."
                    + " For all of them set memory.size to \(needed.inAll.roundedUpToMebibytes)MiB."
            )
        }
        return lines.joined(separator: "\n")
    }
}

extension Int {
    fileprivate var roundedUpToMebibytes: Int { (self + (1 << 20) - 1) >> 20 }
}
