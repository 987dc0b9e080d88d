// The function's end of a worker's two rings: packets that come, and the same packets with their verdicts going back.

import CVMRing

@usableFromInline
struct RingPair {
    private let received: Ring
    private let given: Ring
    private let mask: UInt64
    private var consumed: UInt64 = 0
    private var consumedLimit: UInt64 = 0
    private var produced: UInt64 = 0

    /// A `vmring_ring` in memory.
    struct Ring {
        let produced: UnsafeMutablePointer<UInt64>
        let descriptors: UnsafeMutablePointer<vmring_descriptor>

        init(_ memory: UnsafeMutableRawPointer) {
            produced = memory.assumingMemoryBound(to: UInt64.self)
            descriptors = (memory + MemoryLayout<vmring_ring>.size).assumingMemoryBound(to: vmring_descriptor.self)
        }

        var consumed: UnsafeMutablePointer<UInt64> { produced + 16 }
    }

    init(received: Ring, given: Ring, capacity: UInt64) {
        (self.received, self.given, mask) = (received, given, capacity - 1)
    }

    /// Whether there is something to be received.
    var isEmpty: Bool { vmring_load(received.produced) == consumed }

    /// How many packets may be taken, up to a burst.
    @usableFromInline
    @inline(__always)
    mutating func available() -> Int {
        if consumed == consumedLimit {
            consumedLimit = vmring_load(received.produced)
        }
        return Int(truncatingIfNeeded: min(consumedLimit &- consumed, 32))
    }

    /// The descriptor of the next packet.
    @usableFromInline
    @inline(__always)
    mutating func next() -> vmring_words {
        let words = vmring_read(received.descriptors + Int(truncatingIfNeeded: consumed & mask))
        consumed &+= 1
        return words
    }

    /// Gives a packet back. There is room: the agent hands over no more than either ring holds.
    @usableFromInline
    @inline(__always)
    mutating func give(buffer: UInt64, offset: Int, count: Int, verdict: Verdict) {
        let place = buffer | UInt64(truncatingIfNeeded: offset) << 32 | UInt64(truncatingIfNeeded: count) << 48
        vmring_write(
            given.descriptors + Int(truncatingIfNeeded: produced & mask),
            place,
            UInt64(verdict.rawValue) << 32
        )
        produced &+= 1
    }

    /// Lets the agent see what was taken and given.
    @usableFromInline
    @inline(__always)
    mutating func publish() {
        vmring_store(received.consumed, consumed)
        vmring_store(given.produced, produced)
    }
}
