// The tables of the scenarios, but those of several tables, and packets that hit them.

import Agent
import OpenFlow

extension Scenario {
    /// Packets of so many flows over UDP, in turn: the destination address alone tells them apart.
    static func udp(_ flows: Int) -> [PacketDescription] {
        (0..<packetCount).map { packet in
            // Evenly over all flows.
            PacketDescription(
                fields: fiveTuple(packet < flows ? packet * (flows / min(flows, packetCount)) : packet % flows)
            )
        }
    }

    private static func fiveTuple(_ flow: Int) -> [OXMField: UInt128] {
        let i = UInt128(flow)
        return [
            .ethType: 0x0800, .ipProto: 17, .ipv4Src: 0xc0a8_0000 + (i * 7 & 0xffff), .ipv4Dst: 0x0a00_0000 + i,
            .udpSrc: 1024 + i * 13 % 60000, .udpDst: 1 + i * 31 % 60000,
        ]
    }

    /// A rule for each of so many 5-tuples.
    static func exact(_ count: Int, instructions: [Instruction] = .output(2)) -> Content {
        let fields: [OXMField] = [.ethType, .ipProto, .ipv4Src, .ipv4Dst, .udpSrc, .udpDst]
        let flows = (0..<count).map { flow in
            let values = fiveTuple(flow)
            return FlowMod.rule(100, fields.map { MatchField($0, values[$0, default: 0]) }, instructions)
        }
        return Content(flows: flows, packets: udp(count))
    }

    /// Rules for the values of a small field.
    static func addressesOfOneField(count: Int) -> Content {
        let flows = (0..<count).map { FlowMod.rule(100, [MatchField(.vlanVID, MatchField.vlanPresent | UInt128($0))]) }
        let packets = (0..<packetCount).map { packet in
            PacketDescription(
                fields: [.vlanVID: MatchField.vlanPresent | UInt128(packet % count), .ethType: 0x0800, .ipProto: 17]
            )
        }
        return Content(flows: flows, packets: packets)
    }

    // MARK: Prefixes

    struct AddressFamily {
        let field: OXMField
        let etherType: UInt128
        let bits: Int
        let range: ClosedRange<UInt128>
        /// Of 1,000 routes, how many have which length.
        let lengths: [(length: Int, share: Int)]

        static let ipv4 = AddressFamily(
            field: .ipv4Dst,
            etherType: 0x0800,
            bits: 32,
            range: 0x0100_0000...0xdfff_ffff,
            lengths: [
                (24, 590), (23, 98), (22, 107), (21, 49), (20, 43), (19, 25), (18, 14), (17, 8), (16, 14), (15, 2),
                (14, 2), (13, 1), (12, 1), (11, 1), (10, 1), (9, 1), (8, 1),
            ]
        )
        static let ipv6 = AddressFamily(
            field: .ipv6Dst,
            etherType: 0x86dd,
            bits: 128,
            range: (1 << 125)...((1 << 126) - 1),
            lengths: [
                (48, 460), (44, 110), (40, 100), (36, 50), (32, 130), (46, 40), (47, 30), (42, 20), (45, 10), (56, 20),
                (64, 30),
            ]
        )

        func mask(_ length: Int) -> UInt128 {
            let all: UInt128 = bits == 128 ? .max : (1 << UInt128(bits)) - 1
            return all & ~((1 << UInt128(bits - length)) - 1)
        }
    }

    /// 10,000 routes; the longer prefix has the higher priority. Half of them lie within a shorter one.
    static func prefixes(_ family: AddressFamily) -> Content {
        var random = SeededGenerator(seed: 1)
        var lengths: [Int] = []
        for (length, share) in family.lengths { lengths += [Int](repeating: length, count: share * 10) }
        lengths.sort()
        var routes: [(network: UInt128, length: Int)] = []
        var flows: [FlowMod] = []
        for length in lengths {
            var network = UInt128.random(in: family.range, using: &random)
            if let parent = routes.randomElement(using: &random), parent.length < length, Bool.random(using: &random) {
                network = parent.network | network & ~family.mask(parent.length)
            }
            network &= family.mask(length)
            routes.append((network, length))
            let destination = MatchField(family.field, network, mask: family.mask(length))
            flows.append(.rule(UInt16(length), [MatchField(.ethType, family.etherType), destination]))
        }
        let packets = (0..<packetCount).map { _ in
            let route = routes[Int.random(in: 0..<routes.count, using: &random)]
            let host = UInt128.random(in: family.range, using: &random) & ~family.mask(route.length)
            return PacketDescription(
                fields: [.ethType: family.etherType, .ipProto: 17, family.field: route.network | host]
            )
        }
        return Content(flows: flows, packets: packets)
    }

    // MARK: Access lists

    /// Addresses that lie together as those of sites do: few /8, more /16 in them, and so on, so that prefixes nest.
    private struct Networks {
        private let bytes: [[UInt128]]

        init(_ random: inout SeededGenerator) {
            bytes = [8, 16, 64, 256].enumerated().map { place, count in
                (0..<count).map { _ in UInt128.random(in: place == 0 ? 1...223 : 0...255, using: &random) }
            }
        }

        func address(_ random: inout SeededGenerator) -> UInt128 {
            bytes.reduce(0) { $0 << 8 | $1[Int.random(in: 0..<$1.count, using: &random)] }
        }
    }

    /// 1,000 rules of 36 masks: prefixes, a destination port, a block of 64 or none, TCP or UDP; a priority each.
    static func masked() -> Content {
        var random = SeededGenerator(seed: 1)
        let networks = Networks(&random)
        let wellKnown: [UInt128] = [
            20, 21, 22, 25, 53, 80, 110, 123, 143, 161, 389, 443, 445, 993, 1433, 1521, 3306, 5060, 8080,
        ]
        var flows: [FlowMod] = []
        var packets: [PacketDescription] = []
        for number in 0..<1000 {
            let isTCP = Bool.random(using: &random)
            var match = [MatchField(.ethType, 0x0800), MatchField(.ipProto, isTCP ? 6 : 17)]
            var fields: [OXMField: UInt128] = [.ethType: 0x0800, .ipProto: isTCP ? 6 : 17]
            for (field, lengths) in [(OXMField.ipv4Src, [0, 16, 24, 32]), (.ipv4Dst, [24, 28, 32])] {
                let length = lengths[Int.random(in: 0..<lengths.count, using: &random)]
                let mask = AddressFamily.ipv4.mask(length)
                let address = networks.address(&random)
                if length > 0 { match.append(MatchField(field, address & mask, mask: length == 32 ? nil : mask)) }
                fields[field] = address
            }
            let port: OXMField = isTCP ? .tcpDst : .udpDst
            switch Int.random(in: 0..<3, using: &random) {
            case 0: fields[port] = UInt128.random(in: 0...0xffff, using: &random)
            case 1:
                let value = wellKnown[Int.random(in: 0..<wellKnown.count, using: &random)]
                match.append(MatchField(port, value))
                fields[port] = value
            default:
                let value = UInt128.random(in: 0...0xffff, using: &random)
                match.append(MatchField(port, value & 0xffc0, mask: 0xffc0))
                fields[port] = value
            }
            flows.append(.rule(UInt16(2000 - number), match))
            packets.append(PacketDescription(fields: fields))
        }
        return Content(flows: flows, packets: Array(packets.shuffled(using: &random).prefix(packetCount)))
    }
}
