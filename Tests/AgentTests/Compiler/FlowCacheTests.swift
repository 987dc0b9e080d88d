// The flow cache: the same packets, decisions and counts as without it, whatever changes in between; and that it is used
// only where that pays.

import Agent
import DataPlane
import OpenFlow
import Testing

@Suite("Flow cache", .timeLimit(.minutes(5)), .serialized)
struct FlowCacheTests {
    /// UDP over IPv4 from 10.0.0.1, with `tags` VLAN tags (of the VLANs 5, 6 and so on, the outermost first).
    private static func frame(destination: UInt8 = 2, ttl: UInt8 = 64, tags: UInt8 = 0) -> [UInt8] {
        let tagged = (0..<tags).flatMap { [0x81, 0, 0, 5 + $0] as [UInt8] }
        return [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2] + tagged
            + [8, 0, 0x45, 0, 0, 28, 0, 0, 0, 0, ttl, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, destination]
            + [0, 7, 0, 9, 0, 8, 0, 0]
    }

    private static func add(
        _ table: UInt8,
        _ fields: [MatchField] = [],
        priority: UInt16 = 10,
        _ instructions: [Instruction]
    ) -> FlowMod {
        FlowMod(tableID: table, command: .add, priority: priority, match: Match(fields), instructions: instructions)
    }

    private static let toDestination2 = [
        MatchField(.ethType, 0x0800), MatchField(.ipv4Dst, 0x0a00_0002),
    ]

    /// Three tables: the port, the destination, and an output to port 2.
    private func makeSwitch(second actions: [Action] = []) throws -> InProcessSwitch {
        let system = try InProcessSwitch()
        try system.execute(Self.add(0, [MatchField(.inPort, 1)], [.gotoTable(1)]))
        let apply: [Instruction] = actions.isEmpty ? [] : [.applyActions(actions)]
        try system.execute(Self.add(1, Self.toDestination2, apply + [.gotoTable(2)]))
        try system.execute(Self.add(2, [.init(.ethType, 0x0800)], [.applyActions([.output(2, maxLength: 0)])]))
        return system
    }

    private func hits(_ system: InProcessSwitch) -> UInt64 { system.worker.pointee.counters.pointee.cacheHits }

    private func packets(_ system: InProcessSwitch, table: Int) -> UInt64 {
        system.model.tables[table].entries.reduce(0) { $0 + system.datapath.counters(of: $1).packets }
    }

    @Test func theSecondPacketOfAFlowTakesThePathOfTheFirst() throws {
        let system = try makeSwitch()
        for count in 1...3 as ClosedRange<UInt64> {
            let outcome = try #require(system.receive(Self.frame(), port: 1, cached: true))
            #expect(outcome.outputs.map(\.port) == [2])
            #expect(hits(system) == count - 1)
            for table in 0..<3 {
                #expect(packets(system, table: table) == count)
                let counters = system.datapath.counters(ofTable: UInt8(table))
                #expect(counters == (count, count), "table \(table)")
            }
        }
    }

    @Test func aChangeOfAnyTableOfAPathEndsIt() throws {
        let system = try makeSwitch()
        try system.execute(Self.add(7, [MatchField(.inPort, 1)], []))
        func receive() throws -> [UInt32] {
            try #require(system.receive(Self.frame(), port: 1, cached: true)).outputs.map(\.port)
        }
        #expect(try receive() == [2])
        #expect(try receive() == [2])
        try system.execute(
            Self.add(2, Self.toDestination2, priority: 20, [.applyActions([.output(3, maxLength: 0)])])
        )
        #expect(try receive() == [3])
        #expect(try receive() == [3])
        #expect(hits(system) == 2)
        var change = Self.add(1, Self.toDestination2, [.applyActions([.output(4, maxLength: 0)])])
        change.command = .modifyStrict
        try system.execute(change)
        #expect(try receive() == [4])
        try system.execute(FlowMod(tableID: 0, command: .delete))
        #expect(try receive() == [])
        // A change elsewhere does not.
        try system.execute(Self.add(0, [MatchField(.inPort, 1)], [.gotoTable(1)]))
        #expect(try receive() == [4])
        let before = hits(system)
        try system.execute(Self.add(7, [MatchField(.inPort, 2)], []))
        #expect(try receive() == [4])
        #expect(hits(system) == before + 1)
    }

    @Test func aPacketThatEndsOnItsWayIsNotCountedBeyond() throws {
        let system = try makeSwitch(second: [.decNWTTL])
        for _ in 0..<2 { _ = system.receive(Self.frame(), port: 1, cached: true) }
        let outcome = try #require(system.receive(Self.frame(ttl: 1), port: 1, cached: true))
        #expect(hits(system) == 2)
        #expect(outcome.outputs.isEmpty && outcome.packetIns.count == 1)
        #expect(packets(system, table: 1) == 3)
        #expect(packets(system, table: 2) == 2)
        #expect(system.datapath.counters(ofTable: 2) == (2, 2))
    }

    @Test func whatIsBehindASecondTagIsLookedAtAnew() throws {
        let system = try makeSwitch()
        let isTagged = MatchField(.vlanVID, 0x1000, mask: 0x1000)
        try system.execute(Self.add(1, [isTagged], priority: 20, [.applyActions([.popVLAN]), .gotoTable(2)]))
        try system.execute(
            Self.add(
                2,
                [MatchField(.vlanVID, 0x1006)],
                priority: 20,
                [.applyActions([.output(3, maxLength: 0)])]
            )
        )
        var other = Self.frame(tags: 2)
        other[19] = 7
        for _ in 0..<2 {
            // Alike in all that the first table sees.
            #expect(system.receive(Self.frame(tags: 2), port: 1, cached: true)?.outputs.map(\.port) == [3])
            #expect(system.receive(other, port: 1, cached: true)?.outputs.map(\.port) == [2])
            #expect(system.receive(Self.frame(tags: 1), port: 1, cached: true)?.outputs.map(\.port) == [2])
        }
        #expect(hits(system) == 4)
    }

