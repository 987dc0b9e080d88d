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
        .tcpSrc: 49152, .tcpDst: 80, .udpSrc: 49152, .udpDst: 9,
        .icmpv4Type: 8, .icmpv6Type: 128,
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
        default: frame += packet.payload
        }
        return frame
    }

    private static func arp(_ packet: PacketDescription) -> [UInt8] {
        [0, 1, 8, 0, 6, 4] + packet.bytes(.arpOp) + packet.bytes(.arpSHA) + packet.bytes(.arpSPA)
            + packet.bytes(.arpTHA)
            + packet.bytes(.arpTPA)
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
        let versionAndClass = UInt16(6) << 12 | UInt16(packet.trafficClass) << 4
        return versionAndClass.bigEndianBytes + [0, 0] + UInt16(content.count).bigEndianBytes
            + [UInt8(packet[.ipProto]), packet.ttl] + addresses + content
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
        case icmp:
            let isV4 = icmp == 1
            segment = packet.bytes(isV4 ? .icmpv4Type : .icmpv6Type) + packet.bytes(isV4 ? .icmpv4Code : .icmpv6Code)
            segment += [0, 0, 0, 0, 0, 0]
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
