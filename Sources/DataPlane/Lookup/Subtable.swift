// A hash table for the rules of one mask. A bucket is one cache line of eight slots; a slot is one word: a 16-bit tag of
// the key's hash and the 48-bit address of the record. Inserting, removing and replacing a rule is therefore one store.
//
// A key that does not fit into its bucket goes to the next one that has room. A search goes on to the next bucket only if
// there is no empty slot; so a slot of a bucket without empty slots is not emptied but becomes a tombstone.
// The control side keeps a mirror, finds the slot to store to, and grows the table by building a larger one aside.

package struct Subtable {
    package var bucketMask: UInt64
    package var buckets: UnsafeMutablePointer<UInt64>
    package var wordCount: UInt32
    /// The highest priority among the rules: a packet that has a better entry need not look here.
    package var maxPriority: UInt32
    /// Random since start, so that nobody can prepare keys that collide.
    package var seed: UInt32
    fileprivate var windowBase: UInt16
    fileprivate var vectorCount: UInt16
    /// The indexes of the key words that the mask covers.
    private var words: InlineArray<16, UInt8>
    private var mask: FlowKey

    package static let slotsPerBucket = 8
    package static let tombstone: UInt64 = 1

    package init(mask: FlowKey, seed: UInt32, bucketCount: Int, buckets: UnsafeMutablePointer<UInt64>) {
        bucketMask = UInt64(bucketCount - 1)
        self.buckets = buckets
        (wordCount, maxPriority) = (0, 0)
        self.seed = seed
        let window = KeyWindow(mask)
        windowBase = UInt16(window.base)
        vectorCount = UInt16(window.vectorCount)
        words = InlineArray(repeating: 0)
        self.mask = mask
        for word in 0..<FlowKey.wordCount where mask.words[word] != 0 {
            words[Int(wordCount)] = UInt8(word)
            wordCount += 1
        }
    }

    /// The hash of a key under a mask.
    package static func hash(_ key: FlowKey, mask: FlowKey, seed: UInt32) -> UInt32 {
        var hash = seed
        for word in 0..<FlowKey.wordCount where mask.words[word] != 0 {
            hash = mix(hash, key.words[word] & mask.words[word])
        }
        return finish(hash)
    }

    /// What a slot holds for what is at an address: the tag's highest bit is set, so that neither 0 nor a tombstone looks like one.
    package static func slot(hash: UInt32, _ address: UnsafeRawPointer) -> UInt64 {
        tag(hash) << 48 | UInt64(UInt(bitPattern: address))
    }

    /// Looks up `count` keys at once, in stages, so that the cache misses of a burst overlap. The only part of a lookup
    /// (`isOnly`) puts what it finds into `found`; others replace what ranks lower in `best`.
    @inline(__always)
    static func find(
        _ table: UnsafePointer<Subtable>,
        isOnly: Bool,
        keys: UnsafePointer<FlowKey>,
        list: some PacketList,
        count: Int,
        scratch: LookupScratch,
        found: UnsafeMutablePointer<FlowRecordPointer?>
    ) {
        let wordCount = Int(truncatingIfNeeded: table.pointee.wordCount)
        let vectorCount = Int(truncatingIfNeeded: table.pointee.vectorCount)
        // With constant numbers the compiler unrolls the loops over words and vectors.
        switch vectorCount == 1 ? wordCount : 0 {
        case 1: find(table, isOnly, words: 1, vectors: 1, keys, list, count, scratch, found)
        case 2: find(table, isOnly, words: 2, vectors: 1, keys, list, count, scratch, found)
        case 3: find(table, isOnly, words: 3, vectors: 1, keys, list, count, scratch, found)
        default: find(table, isOnly, words: wordCount, vectors: vectorCount, keys, list, count, scratch, found)
        }
    }

    @inline(__always)
    private static func find(
        _ table: UnsafePointer<Subtable>,
        _ isOnly: Bool,
        words wordCount: Int,
        vectors vectorCount: Int,
        _ keys: UnsafePointer<FlowKey>,
        _ list: some PacketList,
        _ count: Int,
        _ scratch: LookupScratch,
        _ found: UnsafeMutablePointer<FlowRecordPointer?>
    ) {
        let mask = KeyMask(table, wordCount: wordCount, vectorCount: vectorCount)
        findCandidates(table, mask, keys, list, count, scratch)
        for i in 0..<count {
            let hash = scratch.hashes[i]
            let key = Lookup.words(keys, list[i])
            var record = scratch.candidates[i]
            if record == nil || !mask.equal(record!, key) {
                // Without a candidate and with an empty slot there is nothing more to find.
                if record == nil && endsInFirstBucket(table, hash: hash) { continue }
                record = search(table, key, hash: hash)
            }
            guard let record else { continue }
            if isOnly {
                found[i] = record
            } else {
                scratch.best[i] = max(scratch.best[i], FlowRecord.ranked(record, priority: record.pointee.priority))
            }
        }
    }

    /// The first two stages: hashes the keys, and finds in the bucket of each the first slot with its tag.
    @inline(__always)
    static func findCandidates(
        _ table: UnsafePointer<Subtable>,
        _ mask: KeyMask,
        _ keys: UnsafePointer<FlowKey>,
        _ list: some PacketList,
        _ count: Int,
        _ scratch: LookupScratch
    ) {
        let buckets = table.pointee.buckets
        let bucketMask = table.pointee.bucketMask
        let seed = table.pointee.seed
        for i in 0..<count {
            let hash = mask.hash(Lookup.words(keys, list[i]), seed: seed)
            scratch.hashes[i] = hash
            prefetch(buckets + Int(truncatingIfNeeded: UInt64(hash) & bucketMask) &* slotsPerBucket)
        }
        for i in 0..<count {
            let hash = scratch.hashes[i]
            let bucket = buckets + Int(truncatingIfNeeded: UInt64(hash) & bucketMask) &* slotsPerBucket
            let candidate = firstCandidate(bucket, tag: tag(hash))
            scratch.candidates[i] = candidate
            if let candidate { prefetch(UnsafeRawPointer(candidate)) }
        }
    }

    /// Whether no key of this hash can be beyond its first bucket, because that has an empty slot.
    @inline(__always)
    static func endsInFirstBucket(_ table: UnsafePointer<Subtable>, hash: UInt32) -> Bool {
        let bucket = Int(truncatingIfNeeded: UInt64(hash) & table.pointee.bucketMask)
        return table.pointee.buckets[bucket &* slotsPerBucket &+ slotsPerBucket &- 1] == 0
    }

    /// Whether more than one slot of its bucket has the tag of a hash.
    @inline(__always)
    static func hasSeveral(_ table: UnsafePointer<Subtable>, hash: UInt32) -> Bool {
        let bucket = Int(truncatingIfNeeded: UInt64(hash) & table.pointee.bucketMask)
        // Two bits of each such slot.
        return matchTags(table.pointee.buckets + bucket &* slotsPerBucket, tag(hash)).nonzeroBitCount > 2
    }

    /// The first slot of a bucket that has the tag.
    @inline(__always)
    private static func firstCandidate(_ bucket: UnsafeMutablePointer<UInt64>, tag: UInt64) -> FlowRecordPointer? {
        let matches = matchTags(bucket, tag)
        guard matches != 0 else { return nil }
        return FlowRecordPointer(bitPattern: UInt(bucket[matches.trailingZeroBitCount >> 3] & 0xffff_ffff_ffff))
    }

    /// The complete search.
    @inline(never)
    private static func search(
        _ table: UnsafePointer<Subtable>,
        _ key: UnsafePointer<UInt64>,
        hash: UInt32
    ) -> FlowRecordPointer? {
        let mask = KeyMask(
            table,
            wordCount: Int(table.pointee.wordCount),
            vectorCount: Int(table.pointee.vectorCount)
        )
        return firstCandidate(table, hash: hash) { mask.equal($0, key) }
    }

    /// The first that suits of what is in slots with the tag of a hash: in its bucket, and in further ones as long as they have
    /// no empty slot.
    @inline(__always)
    static func firstCandidate(
        _ table: UnsafePointer<Subtable>,
        hash: UInt32,
        where suits: (FlowRecordPointer) -> Bool
    ) -> FlowRecordPointer? {
        let tag = tag(hash)
        var bucket = UInt64(hash) & table.pointee.bucketMask
        var remaining = table.pointee.bucketMask
        while true {
            let slots = table.pointee.buckets + Int(truncatingIfNeeded: bucket) &* slotsPerBucket
            var hasEmpty = false
            for i in 0..<slotsPerBucket {
                let slot = slots[i]
                if slot == 0 { hasEmpty = true }
                if slot >> 48 == tag, let candidate = FlowRecordPointer(bitPattern: UInt(slot & 0xffff_ffff_ffff)),
                    suits(candidate)
                {
                    return candidate
                }
            }
            if hasEmpty || remaining == 0 { return nil }
            bucket = (bucket &+ 1) & table.pointee.bucketMask
            remaining &-= 1
        }
    }

    @inline(__always)
    fileprivate static func mix(_ hash: UInt32, _ word: UInt64) -> UInt32 { crc32c(hash, word) }

    /// CRC-32C is linear; the multiplication spreads its bits so that bucket and tag differ independently.
    @inline(__always)
    static func finish(_ hash: UInt32) -> UInt32 {
        let product = UInt64(hash) &* 0x9e37_79b9_7f4a_7c15
        return UInt32(truncatingIfNeeded: product >> 32)
    }

    @inline(__always)
    private static func tag(_ hash: UInt32) -> UInt64 { UInt64(hash >> 16) | 0x8000 }
}

