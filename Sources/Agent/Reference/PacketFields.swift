// Which match fields a packet has, read from its bytes: the oracle's parser, written for being seen to be right.
// PacketEdit changes what is found here; the data plane's parser follows the same rules from its own code.
//
// The rules. "There" means that all bytes of it lie within the frame; lengths inside headers are not looked at, unless
// said.
// - A frame of fewer than 14 bytes has no fields and does not enter the flow tables.
// - VLAN tags (0x8100 or 0x88a8, 4 bytes, then 2 bytes of type): all of them are skipped to find eth_type. vlan_vid and
//   vlan_pcp are those of the outermost tag; without a tag vlan_vid is 0 (OFPVID_NONE) and there is no vlan_pcp. A tag
//   that is cut off is no tag: its own type is eth_type then, and nothing follows.
// - eth_type is what stands there, also where it is an IEEE 802.3 length.
// - ARP (0x0806): all 28 bytes, hardware type 1, protocol type 0x0800, address lengths 6 and 4; else none of its
//   fields.
// - MPLS (0x8847, 0x8848): the fields are those of the outermost shim (4 bytes). Behind it nothing is matched: the
//   Ethernet type does not say what it is.
// - PBB (0x88e7): the 4 bytes of the I-TAG and the 14 of the customer's Ethernet header, behind which nothing is matched.
// - IPv4 (0x0800): version 4, a header length of 20 bytes or more, the whole header with its options; else none of its
//   fields.
// - IPv6 (0x86dd): version 6 and 40 bytes; else none of its fields. The extension headers hop-by-hop (0), routing (43),
//   destination options (60), fragment (44) and authentication (51) are skipped to find ip_proto. One that is not there
//   ends that: its own number is ip_proto, and no transport header follows. So does a fragment header with an offset
//   other than 0: ip_proto is its next header. ipv6_exthdr names the headers that are there: IPv6ExtensionHeaders.
// - A later fragment (fragment offset other than 0) has no transport fields; the first one has.
// - TCP (6, 20 bytes), UDP (17, 8 bytes), SCTP (132, 12 bytes), ICMP (1 over IPv4, 58 over IPv6, 8 bytes): the whole
//   fixed header; else none of its fields.
// - Neighbour solicitations and advertisements (ICMPv6 types 135 and 136, 24 bytes): the target, and of the options
//   behind it the first source (in a solicitation) or target (in an advertisement) link-layer address of 8 bytes. An
//   option of length 0 or one that is cut off ends the search.
// - Looked up in a flow table, a field that the packet does not have reads as 0. The prerequisites of a match leave
//   that to be seen in headers only that are cut off, malformed or in an earlier fragment.

import OpenFlow

/// Some bits of a frame: `bits` of them, `shift` bits above the low end of the big-endian number in `byteCount` bytes
/// at `offset`.
struct BitField: Equatable {
    var offset: Int
    var byteCount: Int
    var shift = 0
    var bits: Int

    /// The 16-bit words that it lies in, as checksums see them. Each header begins at an even offset.
    var words: Range<Int> { (offset & ~1)..<((offset + byteCount + 1) & ~1) }
}