    @Test func whatPaddingCompletesIsLookedAtAnew() throws {
        let system = try makeSwitch()
        let isTagged = MatchField(.vlanVID, 0x1000, mask: 0x1000)
        try system.execute(Self.add(1, [isTagged], priority: 20, [.applyActions([.popVLAN]), .gotoTable(2)]))
        try system.execute(
            Self.add(2, Self.toDestination2, priority: 20, [.applyActions([.output(3, maxLength: 0)])])
        )
        // An IPv4 header that lacks its last byte has no fields; without the tag it is padded, to addresses that the key never had.
        let header: [UInt8] = [0x45, 0, 0, 20, 0, 0, 0, 0, 64, 99, 0, 0, 10, 0, 0, 1]
        func frame(_ destination: [UInt8]) -> [UInt8] {
            [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x81, 0, 0, 5, 8, 0] + header + destination
        }
        for _ in 0..<3 {
            for (destination, port) in [([10, 0, 0], 2), ([11, 0, 0], 2)] as [([UInt8], UInt32)] {
                let bytes = frame(destination)
                let expected = ReferencePipeline.receive(bytes, inPort: 1, by: system.model)
                let outcome = try #require(system.receive(bytes, port: 1, cached: true))
                #expect(system.departures(outcome) == system.departures(expected))
                #expect(outcome.outputs.map(\.port) == [port])
            }
        }
        // The same of a destination that a rule knows when it is complete.
        try system.execute(
            Self.add(
                2,
                [MatchField(.ethType, 0x0800), MatchField(.ipv4Dst, 0x0b00_0000)],
                priority: 20,
                [.applyActions([.output(4, maxLength: 0)])]
            )
        )
        for _ in 0..<3 {
            #expect(system.receive(frame([10, 0, 0]), port: 1, cached: true)?.outputs.map(\.port) == [2])
            #expect(system.receive(frame([11, 0, 0]), port: 1, cached: true)?.outputs.map(\.port) == [4])
        }
    }

    @Test func withTheTablesTheMemoryGoes() throws {
        let system = try InProcessSwitch()
        let before = system.datapath.memory.used
        try system.execute(Self.add(0, [MatchField(.inPort, 1)], [.gotoTable(1)]))
        let one = system.datapath.memory.used
        #expect(one - before < 64 << 10, "a cache for one table")
        try system.execute(Self.add(1, [.init(.ethType, 0x0800)], [.gotoTable(2)]))
        try system.execute(Self.add(2, [.init(.ethType, 0x0800)], []))
        #expect(system.datapath.memory.used - one > 1 << 20, "no cache for three tables")
        try system.execute(FlowMod(tableID: TableID.all, command: .delete))
        #expect(system.datapath.memory.used == before)
    }

    @Test("counts the same for every entry and table as the tables alone, over 30,000 random steps")
    func countsTheSame() throws {
        let seed = UInt64.random(in: 0 ... .max)
        print("flow cache test: seed \(seed)")
        var random = SeededGenerator(seed)
        let (cached, plain) = (try InProcessSwitch(), try InProcessSwitch())
        var rules = RandomRules(&random)
        var recent: [(port: UInt32, frame: [UInt8])] = []
        for step in 0..<30_000 {
            if step % 1_000 == 0 {
                rules = RandomRules(&random)
                for system in [cached, plain] {
                    try system.execute(FlowMod(tableID: TableID.all, command: .delete))
                }
                let mods = RandomGroups.start(&random)
                for mod in mods { for system in [cached, plain] { try system.execute(mod) } }
            }
            for _ in 0..<rules.changes(at: step % 1_000, &random) {
                let mod = rules.change(&random)
                for system in [cached, plain] { try system.execute(mod) }
            }
            if recent.count < 4 || Int.random(in: 0..<4, using: &random) == 0 {
                recent = (recent + [(UInt32.random(in: 1...4, using: &random), RandomPacket.make(&random))]).suffix(8)
            }
            let (port, frame) = recent.randomElement(using: &random) ?? (1, Self.frame())
            let time = Clock.cycles
            let a = try #require(cached.receive(frame, port: port, at: time, cached: true))
            let b = try #require(plain.receive(frame, port: port, at: time))
            #expect(cached.departures(a) == plain.departures(b))
            for system in [cached, plain] { system.settle() }
            guard step % 100 == 99 else { continue }
            for table in 0..<4 {
                #expect(
                    cached.datapath.counters(ofTable: UInt8(table)) == plain.datapath.counters(ofTable: UInt8(table))
                )
                let counts = [cached, plain].map { system in
                    system.model.tables[table].entries.map { entry in
                        let counters = system.datapath.counters(of: entry)
                        return "\(entry.priority) \(entry.match): \(counters.packets) \(counters.bytes)"
                    }.sorted()
                }
                #expect(counts[0] == counts[1], "step \(step), table \(table)")
                guard counts[0] == counts[1] else { return }
            }
        }
        #expect(hits(cached) > 5_000)
        #expect(hits(plain) == 0)
    }
}
