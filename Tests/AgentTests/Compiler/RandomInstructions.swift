// Random instructions that fit a match: outputs of every kind, groups, header changes, action sets, metadata, further tables.

import OpenFlow

enum RandomInstructions {
    static func make(table: UInt8, match: Match, _ random: inout SeededGenerator) -> [Instruction] {
        var instructions: [Instruction] = []
        func odds(_ n: Int) -> Bool { Int.random(in: 0..<n, using: &random) == 0 }
        var applied: [Action] = []
        if !odds(6) {
            applied = actions(match, &random)
            instructions.append(.applyActions(applied))
        }
        if odds(8) { instructions.append(.clearActions) }
        // What was pushed or popped is what the set meets, whatever the match says.
        let written = applied.contains { $0.movesHeaders } ? Match() : match
        if odds(3) { instructions.append(.writeActions(actions(written, inSet: true, &random))) }
        if odds(4) {
            instructions.append(
                .writeMetadata(value: .random(in: 0..<256, using: &random), mask: odds(2) ? .max : 0x0f)
            )
        }
        if table < 3 && odds(2) {
            instructions.append(.gotoTable(UInt8.random(in: (table + 1)...3, using: &random)))
        }
        return instructions
    }

    /// Of what a list may have, all is right after the actions before it: pushes and pops, which change that, come last
    /// in it.
    private static func actions(
        _ match: Match,
        inSet: Bool = false,
        _ random: inout SeededGenerator
    ) -> [Action] {
        var list: [Action] = []
        if inSet && Int.random(in: 0..<3, using: &random) == 0 {
            // A set pushes before it changes fields, so it has the one or the other.
            return [output(&random)] + tags(match, inSet: true, &random)
        }
        for _ in 0..<Int.random(in: 0..<4, using: &random) {
            if let action = change(match, &random) { list.append(action) }
            if Int.random(in: 0..<8, using: &random) == 0 { list.append(.setQueue(.random(in: 0...3, using: &random))) }
            if Int.random(in: 0..<3, using: &random) == 0 { list.append(output(&random)) }
        }
        if !inSet && Int.random(in: 0..<3, using: &random) == 0 { list += tags(match, inSet: false, &random) }
        if Int.random(in: 0..<4, using: &random) > 0 { list.append(output(&random)) }
        return list
    }

    /// Pushes and pops, and what they allow.
    private static func tags(_ match: Match, inSet: Bool, _ random: inout SeededGenerator) -> [Action] {
        func value(_ field: OXMField) -> UInt128 { SmallWorld.value(field, &random) }
        var choices: [[Action]] = [
            [.pushMPLS(0x8847)], [.pushMPLS(0x8848), .setField(.mplsLabel, value(.mplsLabel)), .pushMPLS(0x8847)],
            [.pushMPLS(0x8847), .copyTTLOut],
            [.pushPBB(0x88e7)], [.pushPBB(0x88e7), .setField(.pbbISID, value(.pbbISID)), .pushVLAN(0x88a8)],
            [.pushVLAN(0x8100), .pushMPLS(0x8847), .pushPBB(0x88e7)], [.pushVLAN(0x88a8), .popVLAN],
        ]
        if !inSet {
            // A set would do these in another order.
            choices += [
                [.pushMPLS(0x8847), .decMPLSTTL, .copyTTLIn], [.pushMPLS(0x8847), .popMPLS(0x0800), .decNWTTL],
                [.pushMPLS(0x8847), .pushPBB(0x88e7), .popPBB],
            ]
        }
        switch match[.ethType]?.value {
        case 0x8847:
            choices += [
                [.popMPLS(0x0800), .setField(.ipv4Src, value(.ipv4Src))], [.popMPLS(0x86dd)],
                [.popMPLS(0x8847), .decMPLSTTL],
                [.popMPLS(0x0800), .pushMPLS(0x8847)],
            ]
        case 0x88e7: choices += [[.popPBB], [.popPBB], [.popPBB, .pushVLAN(0x8100)], [.popPBB, .pushPBB(0x88e7)]]
        default: break
        }
        return choices.randomElement(using: &random) ?? []
    }

    private static func output(_ random: inout SeededGenerator) -> Action {
        if Int.random(in: 0..<8, using: &random) == 0 {
            return .group(GroupID(rawValue: .random(in: RandomGroups.all, using: &random)))
        }
        // Port 9 does not exist.
        let port: PortNumber =
            [
                1, 2, 3, 4, 9, .all, .flood, .inPort, .controller, .normal, .local,
            ].randomElement(using: &random) ?? 1
        return .output(port, maxLength: 0xffff)
    }

    /// A change of the headers that the match promises.
    private static func change(_ match: Match, _ random: inout SeededGenerator) -> Action? {
        var fields: [OXMField] = [.ethDst, .ethSrc, .tunnelID]
        let type = match[.ethType]?.value
        var others: [Action] = []
        let isTagged = (match[.vlanVID].map { $0.value & 0x1000 != 0 && $0.significantMask & 0x1000 != 0 }) ?? false
        if isTagged {
            fields += [.vlanVID, .vlanPCP]
        } else {
            // Only without later set-fields behind it does the tag not disturb the prerequisites.
            others.append(.pushVLAN(0x8100))
        }
        if type == 0x0800 || type == 0x86dd {
            fields += [.ipDSCP, .ipECN, .ipProto]
            others += [
                .decNWTTL, .decNWTTL, .setNWTTL(UInt8.random(in: 1...3, using: &random)), .copyTTLIn, .copyTTLOut,
            ]
        }
        if type == 0x0800 { fields += [.ipv4Src, .ipv4Dst] }
        if type == 0x86dd { fields += [.ipv6Src, .ipv6Dst, .ipv6FLabel] }
        if type == 0x8847 {
            fields += [.mplsLabel, .mplsTC, .mplsBOS]
            others += [.decMPLSTTL, .setMPLSTTL(UInt8.random(in: 0...3, using: &random)), .copyTTLIn, .copyTTLOut]
        }
        if type == 0x88e7 { fields += [.pbbISID] }
        if type == 0x0806 { fields += [.arpOp, .arpSPA, .arpTPA, .arpSHA, .arpTHA] }
        if match[.ipProto]?.value == 6 { fields += [.tcpSrc, .tcpDst] }
        if match[.ipProto]?.value == 17 { fields += [.udpSrc, .udpDst] }
        if match[.ipProto]?.value == 132 { fields += [.sctpSrc, .sctpDst] }
        if match[.icmpv6Type] != nil { fields += [.icmpv6Code, .ipv6NDTarget] }
        if match[.icmpv6Type]?.value == 135 { fields += [.ipv6NDSLL] }
        if match[.icmpv6Type]?.value == 136 { fields += [.ipv6NDTLL] }
        if Int.random(in: 0..<4, using: &random) == 0, let other = others.randomElement(using: &random) { return other }
        guard var field = fields.randomElement(using: &random) else { return nil }
        // After a change of the protocol the match would no longer promise the transport header.
        if field == .ipProto && match[.ipProto] != nil { field = .ipDSCP }
        var value = SmallWorld.value(field, &random)
        if field == .vlanVID { value |= 0x1000 }
        return .setField(field, value)
    }
}

extension Action {
    fileprivate var movesHeaders: Bool {
        switch self {
        case .pushMPLS, .popMPLS, .pushPBB, .popPBB, .popVLAN: true
        default: false
        }
    }
}
