// What set-field, the TTL actions and the VLAN actions do to bytes: through the pipeline, against bytes and checksums
// written by hand and against a checksum formula of its own.

import Agent
import OpenFlow
import Testing

@Suite(.timeLimit(.minutes(1)))
struct PacketEditTests {
    /// UDP over IPv4 with right checksums: 10.0.0.1:1 to 10.0.0.2:2, TTL 64, DSCP and ECN 0, "hi".
    static let udp: [UInt8] = [
        2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0,  // Ethernet
        0x45, 0, 0, 30, 0, 0, 0, 0, 64, 17, 0x66, 0xcd, 10, 0, 0, 1, 10, 0, 0, 2,  // IPv4
        0, 1, 0, 2, 0, 10, 0x83, 0x6b, 0x68, 0x69,  // UDP
    ]
    /// A SYN over IPv6 with right checksums: [2001:db8::1]:1 to [2001:db8::2]:2, hop limit 64.
    static let tcp6: [UInt8] = {
        var frame: [UInt8] = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x86, 0xdd, 0x60, 0, 0, 0, 0, 20, 6, 64]
        frame += [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]
        frame += [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]
        return frame + [0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 2, 0, 0, 0x54, 0x6b, 0, 0]
    }()

    /// The frame after the actions, as it leaves by port 2.
    private func after(_ actions: [Action], _ frame: [UInt8]) throws -> [UInt8] {
        let result = ReferencePipeline.packetOut(
            frame,
            inPort: 1,
            actions: actions + [.output(2, maxLength: 0)],
            by: SwitchModelFixture().model
        )
        return try #require(result.outputs.first).frame
    }

    /// The frame with some bytes replaced.
    private func with(_ changes: [Int: [UInt8]], _ frame: [UInt8]) -> [UInt8] {
        var frame = frame
        for (offset, bytes) in changes { frame.replaceSubrange(offset..<(offset + bytes.count), with: bytes) }
        return frame
    }

    /// The ones' complement sum by another way than the code's: modulo 65,535. 0 where header or segment with its
    /// checksum is right.
    private func sum(_ bytes: [UInt8]) -> Int {
        stride(from: 0, to: bytes.count, by: 2).reduce(0) { sum, i in
            (sum + Int(bytes[i]) * 256 + (i + 1 < bytes.count ? Int(bytes[i + 1]) : 0)) % 65_535
        }
    }

    private func ipv4HeaderSum(_ frame: [UInt8]) -> Int { sum(Array(frame[14..<34])) }

    private func ipv4SegmentSum(_ frame: [UInt8]) -> Int {
        sum(Array(frame[26..<34]) + [0, frame[23]] + [0, UInt8(frame.count - 34)] + Array(frame[34...]))
    }

    private func ipv6SegmentSum(_ frame: [UInt8]) -> Int {
        sum(Array(frame[22..<54]) + [0, frame[20]] + [0, UInt8(frame.count - 54)] + Array(frame[54...]))
    }

    @Test func theFramesHereAreRight() {
        #expect(ipv4HeaderSum(Self.udp) == 0 && ipv4SegmentSum(Self.udp) == 0)
        #expect(ipv6SegmentSum(Self.tcp6) == 0)
    }

    @Test func ethernetAddresses() throws {
        #expect(
            try after([.setField(.ethDst, 0x0a0b_0c0d_0e0f), .setField(.ethSrc, 0x0102_0304_0506)], Self.udp)
                == with([0: [10, 11, 12, 13, 14, 15, 1, 2, 3, 4, 5, 6]], Self.udp)
        )
    }

    @Test func ttl() throws {
        // One less is 0x0100 more in the checksum.
        #expect(try after([.decNWTTL], Self.udp) == with([22: [63], 24: [0x67, 0xcd]], Self.udp))
        #expect(try after([.setNWTTL(255)], Self.udp) == with([22: [255], 24: [0xa7, 0xcc]], Self.udp))
        #expect(try after([.decNWTTL, .decNWTTL], Self.tcp6) == with([21: [62]], Self.tcp6))
    }

    @Test func ipv4Addresses() throws {
        // 10.0.0.2 to 10.0.1.2: 0x0100 less in both checksums.
        #expect(
            try after([.setField(.ipv4Dst, 0x0a00_0102)], Self.udp)
                == with([24: [0x65, 0xcd], 30: [10, 0, 1, 2], 40: [0x82, 0x6b]], Self.udp)
        )
    }

    @Test func ports() throws {
        #expect(try after([.setField(.udpDst, 0x0102)], Self.udp) == with([36: [1, 2], 40: [0x82, 0x6b]], Self.udp))
        #expect(
            try after([.setField(.tcpSrc, 0x0101)], Self.tcp6) == with([54: [1, 1], 70: [0x53, 0x6b]], Self.tcp6)
        )
    }

    @Test func trafficClass() throws {
        #expect(
            try after([.setField(.ipDSCP, 46), .setField(.ipECN, 2)], Self.udp)
                == with([15: [0xba], 24: [0x66, 0x13]], Self.udp)
        )
        #expect(
            try after([.setField(.ipDSCP, 46), .setField(.ipECN, 2)], Self.tcp6) == with([14: [0x6b, 0xa0]], Self.tcp6)
        )
    }

    @Test func checksumsAreRightAfterAnyChange() throws {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SeededGenerator(seed)
        for _ in 0..<2000 {
            let value = UInt128(random.next()) << 64 | UInt128(random.next())
            let edits: [OXMField] = [.ipDSCP, .ipECN, .ipv4Src, .ipv4Dst, .udpSrc, .udpDst]
            let field = edits.randomElement(using: &random)!
            let frame = try after([.setField(field, value & field.allOnes), .setNWTTL(UInt8(value & 0xff))], Self.udp)
            #expect(ipv4HeaderSum(frame) == 0 && ipv4SegmentSum(frame) == 0, "\(field), seed \(seed)")
            #expect(frame[40...41] != [0, 0], "a UDP checksum that became 0, seed \(seed)")
            let field6 = ([.ipDSCP, .ipv6Src, .ipv6Dst, .tcpSrc, .tcpDst] as [OXMField]).randomElement(using: &random)!
            let frame6 = try after([.setField(field6, value & field6.allOnes)], Self.tcp6)
            #expect(ipv6SegmentSum(frame6) == 0, "\(field6), seed \(seed)")
            // The value is where it should be.
            #expect(PacketFields(frame6)?.values[field6] == value & field6.allOnes)
        }
    }

    @Test func ipProtoCountsInTheOldProtocolsChecksum() throws {
        let frame = try after([.setField(.ipProto, 6)], Self.udp)
        #expect(ipv4HeaderSum(frame) == 0 && ipv4SegmentSum(frame) == 0)
        #expect(frame[23] == 6 && frame[40...41] == [0x83, 0x76])
        let frame6 = try after([.setField(.ipProto, 17)], Self.tcp6)
        #expect(ipv6SegmentSum(frame6) == 0 && frame6[20] == 17)
    }

    @Test func aUDPChecksumOfNoneStaysNone() throws {
        let none = with([40: [0, 0]], Self.udp)
        let frame = try after([.setField(.udpDst, 9), .setField(.ipv4Src, 7)], none)
        #expect(frame[40...41] == [0, 0])
        #expect(ipv4HeaderSum(frame) == 0)
    }

    @Test func aUDPChecksumThatBecomesZeroIsSentAsOnes() throws {
        // 0x836b more in a port takes 0x836b off the checksum.
        #expect(try after([.setField(.udpDst, 0x836d)], Self.udp)[40...41] == [0xff, 0xff])
    }

    @Test func aDamagedPacketStaysDamaged() throws {
        let damaged = with([42: [0x69]], Self.udp)
        let frame = try after([.setField(.udpDst, 9)], damaged)
        #expect(ipv4SegmentSum(frame) != 0)
        #expect(frame == with([42: [0x69]], try after([.setField(.udpDst, 9)], Self.udp)))
    }

    @Test func icmp() throws {
        // Echo request, sum 0xf7fe, becomes a reply: 0x0800 less.
        let ping = with([23: [1], 34: [8, 0, 0xf7, 0xfe, 0, 1, 0, 0]], Array(Self.udp.dropLast(2)))
        let frame = try after([.setField(.icmpv4Type, 0), .setField(.ipv4Src, 0x0b00_0001)], ping)
        #expect(frame[34...37] == [0, 0, 0xff, 0xfe], "addresses do not count in ICMP's checksum")
    }

    @Test func laterFragmentsKeepTheirContent() throws {
        let fragment = with([20: [0, 1], 24: [0x66, 0xcc]], Self.udp)
        let frame = try after([.setField(.ipv4Dst, 0x0a00_0102), .setField(.ipProto, 17)], fragment)
        #expect(frame == with([24: [0x65, 0xcc], 30: [10, 0, 1, 2]], fragment))
    }

    @Test func firstFragmentsAreAWholePacketsPart() throws {
        let fragment = with([20: [0x20, 0], 24: [0x46, 0xcd]], Self.udp)
        #expect(
            try after([.setField(.ipv4Dst, 0x0a00_0102)], fragment)
                == with([24: [0x45, 0xcd], 30: [10, 0, 1, 2], 40: [0x82, 0x6b]], fragment)
        )
    }

    @Test func whatIsNotThereIsLeftAlone() throws {
        let short = Array(Self.udp[..<33])
        // As written in an action set, where validation cannot know.
        let actions: [Action] = [
            .setField(.ipv4Dst, 1), .setField(.udpDst, 1), .setField(.vlanVID, 0x1001), .setNWTTL(1), .decNWTTL,
            .popVLAN,
        ]
        #expect(try after(actions, short) == short)
    }

    @Test func tags() throws {
        let addresses = Array(Self.udp[..<12])
        let rest = Array(Self.udp[12...])
        #expect(try after([.pushVLAN(0x8100)], Self.udp) == addresses + [0x81, 0, 0, 0] + rest)
        #expect(
            try after([.pushVLAN(0x88a8), .setField(.vlanVID, 0x1abc), .setField(.vlanPCP, 5)], Self.udp)
                == addresses + [0x88, 0xa8, 0xaa, 0xbc] + rest
        )
        let tagged = addresses + [0x81, 0, 0xf0, 7] + rest
        // The new tag says what the one below says; its DEI is left as it is when id and priority are set.
        #expect(try after([.pushVLAN(0x88a8)], tagged) == addresses + [0x88, 0xa8, 0xf0, 7, 0x81, 0, 0xf0, 7] + rest)
        #expect(
            try after([.setField(.vlanVID, 0x1001), .setField(.vlanPCP, 2)], tagged) == addresses + [0x81, 0, 0x50, 1]
                + rest
        )
        // Too short for Ethernet without the tag.
        let padded = Self.udp + [UInt8](repeating: 0, count: 60 - Self.udp.count)
        #expect(try after([.popVLAN], tagged) == padded)
        #expect(try after([.popVLAN, .popVLAN], tagged) == padded)
        #expect(
            try after([.setField(.ethType, 0x1234)], tagged) == addresses + [0x81, 0, 0xf0, 7, 0x12, 0x34]
                + rest.dropFirst(2)
        )
        #expect(
            try after([.decNWTTL], tagged) == addresses + [0x81, 0, 0xf0, 7]
                + with([10: [63], 12: [0x67, 0xcd]], rest)
        )
    }

    @Test func arp() throws {
        let header: [UInt8] = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 6, 0, 1, 8, 0, 6, 4]
        let frame = header + [0, 1, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2]
        let actions: [Action] = [
            .setField(.arpOp, 2), .setField(.arpSHA, 0x0a), .setField(.arpSPA, 0x0b), .setField(.arpTHA, 0x0c),
            .setField(.arpTPA, 0x0d),
        ]
        #expect(
            try after(actions, frame)
                == header + [0, 2, 0, 0, 0, 0, 0, 10, 0, 0, 0, 11, 0, 0, 0, 0, 0, 12, 0, 0, 0, 13]
        )
    }
}
