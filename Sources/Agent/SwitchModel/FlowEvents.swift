// What flow monitors hear of: each step of a transaction that has taken effect, with the entry as it was then.

import OpenFlow

/// Something that has happened to a flow entry.
package struct FlowEvent {
    enum Kind: Hashable {
        case added, modified
        case removed(FlowRemovedReason)
    }

    let kind: Kind
    let entry: FlowEntry
    /// As it was right after.
    let contents: FlowEntry.Contents
    /// What it did before; nil: it was not there, or did the same.
    let formerInstructions: [Instruction]?
    /// Which message of a bundle it is by; 0 for what is no bundle's.
    let message: Int
}

extension FlowTransaction {
    /// The steps as events, in their order. A modification that changes nothing is none.
    var events: [FlowEvent] {
        var events: [FlowEvent] = []
        events.reserveCapacity(steps.count)
        // From the end on, where the entries are as they are now.
        var contents: [ObjectIdentifier: FlowEntry.Contents] = [:]
        var message = firstSteps.count - 1
        for (index, step) in steps.enumerated().reversed() {
            while message > 0, firstSteps[message] > index { message -= 1 }
            let entry = step.entry
            var after = contents[ObjectIdentifier(entry)] ?? entry.contents
            func note(_ kind: FlowEvent.Kind, _ former: [Instruction]? = nil) {
                events.append(
                    FlowEvent(
                        kind: kind,
                        entry: entry,
                        contents: after,
                        formerInstructions: former,
                        message: max(0, message)
                    )
                )
            }
            switch step {
            case .insert: note(.added)
            case .replace(_, let before, _):
                note(.added, before.instructions)
                after = before
            case .modify(_, let before, _):
                if before != after.instructions { note(.modified, before) }
                after.instructions = before
            case .remove(_, let reason): note(.removed(reason))
            }
            contents[ObjectIdentifier(entry)] = after
        }
        return events.reversed()
    }
}
