// What FLOW_MOD refuses and with which error: OpenFlow 1.3.5 §6.4 and §7.4.4. A refused message has changed nothing.

import Agent
import NIOCore
import OpenFlow
import Testing

@Suite(.timeLimit(.minutes(1)))
struct FlowModErrorTests {
    /// One message and the error it is due.
    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var mod: FlowMod
        var error: OpenFlowError?

        init(_ name: String, _ mod: FlowMod, _ error: OpenFlowError?) {
            (testDescription, self.mod, self.error) = (name, mod, error)
        }

        /// An ADD with these actions applied.
        init(_ name: String, in match: [MatchField] = [], _ actions: [Action], _ error: BadActionCode?) {
            self.init(
                name,
                FlowMod(match: Match(match), instructions: [.applyActions(actions)]),
                error.map { .badAction($0) }
            )
        }
    }

    private func check(_ test: Case) {
        let fixture = SwitchModelFixture()
        #expect(fixture.refusal(of: test.mod) == test.error)
        if test.error != nil {
            #expect(fixture.model.flowCount == 0)
            #expect(fixture.datapath.changes.isEmpty)
        }
    }

    @Test(arguments: [
        Case("add to the last table", FlowMod(tableID: 253), nil),
        Case("add to table 254", FlowMod(tableID: 254), .flowModFailed(.badTableID)),
        Case("add to all tables", FlowMod(tableID: 255), .flowModFailed(.badTableID)),
        Case("modify in all tables", FlowMod(tableID: 255, command: .modify), .flowModFailed(.badTableID)),
        Case(
            "modify strictly in all tables",
            FlowMod(tableID: 255, command: .modifyStrict),
            .flowModFailed(.badTableID)
        ),
        Case("delete from table 254", FlowMod(tableID: 254, command: .delete), .flowModFailed(.badTableID)),
        Case("delete from all tables", FlowMod(tableID: 255, command: .delete), nil),
        Case("delete strictly from all tables", FlowMod(tableID: 255, command: .deleteStrict), nil),
        Case("an unknown flag", FlowMod(flags: FlowModFlags(rawValue: 32)), .flowModFailed(.badFlags)),
        Case("all flags", FlowMod(flags: FlowModFlags(rawValue: 31)), nil),
        Case("add with a buffer", FlowMod(bufferID: 0), .badRequest(.bufferUnknown)),
        Case("modify with a buffer", FlowMod(command: .modify, bufferID: 7), .badRequest(.bufferUnknown)),
        Case("delete, where the buffer is not looked at", FlowMod(command: .delete, bufferID: 0), nil),
    ])
    func message(_ test: Case) { check(test) }

    @Test(arguments: [
        Case("tunnel id", FlowMod(match: Match([MatchField(.tunnelID, 1, mask: 1)])), nil),
        Case("physical port alone", FlowMod(match: Match([MatchField(.inPhyPort, 1)])), .badMatch(.badPrerequisite)),
        Case(
            "MPLS",
            FlowMod(
                match: Match(.mpls + [MatchField(.mplsLabel, 1), MatchField(.mplsTC, 1), MatchField(.mplsBOS, 1)])
            ),
            nil
        ),
        Case(
            "MPLS label in IP",
            FlowMod(match: Match(.ipv4 + [MatchField(.mplsLabel, 1)])),
            .badMatch(.badPrerequisite)
        ),
        Case(
            "I-SID without its type in a delete",
            FlowMod(command: .delete, match: Match([MatchField(.pbbISID, 1)])),
            .badMatch(.badPrerequisite)
        ),
        Case(
            "target address in a router advertisement",
            FlowMod(
                match: Match(
                    .ipv6 + [MatchField(.ipProto, 58), MatchField(.icmpv6Type, 134), MatchField(.ipv6NDTarget, 1)]
                )
            ),
            .badMatch(.badPrerequisite)
        ),
        Case(
            "IPv4 address without eth_type",
            FlowMod(match: Match([MatchField(.ipv4Dst, 1)])),
            .badMatch(.badPrerequisite)
        ),
        Case("TCP port in UDP", FlowMod(match: Match(.udp + [MatchField(.tcpDst, 1)])), .badMatch(.badPrerequisite)),
        Case(
            "priority without a tag",
            FlowMod(match: Match(.untagged + [MatchField(.vlanPCP, 1)])),
            .badMatch(.badPrerequisite)
        ),
        Case("VLAN id without the present bit", FlowMod(match: Match([MatchField(.vlanVID, 5)])), .badMatch(.badValue)),
        Case(
            "prerequisites in a delete",
            FlowMod(command: .delete, match: Match([MatchField(.arpOp, 1)])),
            .badMatch(.badPrerequisite)
        ),
        Case(
            "every supported field of an IPv4 packet",
            FlowMod(
                match: Match(
                    [
                        MatchField(.inPort, 1), MatchField(.metadata, 1, mask: 3), MatchField(.ethDst, 1),
                        MatchField(.ethSrc, 1),
                    ]
                        + .tagged + [MatchField(.vlanPCP, 7)] + .tcp + [
                            MatchField(.ipDSCP, 1), MatchField(.ipECN, 1), MatchField(.ipv4Src, 1),
                            MatchField(.ipv4Dst, 1),
                            MatchField(.tcpSrc, 1), MatchField(.tcpDst, 1),
                        ]
                )
            ),
            nil
        ),
        Case("ICMP", FlowMod(match: Match(.icmp + [MatchField(.icmpv4Type, 8), MatchField(.icmpv4Code, 0)])), nil),
        Case(
            "ARP",
            FlowMod(
                match: Match(
                    .arp + [
                        MatchField(.arpOp, 1), MatchField(.arpSPA, 1), MatchField(.arpTPA, 1), MatchField(.arpSHA, 1),
                        MatchField(.arpTHA, 1),
                    ]
                )
            ),
            nil
        ),
        Case("IPv6", FlowMod(match: Match(.ipv6 + [MatchField(.ipv6Src, 1, mask: 1), MatchField(.ipv6Dst, 1)])), nil),
    ])
    func match(_ test: Case) { check(test) }

    @Test(arguments: [
        Case("meter", FlowMod(instructions: [.meter(1)]), .meterModFailed(.unknownMeter)),
        Case("meter 0", FlowMod(instructions: [.meter(0)]), .meterModFailed(.invalidMeter)),
        Case("virtual meter", FlowMod(instructions: [.meter(MeterID.controller)]), .meterModFailed(.invalidMeter)),
        Case("goto the same table", FlowMod(tableID: 3, instructions: [.gotoTable(3)]), .badInstruction(.badTableID)),
        Case("goto back", FlowMod(tableID: 3, instructions: [.gotoTable(2)]), .badInstruction(.badTableID)),
        Case("goto beyond the last table", FlowMod(instructions: [.gotoTable(254)]), .badInstruction(.badTableID)),
        Case(
            "goto in the last table",
            FlowMod(tableID: 253, instructions: [.gotoTable(254)]),
            .badInstruction(.badTableID)
        ),
        Case("goto the last table", FlowMod(instructions: [.gotoTable(253)]), nil),
        Case(
            "modify with a bad goto",
            FlowMod(command: .modify, instructions: [.gotoTable(0)]),
            .badInstruction(.badTableID)
        ),
        Case(
            "delete, where instructions are not looked at",
            FlowMod(command: .delete, instructions: [.gotoTable(0)]),
            nil
        ),
        Case(
            "two of one type",
            FlowMod(instructions: [.gotoTable(1), .gotoTable(2)]),
            .badInstruction(.unsupportedInstruction)
        ),
        Case("any bits of metadata", FlowMod(instructions: [.writeMetadata(value: .max, mask: .max)]), nil),
        Case(
            "the fault is in the last of several",
            FlowMod(match: Match(.ipv4), instructions: [.applyActions([.decNWTTL]), .writeActions([.setQueue(1)])]),
            .badAction(.badQueue)
        ),
    ])
    func instruction(_ test: Case) { check(test) }

    @Test(arguments: [
        Case("output to port 0", [.to(0)], .badOutPort),
        Case("output to the highest port", [.to(.max)], nil),
        Case("output to a port that is not there", [.to(77)], nil),
        Case("output beyond the highest port", [.to(0xffff_ff01)], .badOutPort),
        Case("output to IN_PORT, ALL, CONTROLLER", [.to(.inPort), .to(.all), .to(.controller)], nil),
        Case("output to TABLE", [.to(.table)], .badOutPort),
        Case("output to NORMAL", [.to(.normal)], nil),
        Case("output to LOCAL", [.to(.local)], nil),
        Case("output to ANY", [.to(.any)], .badOutPort),
        Case("group", [.group(1)], .badOutGroup),
        Case("queue", [.setQueue(1)], .badQueue),
        Case("copy TTL in IP", in: .ipv4, [.copyTTLOut, .copyTTLIn], nil),
        Case("copy TTL in what need be neither IP nor MPLS", [.copyTTLIn], .matchInconsistent),
        Case("MPLS TTL", in: .mpls, [.setMPLSTTL(1), .decMPLSTTL, .copyTTLIn], nil),
        Case("MPLS TTL in IP", in: .ipv4, [.decMPLSTTL], .matchInconsistent),
        Case("push MPLS", [.pushMPLS(0x8847), .decMPLSTTL, .setField(.mplsLabel, 3)], nil),
        Case("push another type", [.pushMPLS(0x8100)], .badArgument),
        Case("pop MPLS", in: .mpls, [.popMPLS(0x0800), .decNWTTL], nil),
        Case("pop MPLS of IP", in: .ipv4, [.popMPLS(0x0800)], .matchInconsistent),
        Case("pop MPLS to a VLAN tag", in: .mpls, [.popMPLS(0x88a8)], .badArgument),
        Case("IP below MPLS", in: .ipv4, [.pushMPLS(0x8847), .decNWTTL], .matchInconsistent),
        Case("push PBB", [.pushPBB(0x88e7), .setField(.pbbISID, 1), .popPBB], nil),
        Case("push another type than PBB's", [.pushPBB(0x88a8)], .badArgument),
        Case("pop PBB", [.popPBB], .matchInconsistent),
        Case("what is within PBB", in: .ipv4, [.pushPBB(0x88e7), .popPBB, .decNWTTL], .matchInconsistent),
        Case("more than a statistics reply can hold", [Action](repeating: .to(1), count: 4064), .tooMany),
        Case("as much as one can hold", [Action](repeating: .to(1), count: 4063), nil),
    ])
    func action(_ test: Case) { check(test) }

    @Test(arguments: [
        Case("push another type", [.pushVLAN(0x0800)], .badArgument),
        Case("push 802.1Q", [.pushVLAN(0x8100)], nil),
        Case("push 802.1ad", [.pushVLAN(0x88a8)], nil),
        Case("pop what is perhaps there", [.popVLAN], .matchInconsistent),
        Case("pop what is not there", in: .untagged, [.popVLAN], .matchInconsistent),
        Case("pop any tag", in: .tagged, [.popVLAN], nil),
        Case("pop a certain tag", in: [MatchField(.vlanVID, 0x1005)], [.popVLAN], nil),
        Case(
            "a mask without the present bit says nothing",
            in: [MatchField(.vlanVID, 1, mask: 1)],
            [.popVLAN],
            .matchInconsistent
        ),
        Case("pop what was pushed", [.pushVLAN(0x8100), .popVLAN], nil),
        Case("pop twice", in: .tagged, [.popVLAN, .popVLAN], .matchInconsistent),
        Case(
            "set the id of what was pushed",
            in: .untagged,
            [.pushVLAN(0x8100), .setField(.vlanVID, 0x1005), .setField(.vlanPCP, 3)],
            nil
        ),
        Case("set the id without a tag", in: .untagged, [.setField(.vlanVID, 0x1005)], .matchInconsistent),
        Case(
            "set the priority of what was popped",
            in: .tagged,
            [.popVLAN, .setField(.vlanPCP, 3)],
            .matchInconsistent
        ),
        Case("set an id without the present bit", in: .tagged, [.setField(.vlanVID, 5)], .badSetArgument),
        Case("set an id beyond 4095", in: .tagged, [.setField(.vlanVID, 0x2005)], .badSetArgument),
    ])
    func vlan(_ test: Case) { check(test) }

    @Test(arguments: [
        Case("TTL without IP", [.decNWTTL], .matchInconsistent),
        Case("TTL in ARP", in: .arp, [.setNWTTL(3)], .matchInconsistent),
        Case("TTL in IPv4", in: .ipv4, [.decNWTTL, .setNWTTL(3)], nil),
        Case("hop limit in IPv6", in: .ipv6, [.decNWTTL, .setNWTTL(3)], nil),
        Case("set in_port", [.setField(.inPort, 1)], .badSetType),
        Case("set metadata", [.setField(.metadata, 1)], .badSetType),
        Case("set tunnel_id", [.setField(.tunnelID, 1)], nil),
        Case("set ipv6_exthdr", in: .ipv6, [.setField(.ipv6ExtHdr, 1)], .badSetType),
        Case("set an ICMPv6 type", in: .ipv6 + [MatchField(.ipProto, 58)], [.setField(.icmpv6Type, 1)], nil),
        Case(
            "set a target address, which needs the type",
            in: .ipv6 + [MatchField(.ipProto, 58)],
            [.setField(.ipv6NDTarget, 1)],
            .matchInconsistent
        ),
        Case("set Ethernet addresses", [.setField(.ethDst, 1), .setField(.ethSrc, 2)], nil),
        Case("set too wide a value", in: .ipv4, [.setField(.ipDSCP, 64)], .badSetArgument),
        Case("set an address without eth_type", [.setField(.ipv4Dst, 1)], .matchInconsistent),
        Case("set an IPv6 address in IPv4", in: .ipv4, [.setField(.ipv6Dst, 1)], .matchInconsistent),
        Case("set a port without ip_proto", in: .ipv4, [.setField(.tcpDst, 1)], .matchInconsistent),
        Case("set a TCP port in UDP", in: .udp, [.setField(.tcpDst, 1)], .matchInconsistent),
        Case("set a port", in: .tcp, [.setField(.tcpDst, 1)], nil),
        Case("set ICMP", in: .icmp, [.setField(.icmpv4Type, 0), .setField(.icmpv4Code, 0)], nil),
        Case("set ARP", in: .arp, [.setField(.arpOp, 2), .setField(.arpSPA, 1), .setField(.arpTHA, 1)], nil),
        Case("set eth_type to a tag's", [.setField(.ethType, 0x8100)], .badSetArgument),
        Case(
            "set eth_type, then what it allows",
            in: .ipv6,
            [.setField(.ethType, 0x0800), .setField(.ipv4Dst, 1)],
            nil
        ),
        Case(
            "set eth_type, then what it forbids",
            in: .ipv6,
            [.setField(.ethType, 0x0800), .setField(.ipv6Dst, 1)],
            .matchInconsistent
        ),
        Case(
            "set eth_type, after which ip_proto is not known",
            in: .tcp,
            [.setField(.ethType, 0x86dd), .setField(.tcpDst, 1)],
            .matchInconsistent
        ),
        Case("set ip_proto, then what it allows", in: .tcp, [.setField(.ipProto, 17), .setField(.udpDst, 1)], nil),
        Case(
            "set ip_proto, then what it forbids",
            in: .tcp,
            [.setField(.ipProto, 17), .setField(.tcpDst, 1)],
            .matchInconsistent
        ),
    ])
    func setField(_ test: Case) { check(test) }

    @Test func writtenActionsMayNeedATagThatAnEarlierTableWrites() {
        func refusal(_ match: [MatchField], _ actions: [Action]) -> OpenFlowError? {
            SwitchModelFixture().refusal(of: FlowMod(match: Match(match), instructions: [.writeActions(actions)]))
        }
        #expect(refusal([], [.setField(.vlanVID, 0x1005), .pushVLAN(0x8100)]) == nil)
        #expect(refusal([], [.popVLAN]) == nil)
        #expect(refusal(.ipv4, [.setField(.mplsLabel, 1), .decMPLSTTL, .copyTTLOut]) == nil)
        #expect(refusal(.ipv4, [.setField(.pbbISID, 1)]) == nil)
        #expect(refusal(.mpls, [.decNWTTL, .popMPLS(0x0800)]) == nil)
        #expect(refusal(.ipv4, [.popMPLS(0x0800)]) == .badAction(.matchInconsistent))
        // The set pushes before it decrements.
        #expect(refusal(.ipv4, [.decNWTTL, .pushMPLS(0x8847)]) == .badAction(.matchInconsistent))
        #expect(refusal([], [.setField(.ipv4Dst, 1)]) == .badAction(.matchInconsistent))
        #expect(refusal(.ipv4, [.setField(.tcpDst, 1)]) == .badAction(.matchInconsistent))
        #expect(refusal(.tcp, [.setField(.tcpDst, 1), .decNWTTL, .to(1)]) == nil)
        #expect(refusal([], [.to(.table)]) == .badAction(.badOutPort))
    }
}
