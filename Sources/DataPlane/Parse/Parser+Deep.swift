// The headers that most packets do not have, each out of line: MPLS, PBB, IPv6 with its extension headers, neighbour
// discovery. The rules stand in Parser.swift.
//
// - MPLS: the outermost shim, 4 bytes. PBB: the I-TAG (4 bytes) with the customer's Ethernet header (14).
// - Neighbour discovery (ICMPv6 types 135 and 136): 24 bytes; then the first option of 8 bytes with the wanted link-layer
//   address. An option of length 0 or one that is cut off ends the search.

extension Parser {
    /// MPLS or PBB, if the `size` bytes of its header are there: the first four, a shim or a tag, lie in the key's word of the
    /// IPv4 addresses.
    @inline(never)
    static func parseTag(
        _ bytes: UnsafeRawPointer,
        length: Int,
        l3: Int,
        size: Int,
        network: PacketLayout.Network,
        _ layout: UnsafeMutablePointer<PacketLayout>,
        _ key: UnsafeMutablePointer<UInt64>
    ) {
        guard l3 + size <= length else { return }
        layout.pointee.network = network
        key[FlowKey.Word.ipv4] = UInt64(bytes.loadUnaligned(fromByteOffset: l3, as: UInt32.self))
    }

    @inline(never)
    static func parseIPv6(
        _ bytes: UnsafeRawPointer,
        length: Int,
        l3: Int,
        _ layout: UnsafeMutablePointer<PacketLayout>,
        _ key: UnsafeMutablePointer<UInt64>
    ) {
        guard l3 + 40 <= length, bytes.load(fromByteOffset: l3, as: UInt8.self) >> 4 == 6 else { return }
        layout.pointee.network = .ipv6
        for word in 0..<2 {
            key[FlowKey.Word.ipv6Src + word] = bytes.loadUnaligned(fromByteOffset: l3 + 8 + 8 * word, as: UInt64.self)
            key[FlowKey.Word.ipv6Dst + word] = bytes.loadUnaligned(fromByteOffset: l3 + 24 + 8 * word, as: UInt64.self)
        }
        let trafficClass = UInt8(truncatingIfNeeded: load16(bytes, l3) >> 4)
        var next = bytes.load(fromByteOffset: l3 + 6, as: UInt8.self)
        layout.pointee.protoOffset = UInt16(truncatingIfNeeded: l3 + 6)
        var offset = l3 + 40
        var laterFragment = false
        var headers = ExtensionHeaders()
        skipping: while offset + 8 <= length {
            let units = Int(bytes.load(fromByteOffset: offset + 1, as: UInt8.self))
            let size: Int
            switch next {
            case IPProtocol.hopByHop, IPProtocol.routing, IPProtocol.destinationOptions: size = (units + 1) * 8
            case IPProtocol.authentication: size = (units + 2) * 4
            case IPProtocol.fragment: size = 8
            case IPProtocol.encapsulation:
                headers.note(next)
                break skipping
            default: break skipping
            }
            guard offset + size <= length else { break }
            headers.note(next)
            if next == IPProtocol.fragment {
                layout.pointee.isFragment = true
                laterFragment = load16(bytes, offset + 2) & 0xfff8 != 0
            } else if next == IPProtocol.routing && bytes.load(fromByteOffset: offset + 3, as: UInt8.self) != 0 {
                layout.pointee.isRouted = true
            }
            next = bytes.load(fromByteOffset: offset, as: UInt8.self)
            layout.pointee.protoOffset = UInt16(truncatingIfNeeded: offset)
            offset += size
            if laterFragment { break }
        }
        if next == IPProtocol.noNextHeader && !laterFragment { headers.bits |= ExtensionHeaders.noNext }
        layout.pointee.proto = next
        // In memory: 12 bits that are no part of it and the flow label (4 bytes), 2 bytes, the extension headers (2).
        let label = bytes.loadUnaligned(fromByteOffset: l3, as: UInt32.self).bigEndian & 0xf_ffff
        key[FlowKey.Word.ipv4] = UInt64(label.bigEndian) | UInt64(headers.bits.bigEndian) << 48
        var l4Word = UInt64(next) << 32 | UInt64(trafficClass) << 40
        if !laterFragment {
            l4Word |= parseTransport(
                bytes,
                at: offset,
                length: length,
                proto: next,
                icmp: IPProtocol.icmpv6,
                layout
            )
            if next == IPProtocol.icmpv6 && layout.pointee.l4 != 0 {
                parseNeighbourDiscovery(bytes, length: length, l4: offset, key)
            }
        }
        key[FlowKey.Word.l4] = l4Word
    }

