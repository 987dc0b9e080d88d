// The flow monitors of one connection (ONF extension 187): which there are, and which updates an event means for it. A pure
// value; Sessions sends what it says.

import OpenFlow

/// Monitors by their number.
package struct FlowMonitors {
    /// The most monitors of one connection.
    package static let limit = 1024

    private var monitors: [UInt32: FlowMonitor] = [:]
    /// The model's count of changes when the updates were last interrupted, because the controller does not read what it
    /// has got; nil: it gets them.
    package private(set) var pausedAt: UInt64?

    package init() {}

    package var isEmpty: Bool { monitors.isEmpty }

    /// Adds the monitors of a request, all or none.
    ///
    /// Throws MONITOR_EXISTS, BAD_FLAGS, or `BAD_REQUEST/EPERM` for too many.
    package mutating func add(_ new: [FlowMonitor]) throws(OpenFlowError) {
        var all = monitors
        for monitor in new {
            guard monitor.flags.isSubset(of: .all), !monitor.flags.isDisjoint(with: .events) else {
                throw .flowMonitorFailed(.badFlags, "flags \(monitor.flags.rawValue) of monitor \(monitor.id)")
            }
            var monitor = monitor
            monitor.match = monitor.match.normalized
            guard all.updateValue(monitor, forKey: monitor.id) == nil else {
                throw .flowMonitorFailed(.monitorExists, "monitor \(monitor.id)")
            }
        }
        guard all.count <= Self.limit else { throw .badRequest(.permissionError, "\(Self.limit) flow monitors") }
        monitors = all
    }

    /// ONFT_FLOW_MONITOR_CANCEL.
    ///
    /// Throws UNKNOWN_MONITOR.
    package mutating func cancel(_ id: UInt32) throws(OpenFlowError) {
        guard monitors.removeValue(forKey: id) != nil else {
            throw .flowMonitorFailed(.unknownMonitor, "monitor \(id)")
        }
    }

    // MARK: Updates

    /// What these monitors, which have just been added, say of the entries that are there.
    package static func initialUpdates(of monitors: [FlowMonitor], _ entries: some Sequence<FlowEntry>) -> [FlowUpdate]
    {
        let interested = monitors.filter { $0.flags.contains(.initial) }
        guard !interested.isEmpty else { return [] }
        let normalized = interested.map { monitor in
            var monitor = monitor
            monitor.match = monitor.match.normalized
            return monitor
        }
        return entries.compactMap { entry in
            let flags = Self.flags(of: normalized, .initial, entry, entry.instructions, nil)
            return flags.isEmpty ? nil : update(.added, entry, entry.contents, flags)
        }
    }

    /// The updates for what has happened. Of its own changes, the transaction ids of whose messages are given, a connection gets
    /// only the id, once for each message, unless it asks for more. While updates are interrupted, only entries that the
    /// controller knows of are told to be gone; the rest is made up for by `resume`.
    package func updates(_ events: [FlowEvent], ownXIDs: [UInt32]?) -> [FlowUpdate] {
        var updates: [FlowUpdate] = []
        var abbreviated: Int?
        for event in events {
            let (kind, wanted, reason) = event.monitored
            if let pausedAt, kind != .deleted || event.entry.addedAt > pausedAt { continue }
            let flags = Self.flags(
                of: monitors.values,
                wanted,
                event.entry,
                event.contents.instructions,
                event.formerInstructions
            )
            guard !flags.isEmpty else { continue }
            if let ownXIDs, !flags.contains(.own), pausedAt == nil {
                guard abbreviated != event.message else { continue }
                abbreviated = event.message
                updates.append(.abbreviated(xid: ownXIDs[event.message]))
            } else {
                updates.append(Self.update(kind, event.entry, event.contents, flags, reason))
            }
        }
        return updates
    }

    /// Interrupts the updates.
    package mutating func pause(at change: UInt64) { pausedAt = change }

    /// Goes on: what has changed since, as it is now.
    package mutating func resume(_ entries: some Sequence<FlowEntry>) -> [FlowUpdate] {
        guard let since = pausedAt else { return [] }
        pausedAt = nil
        return entries.compactMap { entry in
            guard entry.changedAt > since else { return nil }
            let isNew = entry.addedAt > since
            let flags = Self.flags(of: monitors.values, isNew ? .add : .modify, entry, entry.instructions, nil)
            return flags.isEmpty ? nil : Self.update(isNew ? .added : .modified, entry, entry.contents, flags)
        }
    }

    /// The flags of all monitors that want to hear of it; empty: none does.
    private static func flags(
        of monitors: some Sequence<FlowMonitor>,
        _ wanted: FlowMonitorFlags,
        _ entry: FlowEntry,
        _ instructions: [Instruction],
        _ former: [Instruction]?
    ) -> FlowMonitorFlags {
        var flags: FlowMonitorFlags = []
        for monitor in monitors where monitor.flags.contains(wanted) {
            guard monitor.tableID == TableID.all || monitor.tableID == entry.tableID,
                monitor.outPort == .any || instructions.output(to: monitor.outPort)
                    || former?.output(to: monitor.outPort) ?? false,
                monitor.match.covers(entry.normalizedMatch)
            else { continue }
            flags.formUnion(monitor.flags)
        }
        return flags
    }

    private static func update(
        _ event: FlowUpdateEvent,
        _ entry: FlowEntry,
        _ contents: FlowEntry.Contents,
        _ flags: FlowMonitorFlags,
        _ reason: UInt16 = 0
    ) -> FlowUpdate {
        .full(
            FullFlowUpdate(
                event: event,
                reason: reason,
                priority: entry.priority,
                idleTimeout: contents.idleTimeout,
                hardTimeout: contents.hardTimeout,
                tableID: entry.tableID,
                cookie: contents.cookie,
                match: contents.match,
                instructions: flags.contains(.actions) ? contents.instructions : []
            )
        )
    }
}

extension FlowEvent {
    /// The event of the update, the flag by which a monitor asks for it, and the reason that it gives.
    fileprivate var monitored: (event: FlowUpdateEvent, flag: FlowMonitorFlags, reason: UInt16) {
        switch kind {
        case .added: (.added, .add, 0)
        case .modified: (.modified, .modify, 0)
        case .removed(let reason): (.deleted, .delete, UInt16(reason.rawValue))
        }
    }
}

extension [Instruction] {
    /// Whether an action of these, applied or written, outputs to the port.
    fileprivate func output(to port: PortNumber) -> Bool {
        contains { instruction in
            switch instruction {
            case .applyActions(let actions), .writeActions(let actions):
                actions.contains { if case .output(port, _) = $0 { true } else { false } }
            default: false
            }
        }
    }
}
