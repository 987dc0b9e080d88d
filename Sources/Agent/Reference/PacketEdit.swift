// What actions do to a frame's bytes, one byte array at a time. PacketFields says where the fields lie.
//
// The rules.
// - An action whose header is not there (by the rules of PacketFields) changes nothing.
// - Checksums change by what the action changes (RFC 1624, equation 3, over the 16-bit words that hold the field). For
//   a packet that arrives with right checksums this is the same as computing them anew; a packet that arrives damaged
//   leaves damaged, and what holds of a whole packet holds of its first fragment. IPv4 addresses count in the IPv4
//   header's checksum and in that of TCP and UDP, IPv6 addresses in that of TCP, UDP and ICMPv6; but not the
//   destination as long as a routing header has another one to replace it with.
// - A UDP checksum of 0 says "none" and stays 0; one that would become 0 becomes 0xffff.
// - SCTP's CRC-32C changes likewise. Of a packet that is not all there (a fragment, cut off) it stays what it was.
// - ip_proto counts, besides the IPv4 header's, in the same checksums as the addresses: in the one that the old
//   protocol has. What the packet is after a change of eth_type or ip_proto follows from its bytes.
// - A pushed header goes to the outermost place that it may have, and gets what OpenFlow 1.3.5 §5.12.1 says: VLAN id,
//   priority and DEI of the tag that was outermost until then; label, traffic class and TTL of the outermost MPLS shim,
//   else the TTL of IP; the I-SID of the outermost PBB header, the priority of the outermost VLAN tag, and the Ethernet
//   addresses. The rest is 0. Tags stand before MPLS shims, a PBB header before both.
// - Popping a PBB header leaves the customer's frame: backbone tags before it go too.
// - A TTL is copied between the two outermost headers that have one: MPLS shims, and the IP header behind the last shim
//   (told by its version) or directly behind another IP header.
// - A frame that pop has made shorter than 60 bytes, the least that Ethernet has without its check sequence, is padded
//   with zeros to that.

import OpenFlow

extension [UInt8] {
    /// Set-Field. Of `vlan_vid` the low 12 bits count.
    mutating func set(_ field: OXMField, to value: UInt128) {
        guard let fields = PacketFields(self), let place = fields.places[field] else { return }
        let old = read(place)
        let before = self
        write(value, to: place, fields.checksums(covering: field))
        if field == .sctpSrc || field == .sctpDst, let packet = fields.sctpPacket {
            updateSCTPChecksum(packet, from: before)
        }
        if field == .ipProto, let checksum = fields.addressChecksum {
            // In the pseudo-header the number is a word of its own, which in IPv6 it is not.
            update(checksum, from: [0, UInt8(old)], to: [0, UInt8(truncatingIfNeeded: value)])
        }
    }

    /// The TTL of IPv4, the hop limit of IPv6; nil if the frame has neither.
    var ttl: UInt8? {
        PacketFields(self)?.ttl.map { self[$0.offset] }
    }

    /// Set-TTL.
    mutating func setTTL(_ ttl: UInt8) {
        guard let fields = PacketFields(self), let place = fields.ttl else { return }
        write(UInt128(ttl), to: place, fields.headerChecksum.map { [($0, isUDP: false)] } ?? [])
    }

    /// Changes some bits, and the checksums that cover them.
    mutating func write(_ value: UInt128, to place: BitField, _ checksums: [(offset: Int, isUDP: Bool)]) {
        let before = place.words.map { self[$0] }
        let ones = UInt128.max >> UInt128(128 - place.bits)
        let whole =
            bigEndian(at: place.offset, place.byteCount) & ~(ones << UInt128(place.shift))
            | (value & ones) << UInt128(place.shift)
        for byte in 0..<place.byteCount {
            self[place.offset + byte] = UInt8(truncatingIfNeeded: whole >> UInt128(8 * (place.byteCount - 1 - byte)))
        }
        let after = place.words.map { self[$0] }
        for checksum in checksums { update(checksum, from: before, to: after) }
    }

    /// What has changed in an SCTP packet since `before` changes its CRC, which is linear: by the CRC of the
    /// difference. Its field holds it with the low byte first (RFC 9260 appendix A).
    private mutating func updateSCTPChecksum(_ packet: Range<Int>, from before: [UInt8]) {
        let difference = CRC32C.remainder(packet.map { before[$0] ^ self[$0] })
        for byte in 0..<4 {
            self[packet.lowerBound + 8 + byte] ^= UInt8(truncatingIfNeeded: difference >> UInt32(8 * byte))
        }
    }

    private mutating func update(_ checksum: (offset: Int, isUDP: Bool), from before: [UInt8], to after: [UInt8]) {
        let old = UInt16(bigEndian(at: checksum.offset, 2))
        if checksum.isUDP && old == 0 { return }
        let sum = UInt64(~old) + InternetChecksum.sum(before.map { ~$0 }) + InternetChecksum.sum(after)
        var new = ~InternetChecksum.fold(sum)
        if checksum.isUDP && new == 0 { new = 0xffff }
        replaceSubrange(checksum.offset..<(checksum.offset + 2), with: new.bigEndianBytes)
    }
}

extension PacketFields {
    /// The transport checksum, if the pseudo-header with the addresses counts in it.
    fileprivate var addressChecksum: (offset: Int, isUDP: Bool)? {
        transportChecksum.flatMap { $0.coversAddresses ? ($0.offset, $0.isUDP) : nil }
    }

    /// The checksums that a field of the frame counts in by the bytes where it lies.
    fileprivate func checksums(covering field: OXMField) -> [(offset: Int, isUDP: Bool)] {
        let header = headerChecksum.map { [(offset: $0, isUDP: false)] } ?? []
        switch field {
        case .ipDSCP, .ipECN, .ipProto: return header
        case .ipv6Dst where !isFinalDestination: return header
        case .ipv4Src, .ipv4Dst, .ipv6Src, .ipv6Dst: return header + (addressChecksum.map { [$0] } ?? [])
        case .tcpSrc, .tcpDst, .udpSrc, .udpDst, .icmpv4Type, .icmpv4Code, .icmpv6Type, .icmpv6Code, .ipv6NDTarget,
            .ipv6NDSLL, .ipv6NDTLL:
            return transportChecksum.map { [($0.offset, $0.isUDP)] } ?? []
        default: return []
        }
    }
}

extension FixedWidthInteger {
    /// The number's bytes as they go on the wire.
    var bigEndianBytes: [UInt8] {
        (0..<(Self.bitWidth / 8)).reversed().map { UInt8(truncatingIfNeeded: self >> ($0 * 8)) }
    }
}
