// Bundles down to the workers: all of one or nothing, as packets see it.

import Agent
import DataPlane
import Foundation
import NIOCore
import OpenFlow
import Testing

@Suite("Bundles in the compiled tables", .timeLimit(.minutes(5)), .serialized)
struct BundleTests {
    /// Random bundles, a third of which fail at their end, against the reference over the same model.
    @Test("agree with the reference, whether they are taken or refused")
    func random() throws {
        let seed = ProcessInfo.processInfo.environment["RINGWAY_SEED"].flatMap { UInt64($0) } ?? .random(in: 0 ... .max)
        print("bundle test: RINGWAY_SEED=\(seed)")
        var random = SeededGenerator(seed)
        let system = try InProcessSwitch()
        var rules = RandomRules(&random)
        for step in 0..<4_000 {
            if step % 500 == 0 {
                // Rules of two generators may have one priority, and then nothing says which is hit.
                try system.execute(FlowMod(tableID: TableID.all, command: .delete))
                for mod in RandomGroups.start(&random) { try system.execute(mod) }
                rules = RandomRules(&random)
            }
            var messages = (0..<Int.random(in: 1...20, using: &random)).map { _ in
                Message.flowMod(rules.change(&random))
            }
            if Int.random(in: 0..<10, using: &random) == 0 {
                messages.insert(.flowMod(FlowMod(tableID: TableID.all, command: .delete)), at: messages.count / 2)
            }
            if Int.random(in: 0..<3, using: &random) == 0 {
                let changes = RandomGroups.change(&random).map { Message.groupMod($0) }
                messages.insert(contentsOf: changes, at: messages.indices.randomElement(using: &random) ?? 0)
            }
            let before = Self.contents(of: system.model)
            let groups = system.model.groups
            let fails = Int.random(in: 0..<3, using: &random) == 0
            if fails { messages.append(.flowMod(FlowMod(instructions: [.applyActions([.group(9)])]))) }
            do {
                try system.model.execute(bundle: messages, atomically: Bool.random(using: &random))
                #expect(!fails)
            } catch {
                #expect(fails && error.message == messages.count - 1, "\(error)")
                #expect(Self.contents(of: system.model) == before && system.model.groups == groups)
            }
            system.settle()
            for _ in 0..<5 {
                let port = UInt32.random(in: 1...4, using: &random)
                let frame = RandomPacket.make(&random)
                let expected = ReferencePipeline.receive(frame, inPort: PortNumber(rawValue: port), by: system.model)
                let actual = try #require(system.receive(frame, port: port))
                #expect(system.departures(actual) == system.departures(expected), "step \(step) of seed \(seed)")
            }
        }
        #expect(system.missingPackets == 0)
    }

