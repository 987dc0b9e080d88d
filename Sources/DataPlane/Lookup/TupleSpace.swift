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

    @inline(__always)
    static func find(
        _ lookup: UnsafeRawPointer,
        keys: UnsafePointer<FlowKey>,
        list: some PacketList,
        count: Int,
        scratch: LookupScratch,
        found: UnsafeMutablePointer<FlowRecordPointer?>
    ) {
        var part = lookup + partsOffset
        let end = part + 16 &* Int(truncatingIfNeeded: lookup.load(fromByteOffset: 8, as: UInt64.self))
        while part < end {
            let address = part.load(fromByteOffset: 8, as: UnsafeRawPointer.self)
            let maxPriority = address.load(fromByteOffset: priorityOffset + 4, as: UInt32.self)
            if allBetter(scratch.best, count, than: maxPriority) { return }
            switch part.load(as: UInt64.self) {
            case Part.prefixesKind:
                let trie = address.assumingMemoryBound(to: PrefixTrie.self)
                PrefixTrie.find(trie, keys: keys, list: list, count: count, scratch: scratch)
            case Part.mergedKind:
                MergedSubtable.find(address, keys: keys, list: list, count: count, scratch: scratch)
            case Part.linearKind: Linear.find(address, keys: keys, list: list, count: count, best: scratch.best)
            default:
                Subtable.find(
                    address.assumingMemoryBound(to: Subtable.self),
                    isOnly: false,
                    keys: keys,
                    list: list,
                    count: count,
                    scratch: scratch,
                    found: found
                )
            }
            part += 16
        }
    }

    /// True if each packet has an entry that ranks at least as high as `priority`.
    @inline(__always)
    private static func allBetter(_ best: UnsafeMutablePointer<UInt64>, _ count: Int, than priority: UInt32) -> Bool {
        for i in 0..<count where best[i] == 0 || best[i] >> 48 < UInt64(priority) { return false }
        return true
    }
}
