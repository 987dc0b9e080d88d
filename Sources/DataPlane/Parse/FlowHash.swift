// Hashes over what tells flows apart, from a parsed key.

/// Not for tables that somebody may fill on purpose, unless there is a seed that nobody knows.
enum FlowHash {
    /// By which the buckets of a select group are chosen: the Ethernet addresses and type, the VLAN tag, the MPLS label or the
    /// PBB service, the addresses of IP or ARP, IPv6's flow label, the ports of TCP, UDP or SCTP, the type and code of ICMP, the
    /// operation of ARP.
    @inline(__always)
    static func flow(_ key: UnsafeMutablePointer<UInt64>) -> UInt64 {
        var hash: UInt64 = 0
        let head = UInt64(bigEndian: key[FlowKey.Word.port]) & 0xffff_ffff
        mix(&hash, head)
        mix(&hash, UInt64(bigEndian: key[FlowKey.Word.ethDst]) >> 16)
        mix(&hash, UInt64(bigEndian: key[FlowKey.Word.ethSrc]) >> 16)
        let type = UInt16(truncatingIfNeeded: head >> 16)
        switch type {
        case EtherType.ipv4, EtherType.arp: mix(&hash, UInt64(bigEndian: key[FlowKey.Word.ipv4]))
        case EtherType.mpls, EtherType.mplsMulticast: mix(&hash, UInt64(bigEndian: key[FlowKey.Word.ipv4]) >> 44)
        // Without the priority and the flags before it.
        case EtherType.pbb: mix(&hash, UInt64(bigEndian: key[FlowKey.Word.ipv4]) >> 32 & 0xff_ffff)
        default: break
        }
        if type == EtherType.arp { mix(&hash, UInt64(bigEndian: key[FlowKey.Word.l4]) & 0xffff) }
        if type == EtherType.ipv6 {
            mix(&hash, UInt64(bigEndian: key[FlowKey.Word.ipv4]) >> 32 & 0xf_ffff)
            for word in 0..<2 { mix(&hash, UInt64(bigEndian: key[FlowKey.Word.ipv6Src &+ word])) }
            for word in 0..<2 { mix(&hash, UInt64(bigEndian: key[FlowKey.Word.ipv6Dst &+ word])) }
        }
        if type == EtherType.ipv4 || type == EtherType.ipv6 {
            let l4 = UInt64(bigEndian: key[FlowKey.Word.l4])
            let proto = UInt8(truncatingIfNeeded: l4 >> 24)
            let hasPorts =
                proto == IPProtocol.tcp || proto == IPProtocol.udp || proto == IPProtocol.sctp
                || proto == (type == EtherType.ipv4 ? IPProtocol.icmp : IPProtocol.icmpv6)
            mix(&hash, hasPorts ? l4 >> 24 : UInt64(proto))
        }
        return hash
    }

    /// The same for both directions of a connection, and for its fragments if all of its packets are some: the addresses of IP, the
    /// protocol, the ports of TCP, UDP or SCTP. What is not IP goes by its Ethernet addresses and type.
    @inline(__always)
    static func connection(
        _ key: UnsafeMutablePointer<UInt64>,
        isFragment: Bool,
        seed: UInt64
    ) -> UInt64 {
        let type = UInt16(truncatingIfNeeded: UInt64(bigEndian: key[FlowKey.Word.port]) >> 16)
        let l4 = UInt64(bigEndian: key[FlowKey.Word.l4])
        let proto = UInt8(truncatingIfNeeded: l4 >> 24)
        let hasPorts =
            !isFragment && (proto == IPProtocol.tcp || proto == IPProtocol.udp || proto == IPProtocol.sctp)
        // One hash for each end, and then their sum.
        var (source, destination) = (seed, seed)
        if type == EtherType.ipv4 {
            let addresses = UInt64(bigEndian: key[FlowKey.Word.ipv4])
            mix(&source, (addresses >> 32) << 16 | (hasPorts ? l4 >> 48 : 0))
            mix(&destination, (addresses & 0xffff_ffff) << 16 | (hasPorts ? l4 >> 32 & 0xffff : 0))
        } else if type == EtherType.ipv6 {
            for word in 0..<2 {
                mix(&source, key[FlowKey.Word.ipv6Src &+ word])
                mix(&destination, key[FlowKey.Word.ipv6Dst &+ word])
            }
            mix(&source, hasPorts ? l4 >> 48 : 0)
            mix(&destination, hasPorts ? l4 >> 32 & 0xffff : 0)
        } else {
            mix(&source, key[FlowKey.Word.ethSrc])
            mix(&destination, key[FlowKey.Word.ethDst])
        }
        var hash = source &+ destination
        mix(&hash, UInt64(type) << 8 | (type == EtherType.ipv4 || type == EtherType.ipv6 ? UInt64(proto) : 0))
        return hash
    }

    @inline(__always)
    static func mix(_ hash: inout UInt64, _ word: UInt64) {
        hash = (hash ^ word) &* 0x9e37_79b9_7f4a_7c15
        hash ^= hash >> 29
        hash = hash &* 0xbf58_476d_1ce4_e5b9
        hash ^= hash >> 32
    }
}
