// Random but valid flow-mods over a small world, so that packets meet rules and rules meet each other. Rules of one shape
// (the same fields and masks) share a few priorities that no other shape has: which of two overlapping rules of the same
// priority counts is not defined (OpenFlow 1.3.5 §5.3), and two of one shape overlap only if they are the same.

import OpenFlow

struct RandomRules {
    /// What kind of rules each of the four tables gets.
    private enum Profile: CaseIterable { case missOnly, ports, vlans, few, oneMask, severalMasks, manyMasks, prefixes }
    private let profiles: [Profile]
    private let shapes: [[RuleShape]]

    init(_ random: inout SeededGenerator) {
        // The first table has rules for most packets.
        profiles = (0..<4).map { table in
            var choices = Profile.allCases
            if table == 0 { choices.removeFirst() }
            return choices.randomElement(using: &random) ?? .few
        }
        shapes = profiles.map { profile in
            switch profile {
            case .missOnly: []
            case .ports: [RuleShape(index: 1, fields: [(.inPort, nil)])]
            case .vlans: [RuleShape(index: 1, fields: [(.vlanVID, nil)])]
            case .few, .severalMasks:
                (1...Int.random(in: 2...6, using: &random)).map { RuleShape(index: $0, &random) }
            case .manyMasks:
                (1...Int.random(in: 10...30, using: &random)).map { RuleShape(index: $0, &random) }
            case .prefixes: RuleShape.prefixes(&random)
            case .oneMask: [RuleShape(index: 1, &random)]
            }
        }
    }

    /// How many changes come before a packet: many at first, then now and then.
    func changes(at step: Int, _ random: inout SeededGenerator) -> Int {
        if step == 0 { return 100 }
        return Int.random(in: 0..<10, using: &random) == 0 ? 1 : 0
    }

    func change(_ random: inout SeededGenerator) -> FlowMod {
        let table = UInt8(Int.random(in: 0..<6, using: &random) % 4)
        var mod = FlowMod(tableID: table, command: .add)
        let rollDice = Int.random(in: 0..<100, using: &random)
        mod.command =
            switch rollDice {
            case 0..<70: .add
            case 70..<78: .modifyStrict
            case 78..<82: .modify
            case 82..<97: .deleteStrict
            default: .delete
            }
        mod.cookie = UInt64.random(in: 0..<1000, using: &random)
        let limit = profiles[Int(table)] == .few ? 8 : Int.max
        if let shape = shapes[Int(table)].randomElement(using: &random), Int.random(in: 0..<12, using: &random) > 0 {
            (mod.match, mod.priority) = shape.rule(&random, narrow: limit == 8)
        } else if Int.random(in: 0..<4, using: &random) == 0 {
            // A match on everything that outranks none of the others, or some.
            mod.priority = [500, 1025].randomElement(using: &random) ?? 500
        } else {
            mod.priority = 0
        }
        if mod.command == .add || mod.command == .modify || mod.command == .modifyStrict {
            mod.instructions = RandomInstructions.make(table: table, match: mod.match, &random)
        }
        return mod
    }
}

/// Fields and masks that rules have in common, and the priorities that only they use.
struct RuleShape {
    private let index: Int
    private let fields: [(field: OXMField, mask: UInt128?)]

    init(index: Int, fields: [(OXMField, UInt128?)]) {
        self.index = index
        self.fields = fields
    }

