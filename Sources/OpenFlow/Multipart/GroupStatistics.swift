// Multipart 6 to 8, OFPMP_GROUP, OFPMP_GROUP_DESC and OFPMP_GROUP_FEATURES: groups and their counters.

/// `ofp_group_stats` (OpenFlow 1.3.5 §7.3.5.9 / A.3.5.9).
package struct GroupStatistics: Hashable, Sendable {
    package var groupID: GroupID
    /// How many flow entries and groups send to the group.
    package var referenceCount: UInt32
    package var packetCount: UInt64
    package var byteCount: UInt64
    package var durationSeconds: UInt32
    package var durationNanoseconds: UInt32
    package var buckets: [TrafficCounter]

    package init(
        groupID: GroupID,
        referenceCount: UInt32 = 0,
        packetCount: UInt64 = 0,
        byteCount: UInt64 = 0,
        durationSeconds: UInt32 = 0,
        durationNanoseconds: UInt32 = 0,
        buckets: [TrafficCounter] = []
    ) {
        self.groupID = groupID
        self.referenceCount = referenceCount
        self.packetCount = packetCount
        self.byteCount = byteCount
        self.durationSeconds = durationSeconds
        self.durationNanoseconds = durationNanoseconds
        self.buckets = buckets
    }
}

/// `ofp_bucket_counter` and `ofp_meter_band_stats`, which have one layout.
package struct TrafficCounter: Hashable, Sendable {
    package var packetCount: UInt64
    package var byteCount: UInt64

    package init(packetCount: UInt64, byteCount: UInt64) {
        self.packetCount = packetCount
        self.byteCount = byteCount
    }
}

/// `ofp_group_desc` (OpenFlow 1.3.5 §7.3.5.10 / A.3.5.10).
package struct GroupDescription: Hashable, Sendable {
    package var type: GroupType
    package var groupID: GroupID
    package var buckets: [Bucket]

    package init(type: GroupType, groupID: GroupID, buckets: [Bucket]) {
        self.type = type
        self.groupID = groupID
        self.buckets = buckets
    }
}

/// `ofp_group_features` (OpenFlow 1.3.5 §7.3.5.11 / A.3.5.11).
package struct GroupFeatures: Hashable, Sendable {
    package var capabilities: GroupCapabilities
    /// The group types that there are.
    package var types: [GroupType: GroupTypeFeatures]

    package init(capabilities: GroupCapabilities = [], types: [GroupType: GroupTypeFeatures]) {
        self.capabilities = capabilities
        self.types = types
    }
}

/// What `ofp_group_features` says about one type of group.
package struct GroupTypeFeatures: Hashable, Sendable {
    package var maxGroups: UInt32
    /// Bit n: the action of type n may be in a bucket.
    package var actions: UInt32

    package init(maxGroups: UInt32, actions: UInt32) {
        self.maxGroups = maxGroups
        self.actions = actions
    }
}

/// `ofp_group_capabilities`.
package struct GroupCapabilities: OptionSet, Hashable, Sendable {
    package var rawValue: UInt32

    package init(rawValue: UInt32) { self.rawValue = rawValue }

    /// OFPGFC_SELECT_WEIGHT.
    package static let selectWeight = Self(rawValue: 1 << 0)
    /// OFPGFC_SELECT_LIVENESS.
    package static let selectLiveness = Self(rawValue: 1 << 1)
    /// OFPGFC_CHAINING.
    package static let chaining = Self(rawValue: 1 << 2)
    /// OFPGFC_CHAINING_CHECKS.
    package static let chainingChecks = Self(rawValue: 1 << 3)
}

extension GroupStatistics: MultipartElement {
    init(from reader: inout WireReader) throws(OpenFlowError) {
        let length: UInt16 = try reader.read()
        var body = try reader.slice(Int(length) - 2, scope: .message)
        try body.pad(2)
        groupID = try body.readGroup()
        referenceCount = try body.read()
        try body.pad(4)
        packetCount = try body.read()
        byteCount = try body.read()
        durationSeconds = try body.read()
        durationNanoseconds = try body.read()
        buckets = try body.list { list throws(OpenFlowError) in try TrafficCounter(from: &list) }
    }

    func write(to writer: inout WireWriter) {
        writer.lengthPrefixed(after: 0) { writer in
            writer.pad(2)
            writer.write(groupID)
            writer.write(referenceCount)
            writer.pad(4)
            writer.write(packetCount)
            writer.write(byteCount)
            writer.write(durationSeconds)
            writer.write(durationNanoseconds)
            for bucket in buckets {
                bucket.write(to: &writer)
            }
        }
    }
}

extension TrafficCounter {
    init(from reader: inout WireReader) throws(OpenFlowError) {
        packetCount = try reader.read()
        byteCount = try reader.read()
    }

    func write(to writer: inout WireWriter) {
        writer.write(packetCount)
        writer.write(byteCount)
    }
}

extension GroupDescription: MultipartElement {
    init(from reader: inout WireReader) throws(OpenFlowError) {
        let length: UInt16 = try reader.read()
        var body = try reader.slice(Int(length) - 2, scope: .message)
        type = try GroupType(from: &body)
        try body.pad(1)
        groupID = try body.readGroup()
        buckets = try body.list { list throws(OpenFlowError) in try Bucket(from: &list) }
    }

    func write(to writer: inout WireWriter) {
        writer.lengthPrefixed(after: 0) { writer in
            writer.write(type.rawValue)
            writer.pad(1)
            writer.write(groupID)
            for bucket in buckets {
                bucket.write(to: &writer)
            }
        }
    }
}

extension GroupFeatures {
    init(from reader: inout WireReader) throws(OpenFlowError) {
        let bits: UInt32 = try reader.read()
        capabilities = try GroupCapabilities(rawValue: reader.read())
        var maxGroups: [UInt32] = []
        var actions: [UInt32] = []
        for _ in GroupType.allCases { try maxGroups.append(reader.read()) }
        for _ in GroupType.allCases { try actions.append(reader.read()) }
        types = [:]
        for (type, (maxGroups, actions)) in zip(GroupType.allCases, zip(maxGroups, actions))
        where bits >> UInt32(type.rawValue) & 1 == 1 {
            types[type] = GroupTypeFeatures(maxGroups: maxGroups, actions: actions)
        }
    }

    func write(to writer: inout WireWriter) {
        writer.write(types.keys.reduce(UInt32(0)) { $0 | 1 << UInt32($1.rawValue) })
        writer.write(capabilities.rawValue)
        for type in GroupType.allCases { writer.write(types[type]?.maxGroups ?? 0) }
        for type in GroupType.allCases { writer.write(types[type]?.actions ?? 0) }
    }
}
