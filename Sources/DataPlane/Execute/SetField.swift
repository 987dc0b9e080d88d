// Set-Field: headers changed in place, checksums put right at once. An action whose header a packet
// does not have leaves the packet as it is. Fields that are often set are set in the key as well, so that the next table finds
// them without another look at the packet (see `ActionOp.needsParsing`).

extension PacketEdit {
    @inline(__always)
    func setEthernetAddress(at offset: Int, _ address: UInt64) {
        (data + offset).storeBytes(of: UInt32(truncatingIfNeeded: address), as: UInt32.self)
        (data + offset + 4).storeBytes(of: UInt16(truncatingIfNeeded: address >> 32), as: UInt16.self)
    }

    @inline(__always)
    func setEthDst(_ address: UInt64) {
        setEthernetAddress(at: 0, address)
        key[FlowKey.Word.ethDst] = address
    }

    @inline(__always)
    func setEthSrc(_ address: UInt64) {
        setEthernetAddress(at: 6, address)
        key[FlowKey.Word.ethSrc] = address
    }

    /// The Ethernet type behind all tags.
    func setEthType(_ type: UInt16) { store16(Int(layout.pointee.l3) - 2, type) }

    @inline(__always)
    func setVLAN(mask: UInt16, value: UInt16) {
        guard layout.pointee.vlanTagged else { return }
        let tci = load16(14) & ~mask | value
        store16(14, tci)
        // With the present bit, as `KeyField.vlanTCI` has it.
        let word = key[FlowKey.Word.port] & 0xffff_ffff_ffff
        key[FlowKey.Word.port] = word | UInt64((tci | 0x1000).bigEndian) << 48
    }

    /// DSCP (mask 0xfc) or ECN (mask 3) in the IPv4 type of service or the IPv6 traffic class.
    func setTrafficClass(mask: UInt8, value: UInt8) {
        let l3 = Int(layout.pointee.l3)
        switch layout.pointee.network {
        case .ipv4:
            let word = load16(l3)
            setIPv4Word(0, word & ~UInt16(mask) | UInt16(value))
        case .ipv6: store16(l3, load16(l3) & ~(UInt16(mask) << 4) | UInt16(value) << 4)
        case .arp, .mpls, .pbb, .other: return
        }
        key[FlowKey.Word.l4] = key[FlowKey.Word.l4] & ~(UInt64(mask) << 40) | UInt64(value) << 40
    }

    /// The protocol number is part of the pseudo-header, so the transport checksum (where the old protocol has it) changes too.
    func setIPProto(_ proto: UInt8) {
        let place = Int(layout.pointee.protoOffset)
        let old = layout.pointee.proto
        switch layout.pointee.network {
        case .ipv4: setIPv4Word(8, load16(place - 1) & 0xff00 | UInt16(proto))
        case .ipv6: (data + place).storeBytes(of: proto, as: UInt8.self)
        case .arp, .mpls, .pbb, .other: return
        }
        if layout.pointee.network == .ipv6 || old != IPProtocol.icmp {
            updateTransportChecksum(
                by: Checksum.difference(UInt64(UInt16(old).bigEndian), UInt64(UInt16(proto).bigEndian))
            )
        }
        reparse()
    }

    /// Source (offset 12) or destination (16).
    func setIPv4Address(at offset: Int, _ address: UInt32) {
        guard layout.pointee.network == .ipv4 else { return }
        let header = data + Int(layout.pointee.l3)
        let difference = Checksum.difference(
            UInt64((header + offset).loadUnaligned(as: UInt32.self)),
            UInt64(address)
        )
        (header + offset).storeBytes(of: address, as: UInt32.self)
        let shift = UInt64(offset - 12) * 8
        key[FlowKey.Word.ipv4] = key[FlowKey.Word.ipv4] & ~(0xffff_ffff << shift) | UInt64(address) << shift
        Checksum.update(header + 10, by: difference)
        if layout.pointee.proto != IPProtocol.icmp { updateTransportChecksum(by: difference) }
    }

    /// Source (offset 8) or destination (24).
    func setIPv6Address(at offset: Int, _ high: UInt64, _ low: UInt64) {
        guard layout.pointee.network == .ipv6 else { return }
        let place = data + Int(layout.pointee.l3) + offset
        let difference =
            Checksum.difference(place.loadUnaligned(as: UInt64.self), high)
            &+ Checksum.difference((place + 8).loadUnaligned(as: UInt64.self), low)
        place.storeBytes(of: high, as: UInt64.self)
        (place + 8).storeBytes(of: low, as: UInt64.self)
        // The pseudo-header has the final destination (RFC 8200 §8.1).
        if offset == 24 && layout.pointee.isRouted { return }
        updateTransportChecksum(by: difference)
    }

    /// Source (offset 0) or destination port (2).
    func setTransportPort(at offset: Int, _ port: UInt16, proto: UInt8) {
        guard layout.pointee.l4 != 0, layout.pointee.proto == proto else { return }
        let place = Int(layout.pointee.l4) + offset
        if proto == IPProtocol.sctp { updateSCTPChecksum(at: offset, load16(place) ^ port) }
        let difference = Checksum.difference(UInt64(load16(place).bigEndian), UInt64(port.bigEndian))
        store16(place, port)
        let shift = UInt64(offset) * 8
        key[FlowKey.Word.l4] = key[FlowKey.Word.l4] & ~(0xffff << shift) | UInt64(port.bigEndian) << shift
        updateTransportChecksum(by: difference)
    }