/// The mask of a subtable as its loops use it. Where the first three words stand and their masks are kept in registers:
/// loaded from the table they would be loaded again for each packet, because the loops store to memory.
struct KeyMask {
    private let wordCount: Int
    private let vectorCount: Int
    private let (word0, word1, word2): (Int, Int, Int)
    private let (mask0, mask1, mask2): (UInt64, UInt64, UInt64)
    /// The indexes of all key words that the mask covers, and the mask of each word of the key.
    private let words: UnsafePointer<UInt8>
    private let masks: UnsafePointer<UInt64>
    /// Bytes from the start of a key, or of the mask, to its window.
    private let windowOffset: Int

    @inline(__always)
    init(_ table: UnsafePointer<Subtable>, wordCount: Int, vectorCount: Int) {
        self.wordCount = wordCount
        self.vectorCount = vectorCount
        // Reached by their offsets: through the struct's own type the compiler asks the runtime for its metadata.
        words = (UnsafeRawPointer(table) + 32).assumingMemoryBound(to: UInt8.self)
        masks = (UnsafeRawPointer(table) + 48).assumingMemoryBound(to: UInt64.self)
        (word0, word1, word2) = (Int(words[0]), Int(words[1]), Int(words[2]))
        (mask0, mask1, mask2) = (masks[word0], masks[word1], masks[word2])
        windowOffset = 8 &* Int(table.pointee.windowBase)
    }

