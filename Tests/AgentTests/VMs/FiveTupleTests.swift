// What NetLib finds in a packet's headers, beside what the reference finds there.

import Agent
import NetLib
import OpenFlow
import Testing

@Suite("Five-tuple", .timeLimit(.minutes(1)))
struct FiveTupleTests {
    private func parse(_ frame: [UInt8]) -> (flow: FiveTuple, payload: Int)? {
        frame.withUnsafeBytes { FiveTuple.parse($0) }
    }

    private static let addresses: [UInt8] = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1]

    /// TCP from 10.0.0.1:1024 to 10.0.0.2:80, with an option in the IP header.
    private static let tcp: [UInt8] =
        [0x46, 0, 0, 44, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 1, 1, 1, 0] + [4, 0, 0, 80]
        + [UInt8](repeating: 0, count: 16)

    @Test(
        "of IPv4, behind VLAN tags as well",
        arguments: [[], [0x81, 0, 0, 5], [0x88, 0xa8, 0, 1, 0x81, 0, 0, 5]] as [[UInt8]]
    )
    func ipv4(tags: [UInt8]) throws {
        let (flow, payload) = try #require(parse(Self.addresses + tags + [8, 0] + Self.tcp))
        #expect("\(flow)" == "tcp 10.0.0.1:1024 > 10.0.0.2:80" && payload == 14 + tags.count + 24)
    }

    @Test("an IP packet is one, however little there is of it")
    func short() {
        let frame = Self.addresses + [0x81, 0, 0, 5, 8, 0] + Self.tcp
        for count in 0..<frame.count - 16 {
            let bytes = Array(frame[..<count])
            #expect(parse(bytes) == nil && bytes.withUnsafeBytes { FiveTuple.isIP($0) } == (count >= 18), "\(count)")
        }
        #expect(!(Self.addresses + [8, 6] + Self.tcp).withUnsafeBytes { FiveTuple.isIP($0) })
        #expect((Self.addresses + [0x86, 0xdd]).withUnsafeBytes { FiveTuple.isIP($0) })
    }

    @Test("of IPv6, behind extension headers, and in fragments without ports")
    func ipv6() throws {
        func frame(fragment: UInt8) -> [UInt8] {
            let (source, destination) = (
                [0x20, 1, 0x0d, 0xb8] + [UInt8](repeating: 0, count: 11) + [1], [UInt8](repeating: 0, count: 15) + [1]
            )
            return Self.addresses + [0x86, 0xdd, 0x60, 0, 0, 0, 0, 32, 0, 64] + source + destination
                + [44, 0, 0, 0, 0, 0, 0, 0] + [17, 0, 0, fragment, 0, 0, 0, 0] + [0, 53, 0x30, 0x39, 0, 8, 0, 0]
        }
        let (flow, payload) = try #require(parse(frame(fragment: 1)))
        #expect("\(flow)" == "udp [2001:db8::1]:53 > [::1]:12345" && payload == 14 + 56)
        #expect("\(try #require(parse(frame(fragment: 8))).flow)" == "udp 2001:db8::1 > ::1")
        for count in 0..<frame(fragment: 1).count - 4 {
            #expect(parse(Array(frame(fragment: 1)[..<count])) == nil, "\(count)")
        }
    }

    @Test("is what the reference finds, in random packets")
    func random() {
        var generator = SeededGenerator(8)
        var (found, ports) = (0, 0)
        for _ in 0..<20_000 {
            let frame = RandomPacket.make(&generator)
            guard let (flow, _) = parse(frame), let fields = PacketFields(frame)?.values,
                let proto = fields[.ipProto]
            else { continue }
            found += 1
            #expect(UInt128(flow.proto) == proto, "\(frame)")
            #expect(flow.source == fields[flow.isIPv6 ? .ipv6Src : .ipv4Src], "\(frame)")
            #expect(flow.destination == fields[flow.isIPv6 ? .ipv6Dst : .ipv4Dst], "\(frame)")
            for (source, destination) in [(OXMField.tcpSrc, OXMField.tcpDst), (.udpSrc, .udpDst), (.sctpSrc, .sctpDst)]
            {
                guard let port = fields[source] else { continue }
                ports += 1
                #expect(
                    UInt128(flow.sourcePort) == port && UInt128(flow.destinationPort) == fields[destination],
                    "\(frame)"
                )
            }
        }
        #expect(found > 2000 && ports > 500, "\(found) \(ports)")
    }

    @Test("addresses fit prefixes")
    func prefixes() throws {
        let net = try #require(Prefix("10.1.0.0/16"))
        #expect(net.contains(0x0a01_ffff, isIPv6: false) && !net.contains(0x0a02_0000, isIPv6: false))
        #expect(!net.contains(0x0a01_ffff, isIPv6: true))
        #expect(try #require(Prefix("0.0.0.0/0")).contains(7, isIPv6: false))
        #expect(try #require(Prefix("2001:db8::/33")).contains(0x2001_0db8_7fff << 80, isIPv6: true))
        #expect(try !#require(Prefix("2001:db8::/33")).contains(0x2001_0db8_8000 << 80, isIPv6: true))
        for text in ["10.1/16", "10.0.0.0/33", "::/129", "here", "", "10.0.0.0/", "1.2.3.4/-1"] {
            #expect(Prefix(text) == nil, "\(text)")
        }
    }
}
