// The registry against the specification's table, and each row over the wire.

import NIOCore
import OpenFlow
import Testing

@Suite(.timeLimit(.minutes(1)))
struct OXMFieldTests {
    struct Row: Sendable {
        var number: UInt8
        var name: String
        var bits: Int
        var bytes: Int
        var maskable: Bool
        var settable: Bool = true
        var prerequisite: Prerequisite = .none
    }

    /// OpenFlow 1.3.5 §7.2.3.7, table 12, written out once more; ports take masks besides.
    static let table: [Row] = [
        Row(number: 0, name: "in_port", bits: 32, bytes: 4, maskable: false, settable: false),
        Row(
            number: 1,
            name: "in_phy_port",
            bits: 32,
            bytes: 4,
            maskable: false,
            settable: false,
            prerequisite: .inPort
        ),
        Row(number: 2, name: "metadata", bits: 64, bytes: 8, maskable: true, settable: false),
        Row(number: 3, name: "eth_dst", bits: 48, bytes: 6, maskable: true),
        Row(number: 4, name: "eth_src", bits: 48, bytes: 6, maskable: true),
        Row(number: 5, name: "eth_type", bits: 16, bytes: 2, maskable: false),
        Row(number: 6, name: "vlan_vid", bits: 13, bytes: 2, maskable: true),
        Row(number: 7, name: "vlan_pcp", bits: 3, bytes: 1, maskable: false, prerequisite: .vlanTag),
        Row(
            number: 8,
            name: "ip_dscp",
            bits: 6,
            bytes: 1,
            maskable: false,
            prerequisite: .etherType(0x0800, or: 0x86dd)
        ),
        Row(
            number: 9,
            name: "ip_ecn",
            bits: 2,
            bytes: 1,
            maskable: false,
            prerequisite: .etherType(0x0800, or: 0x86dd)
        ),
        Row(
            number: 10,
            name: "ip_proto",
            bits: 8,
            bytes: 1,
            maskable: false,
            prerequisite: .etherType(0x0800, or: 0x86dd)
        ),
        Row(number: 11, name: "ipv4_src", bits: 32, bytes: 4, maskable: true, prerequisite: .etherType(0x0800)),
        Row(number: 12, name: "ipv4_dst", bits: 32, bytes: 4, maskable: true, prerequisite: .etherType(0x0800)),
        Row(number: 13, name: "tcp_src", bits: 16, bytes: 2, maskable: true, prerequisite: .ipProto(6)),
        Row(number: 14, name: "tcp_dst", bits: 16, bytes: 2, maskable: true, prerequisite: .ipProto(6)),
        Row(number: 15, name: "udp_src", bits: 16, bytes: 2, maskable: true, prerequisite: .ipProto(17)),
        Row(number: 16, name: "udp_dst", bits: 16, bytes: 2, maskable: true, prerequisite: .ipProto(17)),
        Row(number: 17, name: "sctp_src", bits: 16, bytes: 2, maskable: true, prerequisite: .ipProto(132)),
        Row(number: 18, name: "sctp_dst", bits: 16, bytes: 2, maskable: true, prerequisite: .ipProto(132)),
        Row(
            number: 19,
            name: "icmpv4_type",
            bits: 8,
            bytes: 1,
            maskable: false,
            prerequisite: .ipProto(1, over: 0x0800)
        ),
        Row(
            number: 20,
            name: "icmpv4_code",
            bits: 8,
            bytes: 1,
            maskable: false,
            prerequisite: .ipProto(1, over: 0x0800)
        ),
        Row(number: 21, name: "arp_op", bits: 16, bytes: 2, maskable: false, prerequisite: .etherType(0x0806)),
        Row(number: 22, name: "arp_spa", bits: 32, bytes: 4, maskable: true, prerequisite: .etherType(0x0806)),
        Row(number: 23, name: "arp_tpa", bits: 32, bytes: 4, maskable: true, prerequisite: .etherType(0x0806)),
        Row(number: 24, name: "arp_sha", bits: 48, bytes: 6, maskable: true, prerequisite: .etherType(0x0806)),
        Row(number: 25, name: "arp_tha", bits: 48, bytes: 6, maskable: true, prerequisite: .etherType(0x0806)),
        Row(number: 26, name: "ipv6_src", bits: 128, bytes: 16, maskable: true, prerequisite: .etherType(0x86dd)),
        Row(number: 27, name: "ipv6_dst", bits: 128, bytes: 16, maskable: true, prerequisite: .etherType(0x86dd)),
        Row(number: 28, name: "ipv6_flabel", bits: 20, bytes: 4, maskable: true, prerequisite: .etherType(0x86dd)),
        Row(
            number: 29,
            name: "icmpv6_type",
            bits: 8,
            bytes: 1,
            maskable: false,
            prerequisite: .ipProto(58, over: 0x86dd)
        ),
        Row(
            number: 30,
            name: "icmpv6_code",
            bits: 8,
            bytes: 1,
            maskable: false,
            prerequisite: .ipProto(58, over: 0x86dd)
        ),
        Row(
            number: 31,
            name: "ipv6_nd_target",
            bits: 128,
            bytes: 16,
            maskable: false,
            prerequisite: .icmpv6Type(135, or: 136)
        ),
        Row(number: 32, name: "ipv6_nd_sll", bits: 48, bytes: 6, maskable: false, prerequisite: .icmpv6Type(135)),
        Row(number: 33, name: "ipv6_nd_tll", bits: 48, bytes: 6, maskable: false, prerequisite: .icmpv6Type(136)),
        Row(
            number: 34,
            name: "mpls_label",
            bits: 20,
            bytes: 4,
            maskable: false,
            prerequisite: .etherType(0x8847, or: 0x8848)
        ),
        Row(
            number: 35,
            name: "mpls_tc",
            bits: 3,
            bytes: 1,
            maskable: false,
            prerequisite: .etherType(0x8847, or: 0x8848)
        ),
        Row(
            number: 36,
            name: "mpls_bos",
            bits: 1,
            bytes: 1,
            maskable: false,
            prerequisite: .etherType(0x8847, or: 0x8848)
        ),
        Row(number: 37, name: "pbb_isid", bits: 24, bytes: 3, maskable: true, prerequisite: .etherType(0x88e7)),
        Row(number: 38, name: "tunnel_id", bits: 64, bytes: 8, maskable: true),
        Row(
            number: 39,
            name: "ipv6_exthdr",
            bits: 9,
            bytes: 2,
            maskable: true,
            settable: false,
            prerequisite: .etherType(0x86dd)
        ),
    ]

