// The headers that few packets have, on bytes written by hand: MPLS, PBB, SCTP, IPv6's extension headers, neighbour
// discovery; and the checksum of SCTP against published values.

import Agent
import OpenFlow
import Testing

@Suite(.timeLimit(.minutes(1)))
struct DeepHeaderTests {
    private static let addresses = PacketFieldsTests.addresses

    private func fields(_ parts: [UInt8]...) throws -> [OXMField: UInt128] {
        try #require(PacketFields(Self.addresses + parts.joined())).values
    }

    @Test func mpls() throws {
        // Label 0x12345, traffic class 5, not the bottom, TTL 7; below it label 1.
        let stack = try fields([0x88, 0x47, 0x12, 0x34, 0x5a, 7, 0, 0, 0x11, 9], PacketFieldsTests.ipv4)
        #expect(stack[.mplsLabel] == 0x12345)
        #expect(stack[.mplsTC] == 5 && stack[.mplsBOS] == 0)
        #expect(stack[.ipv4Src] == nil && stack[.ipProto] == nil)
        let tagged = try fields([0x81, 0, 0, 5, 0x88, 0x48, 0xff, 0xff, 0xff, 0])
        #expect(tagged[.ethType] == 0x8848 && tagged[.vlanVID] == 0x1005)
        #expect(tagged[.mplsLabel] == 0xfffff)
        #expect(tagged[.mplsTC] == 7 && tagged[.mplsBOS] == 1)
        #expect(try fields([0x88, 0x47, 0x12, 0x34, 0x5a])[.mplsLabel] == nil)
    }

    @Test func pbb() throws {
        let tag: [UInt8] = [0x88, 0xe7, 0x60, 0x12, 0x34, 0x56]
        let found = try fields(tag, Self.addresses, [8, 0], PacketFieldsTests.ipv4)
        #expect(found[.pbbISID] == 0x123456 && found[.ethType] == 0x88e7 && found[.ipv4Src] == nil)
        #expect(try fields(tag, Self.addresses, [8])[.pbbISID] == nil)
    }

    @Test func sctp() throws {
        let header: [UInt8] = [0x12, 0x34, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0]
        var ip = PacketFieldsTests.ipv4
        ip[9] = 132
        let found = try fields([8, 0], ip, header)
        #expect(found[.sctpSrc] == 0x1234 && found[.sctpDst] == 80 && found[.tcpSrc] == nil)
        #expect(try fields([8, 0], ip, header.dropLast())[.sctpSrc] == nil)
        #expect(try fields([0x86, 0xdd], PacketFieldsTests.ipv6(next: 132), header)[.sctpDst] == 80)
    }

    @Test func neighbourDiscovery() throws {
        let target: [UInt8] = [0xfe, 0x80] + [UInt8](repeating: 0, count: 13) + [9]
        let other: [UInt8] = [5, 1, 0, 0, 0, 0, 5, 0xdc]
        func found(_ type: UInt8, _ options: [UInt8]...) throws -> [OXMField: UInt128] {
            try fields(
                [0x86, 0xdd],
                PacketFieldsTests.ipv6(next: 58),
                [type, 3, 0, 0, 0, 0, 0, 0] + target + options.joined()
            )
        }
        let address: [UInt8] = [2, 0, 0, 0, 0, 7]
        let solicitation = try found(135, other, [1, 1] + address)
        #expect(solicitation[.icmpv6Type] == 135 && solicitation[.icmpv6Code] == 3)
        #expect(solicitation[.ipv6NDTarget] == 0xfe80_0000_0000_0000_0000_0000_0000_0009)
        #expect(solicitation[.ipv6NDSLL] == 0x0200_0000_0007)
        #expect(solicitation[.ipv6NDTLL] == nil)
        let advertisement = try found(136, [1, 1] + address, [2, 1] + address)
        #expect(advertisement[.ipv6NDTLL] == 0x0200_0000_0007 && advertisement[.ipv6NDSLL] == nil)
        #expect(try found(134, [1, 1] + address)[.ipv6NDTarget] == nil)
        // Options that are no address, end the list, or are cut off.
        #expect(try found(135, [1, 2] + address + [UInt8](repeating: 0, count: 8))[.ipv6NDSLL] == nil)
        #expect(try found(135, [5, 0] + address, [1, 1] + address)[.ipv6NDSLL] == nil)
        #expect(try found(135, [1, 1] + address.dropLast())[.ipv6NDSLL] == nil)
    }

