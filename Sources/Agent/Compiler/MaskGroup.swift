// The rules of one table that have the same mask, found by their key. Rules of the same key differ in priority; only the
// highest one can be hit by a packet and is known to the workers, the others wait in a chain behind it.

import DataPlane

final class MaskGroup {
    let mask: FlowKey
    let wordCount: Int
    /// The rules that can be hit.
    private(set) var mirror = SlotMirror()
    /// Rules in all.
    private(set) var count = 0
    /// At least as high as the priority of any rule.
    private(set) var maxPriority: UInt16 = 0
    /// At most as high as the priority of any rule.
    private(set) var minPriority: UInt16 = .max
    /// The prefix families that the mask belongs to.
    let families: [PrefixFamily]
    /// How the workers look the rules up.
    var place = Place.none
    /// Whether merging it with others has made their lists too long.
    var isCrowding = false
    /// The workers' subtables; empty where `place` says otherwise, or where new ones are due.
    var subtables: [UnsafeMutablePointer<Subtable>] = []
    /// Memory for the workers' next buckets, taken before the slots here were laid out anew.
    var reserved: [UnsafeMutableRawPointer] = []

    enum Place {
        /// Not yet.
        case none
        /// As the table's only mask, by an array.
        case direct
        /// Each in a row of a list of rules of any masks.
        case linear
        /// In a hash table of their own, of which `mirror` is the mirror.
        case subtable
        /// In the trie of a family, by prefixes of this length.
        case prefixes(PrefixGroup, length: Int)
        /// In a hash table with other masks.
        case merged(MergedGroup)

        var isNone: Bool { if case .none = self { true } else { false } }
        var isLinear: Bool { if case .linear = self { true } else { false } }
        var prefixGroup: PrefixGroup? { if case .prefixes(let group, _) = self { group } else { nil } }
        var mergedGroup: MergedGroup? { if case .merged(let group) = self { group } else { nil } }
    }

    /// What packets can hit has changed: a rule took a slot, from the one that was there, or the slot leads nowhere (`word`).
    enum Change {
        case none
        case store(slot: Int, flow: Int, former: Int?)
        case clear(slot: Int, word: UInt64)
    }

    init(mask: FlowKey) {
        self.mask = mask
        wordCount = (0..<FlowKey.wordCount).count { mask.words[$0] != 0 }
        families = PrefixFamily.all(of: mask)
    }

    /// Rules that packets can hit.
    var headCount: Int { mirror.count }
    var heads: [Int] { mirror.slots.compactMap(\.content) }

    /// Lays all rules out anew, in a table that is at most half full.
    func grow() { mirror.grow() }

    func insert(_ flow: Int, _ flows: FlowStore) -> Change {
        let priority = flows[flow].priority
        count += 1
        maxPriority = max(maxPriority, priority)
        minPriority = min(minPriority, priority)
        guard let (slot, head) = find(flow, flows) else {
            return .store(slot: mirror.insert(flow, hash: flows[flow].hash), flow: flow, former: nil)
        }
        guard priority < flows[head].priority else {
            flows[flow].next = head
            mirror.replace(slot, by: flow)
            return .store(slot: slot, flow: flow, former: head)
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
        // It may be put back.
        flows[flow].next = -1
        if head != flow {
            var before = head
            while flows[before].next != flow { before = flows[before].next }
            flows[before].next = next
            return .none
        }
        if next >= 0 {
            mirror.replace(slot, by: next)
            return .store(slot: slot, flow: next, former: flow)
        }
        if count == 0 { (maxPriority, minPriority) = (0, .max) }
        return .clear(slot: slot, word: mirror.remove(slot))
    }

    /// The slot of the rule that has the same key as `flow`, and the rule.
    private func find(_ flow: Int, _ flows: FlowStore) -> (slot: Int, head: Int)? {
        mirror.find(hash: flows[flow].hash) { flows.sameKey($0, flow) }.map { ($0.slot, $0.content) }
    }
}
