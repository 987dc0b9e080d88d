// Packets in words: what FlowSyntax understands, what it says about the rest, and the frames that PacketBuilder makes.

import Agent
import OpenFlow
import Testing

@Suite(.timeLimit(.minutes(1)))
struct FlowSyntaxTests {
    private func fields(_ text: String) throws -> [OXMField: UInt128] { try FlowSyntax.packet(text).fields }

    @Test func openVSwitchNames() throws {
        let packet = try FlowSyntax.packet("in_port=1,tcp,nw_dst=10.0.0.2,tp_dst=80")
        #expect(packet.inPort == 1)
        #expect(packet.ttl == 64)
        #expect(packet.fields == [.ethType: 0x0800, .ipProto: 6, .ipv4Dst: 0x0a00_0002, .tcpDst: 80])
        #expect(
            try fields("dl_src=02:00:00:00:00:01, dl_dst=FF:ff:ff:ff:ff:ff dl_type=0x1234")
                == [.ethSrc: 0x0200_0000_0001, .ethDst: 0xffff_ffff_ffff, .ethType: 0x1234]
        )
        #expect(
            try fields("udp,tp_src=1,nw_tos=184,nw_ecn=1") == [
                .ethType: 0x0800, .ipProto: 17, .udpSrc: 1, .ipDSCP: 46, .ipECN: 1,
            ]
        )
        #expect(try FlowSyntax.packet("ip,nw_ttl=1").ttl == 1)
        #expect(try FlowSyntax.packet("in_port=CONTROLLER").inPort == .controller)
    }

    @Test func openFlowNames() throws {
        #expect(
            try fields("eth_type=0x800,ip_proto=17,ipv4_src=1.2.3.4,udp_dst=53,ip_dscp=46")
                == [.ethType: 0x0800, .ipProto: 17, .ipv4Src: 0x0102_0304, .udpDst: 53, .ipDSCP: 46]
        )
        #expect(try fields("vlan_vid=0x1005,vlan_pcp=3") == [.vlanVID: 0x1005, .vlanPCP: 3])
    }

    @Test func whatAFieldRequiresIsAdded() throws {
        #expect(try fields("tcp_dst=80") == [.tcpDst: 80, .ipProto: 6, .ethType: 0x0800])
        #expect(try fields("tcp_dst=80,ipv6_src=::1") == [.tcpDst: 80, .ipProto: 6, .ethType: 0x86dd, .ipv6Src: 1])
        #expect(try fields("icmpv6_type=135") == [.icmpv6Type: 135, .ipProto: 58, .ethType: 0x86dd])
        #expect(try fields("arp_op=2") == [.arpOp: 2, .ethType: 0x0806])
        #expect(try fields("dl_vlan_pcp=3") == [.vlanPCP: 3, .vlanVID: 0x1000])
    }

    @Test func namesThatDependOnTheProtocol() throws {
        #expect(try fields("tp_dst=80,udp")[.udpDst] == 80)
        #expect(try fields("arp,nw_src=10.0.0.1,nw_proto=1") == [.ethType: 0x0806, .arpSPA: 0x0a00_0001, .arpOp: 1])
        #expect(try fields("nw_src=10.0.0.1") == [.ethType: 0x0800, .ipv4Src: 0x0a00_0001])
        #expect(try fields("icmp6,icmp_type=1")[.icmpv6Type] == 1)
        #expect(try fields("icmp,icmp_type=1,icmp_code=2")[.icmpv4Code] == 2)
    }

    @Test func vlans() throws {
        #expect(try fields("dl_vlan=5") == [.vlanVID: 0x1005])
        #expect(try fields("dl_vlan=0") == [.vlanVID: 0x1000])
        #expect(try fields("dl_vlan=0xffff") == [.vlanVID: 0])
        #expect(try fields("vlan_vid=5") == [.vlanVID: 0x1005])
        #expect(try fields("vlan_vid=0") == [.vlanVID: 0])
    }

    @Test(
        arguments: [
            ("::", 0), ("::1", 1), ("1::", 1 << 112), ("2001:db8::2", 0x2001_0db8_0000_0000_0000_0000_0000_0002),
            ("1:2:3:4:5:6:7:8", 0x0001_0002_0003_0004_0005_0006_0007_0008), ("::ffff:10.0.0.1", 0xffff_0a00_0001),
        ] as [(String, UInt128)]
    )
    func ipv6Addresses(_ text: String, _ address: UInt128) throws {
        #expect(try fields("ipv6_src=\(text)")[.ipv6Src] == address)
    }

    @Test(arguments: [
        ("in_port=1,frobnicate", "frobnicate"), ("tcp,tp_dts=80", "tp_dts=80"),
        ("nw_dst=10.0.0.300", "nw_dst=10.0.0.300"),
        ("nw_dst=10.0.0", "nw_dst=10.0.0"), ("nw_dst=10.0.0.0/8", "nw_dst=10.0.0.0/8"), ("tcp,tp_dst=-1", "tp_dst=-1"),
        ("tcp,tp_dst=65536", "tp_dst=65536"), ("tcp,tp_dst=", "tp_dst="),
        ("dl_src=02:00:00:00:00", "dl_src=02:00:00:00:00"),
        ("dl_src=02:00:00:00:00:100", "dl_src=02:00:00:00:00:100"), ("ipv6_src=::1::2", "ipv6_src=::1::2"),
        ("ipv6_src=1:2:3:4:5:6:7", "ipv6_src=1:2:3:4:5:6:7"), ("ipv6_src=12345::", "ipv6_src=12345::"),
        ("ipv6_src=1:2:3:4:5:6:7:8::", "ipv6_src=1:2:3:4:5:6:7:8::"), ("tcp,udp", "udp"),
        ("arp,tcp_dst=80", "tcp_dst=80"),
        ("ip,ipv6_src=::1", "ipv6_src=::1"), ("tcp,udp_dst=5", "udp_dst=5"), ("tp_dst=80", "tp_dst=80"),
        ("nw_tos=3", "nw_tos=3"),
        ("dl_vlan=0xffff,dl_vlan_pcp=1", "dl_vlan_pcp=1"), ("dl_vlan=4096,dl_vlan=1", "dl_vlan=1"),
        ("nw_ttl=256", "nw_ttl=256"),
        ("metadata=1", "metadata=1"), ("tun_id=1", "tun_id=1"), ("ip,mpls_label=1", "mpls_label=1"),
        ("mpls_label=0x100000", "mpls_label=0x100000"), ("ipv6_exthdr=0x100", "ipv6_exthdr=0x100"),
        ("icmp6,icmp_type=134,nd_target=::1", "nd_target=::1"),
        ("nd_sll=02:00:00:00:00:01,nd_tll=02:00:00:00:00:02", "nd_tll=02:00:00:00:00:02"),
        ("=5", "=5"),
        ("in_port=x", "in_port=x"),
        ("in_port=4294967296", "in_port=4294967296"), ("dl_vlan=65536", "dl_vlan=65536"),
    ])
    func errorsNameTheWord(_ text: String, _ word: String) {
        let error = #expect(throws: FlowSyntaxError.self) { try FlowSyntax.packet(text) }
        #expect(error?.word == word)
        #expect(error?.reason.isEmpty == false)
    }

    @Test func aFrameFromNothing() throws {
        #expect(
            PacketBuilder.frame(try FlowSyntax.packet("")) == [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5]
        )
    }

    @Test func framesByteByByte() throws {
        var packet = try FlowSyntax.packet("udp,nw_src=10.0.0.1,nw_dst=10.0.0.2,udp_src=1,udp_dst=2")
        packet.payload = [0x68, 0x69]
        #expect(PacketBuilder.frame(packet) == PacketEditTests.udp)
        packet.fields[.udpDst] = 0x836d
        #expect(PacketBuilder.frame(packet)[40...41] == [0xff, 0xff], "a checksum of 0 would mean that there is none")
        // Written there with a window of 0 and without payload.
        let syn = PacketBuilder.frame(
            try FlowSyntax.packet("tcp6,ipv6_src=2001:db8::1,ipv6_dst=2001:db8::2,tcp_src=1,tcp_dst=2")
        )
        #expect(Array(syn[..<68]) == Array(PacketEditTests.tcp6[..<68]))
        // A window of 0xffff is nothing in ones' complement.
        #expect(Array(syn[68...]) == [0xff, 0xff, 0x54, 0x6b, 0, 0])
        #expect(
            PacketBuilder.frame(try FlowSyntax.packet("icmp,dl_vlan=5,dl_vlan_pcp=3,nw_ttl=1"))
                == [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x81, 0, 0x60, 5, 8, 0]
                + [
                    0x45, 0, 0, 28, 0, 0, 0, 0, 1, 1, 0xa5, 0xdf, 10, 0, 0, 1, 10, 0, 0, 2, 8, 0, 0xf7, 0xff, 0, 0, 0,
                    0,
                ]
        )
        #expect(
            Array(PacketBuilder.frame(try FlowSyntax.packet("arp,arp_op=2"))[12...])
                == [8, 6, 0, 1, 8, 0, 6, 4, 0, 2, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2]
        )
    }

    @Test(arguments: [
        "tcp,nw_tos=184,nw_ecn=3,tp_src=7,dl_vlan=9", "udp6,ipv6_dst=fe80::1,tp_dst=5,ip_dscp=1",
        "icmp,icmp_type=3,icmp_code=1",
        "arp,arp_sha=00:00:00:00:00:0a,arp_tpa=1.2.3.4", "ip,nw_proto=200,dl_dst=00:00:00:00:00:01", "dl_type=0x9999",
    ])
    func theParserFindsWhatTheBuilderBuilt(_ text: String) throws {
        let packet = try FlowSyntax.packet(text)
        let found = try #require(PacketFields(PacketBuilder.frame(packet))).values
        for (field, value) in packet.fields { #expect(found[field] == value, "\(field)") }
    }
}
