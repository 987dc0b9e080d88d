// For rules that match prefixes of one field and are alike in all else: a multibit trie (Srinivasan, Varghese: Fast address
// lookups using controlled prefix expansion, 1999) with 16 bits at the root and a byte at each further level, where a node
// stores a run of equal cells once, found by counting bits (Asai, Ohara: Poptrie, 2015). A short node is one or two lines.
//
// On its way down a search keeps the best entry by priority, so that nothing is asked of the priorities: a longer prefix
// need not be the better rule. A change stores one word: a cell, or what a node says of all that goes through it.

package struct PrefixTrie {
    /// 65,536 cells, by the first 16 bits of the field.
    package var root: UnsafeMutablePointer<UInt64>
    /// The ranked record for what matches all but the field (a prefix of no bits); 0: none.
    package var fallback: UInt64
    /// How many key words `mask` covers.
    package var wordCount: UInt32
    /// The highest priority among the rules: a packet that has a better entry need not look here.
    package var maxPriority: UInt32
    /// Bytes from the start of a key to the field.
    private var fieldOffset: UInt64
    /// The indexes of the key words that the mask covers.
    private var words: InlineArray<16, UInt8>
    /// What all rules match besides the field.
    private var mask: FlowKey
    private var value: FlowKey

    package static let rootBits = 16
    package static let rootCount = 1 << rootBits

    package init(
        root: UnsafeMutablePointer<UInt64>,
        mask: FlowKey,
        value: FlowKey,
        fieldOffset: Int,
        maxPriority: UInt16
    ) {
        self.root = root
        (fallback, wordCount) = (0, 0)
        self.maxPriority = UInt32(maxPriority)
        self.fieldOffset = UInt64(fieldOffset)
        words = InlineArray(repeating: 0)
        (self.mask, self.value) = (mask, value)
        for word in 0..<FlowKey.wordCount where mask.words[word] != 0 {
            words[Int(wordCount)] = UInt8(word)
            wordCount += 1
        }
    }

    /// Looks up `count` keys at once, level by level, so that the cache misses of a burst overlap. Where it finds an entry
    /// that ranks higher than `scratch.best[i]`, it replaces that.
    @inline(never)
    static func find(
        _ trie: UnsafePointer<PrefixTrie>,
        keys: UnsafePointer<FlowKey>,
        list: some PacketList,
        count: Int,
        scratch: LookupScratch
    ) {
        let fieldOffset = Int(truncatingIfNeeded: trie.pointee.fieldOffset)
        let root = trie.pointee.root
        let fallback = trie.pointee.fallback
        let words = (UnsafeRawPointer(trie) + 32).assumingMemoryBound(to: UInt8.self)
        let masks = (UnsafeRawPointer(trie) + 48).assumingMemoryBound(to: UInt64.self)
        let values = masks + FlowKey.wordCount
        let wordCount = Int(truncatingIfNeeded: trie.pointee.wordCount)
        let best = scratch.best
        let cells = scratch.cells
        let active = scratch.active
        var activeCount = 0
        for i in 0..<count {
            let key = Lookup.words(keys, list[i])
            var difference: UInt64 = 0
            var w = 0
            while w < wordCount {
                let word = Int(words[w])
                difference |= (key[word] & masks[word]) ^ values[word]
                w &+= 1
            }
            guard difference == 0 else { continue }
            best[i] = max(best[i], fallback)
            let start = UnsafeRawPointer(key).loadUnaligned(fromByteOffset: fieldOffset, as: UInt16.self)
            let cell = root + Int(start.bigEndian)
            prefetch(cell)
            cells[i] = UInt64(UInt(bitPattern: cell))
            active[activeCount] = UInt8(truncatingIfNeeded: i)
            activeCount &+= 1
        }
        // From here on `cells` holds what the cells hold.
        var deeper = 0
        for a in 0..<activeCount {
            let i = Int(active[a])
            let cell = UnsafePointer<UInt64>(bitPattern: UInt(cells[i])).unsafelyUnwrapped.pointee
            follow(cell, i, scratch, &deeper)
        }
        var byte = fieldOffset &+ rootBits / 8
        while deeper > 0 {
            activeCount = deeper
            deeper = 0
            for a in 0..<activeCount {
                let i = Int(active[a])
                let node = Node.address(cells[i])
                let key = UnsafeRawPointer(Lookup.words(keys, list[i]))
                let cell = Node.cell(node, key.load(fromByteOffset: byte, as: UInt8.self)).pointee
                best[i] = max(best[i], node.load(as: UInt64.self))
                follow(cell, i, scratch, &deeper)
            }
            byte &+= 1
        }
    }

    /// Goes on to the node that a cell leads to, or ends with the record in it if that ranks higher than the best so far.
    @inline(__always)
    private static func follow(_ cell: UInt64, _ i: Int, _ scratch: LookupScratch, _ deeper: inout Int) {
        if Node.isNode(cell) {
            Node.prefetchNode(cell)
            scratch.cells[i] = cell
            scratch.active[deeper] = UInt8(truncatingIfNeeded: i)
            deeper &+= 1
        } else {
            scratch.best[i] = max(scratch.best[i], cell)
            FlowRecord.prefetchRanked(scratch.best[i])
        }
    }

    /// A node below the root: the ranked record of the longest prefix that ends right above it, then a bit for each cell that
    /// differs from the one before it, how many there are before each word of bits, and those cells.
    ///
    /// A cell is a ranked record, 0, or the address of a node with the lowest bit set.
    package enum Node {
        package static let cellCount = 256
        private static let bitsOffset = 8
        private static let countsOffset = 40
        private static let cellsOffset = 48

        /// Bytes for a node of `runs` runs of equal cells.
        package static func size(runs: Int) -> Int { cellsOffset + 8 * runs }

        package static func cellValue(_ node: UnsafeMutableRawPointer) -> UInt64 {
            UInt64(UInt(bitPattern: node)) | 1
        }

        /// The word of the ranked record of what ends right above the node.
        package static func aboveWord(_ node: UnsafeMutableRawPointer) -> UnsafeMutablePointer<UInt64> {
            node.assumingMemoryBound(to: UInt64.self)
        }

        /// Makes a node in `memory`, of runs that begin at the cells `starts`, ascending from 0.
        package static func initialize(
            _ memory: UnsafeMutableRawPointer,
            above: UInt64,
            starts: [UInt8],
            values: (Int) -> UInt64
        ) {
            let bits = (memory + bitsOffset).assumingMemoryBound(to: UInt64.self)
            let counts = (memory + countsOffset).assumingMemoryBound(to: UInt8.self)
            let cells = (memory + cellsOffset).assumingMemoryBound(to: UInt64.self)
            aboveWord(memory).pointee = above
            for word in 0..<4 { bits[word] = 0 }
            memory.storeBytes(of: 0, toByteOffset: countsOffset, as: UInt64.self)
            for (run, start) in starts.enumerated() {
                bits[Int(start >> 6)] |= 1 << UInt64(start & 63)
                cells[run] = values(run)
            }
            for word in 1..<4 { counts[word] = counts[word - 1] + UInt8(bits[word - 1].nonzeroBitCount) }
        }

        /// The cell for the next byte of the field.
        @inline(__always)
        package static func cell(_ node: UnsafeRawPointer, _ byte: UInt8) -> UnsafePointer<UInt64> {
            let word = Int(byte >> 6)
            let bits = node.load(fromByteOffset: bitsOffset &+ 8 &* word, as: UInt64.self)
            let before = node.load(fromByteOffset: countsOffset &+ word, as: UInt8.self)
            let upTo = bits & ((2 &<< UInt64(byte & 63)) &- 1)
            let run = Int(before) &+ upTo.nonzeroBitCount &- 1
            return (node + cellsOffset).assumingMemoryBound(to: UInt64.self) + run
        }

        @inline(__always)
        static func isNode(_ cell: UInt64) -> Bool { cell & 1 != 0 }

        @inline(__always)
        static func address(_ cell: UInt64) -> UnsafeRawPointer {
            UnsafeRawPointer(bitPattern: UInt(cell & ~1)).unsafelyUnwrapped
        }

        @inline(__always)
        static func prefetchNode(_ cell: UInt64) {
            prefetch(address(cell))
            prefetch(address(cell) + 64)
        }
    }
}
