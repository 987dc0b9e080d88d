// A flow entry as one worker holds it: one cache line with its counters, its actions and the start of its key, so that a
// packet that hits it touches nothing else of it. The control side makes records and hands them over complete; afterwards
// the worker alone writes to them.

package struct FlowRecord {
    package var packets: UInt64
    package var bytes: UInt64
    /// What to do; the one word that a modification replaces.
    package var program: UnsafePointer<ActionProgram>
    /// When a packet last hit, in `Clock` ticks; wraps after weeks.
    package var lastUsed: UInt32
    /// The control side's number for the flow entry; comes back with a packet-in.
    package var id: UInt32
    package var priority: UInt16
    /// How many key words follow.
    package var keyCount: UInt16
    package var hit: UInt32
    private var key: (UInt64, UInt64, UInt64)

    /// Bytes from the start of a record to its first key word. The key is the rule's value in those words of the flow
    /// key where its mask is not zero, in ascending order; it runs on behind the first cache line if there are many.
    package static let keyOffset = 40

    /// Bytes that a record with `keyCount` key words takes, a multiple of 64.
    package static func size(keyCount: Int) -> Int { (keyOffset + 8 * keyCount + 63) & ~63 }

    package init(program: UnsafePointer<ActionProgram>, id: UInt32, priority: UInt16, keyCount: Int) {
        (packets, bytes, lastUsed, hit) = (0, 0, 0, 0)
        self.program = program
        self.id = id
        self.priority = priority
        self.keyCount = UInt16(keyCount)
        key = (0, 0, 0)
    }

    /// The key words of a record.
    @inline(__always)
    package static func key(_ record: UnsafeMutablePointer<FlowRecord>) -> UnsafeMutablePointer<UInt64> {
        (UnsafeMutableRawPointer(record) + keyOffset).assumingMemoryBound(to: UInt64.self)
    }
}

package typealias FlowRecordPointer = UnsafeMutablePointer<FlowRecord>
