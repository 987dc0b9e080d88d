// What is certain about a packet at some point of an action list: what the match says, and what the actions before have
// changed. The validation of actions asks it whether a header is there to be changed.

import OpenFlow

/// Fields with known values.
struct HeaderContext {
    private var known: [OXMField: UInt128] = [:]

    /// What every packet that fits the match has.
    init(_ match: Match) {
        for entry in match.fields {
            if entry.significantMask == entry.field.allOnes {
                known[entry.field] = entry.value
            } else if entry.field == .vlanVID, entry.significantMask & MatchField.vlanPresent != 0 {
                known[.vlanVID] = entry.value & MatchField.vlanPresent
            }
        }
    }

    /// What one packet has.
    init(_ fields: PacketFields) { known = fields.values }

    /// Whether there is certainly a VLAN tag.
    var isTagged: Bool { (known[.vlanVID] ?? 0) & MatchField.vlanPresent != 0 }

    /// Whether the packet is certainly IPv4 or IPv6.
    var isIP: Bool { meets(.etherType(0x0800, or: 0x86dd)) }

    /// Whether the packet certainly has an MPLS shim.
    var isMPLS: Bool { meets(.etherType(0x8847, or: 0x8848)) }

    /// Whether the packet certainly has a PBB header.
    var isPBB: Bool { meets(.etherType(0x88e7)) }

    /// Whether a field's prerequisite holds (OpenFlow 1.3.5 §7.2.3.6 / A.2.3.6).
    func meets(_ prerequisite: Prerequisite) -> Bool {
        switch prerequisite {
        case .none: true
        case .inPort: known[.inPort] != nil
        case .vlanTag: isTagged
        case .etherType(let first, let second): has(.ethType, first) || second.map { has(.ethType, $0) } ?? false
        case .ipProto(let number, let version):
            has(.ipProto, UInt16(number)) && version.map { has(.ethType, $0) } ?? true
        case .icmpv6Type(let first, let second):
            has(.icmpv6Type, UInt16(first)) || second.map { has(.icmpv6Type, UInt16($0)) } ?? false
        }
    }

    private func has(_ field: OXMField, _ value: UInt16) -> Bool { known[field] == UInt128(value) }

    /// A tag has been pushed.
    mutating func pushTag() { known[.vlanVID] = MatchField.vlanPresent }

    /// A tag has been popped: another one may have been below it.
    mutating func popTag() { (known[.vlanVID], known[.vlanPCP]) = (nil, nil) }

    /// Ethernet type and what is behind have become another: an MPLS shim has been pushed or popped.
    mutating func setEthType(_ type: UInt16) { set(.ethType, UInt128(type)) }

    /// A PBB header has been pushed: there is no backbone tag yet.
    mutating func pushPBB() {
        popTag()
        setEthType(0x88e7)
        known[.vlanVID] = 0
    }

    /// A PBB header has been popped: nothing is known of the frame within.
    mutating func popPBB() { known = known.filter { [.inPort, .inPhyPort, .metadata, .tunnelID].contains($0.key) } }

    /// A field has been set. After a change of eth_type or ip_proto nothing is known of the headers behind.
    mutating func set(_ field: OXMField, _ value: UInt128) {
        if field == .ethType || field == .ipProto {
            known = known.filter { $0.key.rawValue < field.rawValue || $0.key.prerequisite == .none }
        }
        known[field] = value
    }
}
