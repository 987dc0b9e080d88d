// Random groups of all four types, for rules to send packets to. There are always the same four, so that every rule may name
// any of them; the two upper ones may be chained to the two lower ones.

import OpenFlow

enum RandomGroups {
    static let all: ClosedRange<UInt32> = 1...4
    private static let chained: UInt32 = 3

    /// Removes all groups and adds them anew.
    static func start(_ random: inout SeededGenerator) -> [GroupMod] {
        [GroupMod(command: .delete, groupID: .all)] + all.map { mod(.add, $0, &random) }
    }

    /// Other buckets, and perhaps another type, for one group; or it goes, with the rules that name it, and comes again.
    static func change(_ random: inout SeededGenerator) -> [GroupMod] {
        let id = UInt32.random(in: all, using: &random)
        // The lower ones can't go while another is chained to them.
        guard id >= chained, Int.random(in: 0..<8, using: &random) == 0 else { return [mod(.modify, id, &random)] }
        return [GroupMod(command: .delete, groupID: GroupID(rawValue: id)), mod(.add, id, &random)]
    }

    private static func mod(_ command: GroupModCommand, _ id: UInt32, _ random: inout SeededGenerator) -> GroupMod {
        let type = GroupType.allCases.randomElement(using: &random) ?? .all
        let count = type == .indirect ? 1 : Int.random(in: 0...3, using: &random)
        return GroupMod(
            command: command,
            type: type,
            groupID: GroupID(rawValue: id),
            buckets: (0..<count).map { _ in bucket(type, id, &random) }
        )
    }

    private static func bucket(_ type: GroupType, _ id: UInt32, _ random: inout SeededGenerator) -> Bucket {
        let lower = GroupID(rawValue: .random(in: 1..<chained, using: &random))
        func odds(_ n: Int) -> Bool { Int.random(in: 0..<n, using: &random) == 0 }
        let watchesGroup = type == .fastFailover && id >= chained && odds(3)
        return Bucket(
            weight: type == .select ? .random(in: 0...3, using: &random) : 0,
            watchPort: type == .fastFailover && !watchesGroup || type == .select && odds(3)
                ? PortNumber(rawValue: .random(in: 1...4, using: &random)) : .any,
            watchGroup: watchesGroup ? lower : .any,
            actions: actions(id >= chained && odds(3) ? lower : nil, &random)
        )
    }

    /// What may be done with any packet.
    private static func actions(_ group: GroupID?, _ random: inout SeededGenerator) -> [Action] {
        var list: [Action] = []
        func odds(_ n: Int) -> Bool { Int.random(in: 0..<n, using: &random) == 0 }
        for field in [OXMField.ethDst, .ethSrc, .tunnelID] where odds(5) {
            list.append(.setField(field, SmallWorld.value(field, &random)))
        }
        if odds(5) { list.append(.decNWTTL) }
        if odds(6) { list.append([.pushVLAN(0x8100), .pushMPLS(0x8847)].randomElement(using: &random) ?? .copyTTLOut) }
        if let group {
            list.append(.group(group))
        } else if !odds(6) {
            // Port 9 does not exist.
            let port: PortNumber =
                [1, 2, 3, 4, 9, .all, .inPort, .controller, .normal].randomElement(using: &random) ?? 1
            list.append(.output(port, maxLength: 0xffff))
        }
        return list
    }
}
