// The rules by which fields are found in a frame, on bytes written by hand.

import Agent
import OpenFlow
import Testing

@Suite(.timeLimit(.minutes(1)))
struct PacketFieldsTests {
    /// Destination 02:00:00:00:00:02, source 02:00:00:00:00:01.
    static let addresses: [UInt8] = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1]
    /// 10.0.0.1 to 10.0.0.2, TTL 64, TCP, DSCP 46, ECN 1; header checksum not right, which does not matter here.
    static let ipv4: [UInt8] = [0x45, 0xb9, 0, 40, 0, 1, 0x40, 0, 64, 6, 0x26, 0x14, 10, 0, 0, 1, 10, 0, 0, 2]
    /// Ports 1025 and 80.
    static let tcp: [UInt8] = [4, 1, 0, 80, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 2, 0, 0, 0, 0, 0, 0]
    static let udp: [UInt8] = [4, 1, 0, 53, 0, 8, 0, 0]
    /// 2001:db8::1 to 2001:db8::2, traffic class 0xb9; the next header is what the test says.
    static func ipv6(next: UInt8) -> [UInt8] {
        [0x6b, 0x90, 0, 0, 0, 20, next, 64] + [0x20, 1, 0x0d, 0xb8] + [UInt8](repeating: 0, count: 11) + [1]
            + [0x20, 1, 0x0d, 0xb8] + [UInt8](repeating: 0, count: 11) + [2]
    }

    private func fields(_ parts: [UInt8]...) throws -> [OXMField: UInt128] {
        try #require(PacketFields(Self.addresses + parts.joined())).values
    }

    @Test func ethernet() throws {
        #expect(
            try fields([0x12, 0x34]) == [
                .ethDst: 0x0200_0000_0002, .ethSrc: 0x0200_0000_0001, .ethType: 0x1234, .vlanVID: 0,
            ]
        )
        #expect(PacketFields(Self.addresses + [0x12]) == nil)
        #expect(PacketFields([]) == nil)
        // A length of IEEE 802.3 is what eth_type is then.
        #expect(try fields([0, 46])[.ethType] == 46)
    }

    @Test func ipv4AndTCP() throws {
        #expect(
            try fields([8, 0], Self.ipv4, Self.tcp) == [
                .ethDst: 0x0200_0000_0002, .ethSrc: 0x0200_0000_0001, .ethType: 0x0800, .vlanVID: 0, .ipDSCP: 46,
                .ipECN: 1, .ipProto: 6,
                .ipv4Src: 0x0a00_0001, .ipv4Dst: 0x0a00_0002, .tcpSrc: 1025, .tcpDst: 80,
            ]
        )
    }

    @Test func tags() throws {
        let tagged = try fields([0x81, 0, 0xb0, 5, 8, 0], Self.ipv4, Self.tcp)
        // Priority 5, DEI set, which is not part of the field.
        #expect(
            tagged[.vlanVID] == 0x1005 && tagged[.vlanPCP] == 5 && tagged[.ethType] == 0x0800 && tagged[.tcpDst] == 80
        )
        let stacked = try fields([0x88, 0xa8, 0x20, 7, 0x81, 0, 0x60, 9, 0x81, 0, 0, 1, 8, 0], Self.ipv4, Self.tcp)
        #expect(
            stacked[.vlanVID] == 0x1007 && stacked[.vlanPCP] == 1 && stacked[.ethType] == 0x0800
                && stacked[.tcpDst] == 80
        )
        let zero = try fields([0x81, 0, 0, 0, 8, 6])
        #expect(zero[.vlanVID] == 0x1000 && zero[.vlanPCP] == 0 && zero[.ethType] == 0x0806)
    }

    @Test func aTagThatIsCutOffIsNone() throws {
        for rest in [[], [0], [0, 5], [0, 5, 8]] as [[UInt8]] {
            let fields = try fields([0x81, 0], rest)
            #expect(fields[.vlanVID] == 0 && fields[.vlanPCP] == nil && fields[.ethType] == 0x8100)
        }
        let inner = try fields([0x88, 0xa8, 0, 7, 0x81, 0, 0, 9])
        #expect(inner[.vlanVID] == 0x1007 && inner[.ethType] == 0x8100)
    }

    @Test func arp() throws {
        let arp: [UInt8] = [0, 1, 8, 0, 6, 4, 0, 2, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1, 2, 0, 0, 0, 0, 2, 10, 0, 0, 2]
        let all = try fields([8, 6], arp)
        #expect(all[.arpOp] == 2 && all[.arpSPA] == 0x0a00_0001 && all[.arpTPA] == 0x0a00_0002)
        #expect(all[.arpSHA] == 0x0200_0000_0001 && all[.arpTHA] == 0x0200_0000_0002)
        #expect(try fields([8, 6], Array(arp.dropLast())).keys.count == 4)
        for (offset, value) in [(1, 6), (2, 0x86), (4, 8), (5, 16)] as [(Int, UInt8)] {
            var other = arp
            other[offset] = value
            #expect(try fields([8, 6], other)[.arpOp] == nil, "byte \(offset)")
        }
    }

    @Test func ipv4ThatIsMalformedHasNoFields() throws {
        func proto(_ change: (inout [UInt8]) -> Void) throws -> UInt128? {
            var header = Self.ipv4
            change(&header)
            let fields = try fields([8, 0], header)
            #expect(fields[.ethType] == 0x0800)
            return fields[.ipProto]
        }
        #expect(try proto { _ in } == 6)
        #expect(try proto { $0[0] = 0x55 } == nil, "version 5")
        #expect(try proto { $0[0] = 0x44 } == nil, "a header of 16 bytes")
        #expect(try proto { $0[0] = 0x46 } == nil, "options that are not there")
        #expect(try proto { $0.removeLast() } == nil, "cut off")
    }

    @Test func ipv4Options() throws {
        var header = Self.ipv4 + [1, 1, 1, 0]
        header[0] = 0x46
        #expect(try fields([8, 0], header, Self.tcp)[.tcpDst] == 80)
    }

    @Test func ipv4Fragments() throws {
        func fragment(_ flagsAndOffset: UInt16) throws -> PacketFields {
            var header = Self.ipv4
            (header[6], header[7]) = (UInt8(flagsAndOffset >> 8), UInt8(flagsAndOffset & 0xff))
            return try #require(PacketFields(Self.addresses + [8, 0] + header + Self.tcp))
        }
        #expect(try fragment(0x2000).values[.tcpDst] == 80, "the first one has ports")
        #expect(try fragment(0x2000).isFragment)
        for later in [0x0001, 0x2001, 0x1fff] as [UInt16] {
            let fields = try fragment(later)
            #expect(fields.values[.tcpDst] == nil && fields.values[.ipProto] == 6 && fields.isFragment)
        }
        #expect(try !fragment(0x4000).isFragment, "don't fragment")
    }

    @Test func transportHeadersAreThereOrNot() throws {
        func header(_ proto: UInt8, _ bytes: [UInt8]) throws -> [OXMField: UInt128] {
            var header = Self.ipv4
            header[9] = proto
            return try fields([8, 0], header, bytes)
        }
        #expect(try header(6, Array(Self.tcp.dropLast()))[.tcpSrc] == nil)
        let udp = try header(17, Self.udp)
        #expect(udp[.udpSrc] == 1025 && udp[.udpDst] == 53 && udp[.tcpDst] == nil)
        #expect(try header(17, Array(Self.udp.dropLast()))[.udpDst] == nil)
        let icmp = try header(1, [8, 3, 0, 0, 0, 0, 0, 0])
        #expect(icmp[.icmpv4Type] == 8 && icmp[.icmpv4Code] == 3)
        #expect(try header(1, [8, 3, 0, 0, 0, 0, 0])[.icmpv4Type] == nil)
        #expect(try header(58, [8, 3, 0, 0, 0, 0, 0, 0])[.icmpv4Type] == nil)
    }

    @Test func ipv6() throws {
        let fields = try fields([0x86, 0xdd], Self.ipv6(next: 6), Self.tcp)
        #expect(fields[.ipDSCP] == 46 && fields[.ipECN] == 1 && fields[.ipProto] == 6 && fields[.tcpDst] == 80)
        #expect(fields[.ipv6Src] == 0x2001_0db8_0000_0000_0000_0000_0000_0001)
        #expect(fields[.ipv6Dst] == 0x2001_0db8_0000_0000_0000_0000_0000_0002)
        #expect(fields[.ipv4Src] == nil)
        #expect(try self.fields([0x86, 0xdd], Array(Self.ipv6(next: 6).dropLast()))[.ipProto] == nil)
        #expect(try self.fields([0x86, 0xdd], [0x45] + Self.ipv6(next: 6).dropFirst())[.ipProto] == nil)
    }

    @Test func ipv6ExtensionHeaders() throws {
        func fields(_ next: UInt8, _ rest: [UInt8]...) throws -> [OXMField: UInt128] {
            try self.fields([0x86, 0xdd], Self.ipv6(next: next), Array(rest.joined()))
        }
        let eight: [UInt8] = [0, 0, 0, 0, 0, 0]
        let all = try fields(
            0,
            [43, 0] + eight,
            [60, 1] + eight + [UInt8](repeating: 0, count: 8),
            [51, 0] + eight,
            [6, 4] + eight,
            [UInt8](repeating: 0, count: 16),
            Self.tcp
        )
        #expect(all[.ipProto] == 6 && all[.tcpDst] == 80)
        let first = try fields(44, [17, 0, 0, 1, 0, 0, 0, 9], Self.udp)
        #expect(first[.ipProto] == 17 && first[.udpDst] == 53)
        let later = try fields(44, [17, 0, 0, 8, 0, 0, 0, 9], Self.udp)
        #expect(later[.ipProto] == 17 && later[.udpDst] == nil)
        let laterBeforeOptions = try fields(44, [60, 0, 0, 8, 0, 0, 0, 9], [17, 0] + eight, Self.udp)
        #expect(laterBeforeOptions[.ipProto] == 60 && laterBeforeOptions[.udpDst] == nil)
        #expect(try fields(0, [17, 0, 0, 0])[.ipProto] == 0, "cut off")
        #expect(try fields(0, [17, 1] + eight)[.ipProto] == 0, "cut off behind eight bytes")
        #expect(try fields(59, Self.tcp)[.ipProto] == 59)
        #expect(try fields(50, Self.tcp)[.ipProto] == 50)
        #expect(try fields(1, [8, 0] + eight)[.icmpv4Type] == nil)
    }

    @Test func everyPrefixAndRandomBytesAreRead() {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SeededGenerator(seed)
        for _ in 0..<20_000 {
            let type = ([[8, 0], [0x86, 0xdd], [8, 6], [0x81, 0, 0, 1, 8, 0], [0x88, 0xa8]] as [[UInt8]]).randomElement(
                using: &random
            )!
            let first = ([0x45, 0x46, 0x60] as [UInt8]).randomElement(using: &random)!
            let rest = (0..<Int.random(in: 0...80, using: &random)).map { _ in UInt8.random(in: 0...60, using: &random)
            }
            let frame = Self.addresses + type + [first] + rest
            for (field, value) in PacketFields(frame)?.values ?? [:] where value > field.allOnes {
                Issue.record("\(field) \(value), seed \(seed)")
            }
        }
    }
}
