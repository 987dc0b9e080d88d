// One field of a match: the value form of an OXM TLV. Match.swift makes lists of them.

/// A field with its value and mask, as right-aligned integers in host order: 10.0.0.1 is 0x0a00_0001.
///
/// `vlan_vid` has 13 bits as on the wire: bit 12 (`vlanPresent`) says that there is a tag, 0 that there is none
/// (OpenFlow 1.3.5 §7.2.3.7 / A.2.3.7).
package struct MatchField: Hashable, Sendable {
    package var value: UInt128
    /// The bits that matter; nil: all of them, and no mask on the wire.
    package var mask: UInt128?
    // Last, where it takes no room of its own: a switch holds millions of these.
    package var field: OXMField

    package init(_ field: OXMField, _ value: UInt128, mask: UInt128? = nil) {
        self.field = field
        self.value = value
        self.mask = mask
    }

    /// In as few words as there are: matches are hashed for each flow-mod.
    package func hash(into hasher: inout Hasher) {
        func combine(_ value: UInt128, _ salt: UInt64) {
            let high = UInt64(truncatingIfNeeded: value >> 64)
            hasher.combine(UInt64(truncatingIfNeeded: value) ^ salt << 56)
            if high != 0 { hasher.combine(high) }
        }
        combine(value, UInt64(field.rawValue))
        if let mask { combine(mask, ~UInt64(field.rawValue)) }
    }

    /// OFPVID_PRESENT: the bit of `vlan_vid` that is set for every packet with a tag.
    package static let vlanPresent: UInt128 = 0x1000

    /// The bits that matter: the mask, or all bits of the field.
    package var significantMask: UInt128 { mask ?? field.allOnes }
}
