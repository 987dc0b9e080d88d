// A worker's view of the ports: a table of slots, one for each port number that is configured. A slot has the packets
// gathered for that port in the present burst, where they go, and this worker's counters.

import CDPDK

/// Where a port's packets go: one word, so that the control side can change it by one store.
package struct Destination: RawRepresentable, Equatable, Sendable {
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }

    /// No such port, or not any more.
    package static let none = Destination(rawValue: 0)
    /// The port is set to OFPPC_PORT_DOWN.
    package static let portDown = Destination(rawValue: 4 << 56)
    /// The port is set to OFPPC_NO_FWD.
    package static let noForward = Destination(rawValue: 5 << 56)
    /// Left in the slot's buffer for somebody to look at: traces and tests.
    package static let capture = Destination(rawValue: 3 << 56)
    /// A transmit queue of a DPDK device that this worker alone uses.
    package static func device(_ device: UInt16, queue: UInt16) -> Destination {
        Destination(rawValue: 1 << 56 | UInt64(device) << 16 | UInt64(queue))
    }
    /// The worker that owns the device's transmit queue.
    package static func worker(_ owner: Int) -> Destination { Destination(rawValue: 2 << 56 | UInt64(owner)) }

    /// A port with queues, or with a rate: the address of its `PortScheduler`, which this worker alone uses.
    package static func scheduler(_ address: UnsafeMutableRawPointer) -> Destination {
        Destination(rawValue: 6 << 56 | UInt64(UInt(bitPattern: address)))
    }

    /// A VM: the address of the first `VMQueue` that this worker has of it.
    package static func vm(_ queues: UnsafeMutablePointer<VMQueue>) -> Destination {
        Destination(rawValue: 7 << 56 | UInt64(UInt(bitPattern: queues)))
    }
    /// A VM's port while no VM is attached.
    package static let vmDetached = Destination(rawValue: 8 << 56)

    /// A service: the address of the `Service` that this worker has of it.
    package static func service(_ service: UnsafeMutablePointer<Service>) -> Destination {
        Destination(rawValue: 9 << 56 | UInt64(UInt(bitPattern: service)))
    }

    var kind: UInt64 { rawValue >> 56 }
    /// There is a port, but controllers have set that nothing is sent there.
    var isClosed: Bool { kind == 4 || kind == 5 }
    var isAttachedVM: Bool { kind == 7 }
    var isService: Bool { kind == 9 }
    /// Of a port with queues.
    var scheduler: UnsafeMutablePointer<PortScheduler>? { UnsafeMutablePointer(bitPattern: address) }
    /// Of a VM.
    var vmQueue: UnsafeMutablePointer<VMQueue>? { UnsafeMutablePointer(bitPattern: address) }
    /// Of a service.
    var service: UnsafeMutablePointer<Service>? { UnsafeMutablePointer(bitPattern: address) }
    private var address: UInt { UInt(rawValue & (1 << 56 - 1)) }
    /// Why packets go nowhere from here: for what is neither a device nor a worker nor a VM nor a service.
    var dropReason: DropReason {
        switch kind {
        case 8: .vmDetached
        case 4: .portDown
        case 5: .noForward
        default: .noSuchPort
        }
    }
    var device: UInt16 { UInt16(truncatingIfNeeded: rawValue >> 16) }
    var queue: UInt16 { UInt16(truncatingIfNeeded: rawValue) }
    var owner: Int { Int(truncatingIfNeeded: rawValue & 0xff) }
}

package struct PortSlot {
    /// A `Destination`.
    package var destination: UInt64
    /// The OpenFlow port number.
    package var number: UInt64
    /// What controllers have set: bits of `ofp_port_config`. What it says of sending is in `destination` as well.
    package var config: UInt64 = 0
    /// For output to NORMAL: the VLAN of an access port; 0: a trunk.
    package var accessVLAN: UInt64 = 0
    /// The address of the `VLANBitmap` of what a trunk carries; 0: all VLANs.
    package var trunks: UInt64 = 0
    /// Not 0: what is received there lies in memory that VMs can write to, at any time.
    package var isShared: UInt64 = 0
    /// Packets in `gathered`.
    package var count: Int
    /// Whether it is in the list of slots to be flushed at the end of the burst.
    var isDirty = false
    package let gathered: UnsafeMutablePointer<OpaquePointer?>
    package var counters: PortCounters

    /// OFPPC_PORT_DOWN, OFPPC_NO_RECV, OFPPC_NO_FWD and OFPPC_NO_PACKET_IN (OpenFlow 1.3.5 §7.2.1).
    static let portDown: UInt64 = 1 << 0
    static let noReceive: UInt64 = 1 << 2
    static let noForward: UInt64 = 1 << 5
    static let noPacketIn: UInt64 = 1 << 6

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
    /// A descriptor that is readable while the queue has packets; -1 where the driver has none.
    package var descriptor: Int32
    /// What its last burst went to.
    var feeds = FedQueue()
    package init(device: UInt16, queue: UInt16, slot: UInt16, descriptor: Int32 = -1) {
        self.device = device
        self.queue = queue
        self.slot = slot
        self.descriptor = descriptor
    }
}

/// All receive queues of a worker, and what it waits for when they are empty; replaced as a whole.
package struct ReceivePlan {
    package var count: Int
    /// Entries of the list of descriptors behind the queues: the worker's own, then those of the queues that have one.
    var descriptorCount: Int
    /// Whether all queues have a descriptor, so that the worker need not look at them while it sleeps.
    var allWake: Bool { descriptorCount == count &+ 1 }
    package static let queuesOffset = 16

    package static func size(count: Int) -> Int {
        descriptorsOffset(count) + (count + 1) * MemoryLayout<pollfd>.stride
    }

    /// `wake` is the descriptor by which the worker is woken.
    package static func initialize(_ memory: UnsafeMutableRawPointer, _ queues: [ReceiveQueue], wake: Int32) {
        let array = (memory + queuesOffset).assumingMemoryBound(to: ReceiveQueue.self)
        for (i, queue) in queues.enumerated() { (array + i).initialize(to: queue) }
        let waited = [wake] + queues.map(\.descriptor).filter { $0 >= 0 }
        for (i, descriptor) in waited.enumerated() {
            (descriptors(memory, count: queues.count) + i).initialize(
                to: pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            )
        }
        memory.storeBytes(
            of: ReceivePlan(count: queues.count, descriptorCount: waited.count),
            as: ReceivePlan.self
        )
    }

    static func descriptors(_ memory: UnsafeMutableRawPointer, count: Int) -> UnsafeMutablePointer<pollfd> {
        (memory + descriptorsOffset(count)).assumingMemoryBound(to: pollfd.self)
    }

    private static func descriptorsOffset(_ count: Int) -> Int {
        (queuesOffset + count * MemoryLayout<ReceiveQueue>.stride + 7) & ~7
    }
}
