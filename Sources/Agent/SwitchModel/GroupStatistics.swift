// What controllers may ask of groups (OpenFlow 1.3.5 §7.3.5.9 to §7.3.5.11).

import OpenFlow

extension SwitchModel {
    /// OFPMP_GROUP: of one group or of all; nothing of one that is not there.
    func groupStatistics(_ id: GroupID) -> [GroupStatistics] {
        var users: [GroupID: UInt32] = [:]
        for entry in entries {
            var named: Set<GroupID> = []
            _ = entry.hasAction { action in
                if case .group(let id) = action { named.insert(id) }
                return false
            }
            for id in named { users[id, default: 0] += 1 }
        }
        for group in groups.values { for id in group.references { users[id, default: 0] += 1 } }
        let time = now()
        return selected(id).map { group in
            let counters = datapath.counters(ofGroup: group.id)
            let duration = WireDuration(from: group.installed, to: time)
            return GroupStatistics(
                groupID: group.id,
                referenceCount: users[group.id] ?? 0,
                packetCount: counters.packets,
                byteCount: counters.bytes,
                durationSeconds: duration.seconds,
                durationNanoseconds: duration.nanoseconds,
                buckets: counters.buckets
            )
        }
    }

    /// OFPMP_GROUP_DESC.
    var groupDescriptions: [GroupDescription] {
        selected(.all).map { GroupDescription(type: $0.type, groupID: $0.id, buckets: $0.buckets) }
    }

    /// OFPMP_GROUP_FEATURES.
    var groupFeatures: GroupFeatures {
        let actions = SwitchCapabilities.actions.reduce(UInt32(0)) { $0 | 1 << UInt32($1.rawValue) }
        let each = GroupTypeFeatures(maxGroups: UInt32(clamping: groupLimit), actions: actions)
        return GroupFeatures(
            capabilities: [.selectWeight, .selectLiveness, .chaining, .chainingChecks],
            types: Dictionary(uniqueKeysWithValues: GroupType.allCases.map { ($0, each) })
        )
    }

    private func selected(_ id: GroupID) -> [Group] {
        groups.values.filter { id == .all || $0.id == id }.sorted { $0.id < $1.id }
    }
}