    /// Prefixes of one field, of several lengths; half of the time the longer one has the higher priority.
    static func prefixes(_ random: inout SeededGenerator) -> [RuleShape] {
        let choices: [(field: OXMField, required: [OXMField], lengths: [Int])] = [
            (.ipv4Dst, [.ethType], [1, 8, 12, 16, 17, 20, 24, 25, 28, 29, 30, 31, 32]),
            (.ipv4Src, [.ethType, .vlanVID], [8, 16, 24, 29, 30, 31, 32]),
            (.ipv6Dst, [.ethType], [16, 17, 32, 48, 64, 100, 120, 126, 127, 128]),
            (.ethDst, [], [1, 8, 16, 24, 40, 46, 47, 48]),
            (.tcpDst, [.ethType, .ipProto], [1, 4, 8, 9, 10, 12, 15, 16]),
            (.metadata, [], [1, 56, 58, 60, 62, 63, 64]),
        ]
        guard let (field, required, lengths) = choices.randomElement(using: &random) else { return [] }
        let whole = UInt128.max >> UInt128(128 - field.bits)
        let all = [nil] + lengths.map { whole & ~(whole >> UInt128($0)) }
        let chosen = all.indices.shuffled(using: &random).prefix(.random(in: 6...all.count, using: &random))
        let ordered = Bool.random(using: &random) ? chosen.sorted() : Array(chosen)
        return ordered.enumerated().compactMap { index, length in
            let prefix: [(OXMField, UInt128?)] = all[length].map { [(field, $0 == whole ? nil : $0)] } ?? []
            let fields = required.map { ($0, nil) } + prefix
            return fields.isEmpty ? nil : RuleShape(index: index + 1, fields: fields)
        }
    }

    init(index: Int, _ random: inout SeededGenerator) {
        var fields: [(OXMField, UInt128?)] = []
        func maybe(_ odds: Int, _ field: OXMField, _ masks: [UInt128?]) {
            if Int.random(in: 0..<odds, using: &random) == 0 {
                fields.append((field, masks.randomElement(using: &random) ?? nil))
            }
        }
        maybe(4, .inPort, [nil])
        if fields.last?.0 == .inPort { maybe(3, .inPhyPort, [nil]) }
        maybe(5, .metadata, [nil, 0x0f, 0xf0])
        maybe(6, .tunnelID, [nil, 0x3])
        maybe(4, .ethDst, [nil, 0xff, 0x0100_0000_0000])
        maybe(5, .ethSrc, [nil, 0xffff_ffff_ff00])
        maybe(5, .vlanVID, [nil, 0x1000])
        switch Int.random(in: 0..<11, using: &random) {
        case 0: break
        case 1: fields.append((.ethType, nil))
        case 2...5:
            fields.append((.ethType, nil))
            maybe(2, .ipv4Src, [nil, 0xffff_ff00, 0xff, 0xffff_fffe])
            maybe(2, .ipv4Dst, [nil, 0xffff_ff00, 0xffff_fffc])
            maybe(5, .ipDSCP, [nil])
            maybe(6, .ipECN, [nil])
            maybe(2, .ipProto, [nil])
            if fields.last?.0 == .ipProto {
                maybe(2, .tcpSrc, [nil])
                maybe(2, .tcpDst, [nil])
            }
        case 6, 7:
            fields.append((.ethType, nil))
            maybe(2, .ipv6Src, [nil, UInt128(0xffff_ffff) << 96, 0xff])
            maybe(1, .ipv6Dst, [nil, 1])
            maybe(3, .ipv6FLabel, [nil, 0xff])
            maybe(3, .ipv6ExtHdr, [nil, 0x1f0, 0x004])
            if Int.random(in: 0..<2, using: &random) == 0 {
                fields += [(.ipProto, nil), (.icmpv6Type, nil)]
                maybe(3, .icmpv6Code, [nil])
                maybe(2, .ipv6NDTarget, [nil])
                maybe(2, .ipv6NDSLL, [nil])
            }
        case 8:
            fields.append((.ethType, nil))
            maybe(2, .mplsLabel, [nil])
            maybe(3, .mplsTC, [nil])
            maybe(2, .mplsBOS, [nil])
            if Set(fields.map(\.0)).isDisjoint(with: [.mplsLabel, .mplsTC, .mplsBOS]) {
                fields.append((.mplsBOS, nil))
            }
        case 9:
            fields += [(.ethType, nil), (.pbbISID, [nil, 0x1].randomElement(using: &random) ?? nil)]
        default:
            fields.append((.ethType, nil))
            maybe(2, .arpOp, [nil])
            maybe(2, .arpSPA, [nil, 0xffff_ff00])
            maybe(2, .arpTPA, [nil])
            maybe(3, .arpSHA, [nil])
            maybe(3, .arpTHA, [nil])
        }
        self.init(index: index, fields: fields.isEmpty ? [(.inPort, nil)] : fields)
    }

