// Which masks of a table go into tries.

import DataPlane

extension TableCompiler {
    /// Prefixes of this many lengths make a trie; it stays one while there are two.
    static let prefixLengths = 4

    /// Masks that a new or a present trie is for, and how long their prefixes are.
    typealias Members = (prefixes: PrefixGroup, groups: [(group: MaskGroup, length: Int)])

    /// Takes the masks that go into tries: the families with the most lengths first.
    func takeFamilies(_ groups: inout [MaskGroup]) -> [Members] {
        var candidates: [PrefixFamily: [MaskGroup]] = [:]
        for group in groups {
            for family in group.families where !refusedFamilies.contains(family) {
                candidates[family, default: []].append(group)
            }
        }
        let ranked = candidates.filter { $0.value.count >= 2 }.sorted { $0.value.count > $1.value.count }
        var taken: Set<ObjectIdentifier> = []
        var families: [Members] = []
        for (family, all) in ranked {
            let present = prefixGroups.first { $0.family == family }
            var free = all.filter { group in
                !taken.contains(ObjectIdentifier(group)) && canJoin(group, present)
            }
            guard free.count >= (present == nil ? Self.prefixLengths : 2) else { continue }
            // Where there are many other masks, merging them takes these in, too.
            guard present != nil || isLarge(free, among: groups.filter { !taken.contains(ObjectIdentifier($0)) }) else {
                continue
            }
            // The prefix of no bits: what the family's masks have in common.
            if let whole = groups.first(where: { MaskWords($0.mask) == family.rest }),
                !taken.contains(ObjectIdentifier(whole)), canJoin(whole, present)
            {
                free.append(whole)
            }
            guard let prefixes = present ?? newPrefixes(family, of: free), fill(prefixes, with: free) else {
                refusedFamilies.insert(family)
                continue
            }
            if present == nil { for group in free { leaveMerged(group) } }
            families.append((prefixes, free.map { ($0, family.field.prefixLength($0.mask) ?? 0) }))
            taken.formUnion(free.map(ObjectIdentifier.init))
        }
        groups.removeAll { taken.contains(ObjectIdentifier($0)) }
        return families
    }

    /// Whether masks are at least half of all, or have at least half of all rules.
    private func isLarge(_ few: [MaskGroup], among all: [MaskGroup]) -> Bool {
        2 * few.count >= all.count
            || 2 * few.reduce(0) { $0 + $1.headCount } >= all.reduce(0) { $0 + $1.headCount }
    }

    /// A mask that has a place elsewhere keeps that, unless a new trie is better.
    private func canJoin(_ group: MaskGroup, _ present: PrefixGroup?) -> Bool {
        guard let present else { return group.place.prefixGroup == nil }
        return group.place.isNone || group.place.prefixGroup === present
    }

    private func newPrefixes(_ family: PrefixFamily, of groups: [MaskGroup]) -> PrefixGroup? {
        guard let first = groups.first, let head = first.heads.first else { return nil }
        let mask = family.field.clearing(first.mask)
        return PrefixGroup(family, mask: mask, value: family.field.clearing(context.key(head)), context)
    }

    /// Puts the rules of masks in place that are not there yet. False if they are not alike in all but the field, or there is no
    /// memory for a new trie.
    private func fill(_ prefixes: PrefixGroup, with groups: [MaskGroup]) -> Bool {
        for group in groups where group.place.prefixGroup !== prefixes {
            for head in group.heads where !prefixes.takes(context.key(head)) { return false }
        }
        for group in groups where group.place.prefixGroup !== prefixes {
            let length = prefixes.family.field.prefixLength(group.mask) ?? 0
            for head in group.heads { prefixes.set(head, key: context.key(head), length: length) }
            // The place of one in a new trie follows when the workers have that.
            if !prefixes.tries.isEmpty { group.place = .prefixes(prefixes, length: length) }
        }
        guard prefixes.tries.isEmpty else { return true }
        do { try prefixes.settle() } catch { return false }
        return true
    }
}
