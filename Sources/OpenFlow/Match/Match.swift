// A match: the fields that a packet must have, and what two matches have to do with each other.
// Bytes are in Match+Wire.swift, text in Match+Text.swift, the specification's conditions in Match+Prerequisites.swift.

/// What packets a flow entry is for: a list of fields, all of which must fit. No field: every packet.
package struct Match: Hashable, Sendable {
    /// In the order in which the controller sent them, none of them twice.
    package var fields: [MatchField]

    package init(_ fields: [MatchField] = []) { self.fields = fields }

    /// The match that every packet fits.
    package static let any = Match()

    /// What the match says about one field; nil: nothing.
    package subscript(_ field: OXMField) -> MatchField? {
        for entry in fields where entry.field == field {
            return entry
        }
        return nil
    }

    /// The one way to write this match: fields in the registry's order, a mask of all ones left out, a field of which
    /// no bit matters left out altogether, bits outside of the mask zero. Two matches that say the same are equal
    /// when normalized.
    package var normalized: Match {
        // Most come that way, and then they share their memory.
        guard !isNormalized else { return self }
        var result: [MatchField] = []
        result.reserveCapacity(fields.count)
        for entry in fields {
            let mask = entry.significantMask & entry.field.allOnes
            guard mask != 0 else { continue }
            result.append(
                MatchField(entry.field, entry.value & mask, mask: mask == entry.field.allOnes ? nil : mask)
            )
        }
        result.sort { $0.field.rawValue < $1.field.rawValue }
        return Match(result)
    }

    private var isNormalized: Bool {
        var last = -1
        for entry in fields {
            let all = entry.field.allOnes
            guard Int(entry.field.rawValue) > last, entry.value & ~(entry.mask ?? all) == 0 else { return false }
            if let mask = entry.mask, mask == 0 || mask == all || mask & ~all != 0 { return false }
            last = Int(entry.field.rawValue)
        }
        return true
    }

    /// Whether every packet that fits `other` fits this match too: `other` says the same or more. This is the test of
    /// non-strict modify and delete, and of statistics requests (OpenFlow 1.3.5 §6.4).
    package func covers(_ other: Match) -> Bool {
        for entry in fields {
            let mask = entry.significantMask
            guard mask != 0 else { continue }
            guard let more = other[entry.field], more.significantMask & mask == mask,
                (more.value ^ entry.value) & mask == 0
            else { return false }
        }
        return true
    }

    /// Whether some packet can fit both matches: the test of OFPFF_CHECK_OVERLAP, between entries of one priority
    /// (OpenFlow 1.3.5 §6.4).
    package func overlaps(_ other: Match) -> Bool {
        for entry in fields {
            guard let also = other[entry.field] else { continue }
            if (entry.value ^ also.value) & entry.significantMask & also.significantMask != 0 { return false }
        }
        return true
    }
}
