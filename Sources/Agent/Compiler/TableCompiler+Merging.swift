// Which masks of a table share hash tables.

import DataPlane

extension TableCompiler {
    /// This many masks have hash tables of their own before they are merged.
    static let unmergedMasks = 2

    /// Takes the masks that share hash tables.
    func takeMerged(_ groups: inout [MaskGroup]) -> [(merged: MergedGroup, members: [MaskGroup])] {
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

    /// Takes a mask's rules from those that it was merged with.
    func leaveMerged(_ group: MaskGroup) {
        guard let merged = group.place.mergedGroup else { return }
        for head in group.heads { merged.set(nil, former: head, mask: group.mask) }
        group.place = .none
    }

    /// Takes a mask's rules out of a part that stays without them.
    func leave(_ group: MaskGroup) {
        leaveMerged(group)
        guard case .prefixes(let prefixes, let length) = group.place else { return }
        for head in group.heads { prefixes.set(nil, key: context.key(head), length: length) }
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
            for group in masks { union.formUnion(group.mask) }
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
}
