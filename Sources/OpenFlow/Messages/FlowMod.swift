// The command that changes flow tables.

/// OFPT_FLOW_MOD (OpenFlow 1.3.5 §7.3.4.1 / A.3.4.1).
package struct FlowMod: Hashable, Sendable {
    /// The controller's own mark; a filter in all commands but add.
    package var cookie: UInt64
    /// The bits of `cookie` that filter. 0: no filter.
    package var cookieMask: UInt64
    /// `TableID.all`: every table, when deleting.
    package var tableID: UInt8
    package var command: FlowModCommand
    /// Seconds without a packet after which the entry goes. 0: never.
    package var idleTimeout: UInt16
    /// Seconds after which the entry goes. 0: never.
    package var hardTimeout: UInt16
    package var priority: UInt16
    /// A buffered packet to apply the new entry to.
    package var bufferID: UInt32
    /// When deleting: only entries that output to this port; `.any`: no filter.
    package var outPort: PortNumber
    /// When deleting: only entries that send to this group; `.any`: no filter.
    package var outGroup: GroupID
    package var flags: FlowModFlags
    package var match: Match
    package var instructions: [Instruction]

    package init(
        cookie: UInt64 = 0,
        cookieMask: UInt64 = 0,
        tableID: UInt8 = 0,
        command: FlowModCommand = .add,
        idleTimeout: UInt16 = 0,
        hardTimeout: UInt16 = 0,
        priority: UInt16 = 0x8000,
        bufferID: UInt32 = BufferID.none,
        outPort: PortNumber = .any,
        outGroup: GroupID = .any,
        flags: FlowModFlags = [],
        match: Match = .any,
        instructions: [Instruction] = []
    ) {
        self.cookie = cookie
        self.cookieMask = cookieMask
        self.tableID = tableID
        self.command = command
        self.idleTimeout = idleTimeout
        self.hardTimeout = hardTimeout
        self.priority = priority
        self.bufferID = bufferID
        self.outPort = outPort
        self.outGroup = outGroup
        self.flags = flags
        self.match = match
        self.instructions = instructions
    }
}

/// `ofp_flow_mod_command`.
package enum FlowModCommand: UInt8, CaseIterable, Hashable, Sendable {
    /// OFPFC_ADD.
    case add = 0
    /// OFPFC_MODIFY.
    case modify = 1
    /// OFPFC_MODIFY_STRICT.
    case modifyStrict = 2
    /// OFPFC_DELETE.
    case delete = 3
    /// OFPFC_DELETE_STRICT.
    case deleteStrict = 4
}

/// `ofp_flow_mod_flags`.
package struct FlowModFlags: OptionSet, Hashable, Sendable {
    package var rawValue: UInt16

    package init(rawValue: UInt16) { self.rawValue = rawValue }

    /// OFPFF_SEND_FLOW_REM: tell when the entry goes.
    package static let sendFlowRemoved = Self(rawValue: 1 << 0)
    /// OFPFF_CHECK_OVERLAP: refuse an entry that overlaps one of its priority.
    package static let checkOverlap = Self(rawValue: 1 << 1)
    /// OFPFF_RESET_COUNTS: the entry's counters start again from 0.
    package static let resetCounts = Self(rawValue: 1 << 2)
    /// OFPFF_NO_PKT_COUNTS: packets need not be counted.
    package static let noPacketCounts = Self(rawValue: 1 << 3)
    /// OFPFF_NO_BYT_COUNTS: bytes need not be counted.
    package static let noByteCounts = Self(rawValue: 1 << 4)
}

extension FlowMod {
    /// What match and instructions may have in bytes, so that the entry fits into one flow-statistics reply.
    private static let maxContentLength = 65535 - 64

    /// Throws errors of type OFPET_FLOW_MOD_FAILED, BAD_COMMAND and BAD_FLAGS; those of the match and of the
    /// instructions; and OFPBAC_TOO_MANY for an entry so long that no reply could tell of it.
    init(from reader: inout WireReader) throws(OpenFlowError) {
        cookie = try reader.read()
        cookieMask = try reader.read()
        tableID = try reader.read()
        let rawCommand: UInt8 = try reader.read()
        guard let command = FlowModCommand(rawValue: rawCommand) else {
            throw .flowModFailed(.badCommand, "flow-mod command \(rawCommand)")
        }
        self.command = command
        idleTimeout = try reader.read()
        hardTimeout = try reader.read()
        priority = try reader.read()
        bufferID = try reader.read()
        outPort = try reader.readPort()
        outGroup = try reader.readGroup()
        flags = try FlowModFlags(rawValue: reader.read())
        guard flags.isSubset(of: .all) else {
            throw .flowModFailed(.badFlags, "flow-mod flags \(Text.hex(flags.rawValue))")
        }
        try reader.pad(2)
        guard reader.remaining <= Self.maxContentLength else {
            throw .badAction(.tooMany, "flow-mod: \(reader.remaining) bytes of match and instructions")
        }
        match = try Match(from: &reader)
        instructions = try reader.readInstructions()
    }

    func write(to writer: inout WireWriter) {
        writer.write(cookie)
        writer.write(cookieMask)
        writer.write(tableID)
        writer.write(command.rawValue)
        writer.write(idleTimeout)
        writer.write(hardTimeout)
        writer.write(priority)
        writer.write(bufferID)
        writer.write(outPort)
        writer.write(outGroup)
        writer.write(flags.rawValue)
        writer.pad(2)
        match.write(to: &writer)
        writer.write(instructions)
    }
}

extension FlowModFlags {
    /// The flags that 1.3 has.
    static let all: Self = [.sendFlowRemoved, .checkOverlap, .resetCounts, .noPacketCounts, .noByteCounts]
}
