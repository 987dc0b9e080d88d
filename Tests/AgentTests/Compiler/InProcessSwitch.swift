// A whole switch inside the test's process, without devices: a model, the compiler, and a worker that does not poll but takes
// its deltas and its packets when told. DPDK is started once, in ordinary memory.

import Agent
import DataPlane
import Glibc
import NIOCore
import OpenFlow
import Synchronization

final class InProcessSwitch {
    /// DPDK cannot be started twice in a process.
    static let environment = Result {
        let processors = max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
        return try EAL.start(
            cores: [0, 1].map { $0 % processors },
            megabytes: 192,
            hugePages: .none,
            filePrefix: "ringway-test-\(getpid())",
            pci: false
        )
    }
    private static let poolSize = 4096
    private static let pools = environment.map { _ in PacketPool(count: poolSize) }
    static var pool: PacketPool? { (try? pools.get()) ?? nil }

    let pool: PacketPool
    let worker: UnsafeMutablePointer<Worker>
    let datapath: CompiledDatapath
    let model: SwitchModel
    var packetIns: [PacketInEvent] = []

    struct NoMemory: Error {}

    /// How many packets of the pool have not come back. Tests that run at the same time hold some for moments; what is still missing
    /// after two seconds is lost.
    var missingPackets: Int {
        var missing = Self.poolSize
        for _ in 0..<20_000 {
            missing = min(missing, Self.poolSize - pool.available)
            if missing == 0 { break }
            usleep(100)
        }
        return missing
    }

    /// With ports 1 to `portCount`, in the slots 0 to `portCount - 1`.
    init(portCount: Int = 4, tableBytes: Int = 64 << 20) throws {
        guard let pool = try Self.pools.get() else { throw NoMemory() }
        self.pool = pool
        worker = Worker.make(count: 1, pool: pool, controlPipe: -1, idle: .busy, flowCache: .on)[0]
        datapath = CompiledDatapath(
            workers: [worker],
            pool: pool,
            memory: TableMemory(limit: tableBytes, fromEAL: false)
        )
        model = SwitchModel(datapath: datapath)
        datapath.onSighting = { [model] in model.learn($0, at: $1) }
        datapath.publisher.onFullRing = { $0.pointee.takeDeltas() }
        var slots: [PortNumber: UInt16] = [:]
        for number in 1...UInt32(portCount) {
            let slot = Int(number) - 1
            worker.pointee.ports[slot].number = UInt64(number)
            worker.pointee.ports[slot].destination = Destination.capture.rawValue
            slots[PortNumber(rawValue: number)] = UInt16(slot)
            model.setPort(
                Port(
                    number: PortNumber(rawValue: number),
                    hardwareAddress: EthernetAddress(rawValue: 0),
                    name: "p\(number)"
                )
            )
        }
        // Random actions name them. The devices, if there are any, have none.
        model.setQueues(EgressQueues(queues: (1...3).map { PortScheduler.QueueRates(id: $0) }), of: 1)
        let list = UnsafeMutableRawPointer.allocate(byteCount: SlotList.size(count: portCount), alignment: 64)
        SlotList.initialize(list, (0..<UInt16(portCount)).map { $0 })
        worker.pointee.settings.pointee.floodPorts = UnsafeRawPointer(list)
        try datapath.compiler.setSlots(slots, entries: [FlowEntry]())
        settle()
    }

    private static let deviceCount = Mutex(100)

    /// Gives each port a device, which packet-outs and port-mods find ports by. It is never polled, and what is output to the
    /// port stays with the worker all the same.
    ///
    /// - Parameter vlans: Of ports that do not belong to all.
    func openDevices(vlans: [PortNumber: PortVLANs] = [:]) throws {
        for number in model.ports.keys.sorted() {
            let device = Self.deviceCount.withLock { count in
                count += 1
                return "net_null\(count)"
            }
            let entry = try datapath.ports.add(
                number: number,
                name: "p\(number)",
                devargs: "\(device),no-rx=1",
                receiveQueues: 1,
                byHand: [:],
                vlans: vlans[number] ?? .all
            )
            model.portVLANs[number] = vlans[number]
            guard UInt32(entry.slot) == number.rawValue - 1 else { throw NoMemory() }
        }
        settle()
        captureOutputs()
    }

    func closeDevices() {
        for number in model.ports.keys { datapath.ports.remove(number) {} }
        settle()
    }

    /// After a port-mod: what an open port is sent stays with the worker, as it did before.
    func captureOutputs() {
        let closed = [Destination.portDown, .noForward].map(\.rawValue)
        for number in model.ports.keys {
            let slot = worker.pointee.ports + (Int(number.rawValue) - 1)
            if !closed.contains(slot.pointee.destination) { slot.pointee.destination = Destination.capture.rawValue }
        }
    }

