// Random flow-mods on the model and on a plain list that does what OpenFlow 1.3.5 §6.4 says in the most simple way.

import Agent
import NIOCore
import OpenFlow
import Testing

@Suite(.timeLimit(.minutes(1)))
struct RandomFlowModTests {
    /// One entry of the list.
    private struct Naive: Hashable {
        var table: UInt8
        var priority: UInt16
        var match: Match
        var cookie: UInt64
        var instructions: [Instruction]
    }

    /// Whether `wide` says nothing that `narrow` does not say: bit by bit.
    private static func says(_ narrow: Match, all wide: Match) -> Bool {
        wide.fields.allSatisfy { field in
            let other = narrow.fields.first { $0.field == field.field }
            return (0..<field.field.bits).allSatisfy { bit in
                let one = UInt128(1) << UInt128(bit)
                guard field.significantMask & one != 0 else { return true }
                guard let other, other.significantMask & one != 0 else { return false }
                return other.value & one == field.value & one
            }
        }
    }

    private static func match(_ random: inout SeededGenerator) -> [MatchField] {
        var fields: [MatchField] = []
        if Bool.random(using: &random) { fields += .inPort(.random(in: 1...2, using: &random)) }
        if Bool.random(using: &random) {
            let mask = ([0xff00_0000, 0xffff_0000, 0xffff_ffff] as [UInt32]).randomElement(using: &random)!
            let address = ([0x0a00_0000, 0x0a01_0000, 0x0a01_0001] as [UInt32]).randomElement(using: &random)!
            fields += .ipv4Dst(address & mask, mask: mask)
        }
        return fields
    }

    @Test func agreesWithAPlainList() throws {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SeededGenerator(seed)
        let fixture = SwitchModelFixture()
        var list: [Naive] = []
        var deleted = 0
        for step in 0..<20_000 {
            let mod = FlowMod(
                cookie: .random(in: 0...3, using: &random),
                cookieMask: Bool.random(using: &random) ? 0 : 1,
                tableID: .random(in: 0...1, using: &random),
                command: ([.add, .add, .add, .add, .add, .modify, .modifyStrict, .delete, .deleteStrict]
                    as [FlowModCommand])
                    .randomElement(using: &random)!,
                priority: .random(in: 1...2, using: &random),
                outPort: Bool.random(using: &random) ? .any : 1,
                match: Match(Self.match(&random)),
                instructions: .output(PortNumber(rawValue: .random(in: 1...2, using: &random)))
            )
            try fixture.model.execute(mod)

            let isSame = { (entry: Naive) in
                entry.table == mod.tableID && entry.priority == mod.priority && Self.says(entry.match, all: mod.match)
                    && Self.says(mod.match, all: entry.match)
            }
            let isCovered = { (entry: Naive) in entry.table == mod.tableID && Self.says(entry.match, all: mod.match) }
            let cookieFits = { (entry: Naive) in entry.cookie & mod.cookieMask == mod.cookie & mod.cookieMask }
            let portFits = { (entry: Naive) in mod.outPort == .any || entry.instructions == .output(mod.outPort) }
            let before = list.count
            switch mod.command {
            case .add:
                list.removeAll(where: isSame)
                list.append(
                    Naive(
                        table: mod.tableID,
                        priority: mod.priority,
                        match: mod.match,
                        cookie: mod.cookie,
                        instructions: mod.instructions
                    )
                )
            case .modify, .modifyStrict:
                for i in list.indices
                where cookieFits(list[i]) && (mod.command == .modify ? isCovered(list[i]) : isSame(list[i])) {
                    list[i].instructions = mod.instructions
                }
            case .delete: list.removeAll { isCovered($0) && cookieFits($0) && portFits($0) }
            case .deleteStrict: list.removeAll { isSame($0) && cookieFits($0) && portFits($0) }
            }
            deleted += max(0, before - list.count)

            let entries = fixture.model.tables.flatMap(\.entries).map {
                Naive(
                    table: $0.tableID,
                    priority: $0.priority,
                    match: $0.match,
                    cookie: $0.cookie,
                    instructions: $0.instructions
                )
            }
            try #require(entries.count == list.count && Set(entries) == Set(list), "step \(step), seed \(seed)")
        }
        #expect(fixture.model.flowCount == list.count)
        #expect(deleted > 1000, "the random commands do something")
    }
}
