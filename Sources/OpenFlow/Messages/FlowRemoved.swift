// The notice that a flow entry is gone, with its last counters.

/// OFPT_FLOW_REMOVED (OpenFlow 1.3.5 §7.4.2 / A.4.2).
package struct FlowRemoved: Hashable, Sendable {
    package var cookie: UInt64
    package var priority: UInt16
    package var reason: FlowRemovedReason
    package var tableID: UInt8
    /// How long the entry was installed.
    package var durationSeconds: UInt32
    /// What `durationSeconds` leaves of it.
    package var durationNanoseconds: UInt32
    package var idleTimeout: UInt16
    package var hardTimeout: UInt16
    package var packetCount: UInt64
    package var byteCount: UInt64
    package var match: Match

    package init(
        cookie: UInt64 = 0,
        priority: UInt16,
        reason: FlowRemovedReason,
        tableID: UInt8 = 0,
        durationSeconds: UInt32 = 0,
        durationNanoseconds: UInt32 = 0,
        idleTimeout: UInt16 = 0,
        hardTimeout: UInt16 = 0,
        packetCount: UInt64 = 0,
        byteCount: UInt64 = 0,
        match: Match
    ) {
        self.cookie = cookie
        self.priority = priority
        self.reason = reason
        self.tableID = tableID
        self.durationSeconds = durationSeconds
        self.durationNanoseconds = durationNanoseconds
        self.idleTimeout = idleTimeout
        self.hardTimeout = hardTimeout
        self.packetCount = packetCount
        self.byteCount = byteCount
        self.match = match
    }
}

/// `ofp_flow_removed_reason`.
package enum FlowRemovedReason: UInt8, CaseIterable, Hashable, Sendable {
    /// OFPRR_IDLE_TIMEOUT.
    case idleTimeout = 0
    /// OFPRR_HARD_TIMEOUT.
    case hardTimeout = 1
    /// OFPRR_DELETE: by a flow-mod.
    case delete = 2
    /// OFPRR_GROUP_DELETE: with its group.
    case groupDelete = 3
}

extension FlowRemoved {
    init(from reader: inout WireReader) throws(OpenFlowError) {
        cookie = try reader.read()
        priority = try reader.read()
        let rawReason: UInt8 = try reader.read()
        guard let reason = FlowRemovedReason(rawValue: rawReason) else {
            throw .badRequest(.badType, "flow-removed reason \(rawReason)")
        }
        self.reason = reason
        tableID = try reader.read()
        durationSeconds = try reader.read()
        durationNanoseconds = try reader.read()
        idleTimeout = try reader.read()
        hardTimeout = try reader.read()
        packetCount = try reader.read()
        byteCount = try reader.read()
        match = try Match(from: &reader)
    }

    func write(to writer: inout WireWriter) {
        writer.write(cookie)
        writer.write(priority)
        writer.write(reason.rawValue)
        writer.write(tableID)
        writer.write(durationSeconds)
        writer.write(durationNanoseconds)
        writer.write(idleTimeout)
        writer.write(hardTimeout)
        writer.write(packetCount)
        writer.write(byteCount)
        match.write(to: &writer)
    }
}
