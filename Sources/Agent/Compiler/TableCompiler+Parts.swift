// A lookup by several masks: which rules go into which part, and how the parts are made.

import DataPlane

extension TableCompiler {
    /// How many rules there may be in all in the list of those whose masks have few; a mask gets there with `fewRules`.
    static let linearPartLimit = 8
    static let fewRules = 4

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
                // Exactly what the rows say: a search ends at the first part that holds nothing better.
                let highest = few.flatMap(\.heads).map { flows[$0].priority }.max() ?? 0
                rows = LinearPart(blocks: blocks, size: size, maxPriority: highest)
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

    // MARK: Few rules

    /// Takes the masks with the fewest rules, as long as all together are no more than a short list.
    func takeFew(_ groups: inout [MaskGroup]) -> [MaskGroup] {
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
        var union = FlowKey()
        for group in groups { union.formUnion(group.mask) }
        let window = KeyWindow(union)
        let size = Linear.size(rules: heads.count, window)
        let blocks = try context.allocate(size)
        for (worker, block) in blocks.enumerated() {
            let rows = heads.map { head in
                RowList.Row(
                    value: context.key(head.flow),
                    mask: head.mask,
                    ranked: context.ranked(head.flow, worker)
                )
            }
            Linear.initialize(block, rows, window)
        }
        return (blocks, size)
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
