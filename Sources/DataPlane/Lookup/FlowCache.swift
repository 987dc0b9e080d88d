// Whole paths through the flow tables, by flow: what a packet found in each table, so that the next one of the same key need
// not look for it. Two packets take the same path if the bits that any table looks at are the same, and the layout of
// their headers, on which it depends what actions can change.
//
// The control side says which bits these are, and marks tables that it has changed; the worker alone writes the entries.
// An entry is good while none of the tables that it passes has changed since it was recorded.

import CDPDK

/// What a worker's flow cache goes by; complete when it is published, and never changed then.
package struct FlowCachePlan {
    fileprivate var entries: UnsafeMutableRawPointer
    /// The number of sets, a power of two, less one.
    fileprivate var setMask: UInt64
    /// Random since start, so that nobody can prepare keys that collide.
    fileprivate var seed: UInt32
    fileprivate var wordCount: UInt32
    /// Bytes of an entry, and from its start to what was found.
    fileprivate var entrySize: UInt32
    fileprivate var recordsOffset: UInt32
    /// The steps that an entry has room for; a longer path goes on in the tables.
    var stepLimit: UInt64
    private var unused: UInt64
    /// The words of the flow key that any table looks at, and the bits of each.
    private var words: InlineArray<16, UInt8>
    private var masks: InlineArray<16, UInt64>

    fileprivate static let wordsOffset = 48
    fileprivate static let masksOffset = 64
    fileprivate static let entriesPerSet = 2

    /// - Parameters:
    ///   - entries: `size` bytes, zeroed.
    ///   - mask: The bits that any table looks at, as `comparable` leaves them.
    ///   - tables: How many tables a packet may visit.
    package init(entries: UnsafeMutableRawPointer, size: Int, seed: UInt32, mask: FlowKey, tables: Int) {
        self.entries = entries
        self.seed = seed
        (words, masks) = (InlineArray(repeating: 0), InlineArray(repeating: 0))
        var count = 0
        for word in 0..<FlowKey.wordCount where mask.words[word] != 0 {
            (words[count], masks[count]) = (UInt8(word), mask.words[word])
            count += 1
        }
        wordCount = UInt32(count)
        let offset = CachedPath.keyOffset + 8 * count
        recordsOffset = UInt32(offset)
        let steps = Self.steps(tables)
        stepLimit = UInt64(steps)
        let entrySize = Self.entrySize(mask: mask, tables: tables)
        self.entrySize = UInt32(entrySize)
        let sets = max(1, size / (entrySize * Self.entriesPerSet))
        setMask = UInt64(1 << (Int.bitWidth - 1 - sets.leadingZeroBitCount)) - 1
        unused = 0
    }

    private static func steps(_ tables: Int) -> Int { min(max(tables, 1), CachedPath.mostSteps) }

    /// Bytes of an entry, whole cache lines, for such a mask.
    package static func entrySize(mask: FlowKey, tables: Int) -> Int {
        let count = (0..<FlowKey.wordCount).count { mask.words[$0] != 0 }
        return (CachedPath.keyOffset + 8 * count + 8 * steps(tables) + 63) & ~63
    }

    /// The part of a mask that tells one packet from another when they come in.
    package static func comparable(_ mask: FlowKey) -> FlowKey {
        var mask = mask
        for word in [0, FlowKey.Word.metadata, FlowKey.Word.tunnel] { mask.words[word] = 0 }
        return mask
    }
}

/// A cached path: its state, the layout and the key of its packets, and the entries found, table by table.
struct CachedPath {
    let memory: UnsafeMutableRawPointer

    /// As many as a `TableSequence` holds.
    static let mostSteps = 8
    private static let layoutOffset = 8
    private static let hashOffset = 20
    fileprivate static let keyOffset = 24

    /// When it was recorded (see `FlowCacheState.clock`), in the upper 40 bits, 0 if it is not complete; eight bits each for
    /// the steps at which there is more to do than to go on to the next one, as a set, the number of its sequence of tables,
    /// and how many steps it has.
    @inline(__always)
    var header: UInt64 {
        get { memory.load(as: UInt64.self) }
        nonmutating set { memory.storeBytes(of: newValue, as: UInt64.self) }
    }

    @inline(__always)
    var steps: Int { Int(truncatingIfNeeded: header & 0xff) }

    @inline(__always)
    var sequence: Int { Self.sequence(header) }

    @inline(__always)
    static func sequence(_ header: UInt64) -> Int {
        Int(truncatingIfNeeded: header >> 8) & (TableSequence.limit &- 1)
    }

