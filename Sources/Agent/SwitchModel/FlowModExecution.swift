// FLOW_MOD: the five commands on the tables (OpenFlow 1.3.5 §6.4). Validation comes first and in full; then the steps on
// the tables; then the data path takes them or refuses, and a refusal takes them back.

import NIOCore
import OpenFlow

extension SwitchModel {
    /// Carries out a flow-mod. A refused one has changed nothing.
    ///
    /// Throws the error to answer with: whatever validation finds, `FLOW_MOD_FAILED/OVERLAP`,
    /// `FLOW_MOD_FAILED/TABLE_FULL`.
    package func execute(_ mod: FlowMod) throws(OpenFlowError) {
        var transaction = FlowTransaction()
        try stage(mod, in: &transaction)
        try commit(transaction)
    }

    /// Carries out flow-mods that came one right after the other, in their order: each by itself, but what they change is
    /// published once. Returns those that were refused, which have changed nothing.
    ///
    /// Throws what the data path refuses all of them together with; then none has changed anything, and one by one they may find
    /// room.
    package func execute(
        _ messages: some Sequence<Envelope>
    ) throws(OpenFlowError) -> [(refused: Envelope, error: OpenFlowError)] {
        var transaction = FlowTransaction()
        var refused: [(refused: Envelope, error: OpenFlowError)] = []
        for envelope in messages {
            guard case .flowMod(let mod) = envelope.message else { continue }
            transaction.beginMessage()
            do throws(OpenFlowError) { try stage(mod, in: &transaction) } catch { refused.append((envelope, error)) }
        }
        if !transaction.steps.isEmpty { try commit(transaction) }
        return refused
    }

    /// A flow-mod's steps on the tables. Throws before the first one.
    func stage(_ mod: FlowMod, in transaction: inout FlowTransaction) throws(OpenFlowError) {
        try validate(mod)
        if mod.command != .delete && mod.command != .deleteStrict { try checkMeter(of: mod.instructions) }
        let filter = FlowFilter(mod)
        switch mod.command {
        case .add: try add(mod, filter.match, in: &transaction)
        case .modify: modify(entries(selectedBy: filter), by: mod, in: &transaction)
        case .modifyStrict: modify(entry(strictly: mod, filter), by: mod, in: &transaction)
        case .delete:
            for entry in entries(selectedBy: filter) { remove(entry, .delete, in: &transaction) }
        case .deleteStrict:
            for entry in entry(strictly: mod, filter) { remove(entry, .delete, in: &transaction) }
        }
    }

    /// An ADD of a match and priority that are there: all is as if the entry were new, but the counters go on unless told
    /// otherwise, and no flow-removed is sent.
    private func add(_ mod: FlowMod, _ match: Match, in transaction: inout FlowTransaction) throws(OpenFlowError) {
        let table = Int(mod.tableID)
        let identity = FlowIdentity(priority: mod.priority, match: match)
        // An entry overlaps itself: with this flag an ADD never replaces.
        if mod.flags.contains(.checkOverlap), let other = tables[table].overlap(of: identity) {
            throw .flowModFailed(.overlap, "overlaps \(other)")
        }
        if let old = tables[table][identity] {
            let contents = FlowEntry.Contents(mod, installed: now())
            replace(old, by: contents, resetsCounters: mod.flags.contains(.resetCounts), in: &transaction)
            return
        }
        guard flowCount < flowLimit else { throw .flowModFailed(.tableFull, "\(flowLimit) flow entries") }
        let limit = tableConfigurations?[mod.tableID].map { Int($0.features.maxEntries) } ?? tableFlowLimit
        guard tables[table].entries.count < limit else {
            throw .flowModFailed(.tableFull, "\(limit) flow entries in table \(table)")
        }
        let entry = FlowEntry(mod, identity: identity, installed: now())
        entry.contents.instructions = shared(mod.instructions)
        insert(entry, in: &transaction)
    }

    /// The same instructions, in the memory of the entry before if that has them too: they mostly come in runs.
    private func shared(_ instructions: [Instruction]) -> [Instruction] {
        let last = lastInstructions
        if instructions == last { return last }
        lastInstructions = instructions
        return instructions
    }

    /// New instructions; cookie, timeouts, flags, duration and, unless told otherwise, counters stay. No entry is no
    /// error.
    private func modify(_ entries: [FlowEntry], by mod: FlowMod, in transaction: inout FlowTransaction) {
        let resetsCounters = mod.flags.contains(.resetCounts)
        for entry in entries {
            modify(entry, to: mod.instructions, resetsCounters: resetsCounters, in: &transaction)
        }
    }

    /// Takes entries out of the tables.
    func remove(_ removals: [(entry: FlowEntry, reason: FlowRemovedReason)]) throws(OpenFlowError) {
        guard !removals.isEmpty else { return }
        var transaction = FlowTransaction()
        for (entry, reason) in removals { remove(entry, reason, in: &transaction) }
        try commit(transaction)
    }
}
