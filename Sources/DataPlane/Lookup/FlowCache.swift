// Whole paths through the flow tables, by flow: what a packet found in each table, so that the next one of the same key need
// not look for it. Two packets take the same path if the bits that any table looks at are the same, and the layout of
// their headers, on which it depends what actions can change.
//
// The control side says which bits these are, and marks tables that it has changed; the worker alone writes the entries.
// An entry is good while none of the tables that it passes has changed since it was recorded.

import CDPDK

/// What a worker's flow cache goes by; complete when it is published, and never changed then.
package struct FlowCachePlan {
    package var entries: UnsafeMutableRawPointer
    /// The number of sets, a power of two, less one.
    package var setMask: UInt64
    /// Random since start, so that nobody can prepare keys that collide.
    package var seed: UInt64
    /// Not 0: keys are compared in the words behind the first eight, too.
    package var isDeep: UInt64
    /// The bits that any table looks at. None of a word that a packet never has when it comes in.
    package var mask: FlowKey

    package static let entriesPerSet = 2

    /// Bytes of an entry.
    package static func entrySize(isDeep: Bool) -> Int { isDeep ? 256 : 128 }

    /// - Parameter entries: Zeroed.
    package init(entries: UnsafeMutableRawPointer, setCount: Int, seed: UInt32, mask: FlowKey) {
        self.entries = entries
        setMask = UInt64(setCount - 1)
        self.seed = UInt64(seed)
        self.mask = Self.comparable(mask)
        isDeep = (8..<FlowKey.wordCount).contains { mask.words[$0] != 0 } ? 1 : 0
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

    /// The steps that an entry has room for; a longer path goes on in the tables.
    static let stepLimit = 8
    private static let layoutOffset = 8
    private static let hashOffset = 20
    private static let keyOffset = 24
    private static let deepKeyOffset = 64

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
    func records(isDeep: Bool) -> UnsafeMutablePointer<FlowRecordPointer> {
        (memory + (isDeep ? 128 : 64)).assumingMemoryBound(to: FlowRecordPointer.self)
    }

    /// Writes what the path is found by.
    @inline(__always)
    func begin(_ key: UnsafePointer<UInt64>, _ layout: LayoutWords, hash: UInt32, _ plan: UnsafePointer<FlowCachePlan>)
    {
        header = 0
        memory.storeBytes(of: layout.low, toByteOffset: Self.layoutOffset, as: UInt64.self)
        memory.storeBytes(of: layout.high, toByteOffset: Self.layoutOffset + 8, as: UInt32.self)
        memory.storeBytes(of: hash, toByteOffset: Self.hashOffset, as: UInt32.self)
        let masks = FlowCache.masks(plan)
        let words = (memory + Self.keyOffset).assumingMemoryBound(to: UInt64.self)
        for word in 0..<5 { words[word] = key[word &+ 1] & masks[word &+ 1] }
        guard plan.pointee.isDeep != 0 else { return }
        let deep = (memory + Self.deepKeyOffset).assumingMemoryBound(to: UInt64.self)
        for word in 0..<8 { deep[word] = key[word &+ 8] & masks[word &+ 8] }
    }

    /// Whether it is for packets of this key and layout.
    @inline(__always)
    func fits(
        _ key: UnsafePointer<UInt64>,
        _ layout: LayoutWords,
        hash: UInt32,
        _ masks: UnsafePointer<UInt64>,
        isDeep: Bool
    ) -> Bool {
        guard self.hash == hash,
            memory.load(fromByteOffset: Self.layoutOffset, as: UInt64.self) == layout.low,
            memory.load(fromByteOffset: Self.layoutOffset + 8, as: UInt32.self) == layout.high,
            sameUnder(masks + 1, key + 1, memory + Self.keyOffset),
            key[5] & masks[5] == memory.load(fromByteOffset: Self.keyOffset + 32, as: UInt64.self)
        else { return false }
        guard isDeep else { return true }
        return sameUnder(masks + 8, key + 8, memory + Self.deepKeyOffset)
            && sameUnder(masks + 12, key + 12, memory + Self.deepKeyOffset + 32)
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
        // With a constant the compiler makes a loop of each kind.
        if plan.pointee.isDeep != 0 {
            find(plan, sequences, burst, count: count, hashes: hashes, isDeep: true)
        } else {
            find(plan, sequences, burst, count: count, hashes: hashes, isDeep: false)
        }
    }

    @inline(__always)
    private static func find(
        _ plan: UnsafePointer<FlowCachePlan>,
        _ sequences: UnsafePointer<TableSequence>,
        _ burst: Burst,
        count: Int,
        hashes: UnsafeMutablePointer<UInt32>,
        isDeep: Bool
    ) {
        let masks = masks(plan)
        let seed = UInt32(truncatingIfNeeded: plan.pointee.seed)
        let size = FlowCachePlan.entrySize(isDeep: isDeep)
        for i in 0..<count {
            let hash = hash(Lookup.words(burst.keys, i), LayoutWords(burst.layouts + i), masks, seed, isDeep: isDeep)
            hashes[i] = hash
            let set = set(plan, hash, size)
            prefetch(set)
            prefetch(set + size)
        }
        for i in 0..<count {
            let hash = hashes[i]
            let set = set(plan, hash, size)
            let key = Lookup.words(burst.keys, i)
            let layout = LayoutWords(burst.layouts + i)
            var path = CachedPath(memory: set)
            if !path.fits(key, layout, hash: hash, masks, isDeep: isDeep) {
                path = CachedPath(memory: set + size)
                guard path.fits(key, layout, hash: hash, masks, isDeep: isDeep) else {
                    burst.paths[i] = nil
                    continue
                }
            }
            guard isGood(path.header, sequences) else {
                burst.paths[i] = nil
                continue
            }
            burst.paths[i] = path.memory
            prefetch(UnsafeRawPointer(path.records(isDeep: isDeep)))
        }
    }

    /// Whether a path is complete and none of its tables has changed since.
    @inline(__always)
    static func isGood(_ header: UInt64, _ sequences: UnsafePointer<TableSequence>) -> Bool {
        CachedPath.time(header) >= sequences[CachedPath.sequence(header)].changed
    }

    /// The first entry of the set where a key belongs; the second one follows.
    @inline(__always)
    static func set(_ plan: UnsafePointer<FlowCachePlan>, _ hash: UInt32, _ size: Int) -> UnsafeMutableRawPointer {
        let set = Int(truncatingIfNeeded: UInt64(hash) & plan.pointee.setMask)
        return plan.pointee.entries + set &* (FlowCachePlan.entriesPerSet &* size)
    }

    /// The words of the mask. Reached by their offset, as in `KeyMask`.
    @inline(__always)
    static func masks(_ plan: UnsafePointer<FlowCachePlan>) -> UnsafePointer<UInt64> {
        (UnsafeRawPointer(plan) + 32).assumingMemoryBound(to: UInt64.self)
    }

    @inline(__always)
    private static func hash(
        _ key: UnsafePointer<UInt64>,
        _ layout: LayoutWords,
        _ masks: UnsafePointer<UInt64>,
        _ seed: UInt32,
        isDeep: Bool
    ) -> UInt32 {
        var hash = crc32c(seed, layout.low)
        hash = crc32c(hash, UInt64(layout.high))
        for word in 1...5 { hash = crc32c(hash, key[word] & masks[word]) }
        if isDeep {
            for word in 8..<FlowKey.wordCount { hash = crc32c(hash, key[word] & masks[word]) }
        }
        return Subtable.finish(hash)
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

    /// The table of a step.
    @inline(__always)
    static func table(_ tables: UInt64, _ step: Int) -> UInt8 {
        UInt8(truncatingIfNeeded: tables >> UInt64(truncatingIfNeeded: 8 &* step))
    }
}
