// What matches mean: normal form, covering, overlapping, prerequisites, text.

import OpenFlow
import Testing

@Suite(.timeLimit(.minutes(1)))
struct MatchTests {
    private let ip = MatchField(.ethType, 0x0800)
    private func net10(_ length: Int) -> MatchField {
        MatchField(.ipv4Dst, 0x0a00_0000, mask: (0xffff_ffff << UInt128(32 - length)) & 0xffff_ffff)
    }

    @Test func normalFormIsSortedAndFreeOfNeedlessMasks() {
        let match = Match([
            MatchField(.ipv4Dst, 0x0a00_0001, mask: 0xffff_ffff), ip, MatchField(.metadata, 0, mask: 0),
            MatchField(.ethDst, 0x0100_0000_0001, mask: 0x0100_0000_0000),
        ])
        #expect(
            match.normalized
                == Match([
                    MatchField(.ethDst, 0x0100_0000_0000, mask: 0x0100_0000_0000), ip,
                    MatchField(.ipv4Dst, 0x0a00_0001),
                ])
        )
    }

    @Test func coversWhatSaysTheSameOrMore() {
        #expect(Match.any.covers(Match([ip])))
        #expect(!Match([ip]).covers(.any))
        #expect(Match([ip]).covers(Match([ip, net10(8)])))
        #expect(Match([ip, net10(8)]).covers(Match([ip, net10(24)])))
        #expect(!Match([ip, net10(24)]).covers(Match([ip, net10(8)])))
        #expect(Match([net10(8)]).covers(Match([MatchField(.ipv4Dst, 0x0a01_0203), ip])))
        #expect(!Match([net10(8)]).covers(Match([MatchField(.ipv4Dst, 0x0b01_0203), ip])))
        #expect(Match([MatchField(.metadata, 0, mask: 0)]).covers(.any))
    }

    @Test func overlapsWhereAPacketCanFitBoth() {
        #expect(Match.any.overlaps(Match([ip])))
        #expect(Match([net10(8)]).overlaps(Match([net10(24)])))
        #expect(Match([net10(24)]).overlaps(Match([net10(8)])))
        #expect(!Match([net10(8)]).overlaps(Match([MatchField(.ipv4Dst, 0x0b00_0000, mask: 0xff00_0000)])))
        #expect(Match([MatchField(.inPort, 1)]).overlaps(Match([net10(8)])))
        #expect(!Match([MatchField(.inPort, 1)]).overlaps(Match([MatchField(.inPort, 2)])))
        let low = Match([MatchField(.metadata, 1, mask: 0x0f)])
        let high = Match([MatchField(.metadata, 0x20, mask: 0xf0)])
        #expect(low.overlaps(high) && high.overlaps(low))
    }

    /// Each field behind what it requires is accepted; alone, or before it, or with another value, it is refused.
    @Test(
        arguments: [
            (.inPhyPort, [MatchField(.inPort, 1)], [MatchField(.metadata, 1)]),
            (.vlanPCP, [MatchField(.vlanVID, 0x1005)], [MatchField(.vlanVID, 0)]),
            (.vlanPCP, [MatchField(.vlanVID, 0x1000, mask: 0x1000)], [MatchField(.vlanVID, 5, mask: 0xfff)]),
            (.ipDSCP, [MatchField(.ethType, 0x86dd)], [MatchField(.ethType, 0x0806)]),
            (.ipProto, [MatchField(.ethType, 0x0800)], [MatchField(.ethType, 0x8847)]),
            (.ipv4Dst, [MatchField(.ethType, 0x0800)], [MatchField(.ethType, 0x86dd)]),
            (.ipv6Src, [MatchField(.ethType, 0x86dd)], [MatchField(.ethType, 0x0800)]),
            (.arpOp, [MatchField(.ethType, 0x0806)], [MatchField(.ethType, 0x0800)]),
            (
                .tcpDst, [MatchField(.ethType, 0x86dd), MatchField(.ipProto, 6)],
                [MatchField(.ethType, 0x86dd), MatchField(.ipProto, 17)]
            ),
            (
                .icmpv4Type, [MatchField(.ethType, 0x0800), MatchField(.ipProto, 1)],
                [MatchField(.ethType, 0x86dd), MatchField(.ipProto, 1)]
            ),
            (
                .ipv6NDSLL,
                [MatchField(.ethType, 0x86dd), MatchField(.ipProto, 58), MatchField(.icmpv6Type, 135)],
                [MatchField(.ethType, 0x86dd), MatchField(.ipProto, 58), MatchField(.icmpv6Type, 136)]
            ),
            (.mplsBOS, [MatchField(.ethType, 0x8848)], [MatchField(.ethType, 0x0800)]),
            (.pbbISID, [MatchField(.ethType, 0x88e7)], [MatchField(.ethType, 0x8847)]),
        ] as [(OXMField, [MatchField], [MatchField])]
    )
    func prerequisites(_ field: OXMField, enough: [MatchField], notEnough: [MatchField]) throws {
        let entry = MatchField(field, 1)
        try Match(enough + [entry]).checkPrerequisites()
        for fields in [[entry], [entry] + enough, notEnough + [entry]] {
            #expect(throws: OpenFlowError.badMatch(.badPrerequisite)) { try Match(fields).checkPrerequisites() }
        }
    }

    @Test func vlanNumbersNeedThePresentBit() throws {
        try Match([MatchField(.vlanVID, 0)]).checkPrerequisites()
        try Match([MatchField(.vlanVID, 0x1005)]).checkPrerequisites()
        #expect(throws: OpenFlowError.badMatch(.badValue)) { try Match([MatchField(.vlanVID, 5)]).checkPrerequisites() }
    }

    /// A match keeps its prerequisites when it is sorted.
    @Test func normalFormKeepsPrerequisites() throws {
        for row in OXMField.allCases {
            var fields = [MatchField(row, 1)]
            var needed = row.prerequisite
            while needed != .none {
                switch needed {
                case .none: break
                case .inPort:
                    fields.append(MatchField(.inPort, 1))
                    needed = .none
                case .vlanTag:
                    fields.append(MatchField(.vlanVID, 0x1001))
                    needed = .none
                case .etherType(let type, _):
                    fields.append(MatchField(.ethType, UInt128(type)))
                    needed = .none
                case .ipProto(let number, let version):
                    fields.append(MatchField(.ipProto, UInt128(number)))
                    needed = .etherType(version ?? 0x0800)
                case .icmpv6Type(let type, _):
                    fields.append(MatchField(.icmpv6Type, UInt128(type)))
                    needed = OXMField.icmpv6Type.prerequisite
                }
            }
            if row == .vlanVID { fields = [MatchField(.vlanVID, 0x1001)] }
            try Match(fields).normalized.checkPrerequisites()
        }
    }

    @Test func textsThatNoMessageHas() {
        #expect(Match.any.description == "")
        #expect(Match([MatchField(.vlanVID, 0)]).description == "vlan_tci=0x0000/0x1fff")
        #expect(
            Match([MatchField(.ipv4Src, 0, mask: 0), MatchField(.inPort, 0xffff_fffe)]).description == "in_port=LOCAL"
        )
        #expect(Match([ip, MatchField(.ipProto, 2)]).description == "ip,nw_proto=2")
        let udp = MatchField(.ipProto, 17)
        #expect(Match([ip, udp, MatchField(.udpDst, 0x400, mask: 0xfc00)]).description == "udp,tp_dst=0x400/0xfc00")
        #expect(MatchField(.vlanVID, 0x1005).description == "vlan_vid=4101")
    }
}
