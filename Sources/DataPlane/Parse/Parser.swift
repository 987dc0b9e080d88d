// Fills a flow key from a packet's bytes. Lengths are checked once per header; behind the check loads are unaligned and
// raw, because a key holds network byte order.
//
// Rules (the reference interpreter follows the same ones, from its own code):
// - VLAN: the outermost tag (0x8100 or 0x88a8) is the one matched; all tags are skipped to find the Ethernet type. A tag
//   that is cut off ends the search: its own type is the Ethernet type then.
// - ARP: Ethernet and IPv4 addresses only, all 28 bytes there; else it has no fields.
// - IPv4: version 4, header length of 20 bytes or more, wholly there; else it has no fields. IPv6: version 6, 40 bytes.
// - IPv6 extension headers (hop-by-hop, routing, destination options, fragment, authentication) are skipped to find
//   ip_proto; one that is cut off ends the search: its own number is ip_proto then.
// - Transport fields: the fixed header is wholly there (TCP 20, SCTP 12, UDP and ICMP 8 bytes) and the packet is not a later
//   fragment.
// - MPLS, PBB and neighbour discovery are in Parser+Deep.swift, as is IPv6: off the way of most packets.

struct Parser {
    /// Parses the packet that is most of the traffic: IPv4 without options and not a fragment, untagged or with one tag of the
    /// type 0x8100, TCP or UDP, with its header wholly there. Fills the words up to the transport header but the metadata. Returns
    /// false for any other, and has written nothing then that `parse` does not overwrite. `port` is the ingress port as it lies in
    /// the key's first word.
    @inline(__always)
    static func parsePlain(
        _ packet: UnsafePointer<UInt8>,
        length: Int,
        port: UInt64,
        _ key: UnsafeMutablePointer<UInt64>,
        _ layout: UnsafeMutablePointer<PacketLayout>
    ) -> Bool {
        let bytes = UnsafeRawPointer(packet)
        // 14 bytes of Ethernet, 20 of IPv4, 20 of TCP: a UDP packet in a frame of the minimum size has them as well.
        guard length >= 58 else { return false }
        // In memory: the type, then the tag's control information.
        let tag = bytes.loadUnaligned(fromByteOffset: 12, as: UInt32.self)
        let isTagged = tag & 0xffff == 0x0081
        let shift = isTagged ? 4 : 0
        let shifted = bytes + shift
        // In memory: Ethernet type (2 bytes), version and header length (1), type of service (1), total length, identifier.
        let head = shifted.loadUnaligned(fromByteOffset: 12, as: UInt64.self)
        let fragment = shifted.loadUnaligned(fromByteOffset: 20, as: UInt16.self)
        let proto = shifted.load(fromByteOffset: 23, as: UInt8.self)
        guard head & 0xff_ffff == 0x45_0008, fragment & 0xff3f == 0,
            proto == IPProtocol.tcp || proto == IPProtocol.udp
        else { return false }
        let low48: UInt64 = 0xffff_ffff_ffff
        // With the present bit, 0x1000 in network byte order.
        let tci = isTagged ? UInt64(tag >> 16 | 0x10) << 48 : 0
        key[FlowKey.Word.port] = port | (head & 0xffff) << 32 | tci
        key[FlowKey.Word.ethDst] = bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self) & low48
        key[FlowKey.Word.ethSrc] = bytes.loadUnaligned(fromByteOffset: 6, as: UInt64.self) & low48
        key[FlowKey.Word.ipv4] = shifted.loadUnaligned(fromByteOffset: 26, as: UInt64.self)
        // The type of service comes to lie behind the ports and the protocol.
        key[FlowKey.Word.l4] =
            UInt64(shifted.loadUnaligned(fromByteOffset: 34, as: UInt32.self)) | UInt64(proto) << 32
            | (head & 0xff00_0000) << 16
        let start = UInt16(truncatingIfNeeded: shift)
        layout.pointee = PacketLayout(
            l3: 14 &+ start,
            l4: 34 &+ start,
            protoOffset: 23 &+ start,
            network: .ipv4,
            vlanTagged: isTagged,
            proto: proto
        )
        return true
    }

    /// Parses `length` bytes at `packet` to `depth` and fills all words of `key` but the ingress port, the physical
    /// port, metadata and the tunnel id, which stay. `length` is at least 14.
    @inline(never)
    static func parse(
        _ packet: UnsafePointer<UInt8>,
        length: Int,
        depth: ParseDepth,
        into key: UnsafeMutablePointer<UInt64>,
        _ layout: UnsafeMutablePointer<PacketLayout>
    ) {
        let bytes = UnsafeRawPointer(packet)
        let dst = bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self)
        let src = bytes.loadUnaligned(fromByteOffset: 6, as: UInt64.self)
        let low48: UInt64 = 0xffff_ffff_ffff
        key[FlowKey.Word.ethDst] = dst & low48
        key[FlowKey.Word.ethSrc] = src & low48
        var type = UInt16(truncatingIfNeeded: src >> 48).byteSwapped
        var l3 = 14
        var tci: UInt16 = 0
        if type == EtherType.vlan || type == EtherType.serviceVLAN {
            (type, l3, tci) = skipTags(bytes, length: length, type: type)
        }
        // In memory: in_port (4 bytes, kept), Ethernet type (2), tag control information (2).
        key[FlowKey.Word.port] =
            (key[FlowKey.Word.port] & 0xffff_ffff) | UInt64(type.byteSwapped) << 32 | UInt64(tci.byteSwapped) << 48
        layout.pointee = PacketLayout(l3: UInt16(truncatingIfNeeded: l3), vlanTagged: l3 > 14)
        key[FlowKey.Word.ipv4] = 0
        key[FlowKey.Word.l4] = 0
        guard depth != .ethernet else { return }
        if depth == .full {
            for word in FlowKey.Word.ipv6Src...FlowKey.Word.arpTHA { key[word] = 0 }
        }
        switch type {
        case EtherType.ipv4: parseIPv4(bytes, length: length, l3: l3, layout, key)
        case EtherType.ipv6: parseIPv6(bytes, length: length, l3: l3, layout, key)
        case EtherType.arp: parseARP(bytes, length: length, l3: l3, layout, key)
        case EtherType.mpls, EtherType.mplsMulticast:
            parseTag(bytes, length: length, l3: l3, size: 4, network: .mpls, layout, key)
        case EtherType.pbb: parseTag(bytes, length: length, l3: l3, size: 18, network: .pbb, layout, key)
        default: break
        }
    }

    /// The Ethernet type behind all VLAN tags, where it ends, and the outermost tag with its present bit.
    @inline(never)
    private static func skipTags(
        _ bytes: UnsafeRawPointer,
        length: Int,
        type first: UInt16
    ) -> (type: UInt16, l3: Int, tci: UInt16) {
        var type = first
        var l3 = 14
        var tci: UInt16 = 0
        while (type == EtherType.vlan || type == EtherType.serviceVLAN) && l3 + 4 <= length {
            if l3 == 14 { tci = load16(bytes, 14) | 0x1000 }
            type = load16(bytes, l3 + 2)
            l3 += 4
        }
        return (type, l3, tci)
    }

    @inline(__always)
    private static func parseIPv4(
        _ bytes: UnsafeRawPointer,
        length: Int,
        l3: Int,
        _ layout: UnsafeMutablePointer<PacketLayout>,
        _ key: UnsafeMutablePointer<UInt64>
    ) {
        guard l3 + 20 <= length else { return }
        let versionAndLength = bytes.load(fromByteOffset: l3, as: UInt8.self)
        let headerLength = Int(versionAndLength & 0xf) * 4
        guard versionAndLength >> 4 == 4, headerLength >= 20, l3 + headerLength <= length else { return }
        layout.pointee.network = .ipv4
        let proto = bytes.load(fromByteOffset: l3 + 9, as: UInt8.self)
        let tos = bytes.load(fromByteOffset: l3 + 1, as: UInt8.self)
        layout.pointee.proto = proto
        layout.pointee.protoOffset = UInt16(truncatingIfNeeded: l3 + 9)
        key[FlowKey.Word.ipv4] = bytes.loadUnaligned(fromByteOffset: l3 + 12, as: UInt64.self)
        // In memory: source port, destination port (2 bytes each), protocol, type of service, ARP operation (2).
        var l4Word = UInt64(proto) << 32 | UInt64(tos) << 40
        let fragment = bytes.loadUnaligned(fromByteOffset: l3 + 6, as: UInt16.self)
        layout.pointee.isFragment = fragment & 0xff3f != 0
        let laterFragment = fragment & 0xff1f != 0
        if !laterFragment {
            l4Word |= parseTransport(
                bytes,
                at: l3 + headerLength,
                length: length,
                proto: proto,
                icmp: IPProtocol.icmp,
                layout
            )
        }
        key[FlowKey.Word.l4] = l4Word
    }

    /// The ports (or ICMP type and code) as they lie in the first four bytes of the key's word; 0 if there are none.
    @inline(__always)
    static func parseTransport(
        _ bytes: UnsafeRawPointer,
        at l4: Int,
        length: Int,
        proto: UInt8,
        icmp: UInt8,
        _ layout: UnsafeMutablePointer<PacketLayout>
    ) -> UInt64 {
        if proto == IPProtocol.tcp || proto == IPProtocol.udp {
            guard l4 + (proto == IPProtocol.tcp ? 20 : 8) <= length else { return 0 }
            layout.pointee.l4 = UInt16(truncatingIfNeeded: l4)
            return UInt64(bytes.loadUnaligned(fromByteOffset: l4, as: UInt32.self))
        }
        if proto == IPProtocol.sctp && l4 + 12 <= length {
            layout.pointee.l4 = UInt16(truncatingIfNeeded: l4)
            return UInt64(bytes.loadUnaligned(fromByteOffset: l4, as: UInt32.self))
        }
        guard proto == icmp, l4 + 8 <= length else { return 0 }
        layout.pointee.l4 = UInt16(truncatingIfNeeded: l4)
        let type = UInt64(bytes.load(fromByteOffset: l4, as: UInt8.self))
        let code = UInt64(bytes.load(fromByteOffset: l4 + 1, as: UInt8.self))
        return type << 8 | code << 24
    }

    @inline(never)
    private static func parseARP(
        _ bytes: UnsafeRawPointer,
        length: Int,
        l3: Int,
        _ layout: UnsafeMutablePointer<PacketLayout>,
        _ key: UnsafeMutablePointer<UInt64>
    ) {
        // Hardware type 1, protocol type IPv4, address lengths 6 and 4.
        guard l3 + 28 <= length, load16(bytes, l3) == 1, load16(bytes, l3 + 2) == EtherType.ipv4,
            load16(bytes, l3 + 4) == 0x0604
        else { return }
        layout.pointee.network = .arp
        key[FlowKey.Word.l4] = UInt64(bytes.loadUnaligned(fromByteOffset: l3 + 6, as: UInt16.self)) << 48
        let spa = UInt64(bytes.loadUnaligned(fromByteOffset: l3 + 14, as: UInt32.self))
        let tpa = UInt64(bytes.loadUnaligned(fromByteOffset: l3 + 24, as: UInt32.self))
        key[FlowKey.Word.ipv4] = spa | tpa << 32
        key[FlowKey.Word.arpSHA] = load48(bytes, l3 + 8)
        key[FlowKey.Word.arpTHA] = load48(bytes, l3 + 18)
    }

    /// Two bytes in network byte order as a number.
    @inline(__always)
    static func load16(_ bytes: UnsafeRawPointer, _ offset: Int) -> UInt16 {
        UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
    }

    /// Six bytes as they lie, in the low bytes of a word.
    @inline(__always)
    static func load48(_ bytes: UnsafeRawPointer, _ offset: Int) -> UInt64 {
        UInt64(bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
            | UInt64(bytes.loadUnaligned(fromByteOffset: offset + 4, as: UInt16.self)) << 32
    }
}