/// The fields of one frame, and where they lie in it.
package struct PacketFields {
    /// What a match compares, in the form of `MatchField.value`. A field that is not there has no entry.
    package private(set) var values: [OXMField: UInt128] = [:]
    /// Where the fields lie that the frame's bytes hold.
    private(set) var places: [OXMField: BitField] = [:]
    /// The TTL of IPv4 or the hop limit of IPv6.
    private(set) var ttl: BitField?
    /// Offset of the checksum of the IPv4 header.
    private(set) var headerChecksum: Int?
    /// Offset and kind of the transport header's checksum, if it is the Internet's.
    private(set) var transportChecksum: (offset: Int, isUDP: Bool, coversAddresses: Bool)?
    /// Whether the IPv6 destination is the one that counts in that checksum: not if a routing header will replace it
    /// (RFC 8200 §8.1).
    private(set) var isFinalDestination = true
    /// All of an SCTP packet, which its checksum covers. Nil if the frame does not have all of it.
    private(set) var sctpPacket: Range<Int>?
    /// The TTL of the outermost MPLS shim.
    private(set) var mplsTTL: BitField?
    /// Where the customer's frame begins in one with a PBB header.
    private(set) var customerFrame: Int?
    /// Whether it is a part of an IP packet, the first one included.
    package private(set) var isFragment = false

    /// Nil for what is no Ethernet frame: fewer than 14 bytes.
    package init?(_ frame: [UInt8]) {
        guard frame.count >= 14 else { return nil }
        take(.ethDst, from: frame, at: 0)
        take(.ethSrc, from: frame, at: 6)
        var type = 12
        while Self.isTag(frame.bigEndian(at: type, 2)), type + 6 <= frame.count { type += 4 }
        values[.vlanVID] = 0
        if type > 12 {
            take(.vlanPCP, from: frame, BitField(offset: 14, byteCount: 2, shift: 13, bits: 3))
            take(.vlanVID, from: frame, BitField(offset: 14, byteCount: 2, bits: 12))
            values[.vlanVID]! |= MatchField.vlanPresent
        }
        take(.ethType, from: frame, at: type)
        switch values[.ethType] {
        case EtherType.arp: readARP(frame, at: type + 2)
        case EtherType.ipv4: readIPv4(frame, at: type + 2)
        case EtherType.ipv6: readIPv6(frame, at: type + 2)
        case EtherType.mpls, EtherType.mplsMulticast: readMPLS(frame, at: type + 2)
        case EtherType.pbb: readPBB(frame, at: type + 2)
        default: break
        }
    }

    private static func isTag(_ type: UInt128) -> Bool { type == EtherType.vlan || type == EtherType.serviceVLAN }

    private mutating func readARP(_ frame: [UInt8], at start: Int) {
        guard start + 28 <= frame.count, frame.bigEndian(at: start, 6) == 0x0001_0800_0604 else { return }
        take(.arpOp, from: frame, at: start + 6)
        take(.arpSHA, from: frame, at: start + 8)
        take(.arpSPA, from: frame, at: start + 14)
        take(.arpTHA, from: frame, at: start + 18)
        take(.arpTPA, from: frame, at: start + 24)
    }

    private mutating func readMPLS(_ frame: [UInt8], at start: Int) {
        guard start + 4 <= frame.count else { return }
        take(.mplsLabel, from: frame, BitField(offset: start, byteCount: 4, shift: 12, bits: 20))
        take(.mplsTC, from: frame, BitField(offset: start, byteCount: 4, shift: 9, bits: 3))
        take(.mplsBOS, from: frame, BitField(offset: start, byteCount: 4, shift: 8, bits: 1))
        mplsTTL = BitField(offset: start + 3, byteCount: 1, bits: 8)
    }

    private mutating func readPBB(_ frame: [UInt8], at start: Int) {
        guard start + 18 <= frame.count else { return }
        take(.pbbISID, from: frame, at: start + 1)
        customerFrame = start + 4
    }

    private mutating func readIPv4(_ frame: [UInt8], at start: Int) {
        guard start + 20 <= frame.count else { return }
        let headerLength = Int(frame[start] & 0xf) * 4
        guard frame[start] >> 4 == 4, headerLength >= 20, start + headerLength <= frame.count else { return }
        take(.ipDSCP, from: frame, BitField(offset: start + 1, byteCount: 1, shift: 2, bits: 6))
        take(.ipECN, from: frame, BitField(offset: start + 1, byteCount: 1, bits: 2))
        take(.ipProto, from: frame, at: start + 9)
        take(.ipv4Src, from: frame, at: start + 12)
        take(.ipv4Dst, from: frame, at: start + 16)
        ttl = BitField(offset: start + 8, byteCount: 1, bits: 8)
        headerChecksum = start + 10
        let fragment = frame.bigEndian(at: start + 6, 2)
        isFragment = fragment & 0x3fff != 0
        guard fragment & 0x1fff == 0 else { return }
        let end = start + Int(frame.bigEndian(at: start + 2, 2))
        readTransport(frame, at: start + headerLength, end: end, icmp: IPProtocol.icmp)
    }

    private mutating func readIPv6(_ frame: [UInt8], at start: Int) {
        guard start + 40 <= frame.count, frame[start] >> 4 == 6 else { return }
        take(.ipDSCP, from: frame, BitField(offset: start, byteCount: 2, shift: 6, bits: 6))
        take(.ipECN, from: frame, BitField(offset: start, byteCount: 2, shift: 4, bits: 2))
        take(.ipv6FLabel, from: frame, BitField(offset: start, byteCount: 4, bits: 20))
        take(.ipv6Src, from: frame, at: start + 8)
        take(.ipv6Dst, from: frame, at: start + 24)
        ttl = BitField(offset: start + 7, byteCount: 1, bits: 8)

        var next = start + 6  // where the number of the next header stands
        var header = start + 40
        var present = IPv6ExtensionHeaders()
        var isLaterFragment = false
        while !isLaterFragment, let length = Self.extensionLength(frame[next], frame, at: header) {
            present.note(frame[next])
            if frame[next] == IPProtocol.fragment {
                isFragment = true
                isLaterFragment = frame.bigEndian(at: header + 2, 2) & 0xfff8 != 0
            }
            if frame[next] == IPProtocol.routing && frame[header + 3] != 0 { isFinalDestination = false }
            next = header
            header += length
        }
        if !isLaterFragment { present.end(frame[next], bytesLeft: frame.count - header) }
        values[.ipv6ExtHdr] = UInt128(present.bits)
        take(.ipProto, from: frame, at: next)
        guard !isLaterFragment else { return }
        let end = start + 40 + Int(frame.bigEndian(at: start + 4, 2))
        readTransport(frame, at: header, end: end, icmp: IPProtocol.icmpv6)
    }

    /// The length of an extension header that is there and is to be skipped; nil: there the chain ends.
    private static func extensionLength(_ number: UInt8, _ frame: [UInt8], at start: Int) -> Int? {
        guard start + 8 <= frame.count else { return nil }
        let length: Int
        switch number {
        case IPProtocol.hopByHop, IPProtocol.routing, IPProtocol.destinationOptions:
            length = (Int(frame[start + 1]) + 1) * 8
        case IPProtocol.fragment: length = 8
        case IPProtocol.authentication: length = (Int(frame[start + 1]) + 2) * 4
        default: return nil
        }
        return start + length <= frame.count ? length : nil
    }

    /// `end` is where the IP packet ends by what its header says.
    private mutating func readTransport(_ frame: [UInt8], at start: Int, end: Int, icmp: UInt8) {
        switch UInt8(values[.ipProto] ?? 0) {
        case IPProtocol.tcp where start + 20 <= frame.count:
            take(.tcpSrc, from: frame, at: start)
            take(.tcpDst, from: frame, at: start + 2)
            transportChecksum = (start + 16, isUDP: false, coversAddresses: true)
        case IPProtocol.udp where start + 8 <= frame.count:
            take(.udpSrc, from: frame, at: start)
            take(.udpDst, from: frame, at: start + 2)
            transportChecksum = (start + 6, isUDP: true, coversAddresses: true)
        case IPProtocol.sctp where start + 12 <= frame.count:
            take(.sctpSrc, from: frame, at: start)
            take(.sctpDst, from: frame, at: start + 2)
            if !isFragment && start + 12 <= end && end <= frame.count { sctpPacket = start..<end }
        case icmp where start + 8 <= frame.count:
            let isV6 = icmp == IPProtocol.icmpv6
            take(isV6 ? .icmpv6Type : .icmpv4Type, from: frame, at: start)
            take(isV6 ? .icmpv6Code : .icmpv4Code, from: frame, at: start + 1)
            transportChecksum = (start + 2, isUDP: false, coversAddresses: isV6)
            if isV6 { readNeighbourDiscovery(frame, at: start) }
        default: break
        }
    }

    private mutating func readNeighbourDiscovery(_ frame: [UInt8], at start: Int) {
        let isSolicitation = frame[start] == 135
        guard isSolicitation || frame[start] == 136, start + 24 <= frame.count else { return }
        take(.ipv6NDTarget, from: frame, at: start + 8)
        var option = start + 24
        while option + 8 <= frame.count {
            let length = Int(frame[option + 1]) * 8
            guard length > 0, option + length <= frame.count else { return }
            if frame[option] == (isSolicitation ? 1 : 2) && length == 8 {
                return take(isSolicitation ? .ipv6NDSLL : .ipv6NDTLL, from: frame, at: option + 2)
            }
            option += length
        }
    }

    /// Takes a field of whole bytes.
    private mutating func take(_ field: OXMField, from frame: [UInt8], at offset: Int) {
        take(field, from: frame, BitField(offset: offset, byteCount: field.byteCount, bits: field.bits))
    }

    private mutating func take(_ field: OXMField, from frame: [UInt8], _ place: BitField) {
        places[field] = place
        values[field] = frame.read(place)
    }
}

