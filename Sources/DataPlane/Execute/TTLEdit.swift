// The actions on the TTLs of IP and MPLS. A packet that lacks the header stays as it is.

extension PacketEdit {
    /// The TTL or hop limit; nil if the packet has none.
    var ttl: UInt8? {
        switch layout.pointee.network {
        case .ipv4: load8(l3 + 8)
        case .ipv6: load8(l3 + 7)
        case .arp, .mpls, .pbb, .other: nil
        }
    }

    func setTTL(_ ttl: UInt8) {
        switch layout.pointee.network {
        case .ipv4: setIPv4TTL(at: l3, ttl)
        case .ipv6: store8(l3 + 7, ttl)
        case .arp, .mpls, .pbb, .other: break
        }
    }

    func setMPLSTTL(_ ttl: UInt8) {
        if layout.pointee.network == .mpls { store8(l3 + 3, ttl) }
    }

    /// Dec-NW-TTL and Dec-MPLS-TTL. False if the TTL would become 0.
    @inline(never)
    func decrementTTL(_ op: ActionOp) -> Bool {
        if case .decrementMPLSTTL = op {
            guard layout.pointee.network == .mpls else { return true }
            let ttl = load8(l3 + 3)
            if ttl > 1 { setMPLSTTL(ttl &- 1) }
            return ttl > 1
        }
        guard let ttl else { return true }
        if ttl > 1 { setTTL(ttl &- 1) }
        return ttl > 1
    }

    /// Dec-NW-TTL of an IP packet that lives on; false for any other, which has not changed then. IPv4's TTL is the upper byte of its
    /// word, so the word becomes 0x100 less: in RFC 1624's equation 3, ~m + m' is 0xfeff.
    @inline(__always)
    func decrementPlainTTL() -> Bool {
        let header = data + Int(layout.pointee.l3)
        guard layout.pointee.network == .ipv4 else {
            guard layout.pointee.network == .ipv6 else { return false }
            let hops = header.load(fromByteOffset: 7, as: UInt8.self)
            guard hops > 1 else { return false }
            header.storeBytes(of: hops &- 1, toByteOffset: 7, as: UInt8.self)
            return true
        }
        let ttl = header.load(fromByteOffset: 8, as: UInt8.self)
        guard ttl > 1 else { return false }
        header.storeBytes(of: ttl &- 1, toByteOffset: 8, as: UInt8.self)
        let checksum = UInt16(bigEndian: header.loadUnaligned(fromByteOffset: 10, as: UInt16.self))
        let sum = UInt32(~checksum) &+ 0xfeff
        let folded = ~UInt16(truncatingIfNeeded: sum &+ sum >> 16)
        header.storeBytes(of: folded.bigEndian, toByteOffset: 10, as: UInt16.self)
        return true
    }

    /// From the outermost header with a TTL to the next one.
    @inline(never)
    func copyTTLIn() {
        let (outer, inner) = headersWithTTL
        if case .none = inner.kind { return }
        set(inner, get(outer))
    }

    /// From the next header with a TTL to the outermost.
    @inline(never)
    func copyTTLOut() {
        let (outer, inner) = headersWithTTL
        if case .none = inner.kind { return }
        set(outer, get(inner))
    }

    /// A header with a TTL.
    private struct Header {
        enum Kind { case none, mpls, ipv4, ipv6 }
        var kind: Kind
        var offset: Int

        static var none: Header { Header(kind: .none, offset: 0) }
    }

    /// The two outermost headers with a TTL. Behind the last shim the version tells what IP it is; IP in IP counts where it
    /// follows directly.
    @inline(__always)
    private var headersWithTTL: (outer: Header, inner: Header) {
        let start = l3
        switch layout.pointee.network {
        case .mpls:
            let outer = Header(kind: .mpls, offset: start)
            if load32(start) & 0x100 != 0 { return (outer, ipHeader(at: start + 4)) }
            return (outer, Header(kind: start + 8 <= length ? .mpls : .none, offset: start + 4))
        case .ipv4:
            let isFirst = load16(start + 6) & 0x1fff == 0
            let outer = Header(kind: .ipv4, offset: start)
            return (outer, inIP(at: start + Int(load8(start) & 0xf) * 4, ifThere: isFirst))
        case .ipv6:
            let follows = Int(layout.pointee.protoOffset) == start + 6
            return (Header(kind: .ipv6, offset: start), inIP(at: start + 40, ifThere: follows))
        case .arp, .pbb, .other: return (.none, .none)
        }
    }

    @inline(__always)
    private func inIP(at offset: Int, ifThere isThere: Bool) -> Header {
        let proto = layout.pointee.proto
        guard isThere, proto == IPProtocol.ipv4 || proto == IPProtocol.ipv6 else { return .none }
        return ipHeader(at: offset)
    }

    @inline(__always)
    private func ipHeader(at offset: Int) -> Header {
        guard offset + 20 <= length else { return .none }
        let first = load8(offset)
        let size = Int(first & 0xf) * 4
        if first >> 4 == 4 && size >= 20 && offset + size <= length { return Header(kind: .ipv4, offset: offset) }
        if first >> 4 == 6 && offset + 40 <= length { return Header(kind: .ipv6, offset: offset) }
        return .none
    }

    @inline(__always)
    private func get(_ header: Header) -> UInt8 {
        switch header.kind {
        case .mpls: load8(header.offset + 3)
        case .ipv4: load8(header.offset + 8)
        case .ipv6: load8(header.offset + 7)
        case .none: 0
        }
    }

    @inline(__always)
    private func set(_ header: Header, _ ttl: UInt8) {
        switch header.kind {
        case .mpls: store8(header.offset + 3, ttl)
        case .ipv4: setIPv4TTL(at: header.offset, ttl)
        case .ipv6: store8(header.offset + 7, ttl)
        case .none: break
        }
    }

    /// With the checksum of the header at `header`.
    private func setIPv4TTL(at header: Int, _ ttl: UInt8) {
        let old = load16(header + 8)
        let new = old & 0x00ff | UInt16(ttl) << 8
        store16(header + 8, new)
        Checksum.update(data + header + 10, by: Checksum.difference(UInt64(old.bigEndian), UInt64(new.bigEndian)))
    }
}
