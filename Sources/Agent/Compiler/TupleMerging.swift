// Which masks share a hash table: each table's tuple is in all of its masks, and has bits enough to keep the lists of rules of
// the same key short. Greedy: the tuple that takes the most masks first. (The relaxation of prefixes is TupleMerge's; that
// the masks of rules are known beforehand lets us look at all of them instead of rule by rule.)

import DataPlane

struct TupleMerging {
    struct Merger {
        let tuple: FlowKey
        /// Indexes of the masks.
        let members: [Int]
    }

    private let masks: [FlowKey]
    /// Some of the rules of each mask.
    private let samples: [[FlowKey]]
    private let longestList: Int

    private static let candidateLimit = 64
    /// Rules that are looked at, of all masks together.
    private static let sampleLimit = 2000

    /// - Parameter rules: The keys of the rules of each mask.
    init(masks: [FlowKey], rules: [[FlowKey]], longestList: Int) {
        self.masks = masks
        self.longestList = longestList
        let stride = rules.reduce(0) { $0 + $1.count } / Self.sampleLimit + 1
        samples = rules.map { keys in Swift.stride(from: 0, to: keys.count, by: stride).map { keys[$0] } }
    }

    /// Groups of at least two masks; what is in none is better off alone.
    func mergers() -> [Merger] {
        let candidates = candidates()
        var left = Set(masks.indices)
        var mergers: [Merger] = []
        while left.count >= 2 {
            var best = Merger(tuple: FlowKey(), members: [])
            for tuple in candidates {
                let members = members(of: tuple, among: left)
                if members.count > best.members.count { best = Merger(tuple: tuple, members: members) }
            }
            guard best.members.count >= 2 else { break }
            mergers.append(best)
            left.subtract(best.members)
        }
        return mergers
    }

    /// Those masks that a tuple suits, the ones with the fewest rules first.
    private func members(of tuple: FlowKey, among left: Set<Int>) -> [Int] {
        var lengths: [UInt32: Int] = [:]
        var members: [Int] = []
        let suitable = left.filter { masks[$0].includes(tuple) }
        for index in suitable.sorted(by: { (samples[$0].count, $0) < (samples[$1].count, $1) }) {
            let hashes = samples[index].map { Subtable.hash($0, mask: tuple, seed: 0) }
            for hash in hashes { lengths[hash, default: 0] += 1 }
            if hashes.allSatisfy({ lengths[$0, default: 0] <= longestList }) {
                members.append(index)
            } else {
                for hash in hashes { lengths[hash, default: 0] -= 1 }
            }
        }
        return members
    }

    /// What the masks have left when their prefixes are shortened to whole bytes, and what each two of these have in common; the
    /// most frequent ones, those with more bits first.
    private func candidates() -> [FlowKey] {
        var counts: [MaskWords: (tuple: FlowKey, count: Int)] = [:]
        func add(_ tuple: FlowKey, _ count: Int) {
            counts[MaskWords(tuple), default: (tuple, 0)].count += count
        }
        for mask in masks { add(Self.relaxed(mask), 1) }
        let relaxed = counts.values.sorted { $0.count > $1.count }.prefix(Self.candidateLimit)
        for (i, a) in relaxed.enumerated() {
            for b in relaxed.dropFirst(i + 1) { add(Self.common(a.tuple, b.tuple), min(a.count, b.count)) }
        }
        return counts.values.sorted { $0.count > $1.count }.prefix(Self.candidateLimit).map(\.tuple)
            .sorted { Self.bitCount($0) > Self.bitCount($1) }
    }

    private static func relaxed(_ mask: FlowKey) -> FlowKey {
        var relaxed = mask
        for field in PrefixField.all {
            // Ports are matched as a whole or by ranges, of which no bits are left.
            let granularity = field.byteCount == 2 ? 16 : 8
            let length = field.prefixLength(mask) ?? 0
            relaxed = field.shortening(relaxed, to: length / granularity * granularity)
        }
        return relaxed
    }

    private static func common(_ a: FlowKey, _ b: FlowKey) -> FlowKey {
        var common = a
        for word in 0..<FlowKey.wordCount { common.words[word] &= b.words[word] }
        return common
    }

    private static func bitCount(_ mask: FlowKey) -> Int {
        (0..<FlowKey.wordCount).reduce(0) { $0 + mask.words[$1].nonzeroBitCount }
    }
}
