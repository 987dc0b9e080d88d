// The rules of one table that have the same mask, found by their key: the control side's mirror of a `Subtable`. Its slots
// are laid out exactly as in the workers' memory, so that it knows which word to store to. Rules of the same key differ in
// priority; only the highest one is in a slot, the others wait in a chain behind it.

import DataPlane

final class MaskGroup {
    let mask: FlowKey
    let wordCount: Int
    let seed: UInt32
    private(set) var slots: [Slot]
    /// Rules in slots.
    private(set) var headCount = 0
    /// Rules in all.
    private(set) var count = 0
    private var tombstones = 0
    /// At least as high as the priority of any rule.
    private(set) var maxPriority: UInt16 = 0
    /// At most as high as the priority of any rule.
    private(set) var minPriority: UInt16 = .max
    /// The workers' subtables while the table's form is a hash; empty otherwise.
    var subtables: [UnsafeMutablePointer<Subtable>] = []
    /// Memory for the workers' next buckets, taken before the slots here were laid out anew.
    var reserved: [UnsafeMutableRawPointer] = []

    var bucketCount: Int { slots.count / Subtable.slotsPerBucket }

    /// A word of the workers' subtables that has to change: the slot, and the rule it is for; nil: a tombstone or nothing.
    enum Change {
        case none
        case store(slot: Int, flow: Int)
        case clear(slot: Int, tombstone: Bool)
    }

    /// A slot as the control side sees it.
    struct Slot: Equatable {
        /// Of the rule's key: most other keys are told apart without a look at their rules.
        var hash: UInt32 = 0
        /// Flow handle + 2; 0: empty, 1: tombstone.
        var content: UInt32 = 0

        static let tombstone = Slot(content: 1)

        /// The handle of the rule; nil if there is none.
        var flow: Int? { content > 1 ? Int(content) - 2 : nil }
        var isFree: Bool { content < 2 }
    }

    init(mask: FlowKey, seed: UInt32) {
        self.mask = mask
        self.seed = seed
        wordCount = (0..<FlowKey.wordCount).count { mask.words[$0] != 0 }
        slots = Array(repeating: Slot(), count: Subtable.slotsPerBucket)
    }

    /// Whether one more rule wants a larger table first.
    var isCrowded: Bool { (headCount + tombstones + 1) * 8 > slots.count * 5 }

    /// How many buckets `grow` will make for `heads` rules.
    static func bucketCount(for heads: Int) -> Int {
        var buckets = 1
        while buckets * Subtable.slotsPerBucket < heads * 2 + 2 { buckets *= 2 }
        return buckets
    }

    /// Lays all rules out anew, in a table that is at most half full.
    func grow(_ flows: FlowStore) {
        let heads = slots.filter { !$0.isFree }
        slots = Array(repeating: Slot(), count: Self.bucketCount(for: headCount + 1) * Subtable.slotsPerBucket)
        tombstones = 0
        for head in heads {
            slots[freeSlot(hash: head.hash)] = head
        }
    }

    func insert(_ flow: Int, _ flows: FlowStore) -> Change {
        let priority = flows[flow].priority
        count += 1
        maxPriority = max(maxPriority, priority)
        minPriority = min(minPriority, priority)
        guard let (slot, head) = find(flow, flows) else {
            let slot = freeSlot(hash: flows[flow].hash)
            if slots[slot] == .tombstone { tombstones -= 1 }
            slots[slot] = Slot(hash: flows[flow].hash, content: UInt32(flow + 2))
            headCount += 1
            return .store(slot: slot, flow: flow)
        }
        guard priority < flows[head].priority else {
            flows[flow].next = head
            slots[slot].content = UInt32(flow + 2)
            return .store(slot: slot, flow: flow)
        }
        var before = head
        while flows[before].next >= 0, flows[flows[before].next].priority > priority { before = flows[before].next }
        flows[flow].next = flows[before].next
        flows[before].next = flow
        return .none
    }

    func remove(_ flow: Int, _ flows: FlowStore) -> Change {
        guard let (slot, head) = find(flow, flows) else { return .none }
        count -= 1
        let next = flows[flow].next
        if head != flow {
            var before = head
            while flows[before].next != flow { before = flows[before].next }
            flows[before].next = next
            return .none
        }
        if next >= 0 {
            slots[slot].content = UInt32(next + 2)
            return .store(slot: slot, flow: next)
        }
        headCount -= 1
        let bucket = slot / Subtable.slotsPerBucket * Subtable.slotsPerBucket
        let tombstone = !slots[bucket..<bucket + Subtable.slotsPerBucket].contains(Slot())
        slots[slot] = tombstone ? .tombstone : Slot()
        if tombstone { tombstones += 1 }
        if count == 0 { (maxPriority, minPriority) = (0, .max) }
        return .clear(slot: slot, tombstone: tombstone)
    }

    /// The rules in slots: those that a packet can hit.
    var heads: [Int] { slots.compactMap(\.flow) }

    /// The slot of the rule that has the same key as `flow`, and the rule.
    private func find(_ flow: Int, _ flows: FlowStore) -> (slot: Int, head: Int)? {
        let hash = flows[flow].hash
        let bucketMask = bucketCount - 1
        var bucket = Int(hash) & bucketMask
        for _ in 0...bucketMask {
            var hasEmpty = false
            for slot in bucket * Subtable.slotsPerBucket..<(bucket + 1) * Subtable.slotsPerBucket {
                if slots[slot] == Slot() { hasEmpty = true }
                guard slots[slot].hash == hash, let head = slots[slot].flow, flows.sameKey(head, flow) else { continue }
                return (slot, head)
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
