// Six tables, as a virtual network has: port security, VLAN, L2, ACL, L3, egress. Packets hit a rule in each.

import Agent
import OpenFlow

extension Scenario {
    private enum Table {
        static let (portSecurity, vlan, l2, acl, l3, egress) = (
            UInt8(0), UInt8(1), UInt8(2), UInt8(3), UInt8(4), UInt8(5)
        )
    }
    private static let (vlanCount, hostCount, routeCount, aclCount, nextHopCount) = (16, 2000, 1000, 200, 16)
    private static let router: UInt128 = 0x02fe_0000_0000

    /// A /20 for each VLAN.
    private static func host(_ number: Int) -> (vlan: UInt128, ethernet: UInt128, ipv4: UInt128) {
        let vlan = UInt128(number % vlanCount)
        return (
            100 + vlan, 0x020a_0000_0000 + UInt128(number), 0x0a00_000a + (vlan << 12) + UInt128(number / vlanCount)
        )
    }

    /// A /24 each.
    private static func network(_ route: Int) -> UInt128 { 0x6400_0000 + (UInt128(route) << 8) }

    static func sixTables() -> Content {
        var random = SeededGenerator(seed: 1)
        let flows = portSecurity() + vlans() + acl(&random) + routes() + egress()
        let packets = (0..<packetCount).map { _ in
            let host = host(Int.random(in: 0..<hostCount, using: &random))
            let isTCP = Bool.random(using: &random)
            let network = network(Int.random(in: 0..<routeCount, using: &random))
            let port: UInt128 = isTCP ? (Bool.random(using: &random) ? 80 : 443) : 53
            return PacketDescription(
                fields: [
                    .ethSrc: host.ethernet, .ethDst: router + host.vlan, .vlanVID: MatchField.vlanPresent | host.vlan,
                    .ethType: 0x0800, .ipv4Src: host.ipv4,
                    .ipv4Dst: network + UInt128.random(in: 1...254, using: &random), .ipProto: isTCP ? 6 : 17,
                    isTCP ? .tcpDst : .udpDst: port,
                ]
            )
        }
        return Content(flows: flows, packets: packets)
    }

    private static func portSecurity() -> [FlowMod] {
        (0..<hostCount).map { number in
            let host = host(number)
            return .rule(
                100,
                table: Table.portSecurity,
                [
                    MatchField(.inPort, 1), MatchField(.vlanVID, MatchField.vlanPresent | host.vlan),
                    MatchField(.ethSrc, host.ethernet), MatchField(.ethType, 0x0800), MatchField(.ipv4Src, host.ipv4),
                ],
                [.gotoTable(Table.vlan)]
            )
        }
    }

    private static func vlans() -> [FlowMod] {
        (0..<vlanCount).flatMap { number in
            let vlan = UInt128(100 + number)
            let tag = MatchField(.vlanVID, MatchField.vlanPresent | vlan)
            return [
                FlowMod.rule(
                    100,
                    table: Table.vlan,
                    [MatchField(.inPort, 1), tag],
                    [.writeMetadata(value: UInt64(vlan), mask: .max), .gotoTable(Table.l2)]
                ),
                .rule(100, table: Table.l2, [tag, MatchField(.ethDst, router + vlan)], [.gotoTable(Table.acl)]),
            ]
        }
    }

    /// What it denies is what no packet is: TCP to ports that are neither 80 nor 443.
    private static func acl(_ random: inout SeededGenerator) -> [FlowMod] {
        let ports: [UInt128] = [22, 23, 25, 110, 139, 445]
        let denied = (0..<aclCount).map { number in
            let length = [16, 20, 24][Int.random(in: 0..<3, using: &random)]
            let mask = AddressFamily.ipv4.mask(length)
            let network = network(Int.random(in: 0..<routeCount, using: &random)) & mask
            return FlowMod.rule(
                UInt16(1000 - number),
                table: Table.acl,
                [
                    MatchField(.metadata, UInt128(Int.random(in: 100..<100 + vlanCount, using: &random))),
                    MatchField(.ethType, 0x0800), MatchField(.ipProto, 6), MatchField(.ipv4Dst, network, mask: mask),
                    MatchField(.tcpDst, ports[Int.random(in: 0..<ports.count, using: &random)]),
                ],
                []
            )
        }
        let allowed: [[MatchField]] = [
            [MatchField(.ipProto, 6), MatchField(.tcpDst, 80)], [MatchField(.ipProto, 6), MatchField(.tcpDst, 443)],
            [MatchField(.ipProto, 17)], [MatchField(.ipProto, 1)],
        ]
        return denied
            + allowed.map { fields in
                .rule(100, table: Table.acl, [MatchField(.ethType, 0x0800)] + fields, [.gotoTable(Table.l3)])
            }
    }

    private static func routes() -> [FlowMod] {
        (0..<routeCount).map { number in
            let hop = UInt128(number % nextHopCount)
            return .rule(
                24,
                table: Table.l3,
                [
                    MatchField(.vlanVID, 0x1000, mask: 0x1000), MatchField(.ethType, 0x0800),
                    MatchField(.ipv4Dst, network(number), mask: 0xffff_ff00),
                ],
                [
                    .applyActions([
                        .decNWTTL, .setField(.ethSrc, router + 0x10000 + hop),
                        .setField(.ethDst, router + 0x20000 + hop),
                        .setField(.vlanVID, MatchField.vlanPresent | (200 + hop)),
                    ]), .gotoTable(Table.egress),
                ]
            )
        }
    }

    private static func egress() -> [FlowMod] {
        (0..<nextHopCount).map { hop in
            .rule(
                100,
                table: Table.egress,
                [MatchField(.vlanVID, MatchField.vlanPresent | UInt128(200 + hop))],
                [.applyActions([.popVLAN, .output(2, maxLength: 0)])]
            )
        }
    }
}
