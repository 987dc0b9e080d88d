// A lookup by several masks: which rules go into which part, and how the parts are made.

import DataPlane

extension TableCompiler {
    /// Prefixes of this many lengths make a trie; it stays one while there are two.
    static let prefixLengths = 4
    /// How many rules there may be in all in the list of those whose masks have few; a mask gets there with `fewRules`.
    static let linearPartLimit = 8
    static let fewRules = 4

    /// This many masks have hash tables of their own before they are merged.
    static let unmergedMasks = 4

    /// Masks that a new or a present trie is for, and how long their prefixes are.
    private typealias Members = (prefixes: PrefixGroup, groups: [(group: MaskGroup, length: Int)])

    /// Makes a lookup of parts, and swaps it in. Throws before a change.
    func buildParts(_ groups: [MaskGroup]) throws(OutOfTableMemory) {
        var rest = groups
        let families = takeFamilies(&rest)
        let mergers = takeMerged(&rest)
        let few = takeFew(&rest)
        var made: [(group: MaskGroup, subtables: [UnsafeMutablePointer<Subtable>])] = []
        var rows: LinearPart?
        let blocks: [UnsafeMutableRawPointer]
        let newParts: [LookupPart]
        let size: Int
        do throws(OutOfTableMemory) {
            for group in rest where group.subtables.isEmpty { made.append((group, try buildSubtables(group))) }
            if !few.isEmpty {
                let (blocks, size) = try linearRows(few)
                rows = LinearPart(blocks: blocks, size: size, maxPriority: few.map(\.maxPriority).max() ?? 0)
            }
            for family in families { try family.prefixes.settle() }
            for merger in mergers { try merger.merged.settle(discarded: &discarded) }
            let unsorted =
                families.map { LookupPart.prefixes($0.prefixes) } + mergers.map { .merged($0.merged) }
                + rest.map { .subtable($0) }
                + (rows.map { [.linear($0)] } ?? [])
            newParts = unsorted.sorted { $0.maxPriority > $1.maxPriority }
            size = TupleSpace.size(count: newParts.count)
            blocks = try context.allocate(size)
        } catch {
            for (group, subtables) in made { free(subtables, of: group) }
            if let rows { context.deallocate(rows.blocks, rows.size) }
            for (prefixes, _) in families where !prefixGroups.contains(where: { $0 === prefixes }) {
                prefixes.retireAll()
            }
            for (merged, _) in mergers where !mergedGroups.contains(where: { $0 === merged }) { merged.retireAll() }
            throw error
        }
        for (group, subtables) in made { group.subtables = subtables }
        let form = newParts.count == 1 && rows == nil ? newParts[0].form : .tupleSpace
        for (worker, block) in blocks.enumerated() {
            TupleSpace.initialize(block, form: form, parts: newParts.map { $0.part(worker) })
        }
        replaceLookups(by: blocks, size: size, form: form, parts: newParts)
        prefixGroups = families.map(\.prefixes)
        mergedGroups = mergers.map(\.merged)
        for (merged, members) in mergers { for group in members { group.place = .merged(merged) } }
        for group in rest { group.place = .subtable }
        for group in few { group.place = .linear }
        for (prefixes, members) in families {
            for (group, length) in members { group.place = .prefixes(prefixes, length: length) }
        }
    }

    // MARK: Prefixes

