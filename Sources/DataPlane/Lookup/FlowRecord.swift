// A flow entry as one worker holds it: one cache line with its counters, its actions and the start of its key, so that a
// packet that hits it touches nothing else of it. The control side makes records and hands them over complete; afterwards
// the worker alone writes to them.

package struct FlowRecord {
    package var packets: UInt64
    package var bytes: UInt64
    /// What to do; the one word that a modification replaces.
    package var program: UnsafePointer<ActionProgram>
    /// When a packet last hit: `used` and the `Clock` ticks, which wrap after weeks; 0 if none ever did.
    package var lastUsed: UInt64
    /// The control side's number for the flow entry; comes back with a packet-in.
    package var id: UInt32
    package var priority: UInt16
    private var unused: UInt16
    private var key: (UInt64, UInt64, UInt64)

    package static let used: UInt64 = 1 << 32

    /// The later one of two values of `lastUsed`: by their age, as ticks wrap.
    package static func later(_ a: UInt64, _ b: UInt64) -> UInt64 {
        guard a != 0, b != 0 else { return a | b }
        let now = Clock.now
        return now &- UInt32(truncatingIfNeeded: a) <= now &- UInt32(truncatingIfNeeded: b) ? a : b
    }

    /// Bytes from the start of a record to the first vector of its key, of which the first word is not the key's. See `KeyWindow`.
    static let vectorOffset = 32

    /// Bytes that a record takes, a multiple of 64.
    package static func size(_ window: KeyWindow) -> Int {
        (vectorOffset + window.vectorCount * KeyWindow.vectorWords * 8 + 63) & ~63
    }

    package init(program: UnsafePointer<ActionProgram>, id: UInt32, priority: UInt16) {
        (packets, bytes, lastUsed, unused) = (0, 0, 0, 0)
        self.program = program
        self.id = id
        self.priority = priority
        key = (0, 0, 0)
    }

    /// The word of a record's key that belongs to the word `word` of the flow key; it has to be in the window, and not the word
    /// before it.
    package static func word(
        _ word: Int,
        of record: UnsafeMutablePointer<FlowRecord>,
        _ window: KeyWindow
    ) -> UnsafeMutablePointer<UInt64> {
        let key = (UnsafeMutableRawPointer(record) + vectorOffset).assumingMemoryBound(to: UInt64.self)
        return key + (word - window.base)
    }
}

extension FlowRecord {
    /// A record and, in the upper 16 bits, its priority: of two such words the greater one is the better entry. 0: none.
    package static func ranked(_ record: FlowRecordPointer, priority: UInt16) -> UInt64 {
        UInt64(priority) << 48 | UInt64(UInt(bitPattern: record))
    }

    @inline(__always)
    static func record(_ ranked: UInt64) -> FlowRecordPointer? {
        FlowRecordPointer(bitPattern: UInt(ranked & 0xffff_ffff_ffff))
    }

    @inline(__always)
    static func prefetchRanked(_ ranked: UInt64) {
        if let record = record(ranked) { prefetch(UnsafeRawPointer(record)) }
    }
}

package typealias FlowRecordPointer = UnsafeMutablePointer<FlowRecord>
