// A stream of OpenFlow messages for the switch model, and packets for what is compiled of it: what leaves is what the reference sends,
// and when all is deleted again, nothing is left.
//
// In the stream an OFPT_ECHO_REQUEST stands for a packet that comes in, by the port that its transaction id chooses of the four
// there are, an OFPT_PORT_STATUS for a link that goes or comes, and an OFPT_BARRIER_REPLY for the beginning or the end of fail
// standalone mode.

import Agent
import DataPlane
import NIOCore
import OpenFlow

enum PipelineFuzzing {
    /// Rules, groups and packets of the differential test, and the annotated messages with a packet behind each.
    static var seeds: [[UInt8]] {
        get throws {
            try (1...60).map { try encoded(randomSession($0)) }
                + FuzzTarget.openFlowFixtures().map { fixture in
                    var random = SeededGenerator(2)
                    return fixture.bytes + (try encoded([.echoRequest(ByteBuffer(bytes: RandomPacket.make(&random)))]))
                }
        }
    }

    private static func randomSession(_ seed: UInt64) -> [Message] {
        var random = SeededGenerator(seed)
        var messages = RandomGroups.start(&random).map { Message.groupMod($0) }
        let rules = RandomRules(&random)
        for _ in 0..<8 { messages.append(.flowMod(rules.change(&random))) }
        for _ in 0..<4 {
            messages.append(.echoRequest(ByteBuffer(bytes: RandomPacket.make(&random))))
            messages.append(.flowMod(rules.change(&random)))
            let packet = ByteBuffer(bytes: RandomPacket.make(&random))
            messages.append(.packetOut(PacketOut(inPort: 1, actions: [.output(.table, maxLength: 0)], data: packet)))
        }
        return messages
    }

    private static func encoded(_ messages: [Message]) throws -> [UInt8] {
        var buffer = ByteBuffer()
        for (index, message) in messages.enumerated() {
            buffer.writeImmutableBuffer(
                try MessageFuzzing.encoded(Envelope(xid: UInt32(index), message: message))
            )
        }
        return Array(buffer.readableBytesView)
    }

    /// One for all inputs: DPDK is started once, and most of an input's time would go into making another.
    private nonisolated(unsafe) static var shared: FuzzedSwitch?

    static func run(_ input: UnsafeBufferPointer<UInt8>) throws {
        let fuzzed: FuzzedSwitch
        if let shared { fuzzed = shared } else { fuzzed = try FuzzedSwitch() }
        // After a failure nobody knows what is left in it.
        shared = nil
        try fuzzed.run(ByteBuffer(bytes: input))
        shared = fuzzed
    }
}

/// A switch of four ports, one of which is in a single VLAN and one in a few.
private final class FuzzedSwitch {
    private let system: InProcessSwitch
    private var bundles = Bundles()
    private let initialFeatures: [TableFeatures]
    private var hasOtherFeatures = false
    private let memory: Int

    /// More packets than a port keeps here until somebody looks.
    private static let mostOutputs = 63

    init() throws {
        system = try InProcessSwitch()
        try system.openDevices(vlans: [3: .access(2), 4: .trunk([0, 1, 2])])
        // So few that their table does not grow; the first one makes it.
        system.model.addressLimit = 100
        system.model.learn(LearnedAddress(vlan: 0, address: EthernetAddress(rawValue: 2)), at: 1)
        system.model.forgetAddresses()
        system.settle()
        guard case .tableFeatures(let features) = try system.model.answer(.tableFeatures([])) else {
            throw FuzzFailure("no table features")
        }
        initialFeatures = features
        memory = system.datapath.memory.used
    }

    func run(_ stream: ByteBuffer) throws {
        var buffer = stream
        var framer = MessageFramer()
        while let frame = framer.next(from: &buffer) {
            guard case .message(let envelope) = frame else { continue }
            do {
                try carryOut(envelope)
            } catch let refusal as OpenFlowError {
                try MessageFuzzing.check(refusal, of: ByteBuffer())
            }
            system.settle()
        }
        try clear()
    }

    private func carryOut(_ envelope: Envelope) throws {
        switch envelope.message {
        case .echoRequest(let packet):
            try receive(Array(packet.readableBytesView), port: envelope.xid % 4 + 1)
        case .portStatus(let status): system.setLink(envelope.xid % 4 + 1, up: !status.port.state.contains(.linkDown))
        case .barrierReply: system.model.isStandalone.toggle()
        case .packetOut(let packetOut): try send(packetOut)
        case .flowMod(let mod): try system.execute(unambiguous(mod))
        case .groupMod(let mod): try system.execute(mod)
        case .meterMod(let mod): try system.model.execute(mod)
        case .portMod(let mod):
            try system.model.execute(mod)
            system.settle()
            system.captureOutputs()
        case .tableMod(let mod): try system.model.execute(mod)
        case .setConfig(let config):
            try system.model.setConfig(config)
            system.datapath.setDropsFragments(config.fragmentHandling == .drop)
        case .multipartRequest(let request, _): try answer(request, to: envelope)
        case .queueGetConfigRequest(let port): _ = try system.model.queueConfig(ofPort: port)
        case .bundleAdd(let add):
            try system.model.check(forBundle: add.message.message)
            let allowance = Bundles.Allowance(messages: 1000, bytes: 1 << 20)
            try bundles.add(add, in: envelope, now: .uptimeNanoseconds(1), allowance: allowance)
        case .bundleControl(let control):
            guard case .commit(let bundle) = try bundles.control(control, in: envelope, now: .uptimeNanoseconds(1))
            else {
                return
            }
            let messages = bundle.messages.map { envelope -> Message in
                if case .flowMod(let mod) = envelope.message { .flowMod(unambiguous(mod)) } else { envelope.message }
            }
            do throws(BundleFailure) {
                try system.model.execute(bundle: messages, atomically: bundle.flags.contains(.atomic))
            } catch {
                throw error.error
            }
            system.settle()
            system.captureOutputs()
        default: break
        }
    }

