// Flow monitors: a controller is told of flow entries as they come, change and go. The ONF's extension 187 for OpenFlow 1.3
// with the layout that Open vSwitch gives it, where the extension leaves it open.

/// One monitor of a request ONFMP_FLOW_MONITOR (`onf_flow_monitor_request`).
package struct FlowMonitor: Hashable, Sendable {
    /// The controller's own number.
    package var id: UInt32
    package var flags: FlowMonitorFlags
    /// Only entries that output to this port, or did before a change; `.any`: no filter.
    package var outPort: PortNumber
    /// `TableID.all`: every table.
    package var tableID: UInt8
    /// Only entries that this match covers.
    package var match: Match

    package init(
        id: UInt32,
        flags: FlowMonitorFlags,
        outPort: PortNumber = .any,
        tableID: UInt8 = TableID.all,
        match: Match = .any
    ) {
        self.id = id
        self.flags = flags
        self.outPort = outPort
        self.tableID = tableID
        self.match = match
    }
}

/// `onf_flow_monitor_flags`.
package struct FlowMonitorFlags: OptionSet, Hashable, Sendable {
    package var rawValue: UInt16

    package init(rawValue: UInt16) { self.rawValue = rawValue }

    /// ONFFMF_INITIAL: the entries that are there already.
    package static let initial = Self(rawValue: 1 << 0)
    /// ONFFMF_ADD.
    package static let add = Self(rawValue: 1 << 1)
    /// ONFFMF_DELETE.
    package static let delete = Self(rawValue: 1 << 2)
    /// ONFFMF_MODIFY.
    package static let modify = Self(rawValue: 1 << 3)
    /// ONFFMF_ACTIONS: with the entries' instructions.
    package static let actions = Self(rawValue: 1 << 4)
    /// ONFFMF_OWN: the controller's own changes in full too, not only by their transaction ids.
    package static let own = Self(rawValue: 1 << 5)

    /// What there is to be told of.
    package static let events: Self = [.initial, .add, .delete, .modify]
    /// The flags that there are.
    package static let all: Self = events.union([.actions, .own])
}

/// An entry of a reply ONFMP_FLOW_MONITOR.
package enum FlowUpdate: Hashable, Sendable {
    /// ONFFME_ADDED, ONFFME_DELETED, ONFFME_MODIFIED (`onf_flow_update_full`).
    case full(FullFlowUpdate)
    /// ONFFME_ABBREV (`onf_flow_update_abbrev`): what the message with this transaction id asked for has been done.
    case abbreviated(xid: UInt32)
}

/// `onf_flow_update_full`.
package struct FullFlowUpdate: Hashable, Sendable {
    package var event: FlowUpdateEvent
    /// Why it is gone, when it is deleted; 0 otherwise.
    package var reason: UInt16
    package var priority: UInt16
    package var idleTimeout: UInt16
    package var hardTimeout: UInt16
    package var tableID: UInt8
    package var cookie: UInt64
    package var match: Match
    /// Empty without ONFFMF_ACTIONS.
    package var instructions: [Instruction]

    package init(
        event: FlowUpdateEvent,
        reason: UInt16 = 0,
        priority: UInt16,
        idleTimeout: UInt16 = 0,
        hardTimeout: UInt16 = 0,
        tableID: UInt8 = 0,
        cookie: UInt64 = 0,
        match: Match,
        instructions: [Instruction] = []
    ) {
        self.event = event
        self.reason = reason
        self.priority = priority
        self.idleTimeout = idleTimeout
        self.hardTimeout = hardTimeout
        self.tableID = tableID
        self.cookie = cookie
        self.match = match
        self.instructions = instructions
    }
}

/// `onf_flow_update_event`, without the abbreviated one.
package enum FlowUpdateEvent: UInt16, CaseIterable, Hashable, Sendable {
    case added = 0, deleted, modified
}