    /// Takes the masks that go into tries: the families with the most lengths first.
    private func takeFamilies(_ groups: inout [MaskGroup]) -> [Members] {
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

    // MARK: Few rules

    /// Takes the masks with the fewest rules, as long as all together are no more than a short list.
    private func takeFew(_ groups: inout [MaskGroup]) -> [MaskGroup] {
        var few: [MaskGroup] = []
        var rules = 0
        for group in groups.sorted(by: { $0.headCount < $1.headCount })
        where group.headCount <= (group.place.isLinear ? Self.linearPartLimit : Self.fewRules) {
            guard rules + group.headCount <= Self.linearPartLimit else { break }
            rules += group.headCount
            few.append(group)
        }
        groups.removeAll { group in few.contains { $0 === group } }
        return few
    }

    func linearRows(_ groups: [MaskGroup]) throws(OutOfTableMemory) -> (blocks: [UnsafeMutableRawPointer], size: Int) {
        let heads = groups.flatMap { group in group.heads.map { (flow: $0, mask: group.mask) } }
            .sorted { flows[$0.flow].priority > flows[$1.flow].priority }
        let words = (0..<FlowKey.wordCount).filter { word in groups.contains { $0.mask.words[word] != 0 } }
        let size = Linear.size(rules: heads.count, words: words.count)
        let blocks = try context.allocate(size)
        for (worker, block) in blocks.enumerated() {
            let rules = heads.map { head in
                (value: context.key(head.flow), mask: head.mask, ranked: context.ranked(head.flow, worker))
            }
            Linear.initialize(block, words: words, rules: rules)
        }
        return (blocks, size)
    }

    // MARK: Many masks

    /// Takes the masks that share hash tables.
    private func takeMerged(_ groups: inout [MaskGroup]) -> [(merged: MergedGroup, members: [MaskGroup])] {
        var mergers = mergedGroups.map { merged in
            (merged: merged, members: groups.filter { $0.place.mergedGroup === merged })
        }
        for group in groups where group.isCrowding { leaveMerged(group) }
        for group in groups where group.place.isNone && !group.isCrowding {
            guard let index = mergers.firstIndex(where: { $0.merged.takes(group.mask) }),
                put(group, into: mergers[index].merged)
            else { continue }
            group.place = .merged(mergers[index].merged)
            mergers[index].members.append(group)
        }
        for index in mergers.indices { mergers[index].members.removeAll { $0.place.mergedGroup == nil } }
        mergers.removeAll(where: \.members.isEmpty)
        let merged = Set(mergers.flatMap(\.members).map(ObjectIdentifier.init))
        var single = groups.filter { !merged.contains(ObjectIdentifier($0)) }
        let (unmerged, _) = (single, takeFew(&single))
        guard mergers.count + single.count > max(Self.unmergedMasks, 2 * mergedTo) else {
            groups = unmerged
            return mergers
        }
        return mergeAnew(&groups)
    }

    private func leaveMerged(_ group: MaskGroup) {
        guard let merged = group.place.mergedGroup else { return }
        for head in group.heads { merged.set(nil, former: head, mask: group.mask) }
        group.place = .none
    }

    private func mergeAnew(_ groups: inout [MaskGroup]) -> [(merged: MergedGroup, members: [MaskGroup])] {
        let candidates = groups.filter { !$0.isCrowding }
        let plan = TupleMerging(
            masks: candidates.map(\.mask),
            rules: candidates.map { $0.heads.map(context.key) },
            longestList: MergedGroup.longestList
        )
        var mergers: [(merged: MergedGroup, members: [MaskGroup])] = []
        for merger in plan.mergers() {
            let masks = merger.members.map { candidates[$0] }
            var union = FlowKey()
            for group in masks {
                for word in 0..<FlowKey.wordCount { union.words[word] |= group.mask.words[word] }
            }
            let merged = MergedGroup(tuple: merger.tuple, window: KeyWindow(union), context)
            let members = masks.filter { put($0, into: merged) }
            if !members.isEmpty { mergers.append((merged, members)) }
        }
        let merged = Set(mergers.flatMap(\.members).map(ObjectIdentifier.init))
        groups.removeAll { merged.contains(ObjectIdentifier($0)) }
        var single = groups
        _ = takeFew(&single)
        mergedTo = mergers.count + single.count
        return mergers
    }

    /// Puts the rules of a mask among merged ones; takes them out again (false) if that makes lists too long.
    private func put(_ group: MaskGroup, into merged: MergedGroup) -> Bool {
        let heads = group.heads
        for (index, head) in heads.enumerated()
        where merged.set(head, former: nil, mask: group.mask) > MergedGroup.longestList {
            for head in heads[...index] { merged.set(nil, former: head, mask: group.mask) }
            return false
        }
        return true
    }

    // MARK: Subtables

    private func buildSubtables(_ group: MaskGroup) throws(OutOfTableMemory) -> [UnsafeMutablePointer<Subtable>] {
        let bucketBytes = group.mirror.slots.count * 8
        let buckets = group.reserved.isEmpty ? try context.allocate(bucketBytes) : group.reserved
        group.reserved = []
        let headers: [UnsafeMutableRawPointer]
        do {
            headers = try context.allocate(MemoryLayout<Subtable>.size)
        } catch {
            group.reserved = buckets
            throw error
        }
        return headers.indices.map { worker in
            let cells = buckets[worker].bindMemory(to: UInt64.self, capacity: group.mirror.slots.count)
            for (slot, content) in group.mirror.slots.enumerated() {
                cells[slot] = content.content.map { slotWord($0, worker) } ?? content.emptyWord
            }
            let subtable = headers[worker].bindMemory(to: Subtable.self, capacity: 1)
            subtable.initialize(
                to: Subtable(
                    mask: group.mask,
                    seed: context.seed,
                    bucketCount: group.mirror.bucketCount,
                    buckets: cells
                )
            )
            subtable.pointee.maxPriority = UInt32(group.maxPriority)
            return subtable
        }
    }

    /// Gives back subtables that no worker has seen.
    private func free(_ subtables: [UnsafeMutablePointer<Subtable>], of group: MaskGroup) {
        for subtable in subtables {
            context.memory.deallocate(UnsafeMutableRawPointer(subtable.pointee.buckets), group.mirror.slots.count * 8)
            context.memory.deallocate(UnsafeMutableRawPointer(subtable), MemoryLayout<Subtable>.size)
        }
    }

    /// A larger table for a mask. While the workers have one, the memory for theirs is taken first, so that no memory means
    /// no change; the old one serves until `settle`.
    func grow(_ group: MaskGroup) throws(OutOfTableMemory) {
        if !group.subtables.isEmpty {
            let slots = SlotMirror.bucketCount(for: group.headCount + 1) * Subtable.slotsPerBucket
            let reserved = try context.allocate(slots * 8, reserve: false)
            discardSubtables(of: group)
            group.reserved = reserved
        } else {
            freeReserved(of: group)
        }
        group.grow()
    }

    /// Lays out anew, for the rules that there are, what the workers do not have yet.
    func shrink() {
        for group in groups.values where group.subtables.isEmpty {
            freeReserved(of: group)
            group.grow()
        }
    }

    private func freeReserved(of group: MaskGroup) {
        context.deallocate(group.reserved, group.mirror.slots.count * 8)
        group.reserved = []
    }

    func apply(_ change: MaskGroup.Change, to group: MaskGroup) {
        for (worker, subtable) in group.subtables.enumerated() {
            let buckets = subtable.pointee.buckets
            switch change {
            case .none: break
            case .store(let slot, let flow, _):
                context.sink.store(worker: worker, buckets + slot, slotWord(flow, worker))
            case .clear(let slot, let tombstone):
                context.sink.store(worker: worker, buckets + slot, tombstone ? Subtable.tombstone : 0)
            }
        }
    }

    private func slotWord(_ flow: Int, _ worker: Int) -> UInt64 {
        Subtable.slot(hash: flows[flow].hash, flows.record(flow, worker: worker))
    }

    // MARK: What the next lookup does not use

    func discardSubtables(of group: MaskGroup) {
        for subtable in group.subtables {
            discarded.append((UnsafeMutableRawPointer(subtable.pointee.buckets), group.mirror.slots.count * 8))
            discarded.append((UnsafeMutableRawPointer(subtable), MemoryLayout<Subtable>.size))
        }
        for block in group.reserved { discarded.append((block, group.mirror.slots.count * 8)) }
        group.subtables = []
        group.reserved = []
    }

    /// Discards the parts of the present lookup that are not among those of the next one.
    func discardParts(except newParts: [LookupPart]) {
        for part in parts where !newParts.contains(where: { $0.isSame(as: part) }) {
            switch part {
            case .subtable(let group): discardSubtables(of: group)
            case .prefixes(let prefixes): prefixes.retireAll()
            case .merged(let merged): merged.retireAll()
            case .linear(let rows): for block in rows.blocks { discarded.append((block, rows.size)) }
            }
        }
        prefixGroups.removeAll { prefixes in !newParts.contains { $0.isSame(as: .prefixes(prefixes)) } }
        mergedGroups.removeAll { merged in !newParts.contains { $0.isSame(as: .merged(merged)) } }
        for group in groups.values { group.place = .none }
    }
}
