// One scenario's view of a live agent: packets go in and out by network interfaces, rules by the real ovs-ofctl, and the
// counters are what has been added since the scenario began.

import Agent
import DataPlane
import Foundation
import OpenFlow
import Testing

final class LiveSwitch: ScenarioSwitch {
    private let agent: LiveAgent
    private var start = Counters()
    private var startMetrics: [String: Double] = [:]
    /// What has been seen of the drops, by reason, up to the last packet.
    private var seenDrops: [String: UInt64] = [:]
    private var packetsSent: UInt64 = 0
    private var packetOuts: UInt64 = 0
    private var captured: UInt64 = 0
    private var packetIns: UInt64 = 0
    /// Fates beyond the first of each packet.
    private var copies: UInt64 = 0

    /// The agent's counters at one moment.
    private struct Counters {
        var ports: [UInt32: PortReport] = [:]
        var drops: [String: UInt64] = [:]
        var tables: [UInt8: TableReport] = [:]

        init() {}

        init(of agent: LiveAgent) throws {
            for port in try agent.show(.ports, PortReport.self) { ports[port.number] = port }
            for drop in try agent.show(.drops, DropReport.self) { drops[drop.reason, default: 0] += drop.packets }
            for table in try agent.show(.tables, TableReport.self) { tables[table.table] = table }
        }

        func total(_ value: (PortReport) -> UInt64) -> UInt64 { ports.values.reduce(0) { $0 + value($1) } }
    }

    /// Empties the agent's tables.
    init(_ agent: LiveAgent) throws {
        self.agent = agent
        try agent.checkAlive()
        try accepted(agent.ask(.flowMod(FlowMod(tableID: TableID.all, command: .delete))))
        try accepted(agent.ask(.groupMod(GroupMod(command: .delete, groupID: .all))))
        try accepted(agent.ask(.meterMod(MeterMod(command: .delete, meterID: MeterID.all))))
        try agent.flush()
        try configure(.normal)
        for port in try portDescriptions() where !port.config.isEmpty { try configure(port.number.rawValue, []) }
        _ = try agent.takePacketIns()
        _ = try agent.takeFlowRemoved()
        _ = try agent.ports.take()
        start = try Counters(of: agent)
        seenDrops = start.drops
        startMetrics = try agent.metrics()
    }

    private func accepted(_ answers: [Message]) throws {
        for case .error(let message) in answers { throw ScenarioError("refused: \(message.error.name)") }
    }

    // MARK: Rules

    func configure(_ handling: FragmentHandling) throws {
        try accepted(agent.ask(.setConfig(SwitchConfig(fragmentHandling: handling))))
    }

    private func portDescriptions() throws -> [OpenFlow.Port] {
        try agent.ask(.multipartRequest(.portDescription, more: false)).flatMap { answer in
            guard case .multipartReply(.portDescription(let ports), _) = answer else { return [OpenFlow.Port]() }
            return ports
        }
    }

    func configure(queues: [UInt32: [UInt32]]) throws { throw ScenarioError("live: false is wanted beside queues") }

    func configure(_ number: UInt32, _ config: PortConfig) throws {
        guard let port = try portDescriptions().first(where: { $0.number.rawValue == number }) else {
            throw ScenarioError("there is no port \(number)")
        }
        let mod = PortMod(
            number: port.number,
            hardwareAddress: port.hardwareAddress,
            config: config,
            mask: [.portDown, .noReceive, .noForward, .noPacketIn],
            advertise: []
        )
        try accepted(agent.ask(.portMod(mod)))
        let described = try portDescriptions().first { $0.number == port.number }
        #expect(described?.config == config)
        #expect(described?.state.contains(.live) == !config.contains(.portDown))
    }

    /// By ovs-ofctl; what it does not say, by the connection of our own.
    func execute(_ rules: [(origin: Scenario.OpenFlowMessage, message: RecordedMessage)]) throws {
        var texts: [String] = []
        for (origin, message) in rules {
            switch origin {
            case .rule(let text): texts.append(text)
            case .meter(let text):
                try push(texts)
                texts = []
                let command = MeterCommand(text)
                let result = try command.run(target: "unix:\(agent.managementSocket)")
                guard result.status == 0 else { throw ScenarioError("\(text): \(result.output)") }
            default:
                try push(texts)
                texts = []
                try accepted(agent.ask(bytes: message.bytes))
            }
        }
        try push(texts)
    }