    /// The steps at which there is something to do; the last one always is among them.
    @inline(__always)
    var acting: UInt64 { header >> 16 & 0xff }

    @inline(__always)
    static func time(_ header: UInt64) -> UInt64 { header >> 24 }

    /// Adds a step to a path that is being recorded.
    @inline(__always)
    func add(acts: Bool) {
        let step = header & 0xff
        header = (header &+ 1) | (acts ? 1 << (16 &+ step) : 0)
    }

    @inline(__always)
    func complete(at time: UInt64, sequence: Int) {
        header |= time << 24 | UInt64(truncatingIfNeeded: sequence) << 8
    }

    @inline(__always)
    var hash: UInt32 { memory.load(fromByteOffset: Self.hashOffset, as: UInt32.self) }

    /// The entries found. They follow the key.
    @inline(__always)
    func records(_ plan: UnsafePointer<FlowCachePlan>) -> UnsafeMutablePointer<FlowRecordPointer> {
        (memory + Int(truncatingIfNeeded: plan.pointee.recordsOffset)).assumingMemoryBound(to: FlowRecordPointer.self)
    }

    /// Writes what the path is found by.
    @inline(__always)
    func begin(_ key: UnsafePointer<UInt64>, _ layout: LayoutWords, hash: UInt32, _ plan: UnsafePointer<FlowCachePlan>)
    {
        header = 0
        memory.storeBytes(of: layout.low, toByteOffset: Self.layoutOffset, as: UInt64.self)
        memory.storeBytes(of: layout.high, toByteOffset: Self.layoutOffset + 8, as: UInt32.self)
        memory.storeBytes(of: hash, toByteOffset: Self.hashOffset, as: UInt32.self)
        let mask = CacheMask(plan, wordCount: Int(truncatingIfNeeded: plan.pointee.wordCount))
        let words = (memory + Self.keyOffset).assumingMemoryBound(to: UInt64.self)
        for word in 0..<mask.wordCount { words[word] = mask.word(word, of: key) }
    }

    /// Whether it is for packets of this key and layout.
    @inline(__always)
    func fits(_ key: UnsafePointer<UInt64>, _ layout: LayoutWords, hash: UInt32, _ mask: CacheMask) -> Bool {
        guard self.hash == hash else { return false }
        var difference = memory.load(fromByteOffset: Self.layoutOffset, as: UInt64.self) ^ layout.low
        difference |= UInt64(memory.load(fromByteOffset: Self.layoutOffset + 8, as: UInt32.self) ^ layout.high)
        let words = (memory + Self.keyOffset).assumingMemoryBound(to: UInt64.self)
        for word in 0..<mask.wordCount { difference |= words[word] ^ mask.word(word, of: key) }
        return difference == 0
    }
}

/// The words that a plan looks at.
struct CacheMask {
    let wordCount: Int
    private let words: UnsafePointer<UInt8>
    private let masks: UnsafePointer<UInt64>

    @inline(__always)
    init(_ plan: UnsafePointer<FlowCachePlan>, wordCount: Int) {
        self.wordCount = wordCount
        // By their offsets, as in `KeyMask`.
        words = (UnsafeRawPointer(plan) + FlowCachePlan.wordsOffset).assumingMemoryBound(to: UInt8.self)
        masks = (UnsafeRawPointer(plan) + FlowCachePlan.masksOffset).assumingMemoryBound(to: UInt64.self)
    }

    /// The bits of one of the words.
    @inline(__always)
    func word(_ index: Int, of key: UnsafePointer<UInt64>) -> UInt64 { key[Int(words[index])] & masks[index] }

    @inline(__always)
    func hash(_ key: UnsafePointer<UInt64>, _ layout: LayoutWords, seed: UInt32) -> UInt32 {
        var hash = crc32c(seed, layout.low)
        hash = crc32c(hash, UInt64(layout.high))
        for index in 0..<wordCount { hash = crc32c(hash, word(index, of: key)) }
        return Subtable.finish(hash)
    }
}

/// A packet's layout as two words.
struct LayoutWords {
    let low: UInt64
    let high: UInt32

    @inline(__always)
    init(_ layout: UnsafePointer<PacketLayout>) {
        let bytes = UnsafeRawPointer(layout)
        low = bytes.loadUnaligned(as: UInt64.self)
        // The last byte is none of its fields.
        high = bytes.loadUnaligned(fromByteOffset: 8, as: UInt32.self) & 0xff_ffff
    }
}