extension ONF {
    /// ONFMP_FLOW_MONITOR, and ONFT_FLOW_MONITOR_CANCEL.
    static let flowMonitor: UInt32 = 1870
    /// ONFT_FLOW_MONITOR_PAUSED.
    static let flowMonitorPaused: UInt32 = 1871
    /// ONFT_FLOW_MONITOR_RESUMED.
    static let flowMonitorResumed: UInt32 = 1872
}

extension FlowMonitor: MultipartElement {
    /// Throws OFPBRC_BAD_LEN, also for a `match_len` that is not the match's length; and what the match throws.
    init(from reader: inout WireReader) throws(OpenFlowError) {
        id = try reader.read()
        flags = try FlowMonitorFlags(rawValue: reader.read())
        let matchLength: UInt16 = try reader.read()
        outPort = try reader.readPort()
        tableID = try reader.read()
        try reader.pad(3)
        try reader.expectMatch(length: matchLength)
        match = try Match(from: &reader)
    }

    func write(to writer: inout WireWriter) {
        writer.write(id)
        writer.write(flags.rawValue)
        writer.write(match.unpaddedLength)
        writer.write(outPort)
        writer.write(tableID)
        writer.pad(3)
        match.write(to: &writer)
    }
}

extension FlowUpdate: MultipartElement {
    /// The event of an abbreviated update.
    private static let abbreviatedEvent: UInt16 = 3

    /// Throws OFPBRC_BAD_LEN, OFPBRC_BAD_TYPE for an unknown event; and what match and instructions throw.
    init(from reader: inout WireReader) throws(OpenFlowError) {
        let length: UInt16 = try reader.read()
        var body = try reader.slice(Int(length) - 2, scope: .message)
        let rawEvent: UInt16 = try body.read()
        guard rawEvent != Self.abbreviatedEvent else {
            self = try .abbreviated(xid: body.read())
            try body.expectEnd()
            return
        }
        guard let event = FlowUpdateEvent(rawValue: rawEvent) else {
            throw .badRequest(.badType, "flow update event \(rawEvent)")
        }
        self = try .full(FullFlowUpdate(event: event, from: &body))
    }

    func write(to writer: inout WireWriter) {
        writer.lengthPrefixed(after: 0) { writer in
            switch self {
            case .abbreviated(let xid):
                writer.write(Self.abbreviatedEvent)
                writer.write(xid)
            case .full(let update): update.write(to: &writer)
            }
        }
    }
}

extension FullFlowUpdate {
    fileprivate init(event: FlowUpdateEvent, from body: inout WireReader) throws(OpenFlowError) {
        self.event = event
        reason = try body.read()
        priority = try body.read()
        idleTimeout = try body.read()
        hardTimeout = try body.read()
        let matchLength: UInt16 = try body.read()
        tableID = try body.read()
        try body.pad(1)
        cookie = try body.read()
        try body.expectMatch(length: matchLength)
        match = try Match(from: &body)
        instructions = try body.readInstructions()
    }

    fileprivate func write(to writer: inout WireWriter) {
        writer.write(event.rawValue)
        writer.write(reason)
        writer.write(priority)
        writer.write(idleTimeout)
        writer.write(hardTimeout)
        writer.write(match.unpaddedLength)
        writer.write(tableID)
        writer.pad(1)
        writer.write(cookie)
        match.write(to: &writer)
        writer.write(instructions)
    }
}

extension WireReader {
    /// Checks a length that a match is announced with before its own.
    fileprivate func expectMatch(length: UInt16) throws(OpenFlowError) {
        guard let own = peek(UInt16.self, at: 2), own == length else {
            throw .badRequest(.badLength, "match_len \(length)")
        }
    }
}

extension Match {
    /// `ofp_match.length`.
    fileprivate var unpaddedLength: UInt16 {
        UInt16(truncatingIfNeeded: fields.reduce(4) { $0 + 4 + $1.field.byteCount * ($1.mask == nil ? 1 : 2) })
    }
}