    @inline(never)
    private static func parseNeighbourDiscovery(
        _ bytes: UnsafeRawPointer,
        length: Int,
        l4: Int,
        _ key: UnsafeMutablePointer<UInt64>
    ) {
        (key[FlowKey.Word.ndTarget], key[FlowKey.Word.ndTarget + 1], key[FlowKey.Word.arpSHA]) = (0, 0, 0)
        guard isNeighbourDiscovery(bytes, length: length, l4: l4) else { return }
        key[FlowKey.Word.ndTarget] = bytes.loadUnaligned(fromByteOffset: l4 + 8, as: UInt64.self)
        key[FlowKey.Word.ndTarget + 1] = bytes.loadUnaligned(fromByteOffset: l4 + 16, as: UInt64.self)
        let address = linkLayerAddress(bytes, length: length, l4: l4)
        if address != 0 { key[FlowKey.Word.arpSHA] = load48(bytes, address) }
    }

    /// Whether the ICMPv6 message at `l4`, of which 8 bytes are there, is a solicitation or an advertisement with its target.
    static func isNeighbourDiscovery(_ bytes: UnsafeRawPointer, length: Int, l4: Int) -> Bool {
        let type = bytes.load(fromByteOffset: l4, as: UInt8.self)
        return (type == 135 || type == 136) && l4 + 24 <= length
    }

    /// Where the source link-layer address of a solicitation or the target's of an advertisement lies; 0 if it has none.
    @inline(never)
    static func linkLayerAddress(_ bytes: UnsafeRawPointer, length: Int, l4: Int) -> Int {
        let wanted: UInt8 = bytes.load(fromByteOffset: l4, as: UInt8.self) == 135 ? 1 : 2
        var option = l4 + 24
        while option + 8 <= length {
            let size = Int(bytes.load(fromByteOffset: option + 1, as: UInt8.self)) * 8
            guard size > 0, option + size <= length else { return 0 }
            if size == 8 && bytes.load(fromByteOffset: option, as: UInt8.self) == wanted { return option + 2 }
            option += size
        }
        return 0
    }
}

/// The bits of ipv6_exthdr (OpenFlow 1.3.5 §7.2.3.8 / A.2.3.8), gathered from header to header. The order is that of RFC 2460
/// §4.1, where destination options have two places: before a routing header and last.
private struct ExtensionHeaders {
    var bits: UInt16 = 0
    /// The place of the header that is farthest in the order, 1 to 7.
    private var reached: UInt8 = 0
    /// A bit for each place that has been taken.
    private var taken: UInt8 = 0
    /// Headers with destination options, up to the two that may be.
    private var destinations: UInt8 = 0

    static let noNext: UInt16 = 0x001
    private static let repeated: UInt16 = 0x080
    private static let unordered: UInt16 = 0x100

    @inline(__always)
    mutating func note(_ number: UInt8) {
        var bit: UInt16
        let place: UInt8
        switch number {
        case IPProtocol.hopByHop: (bit, place) = (0x040, 1)
        case IPProtocol.destinationOptions: (bit, place) = (0x008, reached < 2 ? 2 : 7)
        case IPProtocol.routing: (bit, place) = (0x020, 3)
        case IPProtocol.fragment: (bit, place) = (0x010, 4)
        case IPProtocol.authentication: (bit, place) = (0x004, 5)
        default: (bit, place) = (0x002, 6)
        }
        if place < reached {
            bits |= Self.unordered
            // Hop-by-hop options have their bit only as the first header.
            if place == 1 { bit = 0 }
        }
        let mark: UInt8 = 1 << place
        if number == IPProtocol.destinationOptions {
            if destinations == 2 { bits |= Self.repeated } else { destinations &+= 1 }
        } else if taken & mark != 0 {
            bits |= Self.repeated
        }
        taken |= mark
        bits |= bit
        reached = max(reached, place)
    }
}
