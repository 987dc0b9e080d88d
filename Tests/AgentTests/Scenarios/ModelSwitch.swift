// A scenario's switch made of the model and the reference interpreter alone: it counts what the interpreter reports, and its
// clock goes on only when the scenario waits.

import Agent
import DataPlane
import NIOCore
import OpenFlow

final class ModelSwitch: ScenarioSwitch, Datapath {
    private var model: SwitchModel!
    private var time = NIODeadline.uptimeNanoseconds(1_000_000_000_000)
    private var flowRemoved: [FlowRemoved] = []
    private var observation = Observation()
    private var balance = PacketBalance()
    /// Entries are kept with their counters: the identifier of one that is gone must not be used again.
    private var flowCounters: [ObjectIdentifier: (entry: FlowEntry, counters: FlowCounters)] = [:]
    private var tableCounters: [UInt8: (lookups: UInt64, matches: UInt64)] = [:]
    private var portCounters: [PortNumber: PortStatistics] = [:]
    private var buckets: ReferenceMeters!

    init(ports: [UInt32]) {
        model = SwitchModel(datapath: self, now: { [unowned self] in time })
        buckets = ReferenceMeters(now: { [unowned self] in time })
        for number in ports {
            let port = PortNumber(rawValue: number)
            model.setPort(Port(number: port, hardwareAddress: EthernetAddress(rawValue: 0), name: "p\(number)"))
            portCounters[port] = PortStatistics(number: port)
        }
        model.onFlowRemoved = { [unowned self] in flowRemoved.append($0) }
    }

    // MARK: ScenarioSwitch

    func configure(_ handling: FragmentHandling) throws {
        try model.setConfig(SwitchConfig(fragmentHandling: handling))
    }

    func configure(queues: [UInt32: [UInt32]]) { model.configure(queues: queues) }

    func configure(_ port: UInt32, _ config: PortConfig) throws { try model.configure(port, config) }

    func execute(_ rules: [(origin: Scenario.OpenFlowMessage, message: RecordedMessage)]) throws {
        for (origin, message) in rules {
            guard try model.change(message) else { throw ScenarioError("\(origin): \(message.frame)") }
        }
    }

    func refusal(of message: RecordedMessage) throws -> OpenFlowError? {
        message.refusal ?? model.refusal(of: message.message)
    }

    func receive(_ frame: [UInt8], port: UInt32, expected: Observation) throws -> Observation {
        let number = PortNumber(rawValue: port)
        portCounters[number]?.receivedPackets += 1
        portCounters[number]?.receivedBytes += UInt64(frame.count)
        balance.received += 1
        return note(ReferencePipeline.receive(frame, inPort: number, by: model, meters: buckets), inPort: number)
    }

    func packetOut(_ packetOut: RecordedMessage, expected: Observation) throws -> Observation {
        guard case .packetOut(let message)? = packetOut.message else { throw ScenarioError("\(packetOut.frame)") }
        try model.execute(message)
        return observation
    }

    func wait(seconds: Double) throws {
        time = time + .nanoseconds(Int64(seconds * 1e9))
        model.expireFlows()
    }

    func takeFlowRemoved(count: Int) throws -> [FlowRemoved] {
        defer { flowRemoved = [] }
        return flowRemoved
    }

    func counters(ofPort port: UInt32) throws -> PortStatistics {
        portCounters[PortNumber(rawValue: port)] ?? PortStatistics(number: PortNumber(rawValue: port))
    }

    func flows() throws -> [FlowStatistics] { try model.flows() }
    func meters() throws -> [MeterStatistics] { try model.meterStatistics() }

    func finish() throws -> PacketBalance { balance }

    // MARK: Datapath

    func counters(ofQueuesOf port: PortNumber) -> [QueueCounters] { [] }
    func counters(ofGroup id: GroupID) -> GroupCounters { GroupCounters() }
    func apply(_ changes: [FlowChange], groups: [GroupChange], atomically: Bool) throws(OpenFlowError) {}
    func configure(ports: [PortNumber: PortConfig]) {}
    func configure(meters changes: [MeterChange]) {
        for change in changes {
            switch change {
            case .remove(let id): buckets.forget(id)
            case .set(let meter, let isNew): if isNew { buckets.forget(meter.id) }
            }
        }
    }
    func learn(_ address: LearnedAddress, at port: PortNumber) -> Bool { true }
    func forget(_ addresses: [LearnedAddress]) {}
    func age(of address: LearnedAddress) -> TimeAmount { .zero }
    func setStandalone(_ standalone: Bool) {}
    func counters(ofMeter id: UInt32) -> MeterCounters { buckets.counters(of: id) }
    func whenApplied(_ body: @escaping () -> Void) { body() }
    func counters(of flow: FlowEntry) -> FlowCounters {
        flowCounters[ObjectIdentifier(flow)]?.counters ?? FlowCounters()
    }
    func counters(ofTable tableID: UInt8) -> (lookups: UInt64, matches: UInt64) { tableCounters[tableID] ?? (0, 0) }
    func counters(ofPort port: PortNumber) -> PortStatistics? { portCounters[port] }

