// A worker's view of the ports: a table of slots, one for each port number that is configured. A slot has the packets
// gathered for that port in the present burst, where they go, and this worker's counters.

/// Where a port's packets go: one word, so that the control side can change it by one store.
package struct Destination: RawRepresentable, Sendable {
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }

    /// No such port, or not any more.
    package static let none = Destination(rawValue: 0)
    /// Left in the slot's buffer for somebody to look at: traces and tests.
    package static let capture = Destination(rawValue: 3 << 56)
    /// A transmit queue of a DPDK device that this worker alone uses.
    package static func device(_ device: UInt16, queue: UInt16) -> Destination {
        Destination(rawValue: 1 << 56 | UInt64(device) << 16 | UInt64(queue))
    }
    /// The worker that owns the device's transmit queue.
    package static func worker(_ owner: Int) -> Destination { Destination(rawValue: 2 << 56 | UInt64(owner)) }

    var kind: UInt64 { rawValue >> 56 }
    var device: UInt16 { UInt16(truncatingIfNeeded: rawValue >> 16) }
    var queue: UInt16 { UInt16(truncatingIfNeeded: rawValue) }
    var owner: Int { Int(truncatingIfNeeded: rawValue & 0xff) }
}

package struct PortSlot {
    /// A `Destination`.
    package var destination: UInt64
    /// The OpenFlow port number.
    package var number: UInt64
    /// Packets in `gathered`.
    package var count: Int
    /// Whether it is in the list of slots to be flushed at the end of the burst.
    var isDirty = false
    package let gathered: UnsafeMutablePointer<OpaquePointer?>
    package var counters: PortCounters

    /// The most ports that a switch can have.
    package static let limit = 512
    /// The most packets gathered before a flush.
    static let capacity = 64
}

/// A receive queue that a worker polls.
package struct ReceiveQueue: BitwiseCopyable, Sendable {
    package var device: UInt16
    package var queue: UInt16
    /// The port's slot.
    package var slot: UInt16
    package init(device: UInt16, queue: UInt16, slot: UInt16) {
        self.device = device
        self.queue = queue
        self.slot = slot
    }
}

/// All receive queues of a worker; replaced as a whole.
package struct ReceivePlan {
    package var count: Int
    package static let queuesOffset = 16

    package static func size(count: Int) -> Int { queuesOffset + count * MemoryLayout<ReceiveQueue>.stride }

    package static func initialize(_ memory: UnsafeMutableRawPointer, _ queues: [ReceiveQueue]) {
        memory.storeBytes(of: ReceivePlan(count: queues.count), as: ReceivePlan.self)
        let array = (memory + queuesOffset).assumingMemoryBound(to: ReceiveQueue.self)
        for (i, queue) in queues.enumerated() { (array + i).initialize(to: queue) }
    }
}
