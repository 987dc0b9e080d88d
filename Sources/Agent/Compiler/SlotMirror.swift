// The control side's mirror of the slots of a `Subtable`: laid out exactly as in the workers' memory, so that it is known which
// word has to be stored to.

import DataPlane

struct SlotMirror {
    /// What the workers' slot leads to is known by a small number: the content.
    struct Slot: Equatable {
        /// Of the key: most other keys are told apart without a look at what the slot leads to.
        var hash: UInt32 = 0
        /// Content + 2; 0: empty, 1: tombstone.
        fileprivate var code: UInt32 = 0

        fileprivate static let tombstone = Slot(code: 1)

        /// Nil if there is none.
        var content: Int? { code > 1 ? Int(code) - 2 : nil }
        fileprivate var isFree: Bool { code < 2 }

        /// What the workers' slot holds if it leads nowhere.
        var emptyWord: UInt64 { code == Self.tombstone.code ? Subtable.tombstone : 0 }
    }

    private(set) var slots = [Slot](repeating: Slot(), count: Subtable.slotsPerBucket)
    /// Slots with a content.
    private(set) var count = 0
    private var tombstones = 0

    var bucketCount: Int { slots.count / Subtable.slotsPerBucket }

    /// Whether one more content wants a larger table first.
    var isCrowded: Bool { (count + tombstones + 1) * 8 > slots.count * 5 }

    /// How many buckets `grow` will make for `contents`.
    static func bucketCount(for contents: Int) -> Int {
        var buckets = 1
        while buckets * Subtable.slotsPerBucket < contents * 2 + 2 { buckets *= 2 }
        return buckets
    }

    /// Lays all out anew, in a table that is at most half full.
    mutating func grow() {
        let former = slots
        slots = Array(repeating: Slot(), count: Self.bucketCount(for: count + 1) * Subtable.slotsPerBucket)
        tombstones = 0
        for slot in former where !slot.isFree { slots[freeSlot(hash: slot.hash)] = slot }
    }

    /// Puts in what is not there yet; there must be room. Returns the slot.
    mutating func insert(_ content: Int, hash: UInt32) -> Int {
        let slot = freeSlot(hash: hash)
        if slots[slot] == .tombstone { tombstones -= 1 }
        slots[slot] = Slot(hash: hash, code: UInt32(content + 2))
        count += 1
        return slot
    }

    mutating func replace(_ slot: Int, by content: Int) { slots[slot].code = UInt32(content + 2) }

    /// Takes out what a slot leads to. Returns what the workers' slot holds then: a tombstone if searches have to go on behind it.
    mutating func remove(_ slot: Int) -> UInt64 {
        count -= 1
        let bucket = slot / Subtable.slotsPerBucket * Subtable.slotsPerBucket
        let isTombstone = !slots[bucket..<bucket + Subtable.slotsPerBucket].contains(Slot())
        slots[slot] = isTombstone ? .tombstone : Slot()
        if isTombstone { tombstones += 1 }
        return slots[slot].emptyWord
    }

    /// The first slot of this hash whose content suits.
    func find(hash: UInt32, where suits: (Int) -> Bool) -> (slot: Int, content: Int)? {
        let bucketMask = bucketCount - 1
        var bucket = Int(hash) & bucketMask
        for _ in 0...bucketMask {
            var hasEmpty = false
            for slot in bucket * Subtable.slotsPerBucket..<(bucket + 1) * Subtable.slotsPerBucket {
                if slots[slot] == Slot() { hasEmpty = true }
                guard slots[slot].hash == hash, let content = slots[slot].content, suits(content) else { continue }
                return (slot, content)
            }
            if hasEmpty { return nil }
            bucket = (bucket + 1) & bucketMask
        }
        return nil
    }

    /// The first slot on the way of a search that is empty or a tombstone. There is one, because a table is never full.
    private func freeSlot(hash: UInt32) -> Int {
        let bucketMask = bucketCount - 1
        var bucket = Int(hash) & bucketMask
        while true {
            for slot in bucket * Subtable.slotsPerBucket..<(bucket + 1) * Subtable.slotsPerBucket
            where slots[slot].isFree {
                return slot
            }
            bucket = (bucket + 1) & bucketMask
        }
    }
}