    func packetOut(inPort: PortNumber, actions: [Action], data: ByteBuffer) throws(OpenFlowError) {
        let frame = Array(data.readableBytesView)
        balance.injected += 1
        observation = note(
            ReferencePipeline.packetOut(frame, inPort: inPort, actions: actions, by: model, meters: buckets),
            inPort: inPort
        )
    }

    // MARK: Counting

    private func note(_ pipeline: ReferencePipeline, inPort: PortNumber) -> Observation {
        var observation = Observation()
        var lengths = pipeline.lookupLengths[...]
        for step in pipeline.steps {
            switch step {
            case .table(let id, let entry):
                tableCounters[id, default: (0, 0)].lookups += 1
                let length = lengths.removeFirst()
                guard let entry else { continue }
                tableCounters[id]?.matches += 1
                var counters = counters(of: entry)
                counters.packets += 1
                counters.bytes += UInt64(length)
                counters.lastUsed = time
                flowCounters[ObjectIdentifier(entry)] = (entry, counters)
            case .drop(let reason): observation.drops.append(DropReason(reason))
            case .action, .actionSet, .bucket, .meter: break
            }
        }
        for output in pipeline.outputs {
            switch output.destination {
            case .port(let port):
                portCounters[port]?.transmittedPackets += 1
                portCounters[port]?.transmittedBytes += UInt64(output.frame.count)
                balance.sent += 1
                observation.sent.append(SentFrame(port: port.rawValue, output.frame, queue: output.queue))
            case .controller(let reason, let tableID, let cookie, let metadata, _):
                balance.toController += 1
                observation.sent.append(
                    SentFrame(
                        packetIn: reason,
                        tableID: tableID,
                        cookie: cookie,
                        metadata: metadata,
                        tunnelID: output.tunnelID,
                        inPort: inPort.rawValue,
                        output.frame
                    )
                )
            }
        }
        for address in pipeline.sightings { model.learn(address, at: inPort) }
        balance.dropped += UInt64(observation.drops.count)
        // The interpreter counts no copies: each fate but one is a copy's.
        balance.copies += UInt64(max(0, observation.count - 1))
        return observation
    }
}

extension SwitchModel {
    /// The error that a message is refused with; nil: it was accepted.
    func refusal(of message: Message?) -> OpenFlowError? {
        do throws(OpenFlowError) {
            switch message {
            case .flowMod(let mod): try execute(mod)
            case .groupMod(let mod): try execute(mod)
            case .meterMod(let mod): try execute(mod)
            case .packetOut(let packetOut): try execute(packetOut)
            default: return .badRequest(.badType, "no flow-mod, group-mod, meter-mod or packet-out")
            }
            return nil
        } catch {
            return error
        }
    }

    /// Gives ports queues without rates of their own.
    func configure(queues: [UInt32: [UInt32]]) {
        for (port, ids) in queues {
            setQueues(
                EgressQueues(queues: ids.map { PortScheduler.QueueRates(id: $0) }),
                of: PortNumber(rawValue: port)
            )
        }
    }

    /// A port-mod that sets and clears all settings of a port.
    func configure(_ number: UInt32, _ config: PortConfig) throws {
        let number = PortNumber(rawValue: number)
        guard let port = ports[number]?.port else { throw ScenarioError("there is no port \(number)") }
        try execute(
            PortMod(
                number: number,
                hardwareAddress: port.hardwareAddress,
                config: config,
                mask: [.portDown, .noReceive, .noForward, .noPacketIn],
                advertise: []
            )
        )
    }

    /// Carries out a flow-mod or a meter-mod; false if it is neither.
    func change(_ message: RecordedMessage) throws -> Bool {
        switch message.message {
        case .flowMod(let mod): try execute(mod)
        case .groupMod(let mod): try execute(mod)
        case .meterMod(let mod): try execute(mod)
        default: return false
        }
        return true
    }

    /// The statistics of all meters.
    func meterStatistics() throws -> [MeterStatistics] {
        guard case .meter(let meters) = try answer(.meter(MeterID.all)) else { return [] }
        return meters
    }

    /// The statistics of all flow entries.
    func flows() throws -> [FlowStatistics] {
        guard case .flow(let flows) = try answer(.flow(FlowStatisticsRequest())) else { return [] }
        return flows
    }
}
