// FLOW_MOD: the five commands on the tables (OpenFlow 1.3.5 §6.4). Validation comes first and in full; then the data
// path takes the change or refuses it; only then does the model change.

import NIOCore
import OpenFlow

extension SwitchModel {
    /// Carries out a flow-mod. A refused one has changed nothing.
    ///
    /// Throws the error to answer with: whatever validation finds, `FLOW_MOD_FAILED/OVERLAP`,
    /// `FLOW_MOD_FAILED/TABLE_FULL`.
    package func execute(_ mod: FlowMod) throws(OpenFlowError) {
        try validate(mod)
        let filter = FlowFilter(mod)
        switch mod.command {
        case .add: try add(mod, filter.match)
        case .modify: try modify(entries(selectedBy: filter), by: mod)
        case .modifyStrict: try modify(entry(strictly: mod, filter), by: mod)
        case .delete: try remove(entries(selectedBy: filter).map { ($0, .delete) })
        case .deleteStrict: try remove(entry(strictly: mod, filter).map { ($0, .delete) })
        }
    }

    private func add(_ mod: FlowMod, _ match: Match) throws(OpenFlowError) {
        let table = Int(mod.tableID)
        let identity = FlowIdentity(priority: mod.priority, match: match)
        // An entry overlaps itself: with this flag an ADD never replaces.
        if mod.flags.contains(.checkOverlap), let other = tables[table].overlap(of: identity) {
            throw .flowModFailed(.overlap, "overlaps \(other)")
        }
        if let old = tables[table][identity] { return try replace(old, by: mod) }
        guard flowCount < flowLimit else { throw .flowModFailed(.tableFull, "\(flowLimit) flow entries") }
        let entry = FlowEntry(mod, normalizedMatch: match, installed: now())
        try datapath.apply([.add(entry)])
        tables[table].insert(entry)
        flowCount += 1
        scheduleTimeouts(of: entry)
    }

    /// An ADD of a match and priority that are there: all is as if the entry were new, but the counters go on unless
    /// told otherwise. No flow-removed is sent.
    private func replace(_ entry: FlowEntry, by mod: FlowMod) throws(OpenFlowError) {
        let before = entry.contents
        entry.contents = FlowEntry.Contents(mod, installed: now())
        do {
            try datapath.apply([.modify(entry)])
        } catch {
            entry.contents = before
            throw error
        }
        if mod.flags.contains(.resetCounts) { entry.countersAtReset = datapath.counters(of: entry) }
        scheduleTimeouts(of: entry)
    }

    /// New instructions; cookie, timeouts, flags, duration and, unless told otherwise, counters stay. No entry is no
    /// error.
    private func modify(_ entries: [FlowEntry], by mod: FlowMod) throws(OpenFlowError) {
        guard !entries.isEmpty else { return }
        let before = entries.map(\.instructions)
        for entry in entries { entry.contents.instructions = mod.instructions }
        do {
            try datapath.apply(entries.map(FlowChange.modify))
        } catch {
            for (entry, instructions) in zip(entries, before) { entry.contents.instructions = instructions }
            throw error
        }
        guard mod.flags.contains(.resetCounts) else { return }
        for entry in entries { entry.countersAtReset = datapath.counters(of: entry) }
    }

    /// Takes entries out of the tables. Those that want it are reported when the last packet has gone by them.
    func remove(_ removals: [(entry: FlowEntry, reason: FlowRemovedReason)]) throws(OpenFlowError) {
        guard !removals.isEmpty else { return }
        try datapath.apply(removals.map { .remove($0.entry) })
        for (entry, _) in removals {
            tables[Int(entry.tableID)].remove(entry)
            timeouts.remove(entry)
        }
        flowCount -= removals.count
        let reported = removals.filter { $0.entry.flags.contains(.sendFlowRemoved) }
        guard !reported.isEmpty else { return }
        let removed = now()
        datapath.whenApplied { [self] in
            for (entry, reason) in reported { onFlowRemoved(flowRemoved(entry, reason, at: removed)) }
        }
    }

    private func flowRemoved(_ entry: FlowEntry, _ reason: FlowRemovedReason, at time: NIODeadline) -> FlowRemoved {
        let counters = counters(of: entry)
        let duration = WireDuration(from: entry.installed, to: time)
        return FlowRemoved(
            cookie: entry.cookie,
            priority: entry.priority,
            reason: reason,
            tableID: entry.tableID,
            durationSeconds: duration.seconds,
            durationNanoseconds: duration.nanoseconds,
            idleTimeout: entry.idleTimeout,
            hardTimeout: entry.hardTimeout,
            packetCount: counters.packets,
            byteCount: counters.bytes,
            match: entry.match
        )
    }
}