    private func push(_ texts: [String]) throws {
        if texts.isEmpty { return }
        let file = try TemporaryFolder.shared.file("flows")
        try texts.joined(separator: "\n").write(to: file, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(at: file) }
        let target = "unix:\(agent.managementSocket)"
        let result = try ToolProcess.run(
            ToolProcess.ovsOfctl ?? "",
            ["-O", "OpenFlow13", "--no-names", "add-flows", target, file.path]
        )
        guard result.status == 0 else { throw ScenarioError("ovs-ofctl add-flows: \(result.output)") }
    }

    func refusal(of message: RecordedMessage) throws -> OpenFlowError? {
        for case .error(let message) in try agent.ask(bytes: message.bytes) { return message.error }
        return nil
    }

    // MARK: Packets

    func receive(_ frame: [UInt8], port: UInt32, expected: Observation) throws -> Observation {
        packetsSent += 1
        guard try agent.ports.ask("send \(port) \(frame.hex)") == "ok" else {
            throw ScenarioError("a frame is not sent")
        }
        return try settle(expected)
    }

    func packetOut(_ packetOut: RecordedMessage, expected: Observation) throws -> Observation {
        packetOuts += 1
        try accepted(agent.ask(bytes: packetOut.bytes))
        return try settle(expected)
    }

    /// Waits for as many fates as are expected, then until nothing more comes.
    private func settle(_ expected: Observation) throws -> Observation {
        var observation = Observation()
        var last: PacketBalance?
        _ = try ToolProcess.wait(seconds: 10) {
            let counters = try collect(&observation)
            let received = counters.total(\.receivePackets) - start.total(\.receivePackets)
            let sent = counters.total(\.transmitPackets) - start.total(\.transmitPackets)
            let now = PacketBalance(received: received, copies: UInt64(observation.count), sent: sent)
            defer { last = now }
            return now == last && received == packetsSent && sent == captured && observation.count >= expected.count
        }
        copies += UInt64(max(0, observation.count - 1))
        return observation
    }

    /// Adds what has come out since the last call.
    private func collect(_ observation: inout Observation) throws -> Counters {
        let counters = try Counters(of: agent)
        for (reason, count) in counters.drops {
            let new = Int(count - seenDrops[reason, default: 0])
            guard let reason = DropReason.allCases.first(where: { $0.name == reason }) else { continue }
            observation.drops += [DropReason](repeating: reason, count: new)
        }
        seenDrops.merge(counters.drops) { $1 }
        for (port, bytes) in try agent.ports.take() {
            captured += 1
            observation.sent.append(SentFrame(port: port, bytes))
        }
        for packetIn in try agent.takePacketIns() {
            packetIns += 1
            observation.sent.append(
                SentFrame(
                    packetIn: packetIn.reason,
                    tableID: packetIn.tableID,
                    cookie: packetIn.cookie,
                    metadata: UInt64(packetIn.match[.metadata]?.value ?? 0),
                    tunnelID: UInt64(packetIn.match[.tunnelID]?.value ?? 0),
                    inPort: UInt32(packetIn.match[.inPort]?.value ?? 0),
                    Array(packetIn.data.readableBytesView)
                )
            )
            #expect(Int(packetIn.totalLength) == packetIn.data.readableBytes && packetIn.bufferID == BufferID.none)
        }
        return counters
    }

    // MARK: Time and counters

    func wait(seconds: Double) throws { usleep(UInt32(seconds * 1e6)) }

    func takeFlowRemoved(count: Int) throws -> [FlowRemoved] {
        var messages: [FlowRemoved] = []
        _ = try ToolProcess.wait(seconds: 10) {
            messages += try agent.takeFlowRemoved()
            return messages.count >= count
        }
        return messages
    }

    func counters(ofTable tableID: UInt8) throws -> (lookups: UInt64, matches: UInt64) {
        let (now, before) = (try Counters(of: agent).tables[tableID], start.tables[tableID])
        return ((now?.lookups ?? 0) - (before?.lookups ?? 0), (now?.matches ?? 0) - (before?.matches ?? 0))
    }

