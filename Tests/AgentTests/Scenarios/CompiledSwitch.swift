// A scenario's switch made of the model, the compiler and a worker in this process. Packets go through the compiled tables;
// time is the real one.

import Agent
import DataPlane
import Glibc
import NIOCore
import OpenFlow

final class CompiledSwitch: ScenarioSwitch {
    private let system: InProcessSwitch
    private var flowRemoved: [FlowRemoved] = []
    private var received: UInt64 = 0
    private var runts: UInt64 = 0
    private var receivedByPort: [UInt32: (packets: UInt64, bytes: UInt64)] = [:]

    init(ports: [UInt32]) throws {
        guard ports == Array(1...UInt32(ports.count)) else { throw ScenarioError("ports: 1, 2, 3, … expected") }
        system = try InProcessSwitch(portCount: ports.count)
        system.model.onFlowRemoved = { [unowned self] in flowRemoved.append($0) }
        try system.openDevices()
        // The scenario says which ports have queues.
        system.model.setQueues(EgressQueues(), of: 1)
    }

    deinit { system.closeDevices() }

    func configure(_ handling: FragmentHandling) throws {
        try system.model.setConfig(SwitchConfig(fragmentHandling: handling))
        system.datapath.setDropsFragments(handling == .drop)
        system.settle()
    }

    func configure(queues: [UInt32: [UInt32]]) { system.model.configure(queues: queues) }

    func configure(_ port: UInt32, _ config: PortConfig) throws {
        try system.model.configure(port, config)
        system.settle()
        system.captureOutputs()
    }

    func execute(_ rules: [(origin: Scenario.OpenFlowMessage, message: RecordedMessage)]) throws {
        for (origin, message) in rules {
            guard try system.model.change(message) else { throw ScenarioError("\(origin): \(message.frame)") }
            system.settle()
        }
    }

    func refusal(of message: RecordedMessage) throws -> OpenFlowError? {
        defer { system.settle() }
        return message.refusal ?? system.model.refusal(of: message.message)
    }

    func receive(_ frame: [UInt8], port: UInt32, expected: Observation) throws -> Observation {
        received += 1
        receivedByPort[port, default: (0, 0)].packets += 1
        receivedByPort[port]?.bytes += UInt64(frame.count)
        guard let outcome = system.receive(frame, port: port) else {
            // Where a worker polls, it sorts these out before they come to the tables.
            runts += 1
            return Observation(drops: [.runt])
        }
        system.settle()
        return observation(outcome)
    }

    func packetOut(_ packetOut: RecordedMessage, expected: Observation) throws -> Observation {
        guard case .packetOut(let message)? = packetOut.message else { throw ScenarioError("\(packetOut.frame)") }
        let before = drops
        let outcome = try system.packetOut(
            Array(message.data.readableBytesView),
            inPort: message.inPort,
            actions: message.actions
        )
        system.settle()
        var observation = observation(outcome)
        for reason in DropReason.allCases {
            let count = Int(drops[reason.rawValue] - before[reason.rawValue])
            observation.drops += [DropReason](repeating: reason, count: count)
        }
        return observation
    }

    func wait(seconds: Double) throws {
        // The model hears of time-outs as it does in the agent: every 100 ms.
        _ = ToolProcess.wait(seconds: seconds) {
            system.model.expireFlows()
            system.settle()
            usleep(50_000)
            return false
        }
    }

    func takeFlowRemoved(count: Int) throws -> [FlowRemoved] {
        defer { flowRemoved = [] }
        return flowRemoved
    }

    func counters(ofTable tableID: UInt8) throws -> (lookups: UInt64, matches: UInt64) {
        system.datapath.counters(ofTable: tableID)
    }

    func counters(ofPort port: UInt32) throws -> PortStatistics {
        var statistics = PortStatistics(number: PortNumber(rawValue: port))
        let counters = system.worker.pointee.ports[Int(port) - 1].counters
        (statistics.transmittedPackets, statistics.transmittedBytes) = (
            counters.transmittedPackets, counters.transmittedBytes
        )
        // The worker does not poll here: what is received is counted by whoever gives it the packets.
        (statistics.receivedPackets, statistics.receivedBytes) = receivedByPort[port] ?? (0, 0)
        return statistics
    }

    func flows() throws -> [FlowStatistics] { try system.model.flows() }
    func meters() throws -> [MeterStatistics] { try system.model.meterStatistics() }

    func finish() throws -> PacketBalance {
        let counters = system.worker.pointee.counters.pointee
        var balance = PacketBalance(received: received, injected: counters.injected, copies: counters.copies)
        for slot in 0..<PortSlot.limit {
            balance.sent += system.worker.pointee.ports[slot].counters.transmittedPackets
        }
        balance.toController = counters.packetIns[0] + counters.packetIns[1] + counters.packetIns[2]
        balance.dropped = drops.reduce(runts, +)
        return balance
    }

    private func observation(_ outcome: Outcome) -> Observation {
        var observation = Observation(drops: outcome.drops)
        observation.sent = outcome.outputs.map { SentFrame(port: $0.port, $0.bytes, queue: $0.queue) }
        for (record, bytes) in outcome.packetIns {
            let hasEntry = record.record != PacketInRecord.noRecord
            let entry = hasEntry ? system.datapath.compiler.flows.entry(Int(record.record)) : nil
            observation.sent.append(
                SentFrame(
                    packetIn: PacketInReason(rawValue: record.reason) ?? .action,
                    tableID: record.table,
                    cookie: entry?.cookie ?? .max,
                    metadata: record.metadata,
                    tunnelID: record.tunnelID,
                    inPort: record.inPort,
                    bytes
                )
            )
        }
        return observation
    }

    /// Over all ports, by reason.
    private var drops: [UInt64] {
        DropReason.allCases.map { reason in
            (0..<PortSlot.limit).reduce(0) { $0 + system.worker.pointee.ports[$1].counters.drops[reason.rawValue] }
        }
    }
}
