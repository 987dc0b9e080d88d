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
    /// A hash table for each of several masks.
    case tupleSpace

    /// The name in metrics, `show` and the documentation.
    package var name: String {
        switch self {
        case .constant: "constant"
        case .directIndex: "direct_index"
        case .linear: "linear"
        case .hash: "hash"
        case .tupleSpace: "tuple_space"
        }
    }
}

/// The place of one flow table (0 to 253) in a worker: half a cache line.
package struct TableSlot {
    /// A structure that begins with its `LookupForm`; nil is `LookupForm.constant`.
    package var lookup: UnsafeRawPointer?
    /// The entry that matches every packet and ranks below all others; nil if there is none.
    package var miss: FlowRecordPointer?
    package var lookups: UInt64
    package var matches: UInt64
}

/// Intermediate results of a burst between the stages of a lookup.
package struct LookupScratch {
    let hashes: UnsafeMutablePointer<UInt32>
    let candidates: UnsafeMutablePointer<FlowRecordPointer?>

    package init() {
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
        case LookupForm.linear.rawValue: Linear.find(lookup, keys: keys, list: list, count: count, found: found)
        case LookupForm.hash.rawValue, LookupForm.tupleSpace.rawValue:
            TupleSpace.find(lookup, keys: keys, list: list, count: count, scratch: scratch, found: found)
        default: break
        }
    }

    /// The words of one key.
    @inline(__always)
    static func words(_ keys: UnsafePointer<FlowKey>, _ packet: Int) -> UnsafePointer<UInt64> {
        UnsafeRawPointer(keys + packet).assumingMemoryBound(to: UInt64.self)
    }
}
