// The five commands of FLOW_MOD on accepted messages: OpenFlow 1.3.5 §6.4.

import Agent
import NIOCore
import OpenFlow
import Testing

@Suite(.timeLimit(.minutes(1)))
struct FlowModTests {
    let fixture = SwitchModelFixture()

    @Test func addPutsAnEntryIntoItsTable() throws {
        let entry = try fixture.add(table: 253, 7, .ipv4Dst(0x0a00_0001), .output(2), cookie: 5)
        #expect(fixture.model.tables[253].entries.count == 1)
        #expect(fixture.model.flowCount == 1)
        #expect(entry.tableID == 253 && entry.priority == 7 && entry.cookie == 5)
        #expect(entry.instructions == .output(2))
        #expect(!entry.isTableMiss)
        #expect(fixture.datapath.changes == [.add(entry.instructions.description)])
        #expect(entry.description == "cookie=0x5, priority=7,ip,nw_dst=10.0.0.1 actions=output:2")
    }

    @Test func priorityZeroWithoutAMatchIsTheTableMissEntry() throws {
        #expect(try fixture.add(0, [], .output(.controller)).isTableMiss)
        #expect(try !fixture.add(0, .ipv4).isTableMiss)
        #expect(try !fixture.add(1).isTableMiss)
        // A match of which no bit matters is no match.
        let masked = try fixture.add(table: 1, 0, [MatchField(.metadata, 0, mask: 0)])
        #expect(masked.isTableMiss)
    }

    @Test func addOfTheSameMatchReplacesAndKeepsCounters() throws {
        let old = try fixture.add(
            7,
            .ipv4Dst(0x0a00_0000, mask: 0xff00_0000),
            .output(1),
            cookie: 1,
            idle: 3,
            flags: .sendFlowRemoved
        )
        fixture.count(10, 1000, by: old)
        fixture.pass(.seconds(5))
        // The same match in other words: another order, a mask of all ones.
        let same = [MatchField(.ipv4Dst, 0x0a00_0000, mask: 0xff00_0000)]
        let new = try fixture.add(7, .ipv4 + same, .output(2), cookie: 2, hard: 9)
        #expect(new === old)
        #expect(fixture.model.flowCount == 1)
        let flow = try #require(fixture.flows().first)
        #expect(flow.cookie == 2 && flow.instructions == .output(2) && flow.flags == [])
        #expect(flow.idleTimeout == 0 && flow.hardTimeout == 9)
        #expect(flow.durationSeconds == 0)
        #expect(flow.packetCount == 10 && flow.byteCount == 1000)
        #expect(fixture.datapath.changes.last == .modify(new.instructions.description))
        #expect(fixture.flowRemoved.isEmpty)
    }

    @Test func identityIsTheNormalizedMatch() throws {
        try fixture.add(7, .ipv4 + [MatchField(.ethDst, 1)], .output(1))
        try fixture.add(
            7,
            [MatchField(.ethDst, 1, mask: 0xffff_ffff_ffff)] + .ipv4 + [MatchField(.metadata, 0, mask: 0)],
            .output(2)
        )
        let flows = try fixture.flows()
        #expect(flows.count == 1)
        // It is told as it was written last.
        #expect(flows[0].match.fields.map(\.field) == [.ethDst, .ethType, .metadata])
        try fixture.add(8, .ipv4 + [MatchField(.ethDst, 1)])
        try fixture.add(7, .ipv4 + [MatchField(.ethDst, 1, mask: 3)])
        #expect(fixture.model.flowCount == 3)
    }

    @Test func resetCountsStartsAgainFromZero() throws {
        let entry = try fixture.add(7, .ipv4)
        fixture.count(10, 1000, by: entry)
        try fixture.add(7, .ipv4, flags: .resetCounts)
        #expect(try fixture.flows()[0].packetCount == 0)
        fixture.count(12, 1100, by: entry)
        let flow = try fixture.flows()[0]
        #expect(flow.packetCount == 2 && flow.byteCount == 100)
        try fixture.model.execute(FlowMod(command: .modify, flags: .resetCounts))
        #expect(try fixture.flows()[0].byteCount == 0)
    }

