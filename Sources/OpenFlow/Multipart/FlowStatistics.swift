// Multipart 1 and 2, OFPMP_FLOW and OFPMP_AGGREGATE: flow entries and their counters.

/// `ofp_flow_stats_request` and `ofp_aggregate_stats_request`, which have one layout (OpenFlow 1.3.5 §7.3.5.2 /
/// A.3.5.2): which entries are meant.
package struct FlowStatisticsRequest: Hashable, Sendable {
    /// `TableID.all`: every table.
    package var tableID: UInt8
    /// Only entries that output to this port; `.any`: no filter.
    package var outPort: PortNumber
    /// Only entries that send to this group; `.any`: no filter.
    package var outGroup: GroupID
    package var cookie: UInt64
    /// The bits of `cookie` that must fit. 0: no filter.
    package var cookieMask: UInt64
    /// Only entries that this match covers.
    package var match: Match

    package init(
        tableID: UInt8 = TableID.all,
        outPort: PortNumber = .any,
        outGroup: GroupID = .any,
        cookie: UInt64 = 0,
        cookieMask: UInt64 = 0,
        match: Match = .any
    ) {
        self.tableID = tableID
        self.outPort = outPort
        self.outGroup = outGroup
        self.cookie = cookie
        self.cookieMask = cookieMask
        self.match = match
    }
}

/// `ofp_flow_stats` (OpenFlow 1.3.5 §7.3.5.2 / A.3.5.2).
package struct FlowStatistics: Hashable, Sendable {
    package var tableID: UInt8
    /// How long the entry is installed.
    package var durationSeconds: UInt32
    /// What `durationSeconds` leaves of it.
    package var durationNanoseconds: UInt32
    package var priority: UInt16
    package var idleTimeout: UInt16
    package var hardTimeout: UInt16
    package var flags: FlowModFlags
    package var cookie: UInt64
    /// All ones: not counted.
    package var packetCount: UInt64
    /// All ones: not counted.
    package var byteCount: UInt64
    package var match: Match
    package var instructions: [Instruction]

    package init(
        tableID: UInt8,
        durationSeconds: UInt32 = 0,
        durationNanoseconds: UInt32 = 0,
        priority: UInt16,
        idleTimeout: UInt16 = 0,
        hardTimeout: UInt16 = 0,
        flags: FlowModFlags = [],
        cookie: UInt64 = 0,
        packetCount: UInt64 = 0,
        byteCount: UInt64 = 0,
        match: Match,
        instructions: [Instruction]
    ) {
        self.tableID = tableID
        self.durationSeconds = durationSeconds
        self.durationNanoseconds = durationNanoseconds
        self.priority = priority
        self.idleTimeout = idleTimeout
        self.hardTimeout = hardTimeout
        self.flags = flags
        self.cookie = cookie
        self.packetCount = packetCount
        self.byteCount = byteCount
        self.match = match
        self.instructions = instructions
    }
}

/// `ofp_aggregate_stats_reply` (OpenFlow 1.3.5 §7.3.5.3 / A.3.5.3).
package struct AggregateStatistics: Hashable, Sendable {
    package var packetCount: UInt64
    package var byteCount: UInt64
    package var flowCount: UInt32

    package init(packetCount: UInt64, byteCount: UInt64, flowCount: UInt32) {
        self.packetCount = packetCount
        self.byteCount = byteCount
        self.flowCount = flowCount
    }
}

extension FlowStatisticsRequest {
    init(from reader: inout WireReader) throws(OpenFlowError) {
        tableID = try reader.read()
        try reader.pad(3)
        outPort = try reader.readPort()
        outGroup = try reader.readGroup()
        try reader.pad(4)
        cookie = try reader.read()
        cookieMask = try reader.read()
        match = try Match(from: &reader)
    }

    func write(to writer: inout WireWriter) {
        writer.write(tableID)
        writer.pad(3)
        writer.write(outPort)
        writer.write(outGroup)
        writer.pad(4)
        writer.write(cookie)
        writer.write(cookieMask)
        match.write(to: &writer)
    }
}

extension FlowStatistics: MultipartElement {
    init(from reader: inout WireReader) throws(OpenFlowError) {
        let length: UInt16 = try reader.read()
        var body = try reader.slice(Int(length) - 2, scope: .message)
        tableID = try body.read()
        try body.pad(1)
        durationSeconds = try body.read()
        durationNanoseconds = try body.read()
        priority = try body.read()
        idleTimeout = try body.read()
        hardTimeout = try body.read()
        flags = try FlowModFlags(rawValue: body.read())
        try body.pad(4)
        cookie = try body.read()
        packetCount = try body.read()
        byteCount = try body.read()
        match = try Match(from: &body)
        instructions = try body.readInstructions()
    }

    func write(to writer: inout WireWriter) {
        writer.lengthPrefixed(after: 0) { writer in
            writer.write(tableID)
            writer.pad(1)
            writer.write(durationSeconds)
            writer.write(durationNanoseconds)
            writer.write(priority)
            writer.write(idleTimeout)
            writer.write(hardTimeout)
            writer.write(flags.rawValue)
            writer.pad(4)
            writer.write(cookie)
            writer.write(packetCount)
            writer.write(byteCount)
            match.write(to: &writer)
            writer.write(instructions)
        }
    }
}

extension AggregateStatistics {
    init(from reader: inout WireReader) throws(OpenFlowError) {
        packetCount = try reader.read()
        byteCount = try reader.read()
        flowCount = try reader.read()
        try reader.pad(4)
    }

    func write(to writer: inout WireWriter) {
        writer.write(packetCount)
        writer.write(byteCount)
        writer.write(flowCount)
        writer.pad(4)
    }
}
