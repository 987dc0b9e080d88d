// Who an IP packet is from and to, for functions that go by that.

/// Addresses, protocol and ports, all in host byte order; an IPv4 address is in the lower 32 bits.
public struct FiveTuple: Hashable, Sendable {
    public var isIPv6: Bool
    /// The protocol behind IPv6's extension headers; 1: ICMP, 6: TCP, 17: UDP, …
    public var proto: UInt8
    public var source: UInt128
    public var destination: UInt128
    /// Of TCP, UDP and SCTP; 0 with other protocols, and in fragments but the first, which have none.
    public var sourcePort: UInt16
    public var destinationPort: UInt16

    public init(
        isIPv6: Bool,
        proto: UInt8,
        source: UInt128,
        destination: UInt128,
        sourcePort: UInt16,
        destinationPort: UInt16
    ) {
        (self.isIPv6, self.proto, self.source, self.destination) = (isIPv6, proto, source, destination)
        (self.sourcePort, self.destinationPort) = (sourcePort, destinationPort)
    }
}

extension Packet {
    /// Of an IP packet in Ethernet, with VLAN tags or without: its five-tuple, and where what follows the IP headers begins, in bytes from
    /// the packet's beginning. Nil: it is none, or its headers are not all there.
    public var ip: (flow: FiveTuple, payload: Int)? { FiveTuple.parse(UnsafeRawBufferPointer(bytes)) }

    /// Whether its EtherType, behind VLAN tags if there are any, says that it is an IP packet; its headers need not be all there.
    public var isIP: Bool { FiveTuple.isIP(UnsafeRawBufferPointer(bytes)) }
}

extension FiveTuple {
    /// See `Packet.isIP`.
    package static func isIP(_ bytes: UnsafeRawBufferPointer) -> Bool {
        switch PacketView(bytes: bytes).etherType?.type {
        case 0x0800, 0x86dd: true
        default: false
        }
    }

    /// See `Packet.ip`.
    package static func parse(_ bytes: UnsafeRawBufferPointer) -> (FiveTuple, Int)? {
        let view = PacketView(bytes: bytes)
        switch view.etherType {
        case (0x0800, let place)?: return view.ipv4(at: place)
        case (0x86dd, let place)?: return view.ipv6(at: place)
        default: return nil
        }
    }
}

/// A packet's bytes, of which none is read twice: others may write to them.
private struct PacketView {
    let bytes: UnsafeRawBufferPointer

    func load8(_ place: Int) -> UInt8? { place < bytes.count ? bytes[place] : nil }

    func load16(_ place: Int) -> UInt16? { load(place, as: UInt16.self) }

    /// A number in network byte order; nil: it is not all there.
    func load<Word: FixedWidthInteger & BitwiseCopyable>(_ place: Int, as: Word.Type) -> Word? {
        guard place + MemoryLayout<Word>.size <= bytes.count else { return nil }
        return Word(bigEndian: bytes.loadUnaligned(fromByteOffset: place, as: Word.self))
    }

    /// What follows the Ethernet header and VLAN tags, and where it begins.
    var etherType: (type: UInt16, place: Int)? {
        guard var type = load16(12) else { return nil }
        var place = 14
        while type == 0x8100 || type == 0x88a8 {
            guard let next = load16(place + 2) else { return nil }
            (type, place) = (next, place + 4)
        }
        return (type, place)
    }

    /// RFC 791 §3.1.
    func ipv4(at place: Int) -> (FiveTuple, Int)? {
        guard let first = load8(place), first >> 4 == 4, let fragment = load16(place + 6), let proto = load8(place + 9),
            let source = load(place + 12, as: UInt32.self), let destination = load(place + 16, as: UInt32.self)
        else { return nil }
        let end = place + Int(first & 0xf) * 4
        guard end >= place + 20, end <= bytes.count else { return nil }
        return finish(false, proto, UInt128(source), UInt128(destination), end, hasPorts: fragment & 0x1fff == 0)
    }

    /// RFC 8200 §3 and §4: behind the header come extension headers. The fragment header has a fixed length, that of the authentication
    /// header is in units of its own (RFC 4302 §2.2).
    func ipv6(at place: Int) -> (FiveTuple, Int)? {
        guard let first = load8(place), first >> 4 == 6, var proto = load8(place + 6),
            let source = load(place + 8, as: UInt128.self), let destination = load(place + 24, as: UInt128.self)
        else { return nil }
        var end = place + 40
        var isFirst = true
        while [0, 43, 44, 51, 60].contains(proto) {
            guard let next = load8(end), let length = load8(end + 1) else { return nil }
            if proto == 44 {
                guard let fragment = load16(end + 2) else { return nil }
                isFirst = isFirst && fragment & 0xfff8 == 0
                end += 8
            } else {
                end += proto == 51 ? 4 * (Int(length) + 2) : 8 * (Int(length) + 1)
            }
            guard end <= bytes.count else { return nil }
            proto = next
            // What follows in a later fragment is data.
            if !isFirst { break }
        }
        return finish(true, proto, source, destination, end, hasPorts: isFirst)
    }

    private func finish(
        _ isIPv6: Bool,
        _ proto: UInt8,
        _ source: UInt128,
        _ destination: UInt128,
        _ end: Int,
        hasPorts: Bool
    ) -> (FiveTuple, Int)? {
        var ports: (UInt16, UInt16) = (0, 0)
        if hasPorts, proto == 6 || proto == 17 || proto == 132 {
            guard let source = load16(end), let destination = load16(end + 2) else { return nil }
            ports = (source, destination)
        }
        let flow = FiveTuple(
            isIPv6: isIPv6,
            proto: proto,
            source: source,
            destination: destination,
            sourcePort: ports.0,
            destinationPort: ports.1
        )
        return (flow, end)
    }
}
