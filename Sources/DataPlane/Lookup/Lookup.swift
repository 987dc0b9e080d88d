// One compiled flow table: a form of lookup chosen by the compiler for the shape of the table's rules, behind one
// signature: a burst of keys in, flow records out. One file per form. The control side builds a form completely, then a
// worker swaps it in by storing one word of its `TableSlot`.

/// The burst: how many packets are received, looked up and sent together (DPDK's usual 32).
package let burstSize = 32

package enum LookupForm: UInt64, Sendable, CaseIterable {
    /// No rules but, perhaps, a table-miss: nothing to look up.
    case constant = 0
    case directIndex
    case linear
    /// One mask: a hash table.
    case hash
    /// Prefixes of one field: a trie.
    case longestPrefix
    /// Several masks: a part for each, or for those that go together.
    case tupleSpace

    /// The name in metrics, `show` and the documentation.
    package var name: String {
        switch self {
        case .constant: "constant"
        case .directIndex: "direct_index"
        case .linear: "linear"
        case .hash: "hash"
        case .longestPrefix: "longest_prefix"
        case .tupleSpace: "tuple_space"
        }
    }
}

/// The place of one flow table (0 to 253) in a worker: a cache line.
package struct TableSlot {
    /// A structure that begins with its `LookupForm`; nil is `LookupForm.constant`.
    package var lookup: UnsafeRawPointer?
    /// The entry that matches every packet and ranks below all others; nil if there is none.
    package var miss: FlowRecordPointer?
    package var lookups: UInt64
    package var matches: UInt64
    /// Of the packets of some bursts (see `WorkerState.isTimed`): how many they were, and the cycles of the time stamp counter
    /// that looking them up took.
    package var timedLookups: UInt64
    package var timedCycles: UInt64
    /// The value of `WorkerSettings.tableChanges` at the end of the last change of its entries.
    package var changed: UInt64
    private var unused: UInt64
}

/// Intermediate results of a burst between the stages of a lookup.
package struct LookupScratch {
    let hashes: UnsafeMutablePointer<UInt32>
    let candidates: UnsafeMutablePointer<FlowRecordPointer?>
    let cells: UnsafeMutablePointer<UInt64>
    /// The ranked record of the best entry so far; 0: none.
    let best: UnsafeMutablePointer<UInt64>
    /// Places in the list of those packets that are not through with a trie.
    let active: UnsafeMutablePointer<UInt8>
    /// The packets that are not through with a tuple space: their places in the list, and in the burst.
    let remaining: UnsafeMutablePointer<UInt8>
    let packets: UnsafeMutablePointer<UInt8>

    package init() {
        cells = .allocate(capacity: burstSize)
        best = .allocate(capacity: burstSize)
        active = .allocate(capacity: burstSize)
        remaining = .allocate(capacity: burstSize)
        packets = .allocate(capacity: burstSize)
        cells.initialize(repeating: 0, count: burstSize)
        best.initialize(repeating: 0, count: burstSize)
        active.initialize(repeating: 0, count: burstSize)
        remaining.initialize(repeating: 0, count: burstSize)
        packets.initialize(repeating: 0, count: burstSize)
        hashes = .allocate(capacity: burstSize)
        candidates = .allocate(capacity: burstSize)
        hashes.initialize(repeating: 0, count: burstSize)
        candidates.initialize(repeating: nil, count: burstSize)
    }
}

package enum Lookup {
    /// Finds the entry of highest priority for `count` packets: packet `list[i]` has the key `keys[list[i]]`, its entry goes to
    /// `found[i]`, nil where none matches. `found` has `burstSize` elements.
    @inline(__always)
    package static func find(
        in slot: UnsafePointer<TableSlot>,
        keys: UnsafePointer<FlowKey>,
        list: some PacketList,
        count: Int,
        scratch: LookupScratch,
        found: UnsafeMutablePointer<FlowRecordPointer?>
    ) {
        let miss = slot.pointee.miss
        // All of them: with a constant length it is a few vector stores.
        found.update(repeating: miss, count: burstSize)
        guard let lookup = slot.pointee.lookup else { return }
        // By number, because making a `LookupForm` of one is a call.
        switch lookup.load(as: UInt64.self) {
        case LookupForm.directIndex.rawValue:
            DirectIndex.find(lookup, keys: keys, list: list, count: count, found: found)
        case LookupForm.linear.rawValue:
            begin(count, scratch)
            Linear.find(lookup, keys: keys, list: list, count: count, best: scratch.best)
            end(count, scratch, found)
        case LookupForm.hash.rawValue:
            Subtable.find(
                TupleSpace.onlyPart(lookup).assumingMemoryBound(to: Subtable.self),
                isOnly: true,
                keys: keys,
                list: list,
                count: count,
                scratch: scratch,
                found: found
            )
        case LookupForm.longestPrefix.rawValue:
            begin(count, scratch)
            PrefixTrie.find(
                TupleSpace.onlyPart(lookup).assumingMemoryBound(to: PrefixTrie.self),
                keys: keys,
                list: list,
                count: count,
                scratch: scratch
            )
            end(count, scratch, found)
        case LookupForm.tupleSpace.rawValue:
            TupleSpace.find(lookup, keys: keys, list: list, count: count, scratch: scratch, found: found)
        default: break
        }
    }

    @inline(__always)
    private static func begin(_ count: Int, _ scratch: LookupScratch) {
        for i in 0..<count { scratch.best[i] = 0 }
    }

    /// What is best is what has been found.
    @inline(__always)
    private static func end(
        _ count: Int,
        _ scratch: LookupScratch,
        _ found: UnsafeMutablePointer<FlowRecordPointer?>
    ) {
        for i in 0..<count {
            if let record = FlowRecord.record(scratch.best[i]) { found[i] = record }
        }
    }

    /// The words of one key.
    @inline(__always)
    static func words(_ keys: UnsafePointer<FlowKey>, _ packet: Int) -> UnsafePointer<UInt64> {
        UnsafeRawPointer(keys + packet).assumingMemoryBound(to: UInt64.self)
    }
}
