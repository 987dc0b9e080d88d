// Actions on a frame's tags and shims, and on the TTLs that they carry: the rules are in PacketEdit.

import OpenFlow

extension [UInt8] {
    /// The shortest Ethernet frame, without its check sequence.
    static let shortestFrame = 60

    /// Push-VLAN.
    mutating func pushVLAN(_ etherType: UInt16) {
        guard let fields = PacketFields(self) else { return }
        let tag = fields.places[.vlanVID] == nil ? [0, 0] : self[14..<16]
        insert(contentsOf: etherType.bigEndianBytes + tag, at: 12)
    }

    /// Pop-VLAN.
    mutating func popVLAN() {
        guard PacketFields(self)?.places[.vlanVID] != nil else { return }
        removeSubrange(12..<16)
        pad()
    }

    /// Whether the frame begins with a VLAN tag.
    var isTagged: Bool { PacketFields(self)?.places[.vlanVID] != nil }

    /// The frame as a port has it that belongs to its VLAN: an access port without tag, a trunk with the VLAN's, which 0 has not.
    func fitted(to vlans: PortVLANs, vlan: UInt16) -> [UInt8] {
        var frame = self
        if case .access = vlans {
            frame.popVLAN()
        } else if vlan != 0 {
            if !isTagged { frame.pushVLAN(0x8100) }
            frame[14] = frame[14] & 0xf0 | UInt8(vlan >> 8)
            frame[15] = UInt8(truncatingIfNeeded: vlan)
        }
        return frame
    }

    /// Push-MPLS: behind the VLAN tags, before everything else.
    mutating func pushMPLS(_ etherType: UInt16) {
        guard let fields = PacketFields(self), let type = fields.places[.ethType] else { return }
        var shim: UInt32 = 1 << 8
        if let outer = fields.places[.mplsLabel] {
            shim = UInt32(bigEndian(at: outer.offset, 4)) & ~(1 << 8)
        } else if let ttl = fields.ttl {
            shim |= UInt32(read(ttl))
        }
        replaceSubrange(type.offset..<(type.offset + 2), with: etherType.bigEndianBytes + shim.bigEndianBytes)
    }

    /// Pop-MPLS: the outermost shim, behind which `etherType` begins.
    mutating func popMPLS(_ etherType: UInt16) {
        guard let shim = PacketFields(self)?.places[.mplsLabel]?.offset else { return }
        replaceSubrange((shim - 2)..<(shim + 4), with: etherType.bigEndianBytes)
        pad()
    }

    /// Push-PBB: a backbone header around the whole frame.
    mutating func pushPBB(_ etherType: UInt16) {
        guard let fields = PacketFields(self) else { return }
        let (priority, service) = (fields.values[.vlanPCP] ?? 0, fields.values[.pbbISID] ?? 0)
        let tag = UInt32(priority << 29 | service)
        self = self[..<12] + etherType.bigEndianBytes + tag.bigEndianBytes + self
    }

    /// Pop-PBB.
    mutating func popPBB() {
        guard let customer = PacketFields(self)?.customerFrame else { return }
        removeSubrange(..<customer)
        pad()
    }

    /// The TTL of the outermost MPLS shim; nil if the frame has none.
    var mplsTTL: UInt8? {
        PacketFields(self)?.mplsTTL.map { self[$0.offset] }
    }

    /// Set-MPLS-TTL.
    mutating func setMPLSTTL(_ ttl: UInt8) {
        guard let place = PacketFields(self)?.mplsTTL else { return }
        self[place.offset] = ttl
    }

    /// Copy-TTL-Inwards.
    mutating func copyTTLIn() {
        guard let (outer, inner) = ttls else { return }
        setTTL(inner, self[outer.offset])
    }

    /// Copy-TTL-Outwards.
    mutating func copyTTLOut() {
        guard let (outer, inner) = ttls else { return }
        setTTL(outer, self[inner.offset])
    }

    /// Where a header has its TTL, and the IPv4 checksum that covers that.
    private typealias TTLPlace = (offset: Int, checksum: Int?)

    /// The TTLs of the two outermost headers that have one; nil if there are no two.
    private var ttls: (outer: TTLPlace, inner: TTLPlace)? {
        guard let fields = PacketFields(self) else { return nil }
        if let shim = fields.mplsTTL {
            let next = shim.offset + 1
            let isLast = fields.values[.mplsBOS] == 1
            let inner = isLast ? ipTTL(at: next) : next + 4 <= count ? (next + 3, nil) : nil
            return inner.map { ((shim.offset, nil), $0) }
        }
        guard let ttl = fields.ttl, let proto = fields.places[.ipProto]?.offset else { return nil }
        let start = fields.headerChecksum.map { $0 - 10 } ?? ttl.offset - 7
        let version = self[start] >> 4
        // Not behind options of IPv6, and not in a later fragment.
        guard version == 4 || proto == start + 6 else { return nil }
        if version == 4, bigEndian(at: start + 6, 2) & 0x1fff != 0 { return nil }
        guard self[proto] == IPProtocol.ipv4 || self[proto] == IPProtocol.ipv6 else { return nil }
        let content = start + (version == 4 ? Int(self[start] & 0xf) * 4 : 40)
        return ipTTL(at: content).map { ((ttl.offset, fields.headerChecksum), $0) }
    }

    /// The TTL of the IP header at `start`, if one is there.
    private func ipTTL(at start: Int) -> TTLPlace? {
        guard start < count else { return nil }
        if self[start] >> 4 == 6 && start + 40 <= count { return (start + 7, nil) }
        let length = Int(self[start] & 0xf) * 4
        guard self[start] >> 4 == 4, length >= 20, start + length <= count else { return nil }
        return (start + 8, start + 10)
    }

    private mutating func setTTL(_ place: TTLPlace, _ ttl: UInt8) {
        let bits = BitField(offset: place.offset, byteCount: 1, bits: 8)
        write(UInt128(ttl), to: bits, place.checksum.map { [($0, isUDP: false)] } ?? [])
    }

    private mutating func pad() {
        if count < Self.shortestFrame { self += [UInt8](repeating: 0, count: Self.shortestFrame - count) }
    }
}