    /// A match of this shape with random values, and a priority of this shape.
    func rule(_ random: inout SeededGenerator, narrow: Bool) -> (Match, UInt16) {
        var match: [MatchField] = []
        var proto: UInt128 = 6
        var type: UInt128 = 135
        let isNeighbourDiscovery = fields.contains { $0.field == .icmpv6Type }
        for (field, mask) in fields {
            var field = field
            var value: UInt128
            switch field {
            case .ethType: value = etherType
            case .ipProto:
                value = [6, 17, 132].randomElement(using: &random) ?? 6
                if isNeighbourDiscovery { value = 58 }
                proto = value
            case .tcpSrc, .tcpDst:
                if proto == 17 { field = field == .tcpSrc ? .udpSrc : .udpDst }
                if proto == 132 { field = field == .tcpSrc ? .sctpSrc : .sctpDst }
                value = SmallWorld.value(field, &random)
            case .icmpv6Type:
                value = [135, 136].randomElement(using: &random) ?? 135
                type = value
            case .ipv6NDSLL:
                if type == 136 { field = .ipv6NDTLL }
                value = SmallWorld.value(field, &random)
            default: value = SmallWorld.value(field, &random)
            }
            if let mask { value &= mask }
            match.append(MatchField(field, value, mask: mask))
        }
        let priority = 1000 + index * 10 + Int.random(in: 0..<(narrow ? 2 : 3), using: &random)
        return (Match(match), UInt16(priority))
    }

    private var etherType: UInt128 {
        let names = Set(fields.map(\.field))
        if !names.isDisjoint(with: [.ipv6Src, .ipv6Dst, .ipv6FLabel, .ipv6ExtHdr]) { return 0x86dd }
        if !names.isDisjoint(with: [.mplsLabel, .mplsTC, .mplsBOS]) { return 0x8847 }
        if names.contains(.pbbISID) { return 0x88e7 }
        if !names.isDisjoint(with: [.arpOp, .arpSPA, .arpTPA, .arpSHA, .arpTHA]) { return 0x0806 }
        return 0x0800
    }
}

/// The few values that fields have in rules and in packets.
enum SmallWorld {
    static func value(_ field: OXMField, _ random: inout SeededGenerator) -> UInt128 {
        func pick(_ values: [UInt128]) -> UInt128 { values.randomElement(using: &random) ?? 0 }
        func upTo(_ limit: UInt128) -> UInt128 { UInt128(UInt64.random(in: 0..<UInt64(limit), using: &random)) }
        return switch field {
        case .inPort, .inPhyPort: 1 + upTo(4)
        case .tunnelID: upTo(4)
        case .metadata: upTo(256)
        case .ethDst, .ethSrc, .arpSHA, .arpTHA, .ipv6NDSLL, .ipv6NDTLL:
            pick([0x0200_0000_0001, 0x0200_0000_0002, 0xffff_ffff_ffff])
        case .vlanVID: pick([0, 0x1001, 0x1002, 0x1fff])
        case .vlanPCP: upTo(8)
        case .ipDSCP: pick([0, 8, 46])
        case .ipECN: upTo(4)
        case .ipProto: pick([6, 17, 1, 132])
        case .ipv4Src, .ipv4Dst, .arpSPA, .arpTPA: 0x0a00_0000 + upTo(8)
        case .tcpSrc, .tcpDst, .udpSrc, .udpDst, .sctpSrc, .sctpDst: pick([0, 80, 443, 53])
        case .icmpv4Type, .icmpv4Code: pick([0, 8])
        case .arpOp: 1 + upTo(2)
        case .ipv6FLabel: pick([0, 1, 0xfffff])
        case .ipv6ExtHdr: pick([0, 0x40, 0x44, 0x28, 0x10, 0x144])
        case .icmpv6Type: pick([128, 135, 136])
        case .icmpv6Code, .mplsBOS: upTo(2)
        case .mplsLabel: pick([0, 16, 0xfffff])
        case .mplsTC: upTo(8)
        case .pbbISID: pick([0, 1, 0xffffff])
        case .ipv6Src, .ipv6Dst, .ipv6NDTarget: UInt128(0x2001_0db8) << 96 + upTo(4)
        default: 0
        }
    }
}
