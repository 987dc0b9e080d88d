// Whether a group is acceptable: its buckets in themselves, and what it would be together with the groups it refers to.

import DataPlane
import OpenFlow

extension SwitchModel {
    /// A group that is to be added, or to take the place of the one with its number.
    func validate(_ group: Group) throws(OpenFlowError) {
        if group.type == .indirect && group.buckets.count != 1 {
            throw .groupModFailed(.invalidGroup, "\(group.buckets.count) buckets in an indirect group")
        }
        guard group.buckets.count <= bucketLimit else {
            throw .groupModFailed(.outOfBuckets, "\(group.buckets.count) buckets, where \(bucketLimit) may be")
        }
        for bucket in group.buckets { try validate(bucket, of: group) }
        var new = groups
        // Nothing can refer to a group that is not there yet.
        let old = new.updateValue(group, forKey: group.id)
        let isReferred = old != nil && groups.values.contains { $0.references.contains(group.id) }
        if isReferred || !group.references.isEmpty { try checkChains(new) }
    }

    private func validate(_ bucket: Bucket, of group: Group) throws(OpenFlowError) {
        guard bucket.weight == 0 || group.type == .select else {
            throw .groupModFailed(.invalidGroup, "a weight in a group that does not select")
        }
        guard bucket.watchPort == .any || bucket.watchPort.isStandard else {
            throw .groupModFailed(.badWatch, "watch_port \(bucket.watchPort)")
        }
        guard !bucket.references.contains(group.id) else {
            throw .groupModFailed(.loop, "group \(group.id) refers to itself")
        }
        guard bucket.watchGroup == .any || groups[bucket.watchGroup] != nil else {
            throw .groupModFailed(.badWatch, "watch_group \(bucket.watchGroup)")
        }
        if group.type == .fastFailover && bucket.watchPort == .any && bucket.watchGroup == .any {
            throw .groupModFailed(.badWatch, "a bucket of a fast failover group that watches nothing")
        }
        try ActionValidation(HeaderContext(.any), groups: groups, queues: queueIDs).validateBucket(bucket.actions)
    }

    /// Throws LOOP, CHAINING_UNSUPPORTED for groups nested too deep, OUT_OF_BUCKETS for too many.
    private func checkChains(_ groups: [GroupID: Group]) throws(OpenFlowError) {
        var known: [GroupID: (depth: Int, buckets: Int)] = [:]
        var path: Set<GroupID> = []
        func measure(_ id: GroupID) throws(OpenFlowError) -> (depth: Int, buckets: Int) {
            if let measure = known[id] { return measure }
            guard let group = groups[id] else { return (0, 0) }
            guard path.insert(id).inserted else { throw .groupModFailed(.loop, "a loop by group \(id)") }
            guard path.count <= Worker.groupDepth else {
                throw .groupModFailed(.chainingUnsupported, "groups nested more than \(Worker.groupDepth) deep")
            }
            defer { path.remove(id) }
            var sum = (depth: 1, buckets: 0)
            for bucket in group.buckets {
                sum.buckets += 1
                for reference in bucket.references {
                    let inner = try measure(reference)
                    sum.depth = max(sum.depth, inner.depth + 1)
                    sum.buckets += inner.buckets
                }
            }
            guard sum.depth <= Worker.groupDepth else {
                throw .groupModFailed(.chainingUnsupported, "groups nested more than \(Worker.groupDepth) deep")
            }
            guard sum.buckets <= bucketLimit else {
                throw .groupModFailed(.outOfBuckets, "\(sum.buckets) buckets by group \(id)")
            }
            known[id] = sum
            return sum
        }
        for id in groups.keys { _ = try measure(id) }
    }
}

extension Group {
    /// The groups that its buckets send to or watch.
    var references: Set<GroupID> { buckets.reduce(into: []) { $0.formUnion($1.references) } }
}

extension Bucket {
    /// The groups that it sends to or watches.
    var references: Set<GroupID> {
        var references = Set(actions.compactMap { if case .group(let id) = $0 { id } else { nil } })
        if watchGroup != .any { references.insert(watchGroup) }
        return references
    }
}
