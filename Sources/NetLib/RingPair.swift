// The function's end of a worker's two rings: packets that come, and the same packets with their verdicts going back.

import CVMRing

@usableFromInline
struct RingPair {
    private let received: vmring_parts
    private let given: vmring_parts
    private let mask: UInt64
    private var consumed: UInt64 = 0
    private var consumedLimit: UInt64 = 0
    private var produced: UInt64 = 0

    init(received: vmring_parts, given: vmring_parts, capacity: UInt64) {
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
    mutating func give(buffer: UInt32, offset: Int, count: Int, verdict: Verdict) {
        vmring_write(
            given.descriptors + Int(truncatingIfNeeded: produced & mask),
            vmring_place(buffer, UInt16(truncatingIfNeeded: offset), UInt16(truncatingIfNeeded: count)),
            verdict.word
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
