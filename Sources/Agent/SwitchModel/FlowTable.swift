// One flow table: its entries in a list for whoever looks at all of them, and by identity for ADD and the strict
// commands.

import OpenFlow

/// The entries of one table.
package struct FlowTable {
    /// All entries, in no order that means anything.
    package private(set) var entries: [FlowEntry] = []
    private var index = FlowIndex()
    /// For each priority the shapes of its matches, with how many entries have them. Kept from the first look for overlaps on.
    private var shapes: [UInt16: [Match: Int]]?

    /// The entry with this match and priority.
    subscript(_ identity: FlowIdentity) -> FlowEntry? {
        index.find(identity.hash) { entries[$0].identity == identity }.map { entries[$0] }
    }

    /// Adds an entry whose identity is not there yet.
    mutating func insert(_ entry: FlowEntry) {
        entry.position = entries.count
        entries.append(entry)
        index.insert(entry.identity.hash, entry.position)
        count(entry.identity, +1)
    }

    /// Takes an entry out; the last one of the list moves to its place.
    mutating func remove(_ entry: FlowEntry) {
        index.remove(entry.identity.hash, entry.position)
        count(entry.identity, -1)
        let last = entries.removeLast()
        if last !== entry {
            entries[entry.position] = last
            index.move(last.identity.hash, from: last.position, to: entry.position)
            last.position = entry.position
        }
        entry.position = -1
    }

    /// An entry of the same priority that some packet fits as well as `identity` (§6.4).
    ///
    /// Where the match says something of every bit that the entries of a shape look at, only one entry of that shape can overlap it,
    /// and it is known which. Only where it leaves some of them open, all entries have to be looked at.
    mutating func overlap(of identity: FlowIdentity) -> FlowEntry? {
        if shapes == nil {
            shapes = [:]
            for entry in entries { count(entry.identity, +1) }
        }
        var isOpen = false
        for shape in (shapes?[identity.priority] ?? [:]).keys {
            guard let only = identity.match.restricted(to: shape) else {
                isOpen = true
                continue
            }
            if let entry = self[FlowIdentity(priority: identity.priority, match: only)] { return entry }
        }
        guard isOpen else { return nil }
        return entries.first { $0.priority == identity.priority && $0.normalizedMatch.overlaps(identity.match) }
    }

    private mutating func count(_ identity: FlowIdentity, _ change: Int) {
        guard shapes != nil else { return }
        let shape = identity.match.shape
        let sum = (shapes?[identity.priority]?[shape] ?? 0) + change
        shapes?[identity.priority, default: [:]][shape] = sum == 0 ? nil : sum
    }
}

extension Match {
    /// The bits that it looks at, of a normalized match.
    fileprivate var shape: Match { Match(fields.map { MatchField($0.field, 0, mask: $0.mask) }) }

    /// What this says of the bits that a shape looks at, normalized; nil if it leaves some of them open.
    fileprivate func restricted(to shape: Match) -> Match? {
        var restricted: [MatchField] = []
        restricted.reserveCapacity(shape.fields.count)
        for bits in shape.fields {
            guard let own = self[bits.field], own.significantMask & bits.significantMask == bits.significantMask else {
                return nil
            }
            restricted.append(MatchField(bits.field, own.value & bits.significantMask, mask: bits.mask))
        }
        return Match(restricted)
    }
}

extension SwitchModel {
    /// The entries of all tables.
    package var entries: some Sequence<FlowEntry> { tables.lazy.flatMap(\.entries) }
}
