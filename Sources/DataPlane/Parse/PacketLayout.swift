// Where a packet's headers begin, found once by the parser and used by the actions that change them.

/// Byte offsets into the first segment of a packet, and which headers are wholly there. Plain value.
struct PacketLayout: Equatable {
    /// Where the network header, MPLS shim or PBB tag begins: behind Ethernet and all VLAN tags.
    var l3: UInt16 = 0
    /// Where the transport header begins; 0 if there is none to be changed (a later fragment, a truncated header).
    var l4: UInt16 = 0
    /// Where the IP protocol number stands: in the IP header or in the last extension header.
    var protoOffset: UInt16 = 0
    var network: Network = .other
    var vlanTagged = false
    /// The IP protocol number behind IPv6 extension headers; meaningful where `network` is an IP.
    var proto: UInt8 = 0
    /// An IPv4 packet with an offset or more fragments to come, an IPv6 packet with a fragment header.
    var isFragment = false
    /// The destination is not the final one: a routing header of IPv6 has others to come.
    var isRouted = false

    enum Network: UInt8 {
        case other, ipv4, ipv6, arp, mpls, pbb
    }
}

/// Protocol numbers and lengths that several files need.
enum EtherType {
    static let ipv4: UInt16 = 0x0800
    static let arp: UInt16 = 0x0806
    static let vlan: UInt16 = 0x8100
    static let ipv6: UInt16 = 0x86dd
    static let mpls: UInt16 = 0x8847
    static let mplsMulticast: UInt16 = 0x8848
    static let serviceVLAN: UInt16 = 0x88a8
    static let pbb: UInt16 = 0x88e7
}

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
