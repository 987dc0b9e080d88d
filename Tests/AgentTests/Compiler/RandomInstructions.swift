// Random instructions that fit a match: outputs of every kind, header changes, action sets, metadata, further tables.

import OpenFlow

enum RandomInstructions {
    static func make(table: UInt8, match: Match, _ random: inout SeededGenerator) -> [Instruction] {
        var instructions: [Instruction] = []
        func odds(_ n: Int) -> Bool { Int.random(in: 0..<n, using: &random) == 0 }
        if !odds(6) { instructions.append(.applyActions(actions(match, &random))) }
        if odds(8) { instructions.append(.clearActions) }
        if odds(3) { instructions.append(.writeActions(actions(match, &random))) }
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

    private static func actions(_ match: Match, _ random: inout SeededGenerator) -> [Action] {
        var list: [Action] = []
        for _ in 0..<Int.random(in: 0..<4, using: &random) {
            if let action = change(match, &random) { list.append(action) }
            if Int.random(in: 0..<3, using: &random) == 0 { list.append(output(&random)) }
        }
        if Int.random(in: 0..<4, using: &random) > 0 { list.append(output(&random)) }
        return list
    }

    private static func output(_ random: inout SeededGenerator) -> Action {
        // Port 9 does not exist.
        let port: PortNumber = [1, 2, 3, 4, 9, .all, .flood, .inPort, .controller].randomElement(using: &random) ?? 1
        return .output(port, maxLength: 0xffff)
    }

    /// A change of the headers that the match promises.
    private static func change(_ match: Match, _ random: inout SeededGenerator) -> Action? {
        var fields: [OXMField] = [.ethDst, .ethSrc]
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
            others += [.decNWTTL, .decNWTTL, .setNWTTL(UInt8.random(in: 1...3, using: &random))]
        }
        if type == 0x0800 { fields += [.ipv4Src, .ipv4Dst] }
        if type == 0x86dd { fields += [.ipv6Src, .ipv6Dst] }
        if type == 0x0806 { fields += [.arpOp, .arpSPA, .arpTPA, .arpSHA, .arpTHA] }
        if match[.ipProto]?.value == 6 { fields += [.tcpSrc, .tcpDst] }
        if match[.ipProto]?.value == 17 { fields += [.udpSrc, .udpDst] }
        if Int.random(in: 0..<4, using: &random) == 0, let other = others.randomElement(using: &random) { return other }
        guard var field = fields.randomElement(using: &random) else { return nil }
        // After a change of the protocol the match would no longer promise the transport header.
        if field == .ipProto && match[.ipProto] != nil { field = .ipDSCP }
        var value = SmallWorld.value(field, &random)
        if field == .vlanVID { value |= 0x1000 }
        return .setField(field, value)
    }
}