    /// No memory for all of it: nothing of it, and all memory back.
    @Test("leave nothing behind that did not fit", arguments: [false, true])
    func tooMuch(atomically: Bool) throws {
        let system = try InProcessSwitch(tableBytes: 1 << 20)
        func mod(_ index: UInt32, output: UInt32, _ command: FlowModCommand = .add) -> Message {
            .flowMod(
                FlowMod(
                    command: command,
                    priority: 7,
                    match: Match(.ipv4Dst(index)),
                    instructions: .output(PortNumber(rawValue: output))
                )
            )
        }
        try system.model.execute(bundle: (0..<100).map { mod($0, output: 2) }, atomically: atomically)
        system.settle()
        let (before, used) = (Self.contents(of: system.model), system.datapath.memory.used)
        let messages =
            (0..<50).map { mod($0, output: 3) } + (50..<100).map { mod($0, output: 3, .deleteStrict) }
            + (100..<20_000).map { mod($0, output: 2) }
        let failure = #expect(throws: BundleFailure.self) {
            try system.model.execute(bundle: messages, atomically: atomically)
        }
        #expect(failure?.error == .flowModFailed(.tableFull))
        system.settle()
        #expect(Self.contents(of: system.model) == before)
        #expect(system.datapath.memory.used <= used + 65536)
        for index in [0, 49, 50, 99] as [UInt8] {
            #expect(system.receive(Self.frame(to: index), port: 1)?.outputs.map(\.port) == [2])
        }
        #expect(system.receive(Self.frame(to: 100), port: 1)?.outputs.isEmpty == true)
    }

    /// Rules of tables of each form, in bundles of thousands of messages: what workers store between two bursts is little, and
    /// counters go on.
    @Test("take a few stores, however large they are")
    func large() throws {
        let system = try InProcessSwitch(tableBytes: 256 << 20)
        let seed = UInt64.random(in: 0 ... .max)
        print("large bundle test: seed \(seed)")
        var random = SeededGenerator(seed)
        var counted: [String: UInt64] = [:]
        for round in 0..<24 {
            if round % 6 == 0 {
                try system.execute(FlowMod(tableID: TableID.all, command: .delete))
                counted = [:]
            }
            let mods = (0..<4_000).map { _ in Self.randomMod(&random) }
            try system.model.execute(bundle: mods.map { .flowMod($0) }, atomically: true)
            // One that is added anew counts on (§6.4).
            for mod in mods where mod.command == .deleteStrict {
                counted["\(mod.tableID) \(mod.priority) \(mod.match)"] = nil
            }
            #expect(Self.mostStores(system) < 1_000)
            system.settle()
            for entry in system.model.entries {
                let name = "\(entry.tableID) \(entry.priority) \(entry.match)"
                let packets = system.datapath.counters(of: entry).packets
                guard packets == counted[name, default: 0] else {
                    Issue.record("\(name): \(packets) packets, not \(counted[name, default: 0])")
                    return
                }
            }
            for _ in 0..<200 {
                let frame = Self.frame(to: .random(in: 0...255, using: &random))
                let expected = ReferencePipeline.receive(frame, inPort: 1, by: system.model)
                let actual = try #require(system.receive(frame, port: 1, cached: .random(using: &random)))
                #expect(system.departures(actual) == system.departures(expected), "round \(round)")
                for case .table(_, let entry?) in expected.steps {
                    counted["\(entry.tableID) \(entry.priority) \(entry.match)", default: 0] += 1
                }
            }
        }
        try system.execute(FlowMod(tableID: TableID.all, command: .delete))
        #expect(system.missingPackets == 0)
    }

    /// Adds, modifies or deletes, to 0.0.0.0/24: single addresses, prefixes, or masks of many kinds, by table. Rules of one
    /// priority have one mask.
    private static func randomMod(_ random: inout SeededGenerator) -> FlowMod {
        let table = UInt8.random(in: 0...2, using: &random)
        let address = UInt32.random(in: 0...255, using: &random)
        var mask = UInt32.max
        switch table {
        case 1: mask = .max << UInt32.random(in: 0...8, using: &random)
        case 2: mask = ~UInt32.random(in: 0...0xff, using: &random)
        default: break
        }
        let source = UInt32.random(in: 0...3, using: &random)
        let commands: [FlowModCommand] = [.add, .add, .add, .modifyStrict, .deleteStrict]
        return FlowMod(
            tableID: table,
            command: commands.randomElement(using: &random) ?? .add,
            priority: table == 0 ? 7 : UInt16(truncatingIfNeeded: mask & 0xff) + 1,
            match: Match([
                MatchField(.ethType, 0x0800),
                MatchField(.ipv4Dst, UInt128(address & mask), mask: mask == .max ? nil : UInt128(mask)),
            ]),
            instructions: table == 2
                ? .output(PortNumber(rawValue: 2 + source % 3))
                : [
                    .applyActions([.output(PortNumber(rawValue: 2 + source % 3), maxLength: 0)]),
                    .gotoTable(table + 1),
                ]
        )
    }

    /// Of the deltas that the worker has not taken yet, the most stores that come between two bursts.
    private static func mostStores(_ system: InProcessSwitch) -> Int {
        let ring = system.worker.pointee.deltas
        var deltas: [Delta] = []
        while let delta = ring.pop() { deltas.append(delta) }
        for delta in deltas { _ = ring.push(delta) }
        return deltas.reduce(0) { most, delta in
            if case .stores(_, let count) = delta.operation { return max(most, count) }
            return most
        }
    }

    private static func contents(of model: SwitchModel) -> Set<String> {
        Set(model.entries.map { "\($0.tableID) \($0.idleTimeout) \($0.flags.rawValue) \($0)" })
    }

    private static func frame(to index: UInt8) -> [UInt8] {
        [
            2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, 0, 20, 0, 0, 0, 0, 64, 99, 0, 0, 1, 1, 1, 1, 0, 0, 0,
            index,
        ]
    }
}
