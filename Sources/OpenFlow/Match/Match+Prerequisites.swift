// What the specification demands of a match beyond its syntax: fields in an order in which each one's prerequisites
// come first, and values that a packet can have. The switch model asks for it; the codec has checked lengths, masks
// and duplicates already.

extension Match {
    /// Checks each field's prerequisites, which must be in the match before the field (OpenFlow 1.3.5 §7.2.3.6 /
    /// A.2.3.6), and that its value is one that exists.
    ///
    /// Throws OFPBMC_BAD_PREREQ, or OFPBMC_BAD_VALUE for a `vlan_vid` with a number but without OFPVID_PRESENT.
    package func checkPrerequisites() throws(OpenFlowError) {
        for (index, entry) in fields.enumerated() {
            guard meets(entry.field.prerequisite, before: index) else {
                throw .badMatch(.badPrerequisite, "OXM \(entry.field.name): a field that it requires is missing")
            }
            if entry.field == .vlanVID, entry.mask == nil, entry.value & MatchField.vlanPresent == 0, entry.value != 0 {
                throw .badMatch(.badValue, "OXM vlan_vid: \(entry.value) without OFPVID_PRESENT")
            }
        }
    }

    /// Whether the fields before `end` give what is required.
    private func meets(_ prerequisite: Prerequisite, before end: Int) -> Bool {
        switch prerequisite {
        case .none:
            return true
        case .inPort:
            return entry(.inPort, before: end) != nil
        case .vlanTag:
            guard let tag = entry(.vlanVID, before: end) else { return false }
            return tag.value & tag.significantMask & MatchField.vlanPresent != 0
        case .etherType(let first, let second):
            return isExactly(.ethType, first, second, before: end)
        case .ipProto(let number, let version):
            guard isExactly(.ipProto, UInt16(number), nil, before: end) else { return false }
            return version.map { isExactly(.ethType, $0, nil, before: end) } ?? true
        case .icmpv6Type(let first, let second):
            return isExactly(.icmpv6Type, UInt16(first), second.map(UInt16.init), before: end)
        }
    }

    private func isExactly(_ field: OXMField, _ first: UInt16, _ second: UInt16?, before end: Int) -> Bool {
        guard let entry = entry(field, before: end), entry.significantMask == field.allOnes else { return false }
        return entry.value == first || second.map { entry.value == $0 } ?? false
    }

    private func entry(_ field: OXMField, before end: Int) -> MatchField? {
        for entry in fields[..<end] where entry.field == field {
            return entry
        }
        return nil
    }
}
