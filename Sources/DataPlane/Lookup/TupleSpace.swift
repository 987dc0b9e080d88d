// For rules of a few masks: a subtable for each mask, in descending order of the highest priority in it; a search ends
// where no further subtable can hold anything better (Srinivasan, Suri, Varghese: Packet classification using tuple space
// search, 1999; the order and the early exit are Open vSwitch's). With one mask it is a plain hash table.

package struct TupleSpace {
    private static let tablesOffset = 64

    /// Bytes for the pointers to `count` subtables.
    package static func size(count: Int) -> Int { tablesOffset + 8 * count }

    /// Makes the lookup in `memory`, with subtables in descending order of `maxPriority`.
    package static func initialize(_ memory: UnsafeMutableRawPointer, subtables: [UnsafeMutablePointer<Subtable>]) {
        let form: LookupForm = subtables.count == 1 ? .hash : .tupleSpace
        let header = memory.assumingMemoryBound(to: UInt64.self)
        header[0] = form.rawValue
        header[1] = UInt64(subtables.count)
        let tables = (memory + tablesOffset).assumingMemoryBound(to: UnsafeMutablePointer<Subtable>.self)
        for (i, table) in subtables.enumerated() { tables[i] = table }
    }

    @inline(__always)
    static func find(
        _ lookup: UnsafeRawPointer,
        keys: UnsafePointer<FlowKey>,
        list: some PacketList,
        count: Int,
        scratch: LookupScratch,
        found: UnsafeMutablePointer<FlowRecordPointer?>
    ) {
        let tableCount = Int(truncatingIfNeeded: lookup.load(fromByteOffset: 8, as: UInt64.self))
        let tables = (lookup + tablesOffset).assumingMemoryBound(to: UnsafePointer<Subtable>.self)
        Subtable.find(tables[0], isFirst: true, keys: keys, list: list, count: count, scratch: scratch, found: found)
        var t = 1
        while t < tableCount, !allBetter(found, count, than: tables[t].pointee.maxPriority) {
            Subtable.find(
                tables[t],
                isFirst: false,
                keys: keys,
                list: list,
                count: count,
                scratch: scratch,
                found: found
            )
            t &+= 1
        }
    }

    /// True if each packet has an entry that ranks at least as high as `priority`.
    @inline(__always)
    private static func allBetter(
        _ found: UnsafeMutablePointer<FlowRecordPointer?>,
        _ count: Int,
        than priority: UInt32
    ) -> Bool {
        for i in 0..<count {
            guard let record = found[i], UInt32(record.pointee.priority) >= priority else { return false }
        }
        return true
    }
}