    /// ICMP type (mask 0xff00) or code (0x00ff) of the protocol 1 or 58.
    func setICMP(mask: UInt16, value: UInt16, proto: UInt8) {
        guard layout.pointee.l4 != 0, layout.pointee.proto == proto else { return }
        let place = Int(layout.pointee.l4)
        let old = load16(place)
        let new = old & ~mask | value
        store16(place, new)
        Checksum.update(data + place + 2, by: Checksum.difference(UInt64(old.bigEndian), UInt64(new.bigEndian)))
    }

    /// The flow label of IPv6, 20 bits.
    func setFlowLabel(_ label: UInt32) {
        if layout.pointee.network == .ipv6 { store32(l3, load32(l3) & ~0xf_ffff | label & 0xf_ffff) }
    }

    /// The target of neighbour discovery.
    func setNDTarget(_ high: UInt64, _ low: UInt64) {
        let l4 = Int(layout.pointee.l4)
        guard isNeighbourDiscovery else { return }
        let place = data + l4 + 8
        let difference =
            Checksum.difference(place.loadUnaligned(as: UInt64.self), high)
            &+ Checksum.difference((place + 8).loadUnaligned(as: UInt64.self), low)
        place.storeBytes(of: high, as: UInt64.self)
        (place + 8).storeBytes(of: low, as: UInt64.self)
        updateTransportChecksum(by: difference)
    }

    /// The link-layer address of neighbour discovery, in a message of the type 135 or 136.
    func setNDLinkLayer(_ address: UInt64, type: UInt8) {
        let l4 = Int(layout.pointee.l4)
        guard isNeighbourDiscovery, load8(l4) == type else { return }
        let place = Parser.linkLayerAddress(data, length: length, l4: l4)
        guard place != 0 else { return }
        let old =
            UInt64((data + place).loadUnaligned(as: UInt32.self))
            | UInt64((data + place + 4).loadUnaligned(as: UInt16.self)) << 32
        setEthernetAddress(at: place, address)
        updateTransportChecksum(by: Checksum.difference(old, address))
    }

    private var isNeighbourDiscovery: Bool {
        layout.pointee.l4 != 0 && layout.pointee.network == .ipv6 && layout.pointee.proto == IPProtocol.icmpv6
            && Parser.isNeighbourDiscovery(data, length: length, l4: Int(layout.pointee.l4))
    }

    /// Some bits of the outermost MPLS shim.
    func setMPLS(mask: UInt32, value: UInt32) {
        if layout.pointee.network == .mpls { store32(l3, load32(l3) & ~mask | value & mask) }
    }

    /// The service of the outermost PBB header, 24 bits.
    func setISID(_ service: UInt32) {
        if layout.pointee.network == .pbb { store32(l3, load32(l3) & 0xff00_0000 | service & 0xff_ffff) }
    }

    func setARPOp(_ operation: UInt16) {
        guard layout.pointee.network == .arp else { return }
        store16(Int(layout.pointee.l3) + 6, operation)
    }

    /// Sender (offset 14) or target protocol address (24).
    func setARPAddress(at offset: Int, _ address: UInt32) {
        guard layout.pointee.network == .arp else { return }
        (data + Int(layout.pointee.l3) + offset).storeBytes(of: address, as: UInt32.self)
    }

    /// Sender (offset 8) or target hardware address (18).
    func setARPHardwareAddress(at offset: Int, _ address: UInt64) {
        guard layout.pointee.network == .arp else { return }
        setEthernetAddress(at: Int(layout.pointee.l3) + offset, address)
    }

    /// Replaces a word of the IPv4 header and puts the header's checksum right.
    private func setIPv4Word(_ offset: Int, _ new: UInt16) {
        let l3 = Int(layout.pointee.l3)
        let old = load16(l3 + offset)
        store16(l3 + offset, new)
        Checksum.update(data + l3 + 10, by: Checksum.difference(UInt64(old.bigEndian), UInt64(new.bigEndian)))
    }

    /// Folds a change into the transport checksum, if this packet has one.
    private func updateTransportChecksum(by difference: UInt64) {
        guard layout.pointee.l4 != 0 else { return }
        let header = data + Int(layout.pointee.l4)
        switch layout.pointee.proto {
        case IPProtocol.tcp: Checksum.update(header + 16, by: difference)
        case IPProtocol.udp: Checksum.updateUDP(header + 6, by: difference)
        case IPProtocol.icmp, IPProtocol.icmpv6: Checksum.update(header + 2, by: difference)
        default: break
        }
    }

    /// Folds a change of a port into SCTP's checksum, a CRC-32C over all of the packet (RFC 9260 appendix A): being linear, it
    /// changes by the CRC of the change. A packet that is not all there (a fragment, cut off) keeps the one it has.
    @inline(never)
    private func updateSCTPChecksum(at offset: Int, _ change: UInt16) {
        let l4 = Int(layout.pointee.l4)
        let isV4 = layout.pointee.network == .ipv4
        let end = isV4 ? l3 + Int(load16(l3 + 2)) : l3 + 40 + Int(load16(l3 + 4))
        guard !layout.pointee.isFragment, l4 + 12 <= end, end <= length else { return }
        let difference = Checksum.crc32c(UInt64(change.bigEndian) << UInt64(8 * offset), zeros: end - l4 - 8)
        let field = data + l4 + 8
        // Its low byte comes first, as in a register of this processor.
        field.storeBytes(of: field.loadUnaligned(as: UInt32.self) ^ difference, as: UInt32.self)
    }
}
