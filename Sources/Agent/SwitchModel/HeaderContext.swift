// What is certain about a packet at some point of an action list: what the match says, and what the actions before have
// changed. The validation of actions asks it whether a header is there to be changed.

import OpenFlow

/// Fields with known values.
struct HeaderContext {
    /// None twice. They are few: a list is searched faster than a dictionary is made.
    private var fields: [(field: OXMField, value: UInt128)] = []
    /// What `fields` are still to be made of: most flow entries only output, and nothing is asked about their packets.
    private var match: Match?

    /// What every packet that fits the match has.
    init(_ match: Match) { self.match = match }

    private mutating func takeMatch() {
        guard let match else { return }
        self.match = nil
        fields = match.fields.compactMap(Self.certain)
    }

    private static func certain(_ entry: MatchField) -> (field: OXMField, value: UInt128)? {
        if entry.significantMask == entry.field.allOnes { return (entry.field, entry.value) }
        guard entry.field == .vlanVID, entry.significantMask & MatchField.vlanPresent != 0 else { return nil }
        return (.vlanVID, entry.value & MatchField.vlanPresent)
    }

    /// What one packet has.
    init(_ packet: PacketFields) { fields = packet.values.map { ($0.key, $0.value) } }

    private func known(_ field: OXMField) -> UInt128? {
        if let match { return match[field].flatMap(Self.certain)?.value }
        return fields.first { $0.field == field }?.value
    }

    private mutating func know(_ field: OXMField, _ value: UInt128?) {
        takeMatch()
        fields.removeAll { $0.field == field }
        if let value { fields.append((field, value)) }
    }

    /// Whether there is certainly a VLAN tag.
    var isTagged: Bool { (known(.vlanVID) ?? 0) & MatchField.vlanPresent != 0 }

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
        case .inPort: known(.inPort) != nil
        case .vlanTag: isTagged
        case .etherType(let first, let second): has(.ethType, first) || second.map { has(.ethType, $0) } ?? false
        case .ipProto(let number, let version):
            has(.ipProto, UInt16(number)) && version.map { has(.ethType, $0) } ?? true
        case .icmpv6Type(let first, let second):
            has(.icmpv6Type, UInt16(first)) || second.map { has(.icmpv6Type, UInt16($0)) } ?? false
        }
    }

    private func has(_ field: OXMField, _ value: UInt16) -> Bool { known(field) == UInt128(value) }

    /// A tag has been pushed.
    mutating func pushTag() { know(.vlanVID, MatchField.vlanPresent) }

    /// A tag has been popped: another one may have been below it.
    mutating func popTag() {
        know(.vlanVID, nil)
        know(.vlanPCP, nil)
    }

    /// Ethernet type and what is behind have become another: an MPLS shim has been pushed or popped.
    mutating func setEthType(_ type: UInt16) { set(.ethType, UInt128(type)) }

    /// A PBB header has been pushed: there is no backbone tag yet.
    mutating func pushPBB() {
        popTag()
        setEthType(0x88e7)
        know(.vlanVID, 0)
    }

    /// A PBB header has been popped: nothing is known of the frame within.
    mutating func popPBB() {
        takeMatch()
        fields.removeAll { ![.inPort, .inPhyPort, .metadata, .tunnelID].contains($0.field) }
    }

    /// A field has been set. After a change of eth_type or ip_proto nothing is known of the headers behind.
    mutating func set(_ field: OXMField, _ value: UInt128) {
        takeMatch()
        if field == .ethType || field == .ipProto {
            fields.removeAll { $0.field.rawValue >= field.rawValue && $0.field.prerequisite != .none }
        }
        know(field, value)
    }
}