    @Test func checkOverlapLooksAtEntriesOfThePriority() throws {
        try fixture.add(7, .ipv4Dst(0x0a00_0000, mask: 0xff00_0000))
        let overlap = OpenFlowError.flowModFailed(.overlap)
        func refusal(_ priority: UInt16, _ match: [MatchField], table: UInt8 = 0) -> OpenFlowError? {
            fixture.refusal(of: FlowMod(tableID: table, priority: priority, flags: .checkOverlap, match: Match(match)))
        }
        #expect(refusal(7, .ipv4Dst(0x0a01_0000, mask: 0xffff_0000)) == overlap)
        #expect(refusal(7, []) == overlap)
        #expect(refusal(7, .inPort(1)) == overlap)
        #expect(refusal(7, .ipv4Dst(0x0a00_0000, mask: 0xff00_0000)) == overlap, "an entry overlaps itself")
        #expect(fixture.model.flowCount == 1)
        #expect(refusal(7, .ipv4Dst(0x0b01_0000, mask: 0xffff_0000)) == nil)
        #expect(refusal(7, .ipv6) == nil)
        #expect(refusal(8, []) == nil)
        #expect(refusal(7, [], table: 1) == nil)
    }

    /// Against looking at every pair, with entries that come and go in between.
    @Test func overlapIsFoundAmongAnyShapes() throws {
        let seed = UInt64.random(in: 0 ... .max)
        print("overlap test: seed \(seed)")
        var random = SeededGenerator(seed)
        for _ in 0..<1_000 {
            var match: [MatchField] = Bool.random(using: &random) ? .ipv4 : []
            if !match.isEmpty, Bool.random(using: &random) {
                let masks: [UInt32] = [0xffff_ffff, 0xffff_fffe, 0xffff_fffc, 3]
                let mask = masks.randomElement(using: &random) ?? 0
                match.append(
                    MatchField(.ipv4Dst, UInt128(UInt32.random(in: 0..<8, using: &random) & mask), mask: UInt128(mask))
                )
            }
            if Bool.random(using: &random) {
                match.append(MatchField(.inPort, UInt128.random(in: 1..<4, using: &random)))
            }
            let priority = UInt16.random(in: 1...2, using: &random)
            let overlaps = fixture.model.tables[0].entries.contains {
                $0.priority == priority && $0.normalizedMatch.overlaps(Match(match).normalized)
            }
            if Int.random(in: 0..<3, using: &random) == 0 {
                let mod = FlowMod(command: .delete, match: Match(match))
                try fixture.model.execute(mod)
            } else {
                let refusal = fixture.refusal(
                    of: FlowMod(priority: priority, flags: .checkOverlap, match: Match(match))
                )
                #expect((refusal == .flowModFailed(.overlap)) == overlaps, "\(match) at \(priority), seed \(seed)")
            }
        }
    }

    @Test func aHundredThousandEntriesThatMayNotOverlap() throws {
        // Looking at all of them for each would take minutes.
        try fixture.add(7, .ipv6)
        for address in 0..<100_000 as Range<UInt32> {
            try fixture.model.execute(FlowMod(priority: 7, flags: .checkOverlap, match: Match(.ipv4Dst(address))))
        }
        #expect(fixture.refusal(of: FlowMod(priority: 7, flags: .checkOverlap, match: Match(.ipv4Dst(5)))) != nil)
    }

    @Test func modifyChangesInstructionsAndNothingElse() throws {
        let specific = try fixture.add(7, .tcp, .output(1), cookie: 1, idle: 30, hard: 60, flags: .sendFlowRemoved)
        let general = try fixture.add(9, .ipv4, .output(1), cookie: 2)
        try fixture.add(9, .ipv6, .output(1), cookie: 3)
        fixture.count(5, 50, by: specific)
        fixture.pass(.seconds(2))
        try fixture.model.execute(
            FlowMod(
                cookie: 99,
                command: .modify,
                idleTimeout: 1,
                hardTimeout: 1,
                priority: 7,
                flags: .noPacketCounts,
                match: Match(.ipv4),
                instructions: .output(2)
            )
        )
        let flows = try fixture.flows().sorted { $0.cookie < $1.cookie }
        #expect(flows.map(\.instructions) == [.output(2), .output(2), .output(1)])
        #expect(flows[0].idleTimeout == 30 && flows[0].hardTimeout == 60 && flows[0].flags == .sendFlowRemoved)
        #expect(flows[0].packetCount == 5 && flows[0].durationSeconds == 2)
        #expect(fixture.datapath.changes.suffix(2).allSatisfy { $0 == .modify(general.instructions.description) })
    }

    @Test func modifyNeverAdds() throws {
        try fixture.model.execute(FlowMod(command: .modify, match: Match(.ipv4), instructions: .output(1)))
        try fixture.model.execute(FlowMod(command: .modifyStrict, match: Match(.ipv4), instructions: .output(1)))
        #expect(fixture.model.flowCount == 0)
        #expect(fixture.datapath.changes.isEmpty)
    }

