// Makes a frame of a packet's description, headers from the inside out and checksums computed in full.
// It shares no code with PacketFields and PacketEdit but the checksum's sum.

import OpenFlow

/// Builds valid frames.
package enum PacketBuilder {
    /// What a packet has where its description says nothing.
    static let defaults: [OXMField: UInt128] = [
        .ethDst: 0x0200_0000_0002, .ethSrc: 0x0200_0000_0001,
        // IEEE 802's type for local experiments.
        .ethType: 0x88b5,
        .ipv4Src: 0x0a00_0001, .ipv4Dst: 0x0a00_0002,
        .ipv6Src: 0x2001_0db8_0000_0000_0000_0000_0000_0001, .ipv6Dst: 0x2001_0db8_0000_0000_0000_0000_0000_0002,
        // IANA's number for experiments.
        .ipProto: 253,
        .tcpSrc: 49152, .tcpDst: 80, .udpSrc: 49152, .udpDst: 9, .sctpSrc: 49152, .sctpDst: 9,
        .icmpv4Type: 8, .icmpv6Type: 128,
        .ipv6NDTarget: 0x2001_0db8_0000_0000_0000_0000_0000_0002, .mplsBOS: 1,
        .arpOp: 1, .arpSHA: 0x0200_0000_0001, .arpSPA: 0x0a00_0001, .arpTPA: 0x0a00_0002,
    ]

    /// The frame, without padding and frame check sequence.
    package static func frame(_ packet: PacketDescription) -> [UInt8] {
        var frame = packet.bytes(.ethDst) + packet.bytes(.ethSrc)
        let tag = packet[.vlanVID]
        if tag & MatchField.vlanPresent != 0 {
            frame += UInt16(0x8100).bigEndianBytes + UInt16(packet[.vlanPCP] << 13 | tag & 0xfff).bigEndianBytes
        }
        frame += packet.bytes(.ethType)
        switch packet[.ethType] {
        case 0x0800: frame += ipv4(packet)
        case 0x86dd: frame += ipv6(packet)
        case 0x0806: frame += arp(packet)
        case 0x8847, 0x8848: frame += mpls(packet)
        case 0x88e7: frame += pbb(packet)
        default: frame += packet.payload
        }
        return frame
    }

    private static func arp(_ packet: PacketDescription) -> [UInt8] {
        [0, 1, 8, 0, 6, 4] + packet.bytes(.arpOp) + packet.bytes(.arpSHA) + packet.bytes(.arpSPA)
            + packet.bytes(.arpTHA)
            + packet.bytes(.arpTPA)
    }

    /// One shim.
    private static func mpls(_ packet: PacketDescription) -> [UInt8] {
        let shim = packet[.mplsLabel] << 12 | packet[.mplsTC] << 9 | packet[.mplsBOS] << 8 | UInt128(packet.ttl)
        return UInt32(shim).bigEndianBytes + packet.payload
    }

    /// The I-TAG, and a customer's frame of the type for experiments between the same addresses.
    private static func pbb(_ packet: PacketDescription) -> [UInt8] {
        [0] + packet.bytes(.pbbISID) + packet.bytes(.ethDst) + packet.bytes(.ethSrc) + [0x88, 0xb5] + packet.payload
    }

    private static func ipv4(_ packet: PacketDescription) -> [UInt8] {
        let pseudoHeader = packet.bytes(.ipv4Src) + packet.bytes(.ipv4Dst)
        let content = transport(packet, icmp: 1, pseudoHeader)
        var header: [UInt8] = [0x45, packet.trafficClass] + UInt16(20 + content.count).bigEndianBytes + [0, 0, 0, 0]
        header += [packet.ttl, UInt8(packet[.ipProto]), 0, 0] + pseudoHeader
        header.replaceSubrange(10..<12, with: checksum(header))
        return header + content
    }

    private static func ipv6(_ packet: PacketDescription) -> [UInt8] {
        let addresses = packet.bytes(.ipv6Src) + packet.bytes(.ipv6Dst)
        let content = transport(packet, icmp: 58, addresses)
        let first = UInt32(6) << 28 | UInt32(packet.trafficClass) << 20 | UInt32(packet[.ipv6FLabel])
        let (next, extensions) = extensionHeaders(packet)
        return first.bigEndianBytes + UInt16(extensions.count + content.count).bigEndianBytes
            + [next, packet.ttl] + addresses + extensions + content
    }

    /// The extension headers that `ipv6_exthdr` names, in the order of RFC 2460 §4.1, and the number of the first one.
    private static func extensionHeaders(_ packet: PacketDescription) -> (next: UInt8, bytes: [UInt8]) {
        let headers: [(bit: UInt128, number: UInt8, content: [UInt8])] = [
            (6, 0, [0, 1, 4, 0, 0, 0, 0]), (3, 60, [0, 1, 4, 0, 0, 0, 0]), (5, 43, [0, 0, 0, 0, 0, 0, 0]),
            (4, 44, [0, 0, 0, 0, 0, 0, 1]),
            (2, 51, [4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1] + [UInt8](repeating: 0, count: 12)),
        ]
        return headers.filter { packet[.ipv6ExtHdr] >> $0.bit & 1 == 1 }.reversed().reduce(
            (UInt8(packet[.ipProto]), [])
        ) {
            ($1.number, [$0.0] + $1.content + $0.1)
        }
    }

    private static func transport(_ packet: PacketDescription, icmp: UInt8, _ addresses: [UInt8]) -> [UInt8] {
        let number = UInt8(packet[.ipProto])
        var segment: [UInt8]
        let checksumOffset: Int
        var covered: [UInt8] = []
        switch number {
        case 6:
            // Sequence and acknowledgement 0, header of five words, SYN, a window.
            segment =
                packet.bytes(.tcpSrc) + packet.bytes(.tcpDst) + [
                    0, 0, 0, 0, 0, 0, 0, 0, 0x50, 2, 0xff, 0xff, 0, 0, 0, 0,
                ]
            checksumOffset = 16
        case 17:
            segment =
                packet.bytes(.udpSrc) + packet.bytes(.udpDst) + UInt16(8 + packet.payload.count).bigEndianBytes + [
                    0, 0,
                ]
            checksumOffset = 6
        case 132:
            // Verification tag 0, and a cookie-ack chunk, which is the smallest.
            segment = packet.bytes(.sctpSrc) + packet.bytes(.sctpDst) + [0, 0, 0, 0, 0, 0, 0, 0, 11, 0, 0, 4]
            segment += packet.payload
            segment.replaceSubrange(8..<12, with: CRC32C.checksum(segment).bigEndianBytes.reversed())
            return segment
        case icmp:
            let isV4 = icmp == 1
            segment = packet.bytes(isV4 ? .icmpv4Type : .icmpv6Type) + packet.bytes(isV4 ? .icmpv4Code : .icmpv6Code)
            segment += [0, 0, 0, 0, 0, 0]
            if !isV4 { segment += neighbourDiscovery(packet) }
            checksumOffset = 2
        default: return packet.payload
        }
        segment += packet.payload
        if number != 1 { covered = addresses + [0, number] + UInt16(segment.count).bigEndianBytes }
        var sum = checksum(covered + segment)
        if number == 17 && sum == [0, 0] { sum = [0xff, 0xff] }
        segment.replaceSubrange(checksumOffset..<(checksumOffset + 2), with: sum)
        return segment
    }

    /// The target, and the option with a link-layer address if there is one.
    private static func neighbourDiscovery(_ packet: PacketDescription) -> [UInt8] {
        switch packet[.icmpv6Type] {
        case 135:
            let option = packet.fields[.ipv6NDSLL] == nil ? [] : [1, 1] + packet.bytes(.ipv6NDSLL)
            return packet.bytes(.ipv6NDTarget) + option
        case 136:
            let option = packet.fields[.ipv6NDTLL] == nil ? [] : [2, 1] + packet.bytes(.ipv6NDTLL)
            return packet.bytes(.ipv6NDTarget) + option
        default: return []
        }
    }

    private static func checksum(_ bytes: [UInt8]) -> [UInt8] {
        (~InternetChecksum.fold(InternetChecksum.sum(bytes))).bigEndianBytes
    }
}

extension PacketDescription {
    /// The field's value, or its default.
    fileprivate subscript(_ field: OXMField) -> UInt128 { fields[field] ?? PacketBuilder.defaults[field] ?? 0 }

    /// The field as it goes on the wire.
    fileprivate func bytes(_ field: OXMField) -> [UInt8] { self[field].bigEndianBytes.suffix(field.byteCount) }

    /// DSCP and ECN.
    fileprivate var trafficClass: UInt8 { UInt8(self[.ipDSCP] << 2 | self[.ipECN]) }
}