    /// The bits of OpenFlow 1.3.5 §7.2.3.8, by RFC 2460 §4.1.
    @Test(
        arguments: [
            ([], 6, 0), ([0], 6, 0x40), ([0, 60, 43, 44, 51, 60], 6, 0x7c), ([0, 51], 6, 0x44), ([60, 60], 6, 0x08),
            ([60, 60, 60], 6, 0x88), ([43, 0], 6, 0x120), ([44, 43], 6, 0x130), ([51, 51], 17, 0x84),
            ([0, 0], 6, 0xc0), ([60, 43, 60, 43], 6, 0x1a8), ([], 59, 1), ([0], 59, 0x41), ([0], 50, 0x42),
            ([51], 50, 0x06),
        ] as [([UInt8], UInt8, UInt128)]
    )
    func extensionHeaders(_ headers: [UInt8], _ last: UInt8, _ bits: UInt128) throws {
        var bytes: [UInt8] = []
        for next in headers.dropFirst() + [last] {
            // All of 8 bytes; an authentication header counts its length in words less two.
            bytes += [next, 0, 0, 0, 0, 0, 0, 0]
        }
        if headers.isEmpty { bytes = [] }
        let found = try fields(
            [0x86, 0xdd],
            PacketFieldsTests.ipv6(next: headers.first ?? last),
            bytes,
            [UInt8](repeating: 0, count: 20)
        )
        #expect(found[.ipv6ExtHdr] == bits)
        #expect(found[.ipProto] == UInt128(last))
    }

    @Test func flowLabel() throws {
        var header = PacketFieldsTests.ipv6(next: 6)
        header.replaceSubrange(1..<4, with: [0x9a, 0xbc, 0xde])
        let found = try fields([0x86, 0xdd], header)
        #expect(found[.ipv6FLabel] == 0xabcde && found[.ipDSCP] == 46 && found[.ipECN] == 1)
    }

    /// RFC 3720 appendix B.4, and the check value of the polynomial.
    @Test func publishedChecksums() {
        #expect(CRC32C.checksum([UInt8](repeating: 0, count: 32)) == 0x8a91_36aa)
        #expect(CRC32C.checksum([UInt8](repeating: 0xff, count: 32)) == 0x62a8_ab43)
        #expect(CRC32C.checksum(Array(0..<32)) == 0x46dd_794e)
        #expect(CRC32C.checksum(Array("123456789".utf8)) == 0xe306_9283)
    }

    @Test func framesByteByByte() throws {
        func content(_ text: String) throws -> [UInt8] {
            Array(PacketBuilder.frame(try FlowSyntax.packet(text))[12...])
        }
        let shim: [UInt8] = [0x88, 0x47, 0x12, 0x34, 0x5a, 7]
        #expect(try content("mpls,mpls_label=0x12345,mpls_tc=5,mpls_bos=0,mpls_ttl=7") == shim)
        let tag: [UInt8] = [0x88, 0xe7, 0, 0x12, 0x34, 0x56]
        let customer: [UInt8] = Self.addresses + [0x88, 0xb5]
        #expect(try content("pbb_isid=0x123456") == tag + customer)
        // Its CRC was computed by another program.
        let chunk: [UInt8] = [0xc0, 0, 0, 9, 0, 0, 0, 0, 0x92, 0x8d, 0x8a, 0x4b, 11, 0, 0, 4]
        #expect(try content("sctp").suffix(16).elementsEqual(chunk))
        let solicitation = try content("nd_target=fe80::9,nd_sll=02:00:00:00:00:07")
        #expect(solicitation[8] == 58 && solicitation[42] == 135)
        let target: [UInt8] = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9]
        let option: [UInt8] = [1, 1, 2, 0, 0, 0, 0, 7]
        #expect(solicitation[50...].elementsEqual(target + option))
        // The sum over pseudo-header (length 32, protocol 58) and message is all ones if the checksum is right.
        var sum: UInt32 = 32 + 58
        for index in stride(from: 10, to: solicitation.count, by: 2) {
            sum += UInt32(solicitation[index]) << 8 + UInt32(solicitation[index + 1])
        }
        #expect(sum % 0xffff == 0)
    }

    @Test(arguments: [
        "sctp,tp_dst=7", "sctp6,sctp_src=8", "icmp6,icmp_type=136,nd_target=::9,nd_tll=02:00:00:00:00:07",
        "icmp6,icmp_type=1,icmp_code=4", "ipv6_label=0xabcde", "ipv6_exthdr=0x7c,tcp_dst=5", "ipv6_exthdr=0x44,udp6",
        "mplsm,mpls_label=16,mpls_tc=1,dl_vlan=5", "mpls_bos=0", "pbb_isid=7", "tun_id=0,nd_sll=02:00:00:00:00:07",
    ])
    func theParserFindsWhatTheBuilderBuilt(_ text: String) throws {
        let packet = try FlowSyntax.packet(text)
        let found = try #require(PacketFields(PacketBuilder.frame(packet))).values
        #expect(!packet.fields.isEmpty)
        for (field, value) in packet.fields { #expect(found[field] == value, "\(field)") }
    }
}