    func counters(ofPort port: UInt32) throws -> PortStatistics {
        guard let now = try Counters(of: agent).ports[port], let before = start.ports[port] else {
            throw ScenarioError("there is no port \(port)")
        }
        var statistics = PortStatistics(number: PortNumber(rawValue: port))
        statistics.receivedPackets = now.receivePackets - before.receivePackets
        statistics.receivedBytes = now.receiveBytes - before.receiveBytes
        statistics.transmittedPackets = now.transmitPackets - before.transmitPackets
        statistics.transmittedBytes = now.transmitBytes - before.transmitBytes
        return statistics
    }

    func flows() throws -> [FlowStatistics] {
        try agent.ask(.multipartRequest(.flow(FlowStatisticsRequest()), more: false)).flatMap { answer in
            guard case .multipartReply(.flow(let flows), _) = answer else { return [FlowStatistics]() }
            return flows
        }
    }

    func meters() throws -> [MeterStatistics] {
        try agent.ask(.multipartRequest(.meter(MeterID.all), more: false)).flatMap { answer in
            guard case .multipartReply(.meter(let meters), _) = answer else { return [MeterStatistics]() }
            return meters
        }
    }

    // MARK: The end

    func finish() throws -> PacketBalance {
        try agent.checkAlive()
        let now = try Counters(of: agent)
        let metrics = try agent.metrics()
        try expectOneTruth(now, metrics)
        var balance = PacketBalance(injected: packetOuts, copies: copies)
        balance.received = now.total(\.receivePackets) - start.total(\.receivePackets)
        balance.sent = now.total(\.transmitPackets) - start.total(\.transmitPackets)
        balance.toController = packetIns
        balance.dropped = now.drops.values.reduce(0, +) - start.drops.values.reduce(0, +)
        #expect(balance.received == packetsSent)
        #expect(balance.sent == captured)
        func added(_ name: String) -> UInt64? { metrics.sum(name).map { UInt64($0 - (startMetrics.sum(name) ?? 0)) } }
        #expect(added("ringway_packet_in_total") == packetIns)
        // The agent's own count of what it made and was given, where it tells of it; else ours stands.
        if let own = added("ringway_worker_copied_packets_total") { #expect(own == copies) }
        if let own = added("ringway_worker_injected_packets_total") { #expect(own == packetOuts) }
        return balance
    }

    /// `show`, `/metrics` and the OpenFlow statistics say the same.
    private func expectOneTruth(_ counters: Counters, _ metrics: [String: Double]) throws {
        func expect(_ series: String, _ value: UInt64) { #expect(metrics[series] == Double(value), "\(series)") }
        for port in counters.ports.values {
            let labels = "{port=\"\(port.number)\",name=\"\(port.name)\"}"
            expect("ringway_port_receive_packets_total\(labels)", port.receivePackets)
            expect("ringway_port_receive_bytes_total\(labels)", port.receiveBytes)
            expect("ringway_port_transmit_packets_total\(labels)", port.transmitPackets)
            expect("ringway_port_transmit_bytes_total\(labels)", port.transmitBytes)
        }
        for table in counters.tables.values {
            expect("ringway_table_lookups_total{table=\"\(table.table)\"}", table.lookups)
            expect("ringway_table_matches_total{table=\"\(table.table)\"}", table.matches)
        }
        for (reason, count) in counters.drops {
            let sum = metrics.filter { $0.key.hasPrefix("ringway_drops_total{reason=\"\(reason)\"") }.values.reduce(
                0,
                +
            )
            #expect(sum == Double(count), "ringway_drops_total of \(reason)")
        }
        for case .multipartReply(.portStatistics(let list), _) in try agent.ask(
            .multipartRequest(.portStatistics(.any), more: false)
        ) {
            for port in list {
                let report = counters.ports[port.number.rawValue]
                #expect(
                    report?.receivePackets == port.receivedPackets && report?.transmitPackets == port.transmittedPackets
                )
                #expect(report?.receiveBytes == port.receivedBytes && report?.transmitBytes == port.transmittedBytes)
            }
        }
        for case .multipartReply(.table(let list), _) in try agent.ask(.multipartRequest(.table, more: false)) {
            for table in list {
                let report = counters.tables[table.tableID]
                #expect((report?.lookups ?? 0, report?.matches ?? 0) == (table.lookupCount, table.matchedCount))
            }
        }
    }
}

extension [String: Double] {
    /// All series of a name added up; nil: there is none.
    fileprivate func sum(_ name: String) -> Double? {
        let values = filter { $0.key.hasPrefix(name + "{") }.values
        return values.isEmpty ? nil : values.reduce(0, +)
    }
}
