// For rules of several masks: parts that are searched in descending order of the highest priority in each, until no further
// part can hold anything better (Srinivasan, Suri, Varghese: Packet classification using tuple space search, 1999; the order
// and the early exit are Open vSwitch's). A part is the hash table of one mask, the trie of masks that differ only in how
// long a prefix they take of one field, the hash table of masks that have bits in common, or a short list of the rules of masks
// that have few.

package struct TupleSpace {
    private static let partsOffset = 64

    /// What a part is, and where it is.
    package enum Part {
        case subtable(UnsafeMutablePointer<Subtable>)
        case prefixes(UnsafeMutablePointer<PrefixTrie>)
        case merged(UnsafeMutablePointer<MergedSubtable>)
        case linear(UnsafeMutableRawPointer)

        fileprivate var words: (kind: UInt64, address: UInt64) {
            switch self {
            case .subtable(let table): (Self.subtableKind, UInt64(UInt(bitPattern: table)))
            case .prefixes(let trie): (Self.prefixesKind, UInt64(UInt(bitPattern: trie)))
            case .merged(let merged): (Self.mergedKind, UInt64(UInt(bitPattern: merged)))
            case .linear(let rows): (Self.linearKind, UInt64(UInt(bitPattern: rows)))
            }
        }

        fileprivate static let subtableKind: UInt64 = 0
        fileprivate static let prefixesKind: UInt64 = 1
        fileprivate static let mergedKind: UInt64 = 2
        fileprivate static let linearKind: UInt64 = 3
    }

    /// Where, counted in bytes, each kind of part has the word whose upper half is its highest priority.
    static let priorityOffset = 16

    /// Bytes for the list of `count` parts.
    package static func size(count: Int) -> Int { partsOffset + 16 * count }

    /// Makes the lookup in `memory`, of parts in descending order of `maxPriority`.
    package static func initialize(_ memory: UnsafeMutableRawPointer, form: LookupForm, parts: [Part]) {
        let header = memory.assumingMemoryBound(to: UInt64.self)
        header[0] = form.rawValue
        header[1] = UInt64(parts.count)
        let list = (memory + partsOffset).assumingMemoryBound(to: UInt64.self)
        for (i, part) in parts.enumerated() { (list[2 * i], list[2 * i + 1]) = part.words }
    }

    /// The only part of a lookup that has one.
    @inline(__always)
    static func onlyPart(_ lookup: UnsafeRawPointer) -> UnsafeRawPointer {
        lookup.load(fromByteOffset: partsOffset + 8, as: UnsafeRawPointer.self)
    }

    /// Finds the best entry of each packet; one that is through is left out of the further parts.
    @inline(__always)
    static func find(
        _ lookup: UnsafeRawPointer,
        keys: UnsafePointer<FlowKey>,
        list: some PacketList,
        count: Int,
        scratch: LookupScratch,
        found: UnsafeMutablePointer<FlowRecordPointer?>
    ) {
        for i in 0..<count {
            scratch.remaining[i] = UInt8(truncatingIfNeeded: i)
            scratch.packets[i] = UInt8(truncatingIfNeeded: list[i])
            scratch.best[i] = 0
        }
        find(lookup, keys: keys, count: count, scratch: scratch, found: found)
    }

    @inline(never)
    private static func find(
        _ lookup: UnsafeRawPointer,
        keys: UnsafePointer<FlowKey>,
        count: Int,
        scratch: LookupScratch,
        found: UnsafeMutablePointer<FlowRecordPointer?>
    ) {
        let list = ListedPackets(places: scratch.packets)
        var part = lookup + partsOffset
        let end = part + 16 &* Int(truncatingIfNeeded: lookup.load(fromByteOffset: 8, as: UInt64.self))
        var active = count
        while part < end {
            let address = part.load(fromByteOffset: 8, as: UnsafeRawPointer.self)
            let maxPriority = address.load(fromByteOffset: priorityOffset + 4, as: UInt32.self)
            if part > lookup + partsOffset {
                active = leaveOut(active, betterThan: maxPriority, scratch, found)
                if active == 0 { return }
            }
            switch part.load(as: UInt64.self) {
            case Part.prefixesKind:
                let trie = address.assumingMemoryBound(to: PrefixTrie.self)
                PrefixTrie.find(trie, keys: keys, list: list, count: active, scratch: scratch)
            case Part.mergedKind:
                MergedSubtable.find(address, keys: keys, list: list, count: active, scratch: scratch)
            case Part.linearKind: Linear.find(address, keys: keys, list: list, count: active, best: scratch.best)
            default:
                Subtable.find(
                    address.assumingMemoryBound(to: Subtable.self),
                    isOnly: false,
                    keys: keys,
                    list: list,
                    count: active,
                    scratch: scratch,
                    found: found
                )
            }
            part += 16
        }
        for i in 0..<active {
            if let record = FlowRecord.record(scratch.best[i]) { found[Int(scratch.remaining[i])] = record }
        }
    }

    /// Puts down what has been found for the packets whose entry ranks at least as high as `priority`, and leaves them out of the
    /// first `count` places; returns how many are left.
    @inline(__always)
    private static func leaveOut(
        _ count: Int,
        betterThan priority: UInt32,
        _ scratch: LookupScratch,
        _ found: UnsafeMutablePointer<FlowRecordPointer?>
    ) -> Int {
        var left = 0
        for i in 0..<count {
            let best = scratch.best[i]
            let place = scratch.remaining[i]
            // Overwritten below if there is something better in a further part.
            if let record = FlowRecord.record(best) { found[Int(place)] = record }
            scratch.remaining[left] = place
            scratch.packets[left] = scratch.packets[i]
            scratch.best[left] = best
            left &+= best == 0 || best >> 48 < UInt64(priority) ? 1 : 0
        }
        return left
    }
}
