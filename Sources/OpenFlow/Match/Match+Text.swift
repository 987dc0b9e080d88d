// A match as `ovs-ofctl` writes it: `tcp,in_port=1,dl_vlan=5,nw_dst=10.0.0.0/8,tp_dst=80`, in the order in which it
// does.

extension Match: CustomStringConvertible {
    /// The match in the syntax of `ovs-ofctl`; empty for the match that every packet fits. Fields whose mask is zero
    /// are left out.
    package var description: String { terms.joined(separator: ",") }

    /// The match with its priority before it, left out if it is the default; empty if nothing is left.
    func described(withPriority priority: UInt16) -> String {
        let first = priority == FlowMod.defaultPriority ? [] : ["priority=\(priority)"]
        return (first + terms).joined(separator: ",")
    }

    private var terms: [String] {
        let (protocolName, implied) = protocolName
        var terms: [String] = []
        if let protocolName { terms.append(protocolName) }
        for field in Self.printOrder {
            if field == .vlanVID {
                terms += vlanTerms
            } else if let entry = self[field], entry.significantMask != 0, !implied.contains(field) {
                terms.append(entry.description)
            }
        }
        return terms
    }

    /// The order of Open vSwitch. `vlanVID` stands for both fields of the tag; `ethType` and `ipProto` are often part
    /// of the protocol's name.
    private static let printOrder: [OXMField] = [
        .tunnelID, .metadata, .inPort, .inPhyPort, .vlanVID, .ethSrc, .ethDst, .ethType, .pbbISID,
        .ipv6Src, .ipv6Dst, .ipv6FLabel, .ipv6ExtHdr, .ipv4Src, .ipv4Dst, .arpSPA, .arpTPA,
        .ipProto, .arpOp, .arpSHA, .arpTHA, .ipDSCP, .ipECN, .mplsLabel, .mplsTC, .mplsBOS,
        .tcpSrc, .tcpDst, .udpSrc, .udpDst, .sctpSrc, .sctpDst,
        .icmpv4Type, .icmpv4Code, .icmpv6Type, .icmpv6Code, .ipv6NDTarget, .ipv6NDSLL, .ipv6NDTLL,
    ]

    /// A word for the Ethernet type and, if there is one, the IP protocol; and the fields that need not be written
    /// then.
    private var protocolName: (name: String?, implied: [OXMField]) {
        guard let etherType = self[.ethType]?.value else { return (nil, []) }
        let ipProto = self[.ipProto]?.value
        switch (etherType, ipProto) {
        case (0x0800, 1): return ("icmp", [.ethType, .ipProto])
        case (0x0800, 6): return ("tcp", [.ethType, .ipProto])
        case (0x0800, 17): return ("udp", [.ethType, .ipProto])
        case (0x0800, 132): return ("sctp", [.ethType, .ipProto])
        case (0x0800, _): return ("ip", [.ethType])
        case (0x86dd, 58): return ("icmp6", [.ethType, .ipProto])
        case (0x86dd, 6): return ("tcp6", [.ethType, .ipProto])
        case (0x86dd, 17): return ("udp6", [.ethType, .ipProto])
        case (0x86dd, 132): return ("sctp6", [.ethType, .ipProto])
        case (0x86dd, _): return ("ipv6", [.ethType])
        case (0x0806, _): return ("arp", [.ethType])
        case (0x8035, _): return ("rarp", [.ethType])
        case (0x8847, _): return ("mpls", [.ethType])
        case (0x8848, _): return ("mplsm", [.ethType])
        default: return (nil, [])
        }
    }

    /// The tag's fields: `dl_vlan` and `dl_vlan_pcp` where those can say it, else `vlan_tci` with a mask.
    private var vlanTerms: [String] {
        let vid = self[.vlanVID]
        let pcp = self[.vlanPCP]
        let present = MatchField.vlanPresent
        let vidMask = (vid?.significantMask ?? 0) & ~present
        let value = (vid?.value ?? 0) | (pcp?.value ?? 0) << 13
        let mask = (vid?.significantMask ?? 0) | (pcp?.significantMask ?? 0) << 13
        guard mask != 0 else { return [] }
        if mask & value & present != 0, vidMask == 0 || vidMask == 0xfff, vidMask != 0 || pcp != nil {
            return (vidMask != 0 ? ["dl_vlan=\(value & 0xfff)"] : []) + (pcp.map { ["dl_vlan_pcp=\($0.value)"] } ?? [])
        }
        return ["vlan_tci=\(Text.hex(value, digits: 4))/\(Text.hex(mask, digits: 4))"]
    }
}

extension MatchField: CustomStringConvertible {
    /// The field in the syntax of `ovs-ofctl`: `nw_dst=10.0.0.0/8`.
    package var description: String {
        // The tag's number has no name of its own there that takes every value and mask.
        let name = field == .vlanVID ? field.name : field.ovsName
        // nw_tos is the whole byte, of which the field is the upper six bits.
        let text = field == .ipDSCP ? String(value << 2) : Self.text(value, of: field)
        guard let mask, mask != field.allOnes else { return "\(name)=\(text)" }
        switch field {
        case .tcpSrc, .tcpDst, .udpSrc, .udpDst, .sctpSrc, .sctpDst:
            return "\(name)=\(Text.hex(value))/\(Text.hex(mask))"
        default: break
        }
        return "\(name)=\(text)/\(Self.text(mask: mask, of: field))"
    }

    /// A value the way Open vSwitch writes it for that field, in matches and in set-field actions.
    static func text(_ value: UInt128, of field: OXMField) -> String {
        switch field {
        case .inPort, .inPhyPort: PortNumber(rawValue: UInt32(truncatingIfNeeded: value)).description
        case .ethDst, .ethSrc, .arpSHA, .arpTHA, .ipv6NDSLL, .ipv6NDTLL:
            Text.ethernetAddress(UInt64(truncatingIfNeeded: value))
        case .ipv4Src, .ipv4Dst, .arpSPA, .arpTPA: Text.ipv4Address(UInt32(truncatingIfNeeded: value))
        case .ipv6Src, .ipv6Dst, .ipv6NDTarget: Text.ipv6Address(value)
        case .ethType: Text.hex(value, digits: 4)
        case .ipv6FLabel: Text.hex(value, digits: 5)
        case .metadata, .tunnelID, .pbbISID, .ipv6ExtHdr: Text.hex(value)
        default: String(value)
        }
    }

    /// A mask as the length of a prefix, where it is one and the field is an address that has prefixes, else like a
    /// value.
    private static func text(mask: UInt128, of field: OXMField) -> String {
        switch field {
        case .ipv4Src, .ipv4Dst, .arpSPA, .arpTPA, .ipv6Src, .ipv6Dst:
            let length = mask.nonzeroBitCount
            let prefix = field.allOnes & ~(field.allOnes >> UInt128(length))
            return mask == prefix ? String(length) : text(mask, of: field)
        case .vlanVID: return Text.hex(mask)
        default: return text(mask, of: field)
        }
    }
}