extension [UInt8] {
    /// The big-endian number in `count` bytes (16 at most) at `offset`, which must be there.
    func bigEndian(at offset: Int, _ count: Int) -> UInt128 {
        self[offset..<(offset + count)].reduce(0) { $0 << 8 | UInt128($1) }
    }

    /// What some bits of the frame hold, right-aligned.
    func read(_ place: BitField) -> UInt128 {
        bigEndian(at: place.offset, place.byteCount) >> UInt128(place.shift)
            & (UInt128.max >> UInt128(128 - place.bits))
    }
}

/// The Ethernet types that are looked into, as values of `eth_type`.
enum EtherType {
    static let ipv4: UInt128 = 0x0800
    static let arp: UInt128 = 0x0806
    static let vlan: UInt128 = 0x8100
    static let ipv6: UInt128 = 0x86dd
    static let mpls: UInt128 = 0x8847
    static let mplsMulticast: UInt128 = 0x8848
    static let serviceVLAN: UInt128 = 0x88a8
    static let pbb: UInt128 = 0x88e7
}

/// The IP protocol numbers that are looked into.
enum IPProtocol {
    static let hopByHop: UInt8 = 0
    static let icmp: UInt8 = 1
    static let ipv4: UInt8 = 4
    static let tcp: UInt8 = 6
    static let udp: UInt8 = 17
    static let ipv6: UInt8 = 41
    static let routing: UInt8 = 43
    static let fragment: UInt8 = 44
    static let encapsulation: UInt8 = 50
    static let authentication: UInt8 = 51
    static let icmpv6: UInt8 = 58
    static let noNextHeader: UInt8 = 59
    static let destinationOptions: UInt8 = 60
    static let sctp: UInt8 = 132
}
