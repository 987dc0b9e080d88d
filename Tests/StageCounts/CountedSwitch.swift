// A switch in this process whose worker polls for real, between rings (net_ring) as devices: port 1 in front of it, ports 2 to 4
// behind. It polls on the calling thread, a round of packets at a time.

import Agent
import CDPDK
import CValgrind
import DataPlane
import Foundation
import OpenFlow

/// What ends a round of `Worker.poll()`: DPDK calls it after each burst that is received, and it sends the worker a `stop`.
private struct Countdown {
    var worker: UnsafeMutablePointer<Worker>
    var packetsLeft = 0

    static let receive: rte_rx_callback_fn = { _, _, _, received, _, argument in
        guard let countdown = argument?.assumingMemoryBound(to: Countdown.self) else { return received }
        countdown.pointee.packetsLeft -= Int(received)
        // Nothing received means that packets are missing: not to be waited for.
        if countdown.pointee.packetsLeft <= 0 || received == 0 {
            let worker = countdown.pointee.worker
            let stop = Delta(sequence: worker.pointee.applied.pointee, operation: .stop)
            _ = worker.pointee.deltas.push(stop)
        }
        return received
    }
}

final class CountedSwitch {
    private static let packetsOfRound = Scenario.packetCount
    private static let warmUpRounds = 8
    private static let countedRounds = 8
    static let countedPackets = packetsOfRound * countedRounds

    /// What all scenarios share: DPDK, started once, and the devices.
    private struct Bench {
        let pool: PacketPool
        let input: EthernetDevice
        let outputs: [EthernetDevice]
        let countdown: UnsafeMutablePointer<Countdown>
    }
    private nonisolated(unsafe) static var bench: Bench?

    private let scenario: Scenario
    private let bench: Bench
    private let worker: UnsafeMutablePointer<Worker>
    private let datapath: CompiledDatapath
    private let model: SwitchModel
    private let frames: [[UInt8]]

    init(_ scenario: Scenario) throws {
        self.scenario = scenario
        guard let pool = try Self.bench?.pool ?? Self.startDPDK() else {
            throw StageCountError(description: "no memory for packets")
        }
        let cache: FlowCacheMode = scenario.usesFlowCache ? .on : .off
        worker = Worker.make(count: 1, pool: pool, controlPipe: -1, idle: .busy, flowCache: cache)[0]
        let bench = try Self.bench ?? Self.openDevices(pool, worker)
        Self.bench = bench
        self.bench = bench
        bench.countdown.pointee.worker = worker
        let memory = TableMemory(limit: 512 << 20, fromEAL: false)
        // The same hashes each time.
        datapath = CompiledDatapath(workers: [worker], pool: pool, memory: memory, seed: 1)
        let nobody = SwitchDescription(manufacturer: "", hardware: "", software: "", serialNumber: "", datapath: "")
        model = SwitchModel(datapathID: 1, description: nobody, datapath: datapath)
        let content = scenario.content()
        // Of the least size that Ethernet has, without frame check sequence.
        frames = content.packets.map { packet in
            let frame = PacketBuilder.frame(packet)
            return frame + [UInt8](repeating: 0, count: max(0, 60 - frame.count))
        }
        datapath.publisher.onFullRing = { $0.pointee.takeDeltas() }
        try connect()
        for mod in content.meters { try model.execute(mod) }
        for mod in content.groups { try model.execute(mod) }
        for mod in content.flows {
            try model.execute(mod)
            settle()
        }
        guard datapath.form(ofTable: 0) == scenario.form else {
            throw StageCountError(
                description: "\(scenario.name): table 0 is \(datapath.form(ofTable: 0).name), not \(scenario.form.name)"
            )
        }
    }

    private static func startDPDK() throws -> PacketPool? {
        _ = try EAL.start(
            cores: [0],
            megabytes: 64,
            hugePages: .none,
            filePrefix: "ringway-stages-\(getpid())",
            pci: false
        )
        return PacketPool(count: 4096)
    }

