// One flow table: its entries in a list for whoever looks at all of them, and by identity for ADD and the strict
// commands.

import OpenFlow

/// The entries of one table.
package struct FlowTable {
    /// All entries, in no order that means anything.
    package private(set) var entries: [FlowEntry] = []
    private var byIdentity: [FlowIdentity: FlowEntry] = [:]

    /// The entry with this match and priority.
    subscript(_ identity: FlowIdentity) -> FlowEntry? { byIdentity[identity] }

    /// Adds an entry whose identity is not there yet.
    mutating func insert(_ entry: FlowEntry) {
        entry.position = entries.count
        entries.append(entry)
        byIdentity[entry.identity] = entry
    }

    /// Takes an entry out; the last one of the list moves to its place.
    mutating func remove(_ entry: FlowEntry) {
        byIdentity[entry.identity] = nil
        let last = entries.removeLast()
        if last !== entry {
            entries[entry.position] = last
            last.position = entry.position
        }
        entry.position = -1
    }

    /// The first entry of the same priority that some packet fits as well as `identity` (§6.4). Looks at all entries.
    func overlap(of identity: FlowIdentity) -> FlowEntry? {
        entries.first { $0.priority == identity.priority && $0.normalizedMatch.overlaps(identity.match) }
    }
}

extension SwitchModel {
    /// The entries of all tables.
    package var entries: some Sequence<FlowEntry> { tables.lazy.flatMap(\.entries) }
}
