// Reads a packet as `ovs-ofctl` and `ovs-appctl ofproto/trace` write flows: in_port=1,tcp,nw_dst=10.0.0.2,tp_dst=80.
// AddressSyntax reads the addresses in it.

import OpenFlow

/// What is wrong with a packet's description.
package struct FlowSyntaxError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The word it is about, as it was written.
    package var word: String
    /// What is wrong with it.
    package var reason: String

    package var description: String { "\(word): \(reason)" }
}

/// Words between commas or spaces: `name=value` by Open vSwitch's or OpenFlow's name of the field, or a protocol's
/// name.
///
/// Names that mean different fields in different protocols (`tp_dst`, `icmp_type`, `nw_src` in ARP) are understood by
/// what the other words say, before or behind. What a field requires is added, so that `tcp_dst=80` alone is a TCP
/// packet.
package enum FlowSyntax {
    /// The packet that `text` describes. Each value is exact: a packet has no masks.
    package static func packet(_ text: String) throws(FlowSyntaxError) -> PacketDescription {
        let words = text.split { $0 == "," || $0 == " " }.map(String.init)
        var reader = PacketReader()
        for word in words { try reader.readProtocol(word) }
        for word in words where !PacketReader.isAmbiguous(word) { try reader.read(word) }
        for word in words where PacketReader.isAmbiguous(word) { try reader.read(word) }
        try reader.fulfilPrerequisites()
        return reader.packet
    }

    /// What a protocol's name stands for: its Ethernet type and IP protocol.
    fileprivate static let protocols: [String: (ethType: UInt128, ipProto: UInt128?)] = [
        "ip": (0x0800, nil), "ipv6": (0x86dd, nil), "arp": (0x0806, nil), "icmp": (0x0800, 1), "icmp6": (0x86dd, 58),
        "tcp": (0x0800, 6), "tcp6": (0x86dd, 6), "udp": (0x0800, 17), "udp6": (0x86dd, 17), "sctp": (0x0800, 132),
        "sctp6": (0x86dd, 132), "rarp": (0x8035, nil), "mpls": (0x8847, nil), "mplsm": (0x8848, nil),
        "pbb": (0x88e7, nil),
    ]
}

/// Gathers the words of one description.
private struct PacketReader {
    var packet = PacketDescription()
    /// Which word gave a field its value.
    var sources: [(field: OXMField, word: String)] = []

    /// The names whose field depends on the packet's protocol, with the fields in question.
    static let ambiguousNames: [String: [OXMField]] = [
        "tp_src": [.tcpSrc, .udpSrc, .sctpSrc], "tp_dst": [.tcpDst, .udpDst, .sctpDst],
        "icmp_type": [.icmpv4Type, .icmpv6Type], "icmp_code": [.icmpv4Code, .icmpv6Code],
        "nw_src": [.ipv4Src, .arpSPA], "nw_dst": [.ipv4Dst, .arpTPA], "nw_proto": [.ipProto, .arpOp],
    ]

    static let fieldsByName: [String: OXMField] = {
        let ovsNames = OXMField.allCases.filter { ambiguousNames[$0.ovsName] == nil }.map { ($0.ovsName, $0) }
        let names = OXMField.allCases.map { ($0.name, $0) }
        return Dictionary(ovsNames + names) { $1 }
    }()

    static func isAmbiguous(_ word: String) -> Bool { ambiguousNames[split(word).name] != nil }

    private static func split(_ word: String) -> (name: String, value: String?) {
        let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        return (parts[0].lowercased(), parts.count == 2 ? String(parts[1]) : nil)
    }

    mutating func readProtocol(_ word: String) throws(FlowSyntaxError) {
        guard let meaning = FlowSyntax.protocols[word.lowercased()] else { return }
        try set(.ethType, meaning.ethType, by: word)
        if let number = meaning.ipProto { try set(.ipProto, number, by: word) }
    }

