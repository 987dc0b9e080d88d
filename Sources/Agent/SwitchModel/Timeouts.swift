// Idle and hard timeouts (OpenFlow 1.3.5 §5.5). An entry is looked at when its timeout could be over at the earliest;
// the counters of the data path say then whether it was used in between.

import NIOCore
import OpenFlow

extension SwitchModel {
    /// When `expireFlows` has something to do; nil: no entry has a timeout.
    package var nextTimeout: NIODeadline? { timeouts.first?.timeoutDue }

    /// Removes the entries whose time is over. The agent calls it several times a second; without anything due it costs
    /// nothing.
    package func expireFlows() {
        let time = now()
        var expired: [(entry: FlowEntry, reason: FlowRemovedReason)] = []
        while let entry = timeouts.first, entry.timeoutDue <= time {
            timeouts.remove(entry)
            guard let timeout = nextTimeout(of: entry) else { continue }
            if timeout.due <= time {
                expired.append((entry, timeout.reason))
            } else {
                timeouts.schedule(entry, at: timeout.due)
            }
        }
        do {
            try remove(expired)
        } catch {
            // The data path keeps them for now; they are tried again.
            for (entry, _) in expired { timeouts.schedule(entry, at: time + .seconds(1)) }
        }
    }

    /// Puts an entry's timeouts in force, from its installation on.
    func scheduleTimeouts(of entry: FlowEntry) {
        if let timeout = nextTimeout(of: entry) {
            timeouts.schedule(entry, at: timeout.due)
        } else {
            timeouts.remove(entry)
        }
    }

    /// The timeout of the entry that is over first, by what is known now; nil: it has none. The hard one wins a tie.
    private func nextTimeout(of entry: FlowEntry) -> (due: NIODeadline, reason: FlowRemovedReason)? {
        let hard = entry.installed + .seconds(Int64(entry.hardTimeout))
        guard entry.idleTimeout > 0 else { return entry.hardTimeout > 0 ? (hard, .hardTimeout) : nil }
        let lastUsed = datapath.counters(of: entry).lastUsed ?? entry.installed
        let idle = max(lastUsed, entry.installed) + .seconds(Int64(entry.idleTimeout))
        return entry.hardTimeout > 0 && hard <= idle ? (hard, .hardTimeout) : (idle, .idleTimeout)
    }
}