    /// The worker takes what was sent to it, the control side what the worker has made possible.
    func settle() {
        worker.pointee.takeDeltas()
        datapath.poll()
        worker.pointee.takeDeltas()
        datapath.publisher.collect()
    }

    func execute(_ mod: FlowMod) throws {
        try model.execute(mod)
        settle()
    }

    func execute(_ mod: GroupMod) throws {
        try model.execute(mod)
        settle()
    }

    /// Tells the model that a port's link has come or gone.
    func setLink(_ number: UInt32, up: Bool) {
        let number = PortNumber(rawValue: number)
        model.setPort(
            Port(
                number: number,
                hardwareAddress: EthernetAddress(rawValue: 0),
                name: "p\(number)",
                state: up ? .live : .linkDown
            )
        )
        settle()
    }

    /// Runs a frame through the compiled tables.
    ///
    /// - Parameters:
    ///   - time: When it came in, in cycles of the time stamp counter.
    ///   - cached: Whether it goes by the flow cache.
    func receive(_ frame: [UInt8], port: UInt32, at time: UInt64 = Clock.cycles, cached: Bool = false) -> Outcome? {
        frame.withUnsafeBytes { pool.packet($0) }.flatMap {
            worker.pointee.inspect($0, slot: Int(port) - 1, at: time, cached: cached)
        }
    }

    func packetOut(_ frame: [UInt8], inPort: PortNumber, actions: [Action]) throws -> Outcome {
        try model.execute(
            PacketOut(bufferID: BufferID.none, inPort: inPort, actions: actions, data: ByteBuffer(bytes: frame))
        )
        worker.pointee.takeDeltas()
        var outcome = Outcome()
        worker.pointee.collect(into: &outcome)
        datapath.publisher.collect()
        return outcome
    }
}

/// What both the compiled tables and the reference say of a packet, in a form that compares.
struct Departure: Equatable, CustomStringConvertible {
    /// A port number, or what a packet-in says.
    var destination: PipelineOutput.Destination
    var bytes: [UInt8]
    /// Of a packet-in.
    var tunnelID: UInt64 = 0
    /// Of a port.
    var queue: UInt32?

    var description: String {
        "\(destination) \(queue.map { "queue \($0) " } ?? "")\(bytes.map { String($0, radix: 16) }.joined(separator: " "))"
    }
}

extension InProcessSwitch {
    /// By destination, because the reference keeps the order over all ports, the data plane that at each port.
    static func sorted(_ departures: [Departure]) -> [Departure] {
        departures.enumerated().sorted {
            let (a, b) = ("\($0.element.destination)", "\($1.element.destination)")
            return a == b ? $0.offset < $1.offset : a < b
        }.map(\.element)
    }

    func departures(_ outcome: Outcome) -> [Departure] {
        let outputs = outcome.outputs.map {
            Departure(destination: .port(PortNumber(rawValue: $0.port)), bytes: $0.bytes, queue: $0.queue)
        }
        let packetIns = outcome.packetIns.map { packetIn in
            let entry =
                packetIn.record.record == PacketInRecord.noRecord
                ? nil : datapath.compiler.flows.entry(Int(packetIn.record.record))
            return Departure(
                destination: .controller(
                    PacketInReason(rawValue: packetIn.record.reason) ?? .action,
                    tableID: entry == nil ? 0 : packetIn.record.table,
                    cookie: entry?.cookie ?? .max,
                    metadata: packetIn.record.metadata,
                    maxLength: 0
                ),
                bytes: packetIn.bytes,
                tunnelID: packetIn.record.tunnelID
            )
        }
        return Self.sorted(outputs + packetIns)
    }

    func departures(_ reference: ReferencePipeline) -> [Departure] {
        Self.sorted(
            reference.outputs.map { output in
                var destination = output.destination
                if case .controller(let reason, let table, let cookie, let metadata, _) = destination {
                    destination = .controller(reason, tableID: table, cookie: cookie, metadata: metadata, maxLength: 0)
                }
                return Departure(
                    destination: destination,
                    bytes: output.frame,
                    tunnelID: output.tunnelID,
                    queue: output.queue
                )
            }
        )
    }
}

extension DropReason {
    /// The same reason in the reference's words.
    init(_ reason: PipelineStep.DropReason) {
        self =
            switch reason {
            case .notEthernet: .runt
            case .fragment: .fragment
            case .noMatch: .tableMiss
            case .noOutput: .noOutput
            case .ingressPort: .outputToIngress
            case .noSuchPort: .noSuchPort
            case .portDown: .portDown
            case .noReceive: .noReceive
            case .noForward: .noForward
            case .noPacketIn: .noPacketIn
            case .meter: .meter
            case .vlan: .vlan
            case .reservedAddress: .reservedAddress
            }
    }
}
