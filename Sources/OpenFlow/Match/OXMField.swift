// The registry of match fields: the one place that knows what a field is called, how long it is, and what it requires.
// Codec, match checks, texts and the table-features reply all read it; a new field is one case and one row.

/// The match fields of class OFPXMC_OPENFLOW_BASIC (0x8000), numbered as on the wire (OpenFlow 1.3.5 §7.2.3.7 /
/// A.2.3.7).
package enum OXMField: UInt8, CaseIterable, Hashable, Sendable {
    case inPort = 0, inPhyPort, metadata, ethDst, ethSrc, ethType, vlanVID, vlanPCP, ipDSCP, ipECN, ipProto
    case ipv4Src, ipv4Dst, tcpSrc, tcpDst, udpSrc, udpDst, sctpSrc, sctpDst, icmpv4Type, icmpv4Code
    case arpOp, arpSPA, arpTPA, arpSHA, arpTHA
    case ipv6Src, ipv6Dst, ipv6FLabel, icmpv6Type, icmpv6Code, ipv6NDTarget, ipv6NDSLL, ipv6NDTLL
    case mplsLabel, mplsTC, mplsBOS, pbbISID, tunnelID, ipv6ExtHdr
}

/// What a match must say before it may have a field (OpenFlow 1.3.5 §7.2.3.6 / A.2.3.6).
package enum Prerequisite: Hashable, Sendable {
    /// Nothing.
    case none
    /// `in_port`.
    case inPort
    /// A `vlan_vid` that says that there is a tag.
    case vlanTag
    /// One of these `eth_type`s.
    case etherType(UInt16, or: UInt16? = nil)
    /// This `ip_proto`, which has itself an `eth_type` before it: if given, this one.
    case ipProto(UInt8, over: UInt16? = nil)
    /// One of these `icmpv6_type`s.
    case icmpv6Type(UInt8, or: UInt8? = nil)

    static let ip = Prerequisite.etherType(0x0800, or: 0x86dd)
    static let mpls = Prerequisite.etherType(0x8847, or: 0x8848)
}

extension OXMField {
    /// One row of the registry.
    private struct Row {
        var name: String
        var ovsName: String
        var bits: UInt8
        var byteCount: UInt8
        var isMaskable: Bool
        var isSettable: Bool
        var prerequisite: Prerequisite

        init(
            _ name: String,
            _ ovsName: String,
            bits: UInt8,
            bytes: UInt8? = nil,
            maskable: Bool = false,
            settable: Bool = true,
            requires prerequisite: Prerequisite = .none
        ) {
            self.name = name
            self.ovsName = ovsName
            self.bits = bits
            self.byteCount = bytes ?? (bits + 7) / 8
            self.isMaskable = maskable
            self.isSettable = settable
            self.prerequisite = prerequisite
        }
    }

