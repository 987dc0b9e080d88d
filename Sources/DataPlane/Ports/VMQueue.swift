// One worker's end of one queue of a VM: a ring of packets handed to the VM, and one of those that it gives back. The rings lie in
// memory that the VM writes to as it likes. So this side goes by nothing but its own positions and counts; each shared word is
// read once, then checked, then used.

import CDPDK
import CVMRing

/// In the agent's own memory, used by its worker alone. The control side makes it, and reads its counters.
package struct VMQueue {
    /// Packets that the VM may have in hand: those in either ring and those that it works on. As many as a ring has places, so
    /// there is always room for what may be produced, whatever the VM says of what it has consumed.
    package let capacity: UInt64
    /// What says in the region's table of owners that a buffer is lent to this queue; not 0.
    package let owner: UInt16
    /// The VM's port.
    let slot: UInt16
    /// The verdicts that the VM may give: a bit for each. A delta changes it.
    package private(set) var verdicts: UInt64
    let region: PacketRegion
    private let toVM: vmring_parts
    private let fromVM: vmring_parts
    /// The word that a process sleeps on; nil: it never does.
    private let sleeping: UnsafeMutablePointer<UInt32>?

    /// Positions in the two rings: this side's own.
    private var produced: UInt64 = 0
    private var consumed: UInt64 = 0
    /// How far the VM has produced, when it was last looked at.
    private var producedSeen: UInt64 = 0

    /// What the last burst from the VM went to.
    package var feeds = FedQueue()
    package var counters = VMQueueCounters()
    /// Packets that the VM has in hand.
    package private(set) var lent: UInt64 = 0
    /// Not 0: the VM has claimed more than a ring holds. Nothing is received from it any more.
    package private(set) var isBroken: UInt64 = 0

    /// - Parameters:
    ///   - toVM, fromVM: rings of `capacity` places, a power of two, with all positions at 0.
    ///   - verdicts: A bit for each `vmring_verdict`.
    ///   - sleeping: `need_wakeup` of a process; nil: a VM that nobody can wake.
    package init(
        region: PacketRegion,
        toVM: vmring_parts,
        fromVM: vmring_parts,
        capacity: Int,
        owner: UInt16,
        slot: UInt16,
        verdicts: UInt64,
        sleeping: UnsafeMutablePointer<UInt32>?
    ) {
        self.region = region
        self.toVM = toVM
        self.fromVM = fromVM
        self.capacity = UInt64(capacity)
        self.owner = owner
        self.slot = slot
        self.verdicts = verdicts
        self.sleeping = sleeping
    }

    /// How many more packets the VM may have.
    var room: Int { Int(truncatingIfNeeded: capacity &- lent) }

    // MARK: To the VM

    /// Hands a packet of the region over to the VM, in the next place of its ring. There is room.
    @inline(__always)
    mutating func put(_ mbuf: OpaquePointer, length: UInt32, inPort: UInt32) {
        let index = region.index(of: mbuf)
        region.owners[index] = owner
        vmring_write(
            toVM.descriptors + Int(truncatingIfNeeded: produced & (capacity &- 1)),
            vmring_place(
                UInt32(truncatingIfNeeded: index),
                cdpdk_mbuf_offset(mbuf),
                UInt16(truncatingIfNeeded: length)
            ),
            UInt64(inPort)
        )
        produced &+= 1
        lent &+= 1
    }

    /// Lets the VM see what was put there, and wakes it if it sleeps.
    @inline(__always)
    mutating func publishProduced() {
        publish(toVM.produced, produced)
        if let sleeping, cdpdk_wake_process(sleeping) { counters.wakes &+= 1 }
    }

    // MARK: From the VM

    /// How many packets the VM has given back that were not taken yet, up to `limit`.
    @inline(__always)
    mutating func available(limit: Int) -> Int {
        if producedSeen == consumed {
            producedSeen = observe(fromVM.produced)
            if producedSeen == consumed { return 0 }
            if producedSeen &- consumed > capacity {
                isBroken = 1
                producedSeen = consumed
                return 0
            }
        }
        return min(Int(truncatingIfNeeded: producedSeen &- consumed), limit)
    }

    /// Takes what the next descriptor names back from the VM; nil if that is no buffer of this queue's. There is a next one.
    @inline(__always)
    mutating func take() -> Returned? {
        let words = vmring_read(fromVM.descriptors + Int(truncatingIfNeeded: consumed & (capacity &- 1)))
        consumed &+= 1
        let index = Int(truncatingIfNeeded: words.place & 0xffff_ffff)
        guard index < region.count, region.owners[index] == owner else {
            counters.foreignBuffers &+= 1
            return nil
        }
        region.owners[index] = 0
        lent &-= 1
        return Returned(mbuf: region.mbufs[index], place: words.place, rest: words.rest)
    }

    /// Lets the VM use the places again that were taken.
    @inline(__always)
    func publishConsumed() { publish(fromVM.consumed, consumed) }

    /// A buffer that came back, and what the VM says of it.
    struct Returned {
        let mbuf: OpaquePointer
        fileprivate let place: UInt64
        fileprivate let rest: UInt64

        /// In bytes from the buffer's beginning.
        var offset: UInt16 { UInt16(truncatingIfNeeded: place >> 32) }
        var length: UInt16 { UInt16(truncatingIfNeeded: place >> 48) }
        /// Of `VMRING_OUT` and `VMRING_FUNCTION`.
        var port: UInt32 { UInt32(truncatingIfNeeded: rest) }
        var verdict: UInt8 { UInt8(truncatingIfNeeded: rest >> 32) }
        /// Whether the packet lies in its buffer, and a copy of it would in one.
        var fits: Bool {
            Int(offset) &+ Int(length) <= PacketRegion.bufferSize && Int(length) <= PacketPool.longestPacket
        }
    }
}

/// What a worker counts of a VM's queue, beside the counters of its port.
package struct VMQueueCounters {
    /// Packets that came from other memory than the group's and were copied.
    package var copied: UInt64 = 0
    /// How often the VM was woken.
    package var wakes: UInt64 = 0
    /// Descriptors that named no buffer of the VM's.
    package var foreignBuffers: UInt64 = 0
    /// Packets that did not lie within their buffers.
    package var badPlaces: UInt64 = 0
    /// Verdicts that there are not, or that the VM may not give.
    package var badVerdicts: UInt64 = 0

    package init() {}

    package var violations: UInt64 { foreignBuffers &+ badPlaces &+ badVerdicts }

    package static func += (sum: inout VMQueueCounters, other: VMQueueCounters) {
        sum.copied &+= other.copied
        sum.wakes &+= other.wakes
        sum.foreignBuffers &+= other.foreignBuffers
        sum.badPlaces &+= other.badPlaces
        sum.badVerdicts &+= other.badVerdicts
    }
}
