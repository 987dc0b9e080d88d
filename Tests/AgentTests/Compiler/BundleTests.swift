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