    @Test func strictCommandsMeanOneMatchAndPriority() throws {
        try fixture.add(7, .ipv4, .output(1), cookie: 1)
        try fixture.add(8, .ipv4, .output(1), cookie: 2)
        try fixture.add(7, .tcp, .output(1), cookie: 3)
        try fixture.model.execute(
            FlowMod(command: .modifyStrict, priority: 7, match: Match(.ipv4), instructions: .output(2))
        )
        #expect(try fixture.flows().filter { $0.instructions == .output(2) }.map(\.cookie) == [1])
        try fixture.model.execute(FlowMod(command: .deleteStrict, priority: 8, match: Match(.ipv4)))
        #expect(fixture.contents() == ["7/1", "7/3"])
        try fixture.model.execute(FlowMod(command: .deleteStrict, priority: 8, match: Match(.ipv4)))
        #expect(fixture.contents() == ["7/1", "7/3"])
    }

    @Test func deleteTakesWhatTheMatchCoversWhateverThePriority() throws {
        try fixture.add(1, .ipv4Dst(0x0a00_0000, mask: 0xff00_0000), cookie: 1)
        try fixture.add(2, .ipv4Dst(0x0a01_0000, mask: 0xffff_0000), cookie: 2)
        try fixture.add(3, .ipv4Dst(0x0a01_0001) + [MatchField(.ipProto, 6)], cookie: 3)
        try fixture.add(4, .ipv4Dst(0x0b00_0001), cookie: 4)
        try fixture.add(5, .ipv4, cookie: 5)
        try fixture.model.execute(
            FlowMod(command: .delete, priority: 5, match: Match(.ipv4Dst(0x0a01_0000, mask: 0xffff_0000)))
        )
        #expect(fixture.contents() == ["1/1", "4/4", "5/5"])
        try fixture.model.execute(FlowMod(command: .delete))
        #expect(fixture.model.flowCount == 0)
        #expect(fixture.model.tables[0].entries.isEmpty)
    }

    @Test func deleteOfAllTables() throws {
        for table in [0, 1, 253] as [UInt8] {
            try fixture.add(table: table, 7, .ipv4)
            try fixture.add(table: table, 7, .ipv6)
        }
        try fixture.model.execute(
            FlowMod(tableID: TableID.all, command: .deleteStrict, priority: 7, match: Match(.ipv6))
        )
        #expect(fixture.model.flowCount == 3)
        try fixture.model.execute(FlowMod(tableID: 1, command: .delete))
        #expect(fixture.model.tables.map(\.entries.count).reduce(0, +) == 2)
        try fixture.model.execute(FlowMod(tableID: TableID.all, command: .delete))
        #expect(fixture.model.flowCount == 0)
    }

    @Test func cookieFilters() throws {
        for cookie in [0x10, 0x11, 0x20] as [UInt64] {
            try fixture.add(UInt16(cookie), .ipv4, .output(1), cookie: cookie)
        }
        try fixture.model.execute(FlowMod(cookie: 0x1f, cookieMask: 0xf0, command: .modify, instructions: .output(2)))
        #expect(try fixture.flows().filter { $0.instructions == .output(2) }.map(\.cookie).sorted() == [0x10, 0x11])
        try fixture.model.execute(
            FlowMod(cookie: 0x20, cookieMask: .max, command: .deleteStrict, priority: 0x10, match: Match(.ipv4))
        )
        #expect(fixture.model.flowCount == 3, "the filter keeps it")
        try fixture.model.execute(FlowMod(cookie: 0x10, cookieMask: .max, command: .delete))
        #expect(fixture.contents() == ["17/17", "32/32"])
        // Mask 0: no filter, whatever the cookie. An ADD has no filter, it has a cookie.
        try fixture.model.execute(FlowMod(cookie: 0x77, command: .delete))
        #expect(fixture.model.flowCount == 0)
        try fixture.model.execute(FlowMod(cookie: 5, cookieMask: .max, command: .add))
        #expect(fixture.contents() == ["32768/5"])
    }

    @Test func outPortFiltersDeletesOnly() throws {
        try fixture.add(1, .ipv4, .output(1), cookie: 1)
        try fixture.add(2, .ipv4, [.writeActions([.to(1), .decNWTTL])], cookie: 2)
        try fixture.add(3, .ipv4, .output(2), cookie: 3)
        try fixture.add(4, .ipv4, [.gotoTable(1)], cookie: 4)
        try fixture.model.execute(
            FlowMod(command: .modifyStrict, priority: 3, outPort: 1, match: Match(.ipv4), instructions: .output(3))
        )
        #expect(try fixture.flows().contains { $0.instructions == .output(3) })
        try fixture.model.execute(FlowMod(command: .deleteStrict, priority: 3, outPort: 1, match: Match(.ipv4)))
        #expect(fixture.model.flowCount == 4)
        try fixture.model.execute(FlowMod(command: .delete, outPort: 1))
        #expect(fixture.contents() == ["3/3", "4/4"])
        try fixture.model.execute(FlowMod(command: .delete, outGroup: 1))
        #expect(fixture.model.flowCount == 2, "no entry sends to a group")
    }