    /// Leaves nothing of DPDK's behind: its folder for this process is not needed any more.
    static func stopDPDK() {
        guard bench != nil, let folder = rte_eal_get_runtime_dir().map({ String(cString: $0) }) else { return }
        _ = rte_eal_cleanup()
        try? FileManager.default.removeItem(atPath: folder)
    }

    private static func openDevices(_ pool: PacketPool, _ worker: UnsafeMutablePointer<Worker>) throws -> Bench {
        func open(_ name: String) throws -> EthernetDevice {
            try EthernetDevice.open(devargs: "net_ring_\(name)", receiveQueues: 1, transmitQueues: 1, pool: pool)
        }
        let input = try open("in")
        let countdown = UnsafeMutablePointer<Countdown>.allocate(capacity: 1)
        countdown.initialize(to: Countdown(worker: worker))
        guard rte_eth_add_rx_callback(input.id, 0, Countdown.receive, countdown) != nil else {
            throw StageCountError(description: "DPDK takes no receive callback")
        }
        return Bench(pool: pool, input: input, outputs: try ["2", "3", "4"].map(open), countdown: countdown)
    }

    private func connect() throws {
        var slots: [PortNumber: UInt16] = [:]
        for slot in 0...bench.outputs.count {
            let number = PortNumber(rawValue: UInt32(slot) + 1)
            worker.pointee.ports[slot].number = UInt64(number.rawValue)
            if slot > 0 {
                let destination = Destination.device(bench.outputs[slot - 1].id, queue: 0)
                worker.pointee.ports[slot].destination = destination.rawValue
            }
            slots[number] = UInt16(slot)
            model.setPort(
                Port(number: number, hardwareAddress: EthernetAddress(rawValue: 0), name: "p\(number)", state: .live)
            )
        }
        let plan = UnsafeMutableRawPointer.allocate(byteCount: ReceivePlan.size(count: 1), alignment: 64)
        let queue = ReceiveQueue(device: bench.input.id, queue: 0, slot: 0)
        ReceivePlan.initialize(plan, [queue], wake: worker.pointee.wakeDescriptor)
        worker.pointee.settings.pointee.receivePlan = UnsafeRawPointer(plan)
        try datapath.compiler.setSlots(slots, entries: [FlowEntry]())
        settle()
    }

    /// The worker takes what was sent to it, the control side what the worker has made possible.
    private func settle() {
        worker.pointee.takeDeltas()
        datapath.poll()
    }

    /// Has callgrind count the instructions of some rounds.
    func count() throws {
        guard cvalgrind_is_running() else {
            throw StageCountError(description: "not under valgrind, or built without valgrind/callgrind.h")
        }
        for _ in 0..<Self.warmUpRounds { try round() }
        cvalgrind_begin()
        for _ in 0..<Self.countedRounds { try round() }
        cvalgrind_end(scenario.name)
    }

    /// Runs all packets of the scenario through the switch, and sees to it that they come out.
    private func round() throws {
        for frame in frames {
            var packet = frame.withUnsafeBytes { bench.pool.packet($0) }
            guard packet != nil, cdpdk_transmit(bench.input.id, 0, &packet, 1) == 1 else {
                throw StageCountError(description: "\(scenario.name): no room for the packets of a round")
            }
        }
        bench.countdown.pointee.packetsLeft = frames.count
        worker.pointee.poll()
        var received = 0
        var packets = [OpaquePointer?](repeating: nil, count: burstSize)
        for output in bench.outputs {
            while true {
                let count = cdpdk_receive(output.id, 0, &packets, UInt16(burstSize))
                if count == 0 { break }
                cdpdk_mbuf_free_burst(&packets, UInt32(count))
                received += Int(count)
            }
        }
        guard received == frames.count * scenario.copies else {
            throw StageCountError(
                description: "\(scenario.name): \(received) packets came out, not \(frames.count * scenario.copies)"
            )
        }
    }
}