    @inline(__always)
    func hash(_ key: UnsafePointer<UInt64>, seed: UInt32) -> UInt32 {
        var hash = seed
        if wordCount > 0 { hash = Subtable.mix(hash, key[word0] & mask0) }
        if wordCount > 1 { hash = Subtable.mix(hash, key[word1] & mask1) }
        if wordCount > 2 { hash = Subtable.mix(hash, key[word2] & mask2) }
        var w = 3
        while w < wordCount {
            let word = Int(words[w])
            hash = Subtable.mix(hash, key[word] & masks[word])
            w &+= 1
        }
        return Subtable.finish(hash)
    }

    /// Whether a record has this key: in the bits of the mask, all vectors of the window are the same.
    @inline(__always)
    func equal(_ record: FlowRecordPointer, _ key: UnsafePointer<UInt64>) -> Bool {
        let expected = UnsafeRawPointer(record) + FlowRecord.vectorOffset
        let key = UnsafeRawPointer(key) + windowOffset
        let mask = UnsafeRawPointer(masks) + windowOffset
        var v = 0
        while v < vectorCount {
            let offset = 8 &* KeyWindow.vectorWords &* v
            guard sameUnder(mask + offset, key + offset, expected + offset) else { return false }
            v &+= 1
        }
        return true
    }
}
