// A switch inside the test's process whose workers poll for real, on lcores of their own, with rings (net_ring) as devices: port 1
// in front of each worker, ports 2 and 3 behind all of them.

import Agent
import CDPDK
import DataPlane
import Glibc
import NIOCore
import OpenFlow
import Testing

final class RingLab {
    private static let pool = InProcessSwitch.environment.map { _ in PacketPool(count: 2048, name: "ring lab") }

    let workers: [UnsafeMutablePointer<Worker>]
    let datapath: CompiledDatapath
    let model: SwitchModel
    private let pool: PacketPool
    private let inputs: [EthernetDevice]
    private let outputs: [EthernetDevice]
    private var sent: UInt64 = 0

    init(workerCount: Int) throws {
        guard let pool = try Self.pool.get() else { throw InProcessSwitch.NoMemory() }
        self.pool = pool
        workers = Worker.make(count: workerCount, pool: pool, controlPipe: -1, idle: .adaptive)
        datapath = CompiledDatapath(workers: workers, pool: pool, memory: TableMemory(limit: 64 << 20, fromEAL: false))
        model = SwitchModel(datapath: datapath)
        inputs = try (0..<workerCount).map { index in
            try EthernetDevice.open(
                devargs: "net_ring_in\(workerCount)\(index)",
                receiveQueues: 1,
                transmitQueues: 1,
                pool: pool
            )
        }
        outputs = try [2, 3].map { number in
            try EthernetDevice.open(
                devargs: "net_ring_out\(workerCount)\(number)",
                receiveQueues: workerCount,
                transmitQueues: workerCount,
                pool: pool
            )
        }
        for (index, worker) in workers.enumerated() {
            for slot in 0..<3 { worker.pointee.ports[slot].number = UInt64(slot + 1) }
            for (i, output) in outputs.enumerated() {
                worker.pointee.ports[1 + i].destination = Destination.device(output.id, queue: UInt16(index)).rawValue
            }
            let plan = UnsafeMutableRawPointer.allocate(byteCount: ReceivePlan.size(count: 1), alignment: 64)
            ReceivePlan.initialize(
                plan,
                [ReceiveQueue(device: inputs[index].id, queue: 0, slot: 0)],
                wake: worker.pointee.wakeDescriptor
            )
            worker.pointee.settings.pointee.receivePlan = UnsafeRawPointer(plan)
        }
        try datapath.compiler.setSlots([1: 0, 2: 1, 3: 2], entries: [FlowEntry]())
        for number in [1, 2, 3] as [PortNumber] {
            model.setPort(Port(number: number, hardwareAddress: EthernetAddress(rawValue: 0), name: "p\(number)"))
        }
        for worker in workers where !Worker.start(worker) { throw InProcessSwitch.NoMemory() }
    }

    func stop() {
        datapath.stopWorkers()
        for device in inputs + outputs { device.close() }
    }

    /// A rule for UDP to 10.0.0.1; without an output it drops.
    static func rule(priority: UInt16, output: UInt32?, command: FlowModCommand = .add) -> FlowMod {
        FlowMod(
            command: command,
            priority: priority,
            match: Match([
                MatchField(.ethType, 0x0800), MatchField(.ipProto, 17), MatchField(.ipv4Dst, 0x0a00_0001),
            ]),
            instructions: output.map { [.applyActions([.output(PortNumber(rawValue: $0), maxLength: 0)])] } ?? []
        )
    }

    func change(_ mod: FlowMod) throws { try model.execute(mod) }

    /// Waits for the moment at which a barrier would be answered.
    func barrier() {
        var isReached = false
        datapath.whenApplied { isReached = true }
        while !isReached {
            datapath.publisher.collect()
            if !isReached { sched_yield() }
        }
    }

    /// One UDP packet to 10.0.0.1, different in its ports each time, in front of a worker.
    func send(_ index: Int, to worker: Int) {
        var frame: [UInt8] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0]
        frame += [0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 2, 10, 0, 0, 1]
        frame += [UInt8(index & 255), UInt8(index >> 8 & 255), 0, 80, 0, 8, 0, 0]
        var packet = frame.withUnsafeBytes { pool.packet($0) }
        sent += 1
        while cdpdk_transmit(inputs[worker].id, 0, &packet, 1) == 0 { sched_yield() }
    }

    /// The port that the last packet came out of, once it has come to its end; nil: it was dropped.
    func receive() -> Int? {
        // The suite's time limit cannot interrupt a loop that does not suspend.
        let deadline = ContinuousClock.now + .seconds(10)
        while ended < sent {
            guard ContinuousClock.now < deadline else {
                Issue.record("a packet has neither left nor been dropped within 10 s")
                return nil
            }
            sched_yield()
        }
        for (i, output) in outputs.enumerated() {
            for queue in 0..<UInt16(workers.count) {
                var packets: [OpaquePointer?] = [nil, nil]
                let count = cdpdk_receive(output.id, queue, &packets, 2)
                for j in 0..<Int(count) { cdpdk_mbuf_free(packets[j].unsafelyUnwrapped) }
                if count > 0 { return count == 1 ? 2 + i : nil }
            }
        }
        return nil
    }

    /// Packets transmitted and dropped, by all workers.
    private var ended: UInt64 {
        workers.reduce(0) { sum, worker in
            (0..<3).reduce(sum) { sum, slot in
                let counters = withUnsafePointer(to: &worker.pointee.ports[slot].counters) {
                    UnsafeRawPointer($0).assumingMemoryBound(to: UInt64.self)
                }
                // Transmitted, and drops by reason, as PortCounters lays them out.
                let drops = DropReason.allCases.reduce(UInt64(0)) { $0 + glance(counters + 4 + $1.rawValue) }
                return sum + glance(counters + 2) + drops
            }
        }
    }
}
