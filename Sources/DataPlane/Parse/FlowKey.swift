// What a packet is looked up by: sixteen 64-bit words, two cache lines. The words hold network byte order, so the parser
// copies bytes and never swaps; conversion happens at the edge, in `KeyField`, when rules are compiled.
//
// Fields whose prerequisites exclude each other share bits: the ports of TCP, UDP and SCTP, the types and codes of ICMP; the
// addresses of IPv4 and ARP, an MPLS shim, PBB's tag, the flow label and the extension headers of IPv6; hardware addresses of
// ARP and of neighbour discovery. A field that a packet does not have reads as zero, if the packet has what the field
// requires; else its bits may be anything, because what is required is compared too.

/// The header fields, registers and ports of one packet; also the value or the mask of one rule.
package struct FlowKey {
    package static let wordCount = 16

    package var words: InlineArray<16, UInt64>

    package init() { words = InlineArray(repeating: 0) }

    /// The field's value as a right-aligned integer in host byte order.
    package subscript(field: KeyField) -> UInt64 {
        get { (UInt64(bigEndian: words[field.word]) >> UInt64(field.shift)) & field.allOnes }
        set {
            var word = UInt64(bigEndian: words[field.word])
            word &= ~(field.allOnes << UInt64(field.shift))
            word |= (newValue & field.allOnes) << UInt64(field.shift)
            words[field.word] = word.bigEndian
        }
    }
}

/// Where a field of at most 64 bits lies in a `FlowKey`: the word, and the bits counted from that word's big-endian low end.
package struct KeyField: Hashable, Sendable {
    package let word: Int
    package let shift: Int
    package let bits: Int

    package var allOnes: UInt64 { bits == 64 ? .max : (1 << UInt64(bits)) - 1 }

    package static let inPort = KeyField(word: FlowKey.Word.port, shift: 32, bits: 32)
    package static let ethType = KeyField(word: FlowKey.Word.port, shift: 16, bits: 16)
    /// Priority (3 bits), the present bit where the tag has its DEI, and the VLAN id (12): 0 for an untagged packet.
    package static let vlanTCI = KeyField(word: FlowKey.Word.port, shift: 0, bits: 16)
    package static let vlanPCP = KeyField(word: FlowKey.Word.port, shift: 13, bits: 3)
    /// With OFPVID_PRESENT (0x1000) as its highest bit, as in OpenFlow.
    package static let vlanVID = KeyField(word: FlowKey.Word.port, shift: 0, bits: 13)
    package static let ethDst = KeyField(word: FlowKey.Word.ethDst, shift: 16, bits: 48)
    package static let ethSrc = KeyField(word: FlowKey.Word.ethSrc, shift: 16, bits: 48)
    /// IPv4 source address, or ARP sender protocol address.
    package static let ipv4Src = KeyField(word: FlowKey.Word.ipv4, shift: 32, bits: 32)
    /// IPv4 destination address, or ARP target protocol address.
    package static let ipv4Dst = KeyField(word: FlowKey.Word.ipv4, shift: 0, bits: 32)
    /// TCP, UDP or SCTP source port; ICMP type.
    package static let l4Src = KeyField(word: FlowKey.Word.l4, shift: 48, bits: 16)
    /// TCP, UDP or SCTP destination port; ICMP code.
    package static let l4Dst = KeyField(word: FlowKey.Word.l4, shift: 32, bits: 16)
    package static let ipProto = KeyField(word: FlowKey.Word.l4, shift: 24, bits: 8)
    package static let ipDSCP = KeyField(word: FlowKey.Word.l4, shift: 18, bits: 6)
    package static let ipECN = KeyField(word: FlowKey.Word.l4, shift: 16, bits: 2)
    package static let arpOp = KeyField(word: FlowKey.Word.l4, shift: 0, bits: 16)
    package static let metadata = KeyField(word: FlowKey.Word.metadata, shift: 0, bits: 64)
    package static let ipv6SrcHigh = KeyField(word: FlowKey.Word.ipv6Src, shift: 0, bits: 64)
    package static let ipv6SrcLow = KeyField(word: FlowKey.Word.ipv6Src + 1, shift: 0, bits: 64)
    package static let ipv6DstHigh = KeyField(word: FlowKey.Word.ipv6Dst, shift: 0, bits: 64)
    package static let ipv6DstLow = KeyField(word: FlowKey.Word.ipv6Dst + 1, shift: 0, bits: 64)
    package static let ipv6FLabel = KeyField(word: FlowKey.Word.ipv4, shift: 32, bits: 20)
    package static let ipv6ExtHdr = KeyField(word: FlowKey.Word.ipv4, shift: 0, bits: 9)
    /// The outermost MPLS shim lies in the key as in the packet.
    package static let mplsLabel = KeyField(word: FlowKey.Word.ipv4, shift: 44, bits: 20)
    package static let mplsTC = KeyField(word: FlowKey.Word.ipv4, shift: 41, bits: 3)
    package static let mplsBOS = KeyField(word: FlowKey.Word.ipv4, shift: 40, bits: 1)
    package static let pbbISID = KeyField(word: FlowKey.Word.ipv4, shift: 32, bits: 24)
    package static let ndTargetHigh = KeyField(word: FlowKey.Word.ndTarget, shift: 0, bits: 64)
    package static let ndTargetLow = KeyField(word: FlowKey.Word.ndTarget + 1, shift: 0, bits: 64)
    /// Source (in a solicitation) or target (in an advertisement) link-layer address of neighbour discovery.
    package static let ndLinkLayer = KeyField(word: FlowKey.Word.arpSHA, shift: 16, bits: 48)
    package static let tunnelID = KeyField(word: FlowKey.Word.tunnel, shift: 0, bits: 64)
    /// A bit that no packet has set: for rules that cannot match.
    package static let never = KeyField(word: FlowKey.Word.ethDst, shift: 0, bits: 1)
    package static let arpSHA = KeyField(word: FlowKey.Word.arpSHA, shift: 16, bits: 48)
    package static let arpTHA = KeyField(word: FlowKey.Word.arpTHA, shift: 16, bits: 48)
}

extension FlowKey {
    /// Which word holds what. Words that rules often look at together are neighbours (see `KeyWindow`). Word 0 is free.
    package enum Word {
        package static let ethSrc = 1
        package static let ethDst = 2
        package static let port = 3
        package static let ipv4 = 4
        package static let l4 = 5
        package static let metadata = 6
        package static let tunnel = 7
        package static let ipv6Src = 8
        package static let ipv6Dst = 10
        package static let arpSHA = 12
        package static let arpTHA = 13
        package static let ndTarget = 14
    }
}

/// How far into a packet the compiled tables look; each level includes the ones before.
package enum ParseDepth: UInt64, CaseIterable, Comparable, Sendable {
    /// Only the ingress port and the metadata: one key serves a whole burst.
    case port = 0
    /// Ethernet addresses, VLAN tag and Ethernet type.
    case ethernet = 1
    /// What most rules look at: IPv4 addresses, the protocol, the transport header, the fields that fit into their words.
    case transport = 2
    /// Everything: the addresses of IPv6, the hardware addresses of ARP.
    case full = 3

    package static func < (a: ParseDepth, b: ParseDepth) -> Bool { a.rawValue < b.rawValue }
}