    @Test func rowsAreTheSpecifications() throws {
        #expect(Self.table.count == OXMField.allCases.count)
        for row in Self.table {
            let field = try #require(OXMField(rawValue: row.number))
            #expect(field.name == row.name)
            #expect(field.bits == row.bits, "\(row.name)")
            #expect(field.byteCount == row.bytes, "\(row.name)")
            #expect(field.isMaskable == row.maskable, "\(row.name)")
            #expect(field.isSettable == row.settable, "\(row.name)")
            #expect(field.prerequisite == row.prerequisite, "\(row.name)")
            #expect(field.allOnes.nonzeroBitCount == row.bits, "\(row.name)")
            #expect(field.allOnes.leadingZeroBitCount == 128 - row.bits, "\(row.name)")
        }
    }

    /// The bytes of a flow-mod with one field, from the match on; the value is all ones in every second bit.
    @Test(arguments: OXMField.allCases)
    func roundTripsWithoutMask(_ field: OXMField) throws {
        let value = field.allOnes & 0xaaaa_aaaa_aaaa_aaaa_aaaa_aaaa_aaaa_aaaa
        let match = Match([MatchField(field, value)])
        let bytes = try Envelope(xid: 0, message: .flowMod(FlowMod(match: match))).encoded()
        let row = Self.table[Int(field.rawValue)]
        let header: [UInt8] = [0, 1, 0, UInt8(8 + row.bytes), 0x80, 0, row.number << 1, UInt8(row.bytes)]
        #expect(Array(bytes[48..<56]) == header)
        #expect(bytes[56..<56 + row.bytes].reduce(UInt128(0)) { $0 << 8 | UInt128($1) } == value)
        #expect(bytes.count % 8 == 0)
        #expect(try decodedMatch(bytes) == match)
    }

    @Test(arguments: OXMField.allCases)
    func roundTripsWithMaskWhereItMay(_ field: OXMField) throws {
        let mask = field.allOnes & 0xf0f0_f0f0_f0f0_f0f0_f0f0_f0f0_f0f0_f0f1
        let match = Match([MatchField(field, mask & 0xaaaa_aaaa_aaaa_aaaa_aaaa_aaaa_aaaa_aaaa, mask: mask)])
        let bytes = try Envelope(xid: 0, message: .flowMod(FlowMod(match: match))).encoded()
        if Self.table[Int(field.rawValue)].maskable {
            #expect(bytes[54] == field.rawValue << 1 | 1)
            #expect(Int(bytes[55]) == 2 * field.byteCount)
            #expect(try decodedMatch(bytes) == match)
        } else {
            #expect(throws: OpenFlowError.badMatch(.badMask)) { try decodedMatch(bytes) }
        }
    }

    @Test(arguments: OXMField.allCases)
    func isSetWhereItMay(_ field: OXMField) throws {
        let action = Action.setField(field, field.allOnes)
        let flowMod = FlowMod(instructions: [.applyActions([action])])
        let bytes = try Envelope(xid: 0, message: .flowMod(flowMod)).encoded()
        if Self.table[Int(field.rawValue)].settable {
            #expect(try Envelope(decoding: ByteBuffer(bytes: bytes)).message == .flowMod(flowMod))
        } else {
            #expect(throws: OpenFlowError.badAction(.badSetType)) { try Envelope(decoding: ByteBuffer(bytes: bytes)) }
        }
    }

    /// Each field that does not fill its bytes refuses a bit more than it has.
    @Test(arguments: OXMField.allCases.filter { $0.bits < 8 * $0.byteCount })
    func refusesBitsBeyond(_ field: OXMField) throws {
        let tooMuch = field.allOnes + 1
        let matching = try Envelope(xid: 0, message: .flowMod(FlowMod(match: Match([MatchField(field, tooMuch)]))))
            .encoded()
        #expect(throws: OpenFlowError.badMatch(.badValue)) { try decodedMatch(matching) }
    }

    private func decodedMatch(_ bytes: [UInt8]) throws -> Match? {
        guard case .flowMod(let flowMod) = try Envelope(decoding: ByteBuffer(bytes: bytes)).message else { return nil }
        return flowMod.match
    }
}