    mutating func read(_ word: String) throws(FlowSyntaxError) {
        let (name, text) = Self.split(word)
        guard let text else {
            if FlowSyntax.protocols[name] == nil {
                throw FlowSyntaxError(word: word, reason: "neither a protocol nor name=value")
            }
            return
        }
        guard !text.contains("/") else { throw FlowSyntaxError(word: word, reason: "a packet's value has no mask") }
        if name == "nw_ttl" || name == "mpls_ttl" {
            packet.ttl = UInt8(try number(text, upTo: 255, word))
            return
        }
        let field = try field(name, word)
        var value = try value(of: field, text, word)
        switch name {
        case "nw_tos":
            guard value & 3 == 0 else {
                throw FlowSyntaxError(word: word, reason: "not a multiple of 4; nw_ecn has those bits")
            }
            value >>= 2
        case "dl_vlan": value = value == 0xffff ? 0 : value | MatchField.vlanPresent
        case "vlan_vid" where value != 0: value |= MatchField.vlanPresent
        default: break
        }
        guard value <= field.allOnes else { throw FlowSyntaxError(word: word, reason: "\(field.bits) bits at most") }
        switch field {
        case .inPort: packet.inPort = PortNumber(rawValue: UInt32(value))
        case .tunnelID:
            guard value == 0 else { throw FlowSyntaxError(word: word, reason: "what comes in by a port has tunnel 0") }
        case .ipv6ExtHdr where value & 0x183 != 0:
            throw FlowSyntaxError(word: word, reason: "only DEST, AUTH, FRAG, ROUTER and HOP can be built")
        case _ where PacketDescription.buildable.contains(field): try set(field, value, by: word)
        default: throw FlowSyntaxError(word: word, reason: "no packet can be made with this field")
        }
    }

    private func field(_ name: String, _ word: String) throws(FlowSyntaxError) -> OXMField {
        if let field = Self.fieldsByName[name] { return field }
        guard let candidates = Self.ambiguousNames[name] else {
            throw FlowSyntaxError(word: word, reason: "no such field")
        }
        for field in candidates {
            // The field whose prerequisites are said already, not one that could be added.
            var probe = packet
            if probe.fulfil(field.prerequisite), probe == packet { return field }
        }
        if name.hasPrefix("tp_") {
            throw FlowSyntaxError(word: word, reason: "of which protocol? say tcp, udp or sctp")
        }
        return candidates[0]
    }

    private func value(of field: OXMField, _ text: String, _ word: String) throws(FlowSyntaxError) -> UInt128 {
        let value: UInt128?
        let kind: String
        switch field {
        case .ethDst, .ethSrc, .arpSHA, .arpTHA, .ipv6NDSLL, .ipv6NDTLL:
            (value, kind) = (AddressSyntax.ethernet(text), "an Ethernet address")
        case .ipv4Src, .ipv4Dst, .arpSPA, .arpTPA: (value, kind) = (AddressSyntax.ipv4(text), "an IPv4 address")
        case .ipv6Src, .ipv6Dst, .ipv6NDTarget: (value, kind) = (AddressSyntax.ipv6(text), "an IPv6 address")
        case .inPort: (value, kind) = (AddressSyntax.port(text), "a port")
        default: return try number(text, upTo: .max, word)
        }
        guard let value else { throw FlowSyntaxError(word: word, reason: "not \(kind)") }
        return value
    }

    private func number(_ text: String, upTo limit: UInt128, _ word: String) throws(FlowSyntaxError) -> UInt128 {
        guard let number = AddressSyntax.number(text) else { throw FlowSyntaxError(word: word, reason: "not a number") }
        guard number <= limit else { throw FlowSyntaxError(word: word, reason: "\(limit) at most") }
        return number
    }

    private mutating func set(_ field: OXMField, _ value: UInt128, by word: String) throws(FlowSyntaxError) {
        if let old = packet.fields[field], old != value {
            let before = sources.first { $0.field == field }?.word ?? field.name
            throw FlowSyntaxError(word: word, reason: "\(before) says otherwise")
        }
        packet.fields[field] = value
        sources.append((field, word))
    }

    /// Adds what the fields require; first for those that leave no choice.
    mutating func fulfilPrerequisites() throws(FlowSyntaxError) {
        func leavesNoChoice(_ field: OXMField) -> Bool {
            switch field.prerequisite {
            case .etherType(_, let second): second == nil
            case .ipProto(_, let version): version != nil
            case .icmpv6Type(_, let second): second == nil
            default: true
            }
        }
        let (free, bound) = (sources.filter { !leavesNoChoice($0.field) }, sources.filter { leavesNoChoice($0.field) })
        for (field, word) in bound + free where !packet.fulfil(field.prerequisite) {
            throw FlowSyntaxError(word: word, reason: "the packet is described as one without \(field.name)")
        }
    }
}
