// The schedulers of ports with queues: made for a port when it is added, emptied and freed when no worker uses them any more.

import CDPDK
import DataPlane
import OpenFlow

/// What has gone through one queue of a port.
package struct QueueCounters: Hashable, Sendable {
    /// nil: the default queue of a port that has no queue 0.
    package var id: UInt32?
    package var packets: UInt64
    package var bytes: UInt64
    /// Packets that it had no room for.
    package var overruns: UInt64
    /// Packets in it.
    package var waiting: UInt64

    package init(id: UInt32?, packets: UInt64 = 0, bytes: UInt64 = 0, overruns: UInt64 = 0, waiting: UInt64 = 0) {
        (self.id, self.packets, self.bytes, self.overruns, self.waiting) = (id, packets, bytes, overruns, waiting)
    }
}

/// A port's scheduler and its memory.
struct SchedulerBlock {
    let block: UnsafeMutableRawPointer
    let bytes: Int

    private var scheduler: UnsafeMutablePointer<PortScheduler> { block.assumingMemoryBound(to: PortScheduler.self) }

    /// nil if there is no memory.
    init?(_ egress: EgressQueues, device: EthernetDevice, slot: UInt16, memory: TableMemory) {
        bytes = PortScheduler.size(egress.queues)
        guard let block = memory.allocate(bytes, reserve: true) else { return nil }
        self.block = block
        PortScheduler.initialize(block, device: device.id, slot: slot, rate: egress.rate, queues: egress.queues)
    }

    /// Frees the packets that are still in the queues. No worker may use the scheduler any more.
    func empty() { while let mbuf = scheduler.discard() { PacketPool.free(mbuf) } }

    var counters: [QueueCounters] {
        (0..<Int(scheduler.pointee.queueCount)).map { index in
            let queue = scheduler.queues[index]
            return QueueCounters(
                id: queue.id == PortScheduler.noQueue ? nil : queue.id,
                packets: queue.packets,
                bytes: queue.bytes,
                overruns: queue.overruns,
                waiting: queue.tail &- queue.head
            )
        }
    }
}