    @Test func flowRemovedComesWhenTheLastPacketIsCounted() throws {
        let entry = try fixture.add(
            table: 3,
            7,
            .ipv4Dst(0x0a00_0001),
            .output(1),
            cookie: 0xabcd,
            idle: 100,
            hard: 200,
            flags: .sendFlowRemoved
        )
        try fixture.add(table: 3, 8, .ipv4, cookie: 1)
        fixture.count(1, 60, by: entry)
        fixture.pass(.milliseconds(2500))
        fixture.datapath.holdsBack = true
        try fixture.model.execute(FlowMod(tableID: 3, command: .delete))
        #expect(fixture.flowRemoved.isEmpty)
        fixture.count(3, 180, by: entry)
        fixture.pass(.seconds(1))
        fixture.datapath.acknowledge()
        #expect(
            fixture.flowRemoved == [
                FlowRemoved(
                    cookie: 0xabcd,
                    priority: 7,
                    reason: .delete,
                    tableID: 3,
                    durationSeconds: 2,
                    durationNanoseconds: 500_000_000,
                    idleTimeout: 100,
                    hardTimeout: 200,
                    packetCount: 3,
                    byteCount: 180,
                    match: Match(.ipv4Dst(0x0a00_0001))
                )
            ]
        )
    }

    @Test func matchAndInstructionsComeBackAsWritten() throws {
        let match = [MatchField(.ethDst, 0x0100_0000_0000, mask: 0x0100_0000_0000)] + .udp + [MatchField(.udpDst, 53)]
        let instructions: [Instruction] = [
            .gotoTable(9), .writeMetadata(value: 0x12, mask: 0xff), .writeActions([.to(2)]), .clearActions,
            .applyActions([.setField(.udpDst, 54), .to(1)]),
        ]
        try fixture.add(7, match, instructions)
        let flow = try fixture.flows()[0]
        #expect(flow.match == Match(match))
        #expect(flow.instructions == instructions)
    }

    @Test func whatTheDataPathRefusesHasChangedNothing() throws {
        let entry = try fixture.add(7, .ipv4, .output(1), cookie: 1, idle: 4)
        let full = OpenFlowError.flowModFailed(.tableFull)
        fixture.datapath.refusal = full
        #expect(fixture.refusal(of: FlowMod(match: Match(.ipv6))) == full)
        #expect(fixture.model.flowCount == 1)
        fixture.datapath.refusal = full
        #expect(
            fixture.refusal(of: FlowMod(cookie: 2, priority: 7, match: Match(.ipv4), instructions: .output(2))) == full
        )
        fixture.datapath.refusal = full
        #expect(fixture.refusal(of: FlowMod(command: .modify, instructions: .output(2))) == full)
        #expect(entry.instructions == .output(1) && entry.cookie == 1 && entry.idleTimeout == 4)
        fixture.datapath.refusal = full
        #expect(fixture.refusal(of: FlowMod(command: .delete)) == full)
        #expect(fixture.model.flowCount == 1 && fixture.model.tables[0].entries.count == 1)
    }

    @Test func flowLimitHoldsForAllTables() throws {
        let fixture = SwitchModelFixture(flowLimit: 2)
        try fixture.add(1)
        try fixture.add(table: 9, 1)
        let full = OpenFlowError.flowModFailed(.tableFull)
        #expect(fixture.refusal(of: FlowMod(tableID: 5)) == full)
        #expect(fixture.refusal(of: FlowMod(priority: 1)) == nil, "replacing needs no room")
        try fixture.model.execute(FlowMod(tableID: 9, command: .delete))
        #expect(fixture.refusal(of: FlowMod(tableID: 5)) == nil)
    }

    @Test func aHundredThousandEntries() throws {
        // Quadratic behaviour anywhere here would take hours.
        for address in 0..<100_000 as Range<UInt32> {
            try fixture.model.execute(
                FlowMod(idleTimeout: 60, priority: 7, match: Match(.ipv4Dst(address)), instructions: .output(1))
            )
        }
        #expect(fixture.model.flowCount == 100_000)
        #expect(try fixture.flows().count == 100_000)
        for address in 0..<50_000 as Range<UInt32> {
            try fixture.model.execute(FlowMod(command: .deleteStrict, priority: 7, match: Match(.ipv4Dst(address))))
        }
        fixture.pass(.seconds(60))
        fixture.model.expireFlows()
        #expect(fixture.model.flowCount == 0)
        #expect(fixture.model.nextTimeout == nil)
    }
}