    /// Which of two overlapping entries of one priority counts is not defined (OpenFlow 1.3.5 §5.3), so there are none.
    private func unambiguous(_ mod: FlowMod) -> FlowMod {
        var mod = mod
        mod.flags.insert(.checkOverlap)
        return mod
    }

    private func answer(_ request: MultipartRequest, to envelope: Envelope) throws {
        if case .tableFeatures(let changes) = request, !changes.isEmpty { hasOtherFeatures = true }
        for reply in Envelope.multipartReplies(xid: envelope.xid, try system.model.answer(request)) {
            _ = try MessageFuzzing.decoded(MessageFuzzing.encoded(reply), as: reply)
        }
    }

    // MARK: Packets

    private func receive(_ frame: [UInt8], port: UInt32) throws {
        guard frame.count <= PacketPool.longestPacket else { return }
        let expected = ReferencePipeline.receive(frame, inPort: PortNumber(rawValue: port), by: system.model)
        guard let actual = system.receive(frame, port: port) else {
            if frame.count >= 14 { throw FuzzFailure("no outcome of \(frame)") }
            return
        }
        try compare(expected, actual, "in_port \(port), frame \(frame)")
    }

    private func send(_ packetOut: PacketOut) throws {
        let before = drops
        try system.model.execute(packetOut)
        let frame = Array(packetOut.data.readableBytesView)
        // Before the packet is on its way: by it, addresses may be learned.
        let expected = ReferencePipeline.packetOut(
            frame,
            inPort: packetOut.inPort,
            actions: packetOut.actions,
            by: system.model
        )
        system.worker.pointee.takeDeltas()
        var actual = Outcome()
        system.worker.pointee.collect(into: &actual)
        for (index, reason) in DropReason.allCases.enumerated() {
            let count = Int(drops[index] - before[index])
            actual.drops += [DropReason](repeating: reason, count: count)
        }
        try compare(expected, actual, "packet-out of port \(packetOut.inPort), \(packetOut.actions), frame \(frame)")
    }

    /// At all ports, by reason.
    private var drops: [UInt64] {
        DropReason.allCases.map { reason in
            (0..<PortSlot.limit).reduce(0) { $0 + system.worker.pointee.ports[$1].counters.drops[reason.rawValue] }
        }
    }

    private func compare(_ expected: ReferencePipeline, _ actual: Outcome, _ what: String) throws {
        // What a meter lets through depends on the time; the reference knows no packet that grows out of its buffer.
        let isMetered = expected.steps.contains { if case .meter = $0 { true } else { false } }
        guard !isMetered, system.model.meters[MeterID.controller] == nil, !actual.drops.contains(.noBuffer),
            expected.outputs.count <= Self.mostOutputs
        else { return }
        let expectedDrops = expected.steps.compactMap { step -> DropReason? in
            if case .drop(let reason) = step { DropReason(reason) } else { nil }
        }
        let (sent, wanted) = (system.departures(actual), system.departures(expected))
        guard sent == wanted, actual.drops.sorted(by: <) == expectedDrops.sorted(by: <) else {
            throw FuzzFailure(
                """
                \(what)
                reference: \(expected.steps.map(\.description).joined(separator: "\n           "))
                reference sends \(wanted) drops \(expectedDrops)
                compiled: \(actual.steps) sends \(sent) drops \(actual.drops)
                """
            )
        }
    }

    // MARK: The end

    /// Makes the switch as it was, and looks for what is left all the same.
    private func clear() throws {
        let model = system.model
        bundles = Bundles()
        model.isStandalone = false
        if hasOtherFeatures {
            _ = try model.answer(.tableFeatures(initialFeatures))
            hasOtherFeatures = false
        }
        try system.execute(FlowMod(tableID: TableID.all, command: .delete))
        try system.execute(GroupMod(command: .delete, groupID: .all))
        try model.execute(MeterMod(command: .delete, meterID: MeterID.all))
        try model.setConfig(SwitchConfig())
        system.datapath.setDropsFragments(false)
        for port in model.portDescriptions {
            try model.execute(
                PortMod(number: port.number, hardwareAddress: port.hardwareAddress, config: [], mask: port.config)
            )
            system.setLink(port.number.rawValue, up: true)
        }
        system.settle()
        system.captureOutputs()
        model.forgetAddresses()
        system.settle()
        guard model.flowCount == 0, model.groups.isEmpty, model.meters.isEmpty else {
            throw FuzzFailure("\(model.flowCount) flows, \(model.groups.count) groups, \(model.meters.count) meters")
        }
        let missing = system.missingPackets
        guard missing == 0 else { throw FuzzFailure("\(missing) packets have not come back") }
        guard system.datapath.memory.used == memory else {
            throw FuzzFailure("\(system.datapath.memory.used - memory) bytes of tables have not come back")
        }
    }
}

extension DropReason {
    fileprivate static func < (a: DropReason, b: DropReason) -> Bool { a.rawValue < b.rawValue }
}
