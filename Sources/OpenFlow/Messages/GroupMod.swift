// The command that changes the group table.

/// OFPT_GROUP_MOD (OpenFlow 1.3.5 §7.3.4.2 / A.3.4.2).
package struct GroupMod: Hashable, Sendable {
    package var command: GroupModCommand
    package var type: GroupType
    package var groupID: GroupID
    package var buckets: [Bucket]

    package init(command: GroupModCommand, type: GroupType = .all, groupID: GroupID, buckets: [Bucket] = []) {
        self.command = command
        self.type = type
        self.groupID = groupID
        self.buckets = buckets
    }
}

/// `ofp_bucket`.
package struct Bucket: Hashable, Sendable {
    /// For select groups.
    package var weight: UInt16
    /// For fast failover groups: the port whose state decides.
    package var watchPort: PortNumber
    /// For fast failover groups: the group whose state decides.
    package var watchGroup: GroupID
    package var actions: [Action]

    package init(
        weight: UInt16 = 0,
        watchPort: PortNumber = .any,
        watchGroup: GroupID = .any,
        actions: [Action]
    ) {
        self.weight = weight
        self.watchPort = watchPort
        self.watchGroup = watchGroup
        self.actions = actions
    }
}

/// `ofp_group_mod_command`.
package enum GroupModCommand: UInt16, CaseIterable, Hashable, Sendable {
    /// OFPGC_ADD.
    case add = 0
    /// OFPGC_MODIFY.
    case modify = 1
    /// OFPGC_DELETE.
    case delete = 2
}

/// `ofp_group_type`.
package enum GroupType: UInt8, CaseIterable, Hashable, Sendable {
    /// OFPGT_ALL: every bucket.
    case all = 0
    /// OFPGT_SELECT: one bucket, by weight.
    case select = 1
    /// OFPGT_INDIRECT: the only bucket.
    case indirect = 2
    /// OFPGT_FF: the first live bucket.
    case fastFailover = 3
}

extension GroupMod {
    /// What the buckets may have in bytes, so that the group fits into one group-description reply.
    private static let maxContentLength = 65535 - 24

    /// Throws errors of type OFPET_GROUP_MOD_FAILED, BAD_COMMAND, BAD_TYPE, BAD_BUCKET for a bucket's length,
    /// OUT_OF_BUCKETS for more than a reply could tell of; and those of the actions.
    init(from reader: inout WireReader) throws(OpenFlowError) {
        let rawCommand: UInt16 = try reader.read()
        guard let command = GroupModCommand(rawValue: rawCommand) else {
            throw .groupModFailed(.badCommand, "group-mod command \(rawCommand)")
        }
        self.command = command
        type = try GroupType(from: &reader)
        try reader.pad(1)
        groupID = try reader.readGroup()
        guard reader.remaining <= Self.maxContentLength else {
            throw .groupModFailed(.outOfBuckets, "group-mod: \(reader.remaining) bytes of buckets")
        }
        buckets = try reader.list { list throws(OpenFlowError) in try Bucket(from: &list) }
    }

    func write(to writer: inout WireWriter) {
        writer.write(command.rawValue)
        writer.write(type.rawValue)
        writer.pad(1)
        writer.write(groupID)
        for bucket in buckets {
            bucket.write(to: &writer)
        }
    }
}

extension GroupType {
    init(from reader: inout WireReader) throws(OpenFlowError) {
        let rawType: UInt8 = try reader.read()
        guard let type = GroupType(rawValue: rawType) else {
            throw .groupModFailed(.badType, "group type \(rawType)")
        }
        self = type
    }
}

extension Bucket {
    init(from reader: inout WireReader) throws(OpenFlowError) {
        guard let length = reader.peek(UInt16.self), length >= 16, length % 8 == 0 else {
            throw .groupModFailed(.badBucket, "bucket length \(reader.peek(UInt16.self) ?? 0)")
        }
        var body = try reader.slice(Int(length), scope: .bucket)
        try body.pad(2)
        weight = try body.read()
        watchPort = try body.readPort()
        watchGroup = try body.readGroup()
        try body.pad(4)
        var list = try body.slice(body.remaining, scope: .action)
        actions = try list.readActions()
    }

    func write(to writer: inout WireWriter) {
        writer.lengthPrefixed(after: 0, alignment: 8) { writer in
            writer.write(weight)
            writer.write(watchPort)
            writer.write(watchGroup)
            writer.pad(4)
            writer.write(actions)
        }
    }
}
