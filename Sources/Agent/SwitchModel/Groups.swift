// The group table (OpenFlow 1.3.5 §5.6, §6.5): GROUP_MOD, and which buckets packets take. What controllers may ask of groups is
// in GroupStatistics, what a group may be in GroupValidation.

import NIOCore
import OpenFlow

/// One group as the controller sees it.
package struct Group: Hashable, Sendable {
    package let id: GroupID
    package internal(set) var type: GroupType
    package internal(set) var buckets: [Bucket]
    let installed: NIODeadline
    /// Another one for each group that was added.
    let serial: UInt64
    /// Another one for each group-mod: with it the buckets' counters begin anew.
    var revision: UInt64
}

/// Which buckets a group's packets take at the moment.
package struct GroupChoice: Hashable, Sendable {
    package struct Candidate: Hashable, Sendable {
        /// In the list of all buckets.
        package var index: Int
        package var weight: Int
    }

    /// All of them, not one by weight.
    package var takesAll: Bool
    package var buckets: [Candidate]
}

/// A group that is new, different or gone.
package struct GroupChange: Hashable, Sendable {
    package struct Content: Hashable, Sendable {
        var serial: UInt64
        var revision: UInt64
        var buckets: [Bucket]
        var choice: GroupChoice
    }

    let id: GroupID
    /// nil: gone.
    let group: Content?
}

/// What has gone through a group, and through each bucket since the last group-mod.
package struct GroupCounters: Hashable, Sendable {
    package var packets: UInt64 = 0
    package var bytes: UInt64 = 0
    package var buckets: [TrafficCounter] = []

    package init() {}
}

extension SwitchModel {
    /// OFPT_GROUP_MOD (OpenFlow 1.3.5 §6.5). A refused one has changed nothing. Deleting what is not there is no error.
    ///
    /// Throws errors of type GROUP_MOD_FAILED, and of type BAD_ACTION for a bucket's actions.
    package func execute(_ mod: GroupMod) throws(OpenFlowError) {
        var transaction = FlowTransaction()
        try stage(mod, in: &transaction)
        do { try commit(transaction) } catch {
            throw .groupModFailed(.outOfGroups, "no memory for group \(mod.groupID): \(error)")
        }
    }

    /// A group-mod's steps on the tables. Throws before the first one.
    func stage(_ mod: GroupMod, in transaction: inout FlowTransaction) throws(OpenFlowError) {
        guard mod.groupID <= .max || (mod.command == .delete && mod.groupID == .all) else {
            throw .groupModFailed(.invalidGroup, "group \(mod.groupID)")
        }
        let old = groups[mod.groupID]
        switch mod.command {
        case .add:
            guard old == nil else { throw .groupModFailed(.groupExists, "group \(mod.groupID)") }
            guard groups.count < groupLimit else {
                throw .groupModFailed(.outOfGroups, "\(groupLimit) groups")
            }
        case .modify: guard old != nil else { throw .groupModFailed(.unknownGroup, "group \(mod.groupID)") }
        case .delete: return try delete(mod.groupID, in: &transaction)
        }
        let group = Group(
            id: mod.groupID,
            type: mod.type,
            buckets: mod.buckets,
            installed: old?.installed ?? now(),
            serial: old?.serial ?? groupRevision + 1,
            revision: groupRevision + 1
        )
        try validate(group)
        transaction.formerGroups = transaction.formerGroups ?? groups
        transaction.changedGroups.insert(mod.groupID)
        groupRevision = group.revision
        groups[mod.groupID] = group
    }

    /// The flow entries that name a group go with it (§6.5).
    private func delete(_ id: GroupID, in transaction: inout FlowTransaction) throws(OpenFlowError) {
        let gone = id == .all ? Set(groups.keys) : groups[id] == nil ? [] : [id]
        guard !gone.isEmpty else { return }
        if id != .all, let other = groups.values.first(where: { $0.id != id && $0.references.contains(id) }) {
            throw .groupModFailed(.chainedGroup, "group \(other.id) refers to group \(id)")
        }
        transaction.formerGroups = transaction.formerGroups ?? groups
        transaction.changedGroups.formUnion(gone)
        for id in gone { groups[id] = nil }
        let users = entries.filter { entry in
            entry.hasAction { if case .group(let id) = $0 { gone.contains(id) } else { false } }
        }
        for entry in users { remove(entry, .groupDelete, in: &transaction) }
    }

    // MARK: Liveness

    /// Which buckets the group's packets take.
    package func choice(of group: Group) -> GroupChoice {
        let all = group.buckets.enumerated().map { GroupChoice.Candidate(index: $0, weight: Int($1.weight)) }
        func isLive(_ candidate: GroupChoice.Candidate) -> Bool { self.isLive(group.buckets[candidate.index]) }
        switch group.type {
        case .all, .indirect: return GroupChoice(takesAll: true, buckets: all)
        case .select: return GroupChoice(takesAll: false, buckets: all.filter { $0.weight > 0 && isLive($0) })
        case .fastFailover: return GroupChoice(takesAll: true, buckets: Array(all.filter(isLive).prefix(1)))
        }
    }

    /// A bucket that watches nothing counts as live, one that watches both a port and a group is live by either.
    func isLive(_ bucket: Bucket) -> Bool {
        guard bucket.watchPort != .any || bucket.watchGroup != .any else { return true }
        if let port = ports[bucket.watchPort], port.port.isLive { return true }
        return groups[bucket.watchGroup]?.buckets.contains(where: isLive) ?? false
    }

    /// What the data path hears of changed groups, and of those that may be live or not by them.
    func groupChanges(of ids: Set<GroupID>) -> [GroupChange] {
        guard !ids.isEmpty else { return [] }
        let watching = groups.values.filter { !ids.contains($0.id) && $0.buckets.contains { $0.watchGroup != .any } }
        return (Array(ids) + watching.map(\.id)).map(change)
    }

    private func change(_ id: GroupID) -> GroupChange {
        GroupChange(
            id: id,
            group: groups[id].map {
                GroupChange.Content(
                    serial: $0.serial,
                    revision: $0.revision,
                    buckets: $0.buckets,
                    choice: choice(of: $0)
                )
            }
        )
    }

    /// A port has come, gone, or its link has changed.
    func livenessChanged() {
        let watching = groups.values.filter { $0.buckets.contains { $0.watchPort != .any || $0.watchGroup != .any } }
        guard !watching.isEmpty else { return }
        // There is a reserve of memory for this; if that is used up, the buckets stay as they are until the next change.
        try? datapath.apply([], groups: watching.map { change($0.id) }, atomically: false)
    }
}

extension Port {
    /// Live for groups: its link is up, nothing blocks it, and no controller has set it down (§6.5).
    var isLive: Bool { state.isDisjoint(with: [.linkDown, .blocked]) && !config.contains(.portDown) }
}
