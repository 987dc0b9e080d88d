// Changes of the flow tables that take effect together or not at all: those of one flow-mod, of a bundle, of time-outs.
// Each step changes the model at once, so that the next one meets what it leaves; the data path hears of the sum at the
// end, and if it refuses, the steps are taken back.

import NIOCore
import OpenFlow

/// What has been done to the tables since the data path last heard of it.
struct FlowTransaction {
    enum Step {
        case insert(FlowEntry)
        /// An ADD of a match and priority that were there.
        case replace(FlowEntry, before: FlowEntry.Contents, resetsCounters: Bool)
        /// New instructions.
        case modify(FlowEntry, before: [Instruction], resetsCounters: Bool)
        case remove(FlowEntry, FlowRemovedReason)
    }

    fileprivate(set) var steps: [Step] = []
    /// The groups before the first change of one; nil: none has changed.
    var formerGroups: [GroupID: Group]?
    /// Groups that have come, gone or changed.
    var changedGroups: Set<GroupID> = []
    /// Port-mods that have been found valid. They do nothing before the end: no flow-mod looks at a port's settings.
    var portMods: [PortMod] = []
    /// The meters before the first change of one; nil: none has changed.
    var formerMeters: [UInt32: Meter]?
    /// Meters that have come, gone or changed.
    var changedMeters: Set<UInt32> = []
    /// For each message of a bundle the index of its first step; empty for what is no bundle.
    private(set) var firstSteps: [Int] = []

    /// The steps that follow are of the next message of a bundle.
    mutating func beginMessage() { firstSteps.append(steps.count) }
}

/// What a transaction has done with an entry so far.
enum FlowPending {
    case nothing, inserted, changed, removed
}

extension SwitchModel {
    // MARK: Steps

    func insert(_ entry: FlowEntry, in transaction: inout FlowTransaction) {
        tables[Int(entry.tableID)].insert(entry)
        flowCount += 1
        countMeter(of: entry.instructions, +1)
        entry.pending = .inserted
        transaction.steps.append(.insert(entry))
    }

    func replace(
        _ entry: FlowEntry,
        by contents: FlowEntry.Contents,
        resetsCounters: Bool,
        in transaction: inout FlowTransaction
    ) {
        transaction.steps.append(.replace(entry, before: entry.contents, resetsCounters: resetsCounters))
        countMeter(of: entry.instructions, -1)
        entry.contents = contents
        countMeter(of: entry.instructions, +1)
        if entry.pending == .nothing { entry.pending = .changed }
    }

    func modify(
        _ entry: FlowEntry,
        to instructions: [Instruction],
        resetsCounters: Bool,
        in transaction: inout FlowTransaction
    ) {
        transaction.steps.append(.modify(entry, before: entry.instructions, resetsCounters: resetsCounters))
        countMeter(of: entry.instructions, -1)
        entry.contents.instructions = instructions
        countMeter(of: instructions, +1)
        if entry.pending == .nothing { entry.pending = .changed }
    }

    func remove(_ entry: FlowEntry, _ reason: FlowRemovedReason, in transaction: inout FlowTransaction) {
        tables[Int(entry.tableID)].remove(entry)
        flowCount -= 1
        countMeter(of: entry.instructions, -1)
        // What was never published has nothing to be removed.
        entry.pending = entry.pending == .inserted ? .nothing : .removed
        transaction.steps.append(.remove(entry, reason))
    }

    // MARK: The end

    /// Publishes what the steps come to. If the data path refuses it, everything is as before the first step.
    ///
    /// - Parameter atomically: No packet meets a part of it.
    func commit(_ transaction: FlowTransaction, atomically: Bool = false) throws(OpenFlowError) {
        let changedPorts = ports(changedBy: transaction.portMods)
        if !changedPorts.isEmpty { datapath.configure(ports: changedPorts.mapValues(\.config)) }
        let changedMeters = meterChanges(of: transaction)
        if !changedMeters.isEmpty { datapath.configure(meters: changedMeters) }
        do {
            try datapath.apply(
                changes(of: transaction),
                groups: groupChanges(of: transaction.changedGroups),
                atomically: atomically
            )
        } catch {
            rollBack(transaction)
            throw error
        }
        finish(transaction)
        for port in changedPorts.values.sorted(by: { $0.number < $1.number }) { show(port) }
    }

    /// One change for each entry that is not what it was. What needs memory comes first: a removal can't fail, nor be
    /// taken back.
    private func changes(of transaction: FlowTransaction) -> [FlowChange] {
        if transaction.steps.count == 1, case .insert(let entry) = transaction.steps[0] {
            entry.pending = .nothing
            return [.add(entry)]
        }
        var changes: [FlowChange] = []
        changes.reserveCapacity(transaction.steps.count)
        var removals: [FlowChange] = []
        for step in transaction.steps {
            let entry = step.entry
            switch entry.pending {
            case .nothing: break
            case .inserted: changes.append(.add(entry))
            case .changed: changes.append(.modify(entry))
            case .removed: removals.append(.remove(entry))
            }
            entry.pending = .nothing
        }
        return changes + removals
    }

    /// Takes the steps back, the last one first.
    func rollBack(_ transaction: FlowTransaction) {
        if let formerMeters = transaction.formerMeters { meters = formerMeters }
        if let formerGroups = transaction.formerGroups { groups = formerGroups }
        for step in transaction.steps.reversed() {
            step.entry.pending = .nothing
            switch step {
            case .insert(let entry):
                tables[Int(entry.tableID)].remove(entry)
                flowCount -= 1
                countMeter(of: entry.instructions, -1)
            case .replace(let entry, let before, _):
                countMeter(of: entry.instructions, -1)
                entry.contents = before
                countMeter(of: entry.instructions, +1)
            case .modify(let entry, let before, _):
                countMeter(of: entry.instructions, -1)
                entry.contents.instructions = before
                countMeter(of: before, +1)
            case .remove(let entry, _):
                tables[Int(entry.tableID)].insert(entry)
                flowCount += 1
                countMeter(of: entry.instructions, +1)
            }
        }
    }

    /// What follows from the steps: time-outs, counters that start again, and reports to those who want them when the last
    /// packet has gone by what is removed.
    private func finish(_ transaction: FlowTransaction) {
        var reported: [(entry: FlowEntry, reason: FlowRemovedReason)] = []
        let since = changeCount
        for step in transaction.steps {
            changeCount += 1
            step.entry.changedAt = changeCount
            switch step {
            case .insert(let entry):
                entry.addedAt = changeCount
                if entry.position >= 0 { scheduleTimeouts(of: entry) }
            case .replace(let entry, _, let resetsCounters):
                if resetsCounters { entry.countersAtReset = datapath.counters(of: entry) }
                if entry.position >= 0 { scheduleTimeouts(of: entry) }
            case .modify(let entry, _, let resetsCounters):
                if resetsCounters { entry.countersAtReset = datapath.counters(of: entry) }
            case .remove(let entry, let reason):
                timeouts.remove(entry)
                if entry.flags.contains(.sendFlowRemoved) { reported.append((entry, reason)) }
            }
        }
        if let onFlowEvents { onFlowEvents(transaction.events, since) }
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

extension FlowTransaction.Step {
    /// The entry that it is about.
    var entry: FlowEntry {
        switch self {
        case .insert(let entry), .replace(let entry, _, _), .modify(let entry, _, _), .remove(let entry, _): entry
        }
    }
}
