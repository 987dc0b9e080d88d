// One worker's end of one queue of a VM: rings by which buffers are lent to the VM, and one of those that it gives back. A worker's queues
// of a VM lie one behind the other, and a packet goes to one of them by its connection. The rings lie in memory that the VM writes to as
// it likes. So this side goes by nothing but its own positions and counts; each shared word is read once, then checked, then used.

import CDPDK
import CVMRing

/// In the agent's own memory, used by its worker alone. The control side makes it, and reads its counters.
package struct VMQueue {
    /// What says in the region's table of owners that a buffer is lent to this queue; not 0.
    package let owner: UInt16
    /// The VM's port.
    let slot: UInt16
    /// How many queues the worker has of the VM, of which this is one.
    let queueCount: Int
    /// Nobody outside can choose connections that share a queue.
    let seed: UInt64
    /// The verdicts that the VM may give: a bit for each. A delta changes it.
    package private(set) var verdicts: UInt64
    let region: PacketRegion
    private(set) var packets: LoanRing
    private(set) var empty: LoanRing
    private(set) var messages: LoanRing
    /// Empty buffers are handed out so many at a time, at least; 1 where there are none.
    private let emptyBatch: Int
    /// What the VM gives back; as many places as the others have together, at least.
    private let given: vmring_parts
    private let givenCapacity: UInt64
    /// The word that a process sleeps on; nil: it never does.
    private let sleeping: UnsafeMutablePointer<UInt32>?

    /// The position in the ring of what comes back: this side's own.
    private var consumed: UInt64 = 0
    /// How far the VM has produced, when it was last looked at.
    private var producedSeen: UInt64 = 0

    /// What the last burst from the VM went to.
    package var feeds = FedQueue()
    package var counters = VMQueueCounters()
    /// Not 0: the VM has claimed more than a ring holds. Nothing is received from it any more.
    package private(set) var isBroken: UInt64 = 0

    /// The rings, all with their positions at 0.
    package struct Rings {
        /// Where a ring lies, and its places: a power of two; 0, where the VM is to get nothing by it.
        package typealias Place = (parts: vmring_parts, capacity: Int)
        var packets, given, empty, messages: Place

        package init(packets: Place, given: Place, empty: Place, messages: Place) {
            (self.packets, self.given, self.empty, self.messages) = (packets, given, empty, messages)
        }
    }

    /// - Parameters:
    ///   - verdicts: A bit for each `vmring_verdict`.
    ///   - sleeping: A word of `need_wakeup` of a process; nil: a VM that nobody can wake.
    package init(
        region: PacketRegion,
        rings: Rings,
        owner: UInt16,
        slot: UInt16,
        queueCount: Int = 1,
        seed: UInt64 = 0,
        verdicts: UInt64,
        sleeping: UnsafeMutablePointer<UInt32>?
    ) {
        self.region = region
        func lending(_ kind: LoanKind, _ place: Rings.Place) -> LoanRing {
            LoanRing(kind, parts: place.parts, capacity: place.capacity, owner: owner)
        }
        packets = lending(.packet, rings.packets)
        empty = lending(.empty, rings.empty)
        messages = lending(.message, rings.messages)
        emptyBatch = max(1, min(burstSize, rings.empty.capacity / 2))
        (given, givenCapacity) = (rings.given.parts, UInt64(rings.given.capacity))
        self.owner = owner
        self.slot = slot
        (self.queueCount, self.seed) = (queueCount, seed)
        self.verdicts = verdicts
        self.sleeping = sleeping
    }

    /// Buffers that the VM has, in rings and in hand.
    package var lent: UInt64 { packets.lent &+ empty.lent &+ messages.lent }

    // MARK: To the VM

    /// Hands a packet of the region over to the VM. There is room.
    @inline(__always)
    mutating func put(_ mbuf: OpaquePointer, length: UInt32, inPort: UInt32) {
        packets.lend(
            region.index(of: mbuf),
            of: region,
            offset: cdpdk_mbuf_offset(mbuf),
            length: UInt16(truncatingIfNeeded: length),
            port: inPort
        )
    }

    /// Lets the VM see packets that were put there.
    @inline(__always)
    mutating func publishPackets() {
        packets.publishProduced()
        wake()
    }

    /// Whether there is room for so many empty buffers that handing them out is worth it.
    @inline(__always)
    var wantsEmpty: Bool { empty.room >= emptyBatch }

    /// Hands an empty buffer of the region over to the VM. There is room.
    @inline(__always)
    mutating func putEmpty(_ mbuf: OpaquePointer) {
        empty.lend(region.index(of: mbuf), of: region, offset: cdpdk_mbuf_offset(mbuf), length: 0, port: 0)
    }

    @inline(__always)
    mutating func publishEmpty() {
        empty.publishProduced()
        wake()
    }

    /// Hands a message over to the VM: what another one, at the port `sender`, has given back. There is room.
    @inline(__always)
    mutating func putMessage(_ message: Returned, sender: UInt32) {
        messages.lend(message.index, of: region, offset: message.offset, length: message.length, port: sender)
        counters.messagesReceived &+= 1
    }

    @inline(__always)
    mutating func publishMessages() {
        messages.publishProduced()
        wake()
    }

    /// Wakes the VM if it sleeps.
    @inline(__always)
    private mutating func wake() {
        if let sleeping, cdpdk_wake_process(sleeping) { counters.wakes &+= 1 }
    }

    // MARK: From the VM

    /// How many buffers the VM has given back that were not taken yet, up to `limit`.
    @inline(__always)
    mutating func available(limit: Int) -> Int {
        if producedSeen == consumed {
            producedSeen = observe(given.produced)
            if producedSeen == consumed { return 0 }
            if producedSeen &- consumed > givenCapacity {
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
        let words = vmring_read(given.descriptors + Int(truncatingIfNeeded: consumed & (givenCapacity &- 1)))
        consumed &+= 1
        let index = Int(truncatingIfNeeded: words.place & 0xffff_ffff)
        let mark = index < region.count ? region.owners[index] : 0
        guard LoanRing.owner(mark) == owner else {
            counters.foreignBuffers &+= 1
            return nil
        }
        region.owners[index] = 0
        let returned = Returned(
            mbuf: region.mbufs[index],
            isPacket: mark >> 16 == LoanKind.packet.rawValue,
            place: words.place,
            rest: words.rest
        )
        switch mark >> 16 {
        case LoanKind.packet.rawValue: packets.takeBack()
        case LoanKind.empty.rawValue: empty.takeBack()
        default: messages.takeBack()
        }
        return returned
    }

    /// Lets the VM use the places again that were taken.
    @inline(__always)
    func publishConsumed() { publish(given.consumed, consumed) }

    /// A buffer that came back, and what the VM says of it.
    struct Returned {
        let mbuf: OpaquePointer
        /// Whether it was lent as a packet, rather than as an empty buffer or a message.
        let isPacket: Bool
        fileprivate let place: UInt64
        fileprivate let rest: UInt64

        fileprivate var index: Int { Int(truncatingIfNeeded: place & 0xffff_ffff) }
        /// In bytes from the buffer's beginning.
        var offset: UInt16 { UInt16(truncatingIfNeeded: place >> 32) }
        var length: UInt16 { UInt16(truncatingIfNeeded: place >> 48) }
        /// Of `VMRING_OUT`, `VMRING_FUNCTION` and `VMRING_MESSAGE`.
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
    /// Packets that the VM made: other buffers than packets that came in by its port.
    package var made: UInt64 = 0
    /// Messages of the VM's that were handed over, and those that it was handed.
    package var messagesSent: UInt64 = 0
    package var messagesReceived: UInt64 = 0
    /// Messages of the VM's that were dropped: the receiver had as many as it may have; there was none in the group.
    package var messagesFull: UInt64 = 0
    package var messagesUnreachable: UInt64 = 0

    package init() {}

    package var violations: UInt64 { foreignBuffers &+ badPlaces &+ badVerdicts }

    package static func += (sum: inout VMQueueCounters, other: VMQueueCounters) {
        sum.copied &+= other.copied
        sum.wakes &+= other.wakes
        sum.foreignBuffers &+= other.foreignBuffers
        sum.badPlaces &+= other.badPlaces
        sum.badVerdicts &+= other.badVerdicts
        sum.made &+= other.made
        sum.messagesSent &+= other.messagesSent
        sum.messagesReceived &+= other.messagesReceived
        sum.messagesFull &+= other.messagesFull
        sum.messagesUnreachable &+= other.messagesUnreachable
    }
}