enum FlowCache {
    /// Finds the cached paths of the first `count` packets of a burst, nil where there is none that is good; the hashes of the
    /// keys stay in `hashes`.
    @inline(never)
    static func find(
        _ plan: UnsafePointer<FlowCachePlan>,
        _ sequences: UnsafePointer<TableSequence>,
        _ burst: Burst,
        count: Int,
        hashes: UnsafeMutablePointer<UInt32>
    ) {
        // With a constant number of words the compiler unrolls the loops over them.
        switch plan.pointee.wordCount {
        case 3: find(plan, sequences, burst, count: count, hashes: hashes, words: 3)
        case 5: find(plan, sequences, burst, count: count, hashes: hashes, words: 5)
        case let words:
            find(plan, sequences, burst, count: count, hashes: hashes, words: Int(truncatingIfNeeded: words))
        }
    }

    @inline(__always)
    private static func find(
        _ plan: UnsafePointer<FlowCachePlan>,
        _ sequences: UnsafePointer<TableSequence>,
        _ burst: Burst,
        count: Int,
        hashes: UnsafeMutablePointer<UInt32>,
        words: Int
    ) {
        let mask = CacheMask(plan, wordCount: words)
        let seed = plan.pointee.seed
        let size = entrySize(plan)
        for i in 0..<count {
            let hash = mask.hash(Lookup.words(burst.keys, i), LayoutWords(burst.layouts + i), seed: seed)
            hashes[i] = hash
            let set = set(plan, hash)
            prefetch(set)
            prefetch(set + size)
        }
        for i in 0..<count {
            let hash = hashes[i]
            let set = set(plan, hash)
            let key = Lookup.words(burst.keys, i)
            let layout = LayoutWords(burst.layouts + i)
            var path = CachedPath(memory: set)
            if !path.fits(key, layout, hash: hash, mask) {
                path = CachedPath(memory: set + size)
                guard path.fits(key, layout, hash: hash, mask) else {
                    burst.paths[i] = nil
                    continue
                }
            }
            guard isGood(path.header, sequences) else {
                burst.paths[i] = nil
                continue
            }
            burst.paths[i] = path.memory
            prefetch(UnsafeRawPointer(path.records(plan)))
        }
    }

    /// The entries of the set where keys of a hash belong.
    @inline(__always)
    static func entry(_ index: Int, _ plan: UnsafePointer<FlowCachePlan>, _ hash: UInt32) -> CachedPath {
        CachedPath(memory: set(plan, hash) + index &* entrySize(plan))
    }

    static var entriesPerSet: Int { FlowCachePlan.entriesPerSet }

    @inline(__always)
    private static func entrySize(_ plan: UnsafePointer<FlowCachePlan>) -> Int {
        Int(truncatingIfNeeded: plan.pointee.entrySize)
    }

    /// Whether a path is complete and none of its tables has changed since.
    @inline(__always)
    static func isGood(_ header: UInt64, _ sequences: UnsafePointer<TableSequence>) -> Bool {
        CachedPath.time(header) >= sequences[CachedPath.sequence(header)].changed
    }

    /// The first entry of the set where keys of a hash belong; the other follows.
    @inline(__always)
    private static func set(_ plan: UnsafePointer<FlowCachePlan>, _ hash: UInt32) -> UnsafeMutableRawPointer {
        let set = Int(truncatingIfNeeded: UInt64(hash) & plan.pointee.setMask)
        return plan.pointee.entries + set &* (FlowCachePlan.entriesPerSet &* entrySize(plan))
    }
}

/// Which tables a cached path passes. Many paths share one.
struct TableSequence {
    /// Their numbers, the first in the lowest byte; `ActionProgram.noTable` behind the last.
    var tables: UInt64
    /// When one of them changed last: paths recorded before are not good any more.
    var changed: UInt64
    /// Packets of the present burst.
    var hits: UInt64

    static let limit = 64
    /// No path is good by it.
    static let none = TableSequence(tables: .max, changed: .max, hits: 0)

    /// Takes the first table from what is left of a sequence; nil: nothing is left.
    @inline(__always)
    static func next(_ rest: inout UInt64) -> Int? {
        let table = UInt8(truncatingIfNeeded: rest)
        guard table != ActionProgram.noTable else { return nil }
        rest = rest >> 8 | 0xff << 56
        return Int(table)
    }

    /// The table of a step.
    @inline(__always)
    static func table(_ tables: UInt64, _ step: Int) -> UInt8 {
        UInt8(truncatingIfNeeded: tables >> UInt64(truncatingIfNeeded: 8 &* step))
    }
}