    /// In the order of the cases, so that a field's number is its row. `bytes` only where the wire has more than the bits need.
    /// As Open vSwitch has it, ICMP's types and codes belong to one version of IP, and ports take masks: §7.2.3.7 has none for
    /// them, but ranges of ports are made of such.
    private static let rows: [Row] = [
        Row("in_port", "in_port", bits: 32, settable: false),
        Row("in_phy_port", "in_phy_port", bits: 32, settable: false, requires: .inPort),
        Row("metadata", "metadata", bits: 64, maskable: true, settable: false),
        Row("eth_dst", "dl_dst", bits: 48, maskable: true),
        Row("eth_src", "dl_src", bits: 48, maskable: true),
        Row("eth_type", "dl_type", bits: 16),
        Row("vlan_vid", "dl_vlan", bits: 13, maskable: true),
        Row("vlan_pcp", "dl_vlan_pcp", bits: 3, requires: .vlanTag),
        Row("ip_dscp", "nw_tos", bits: 6, requires: .ip),
        Row("ip_ecn", "nw_ecn", bits: 2, requires: .ip),
        Row("ip_proto", "nw_proto", bits: 8, requires: .ip),
        Row("ipv4_src", "nw_src", bits: 32, maskable: true, requires: .etherType(0x0800)),
        Row("ipv4_dst", "nw_dst", bits: 32, maskable: true, requires: .etherType(0x0800)),
        Row("tcp_src", "tp_src", bits: 16, maskable: true, requires: .ipProto(6)),
        Row("tcp_dst", "tp_dst", bits: 16, maskable: true, requires: .ipProto(6)),
        Row("udp_src", "tp_src", bits: 16, maskable: true, requires: .ipProto(17)),
        Row("udp_dst", "tp_dst", bits: 16, maskable: true, requires: .ipProto(17)),
        Row("sctp_src", "tp_src", bits: 16, maskable: true, requires: .ipProto(132)),
        Row("sctp_dst", "tp_dst", bits: 16, maskable: true, requires: .ipProto(132)),
        Row("icmpv4_type", "icmp_type", bits: 8, requires: .ipProto(1, over: 0x0800)),
        Row("icmpv4_code", "icmp_code", bits: 8, requires: .ipProto(1, over: 0x0800)),
        Row("arp_op", "arp_op", bits: 16, requires: .etherType(0x0806)),
        Row("arp_spa", "arp_spa", bits: 32, maskable: true, requires: .etherType(0x0806)),
        Row("arp_tpa", "arp_tpa", bits: 32, maskable: true, requires: .etherType(0x0806)),
        Row("arp_sha", "arp_sha", bits: 48, maskable: true, requires: .etherType(0x0806)),
        Row("arp_tha", "arp_tha", bits: 48, maskable: true, requires: .etherType(0x0806)),
        Row("ipv6_src", "ipv6_src", bits: 128, maskable: true, requires: .etherType(0x86dd)),
        Row("ipv6_dst", "ipv6_dst", bits: 128, maskable: true, requires: .etherType(0x86dd)),
        Row("ipv6_flabel", "ipv6_label", bits: 20, bytes: 4, maskable: true, requires: .etherType(0x86dd)),
        Row("icmpv6_type", "icmp_type", bits: 8, requires: .ipProto(58, over: 0x86dd)),
        Row("icmpv6_code", "icmp_code", bits: 8, requires: .ipProto(58, over: 0x86dd)),
        Row("ipv6_nd_target", "nd_target", bits: 128, requires: .icmpv6Type(135, or: 136)),
        Row("ipv6_nd_sll", "nd_sll", bits: 48, requires: .icmpv6Type(135)),
        Row("ipv6_nd_tll", "nd_tll", bits: 48, requires: .icmpv6Type(136)),
        Row("mpls_label", "mpls_label", bits: 20, bytes: 4, requires: .mpls),
        Row("mpls_tc", "mpls_tc", bits: 3, requires: .mpls),
        Row("mpls_bos", "mpls_bos", bits: 1, requires: .mpls),
        Row("pbb_isid", "pbb_isid", bits: 24, maskable: true, requires: .etherType(0x88e7)),
        Row("tunnel_id", "tun_id", bits: 64, maskable: true),
        Row("ipv6_exthdr", "ipv6_exthdr", bits: 9, maskable: true, settable: false, requires: .etherType(0x86dd)),
    ]

    private var row: Row { Self.rows[Int(rawValue)] }

    /// The specification's name in lower case: `ipv4_src`.
    package var name: String { row.name }

    /// The name that `ovs-ofctl` prints in a match: `nw_src`.
    package var ovsName: String { row.ovsName }

    /// How many bits the field has.
    package var bits: Int { Int(row.bits) }

    /// How many bytes the field's value takes on the wire, without a mask.
    package var byteCount: Int { Int(row.byteCount) }

    /// Whether a match may give a mask for the field.
    package var isMaskable: Bool { row.isMaskable }

    /// Whether a set-field action may set the field. Fields that describe the packet's way or shape, not a header's
    /// bits, can't be set; `metadata` has an instruction of its own.
    package var isSettable: Bool { row.isSettable }

    /// What a match must say before it may have the field.
    package var prerequisite: Prerequisite { row.prerequisite }

    /// A one for each bit of the field.
    package var allOnes: UInt128 { UInt128.max >> UInt128(128 - bits) }
}
