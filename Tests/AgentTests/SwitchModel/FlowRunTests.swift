// Flow-mods that are carried out together, because they came one right after the other, do what they do one by one.

import Agent
import NIOCore
import OpenFlow
import Testing

@Suite(.timeLimit(.minutes(1)))
struct FlowRunTests {
    /// Random flow-mods, some of which are refused, on two models: in runs, and one by one.
    @Test func doesWhatItsMessagesDoOneByOne() throws {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SeededGenerator(seed)
        let (together, single) = (SwitchModelFixture(), SwitchModelFixture())
        for fixture in [together, single] { fixture.model.flowLimit = 40 }
        var refused = 0
        for _ in 0..<1_000 {
            let run = (0..<Int.random(in: 1...12, using: &random)).map { number in
                Envelope(xid: UInt32(number), message: .flowMod(Self.mod(&random)))
            }
            let refusals = try together.model.execute(run)
            var expected: [UInt32: OpenFlowError] = [:]
            for case (let xid, .flowMod(let mod)) in run.map({ ($0.xid, $0.message) }) {
                expected[xid] = single.refusal(of: mod)
            }
            #expect(refusals.map(\.refused.xid) == expected.keys.sorted(), "seed \(seed)")
            for (envelope, error) in refusals { #expect(error == expected[envelope.xid], "seed \(seed)") }
            #expect(Self.contents(together) == Self.contents(single), "seed \(seed)")
            refused += refusals.count
        }
        #expect(refused > 100)
        #expect(together.flowRemoved.count == single.flowRemoved.count, "seed \(seed)")
    }

    @Test func leavesNothingWhereThereIsNoRoomForAll() throws {
        let fixture = SwitchModelFixture()
        try fixture.add(1, .ipv4, .output(1))
        let before = Self.contents(fixture)
        fixture.datapath.refusal = .flowModFailed(.tableFull)
        let mods = [
            FlowMod(command: .modify, instructions: .output(3)), FlowMod(priority: 2, match: Match(.ipv6)),
            FlowMod(command: .delete),
        ]
        #expect(throws: OpenFlowError.flowModFailed(.tableFull)) {
            try fixture.model.execute(mods.map { Envelope(xid: 0, message: .flowMod($0)) })
        }
        #expect(Self.contents(fixture) == before)
    }

    /// Entries are found among thousands that come and go.
    @Test func findsEachOfManyEntries() throws {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SeededGenerator(seed)
        let fixture = SwitchModelFixture()
        var there: Set<UInt32> = []
        func execute(_ command: FlowModCommand, _ address: UInt32) throws {
            try fixture.model.execute(FlowMod(command: command, priority: 1, match: Match(.ipv4Dst(address))))
        }
        for step in 0..<60_000 {
            let address = UInt32.random(in: 0..<4_000, using: &random)
            // Fills up, and empties again.
            if .random(in: 0..<60_000, using: &random) > step {
                try execute(.add, address)
                there.insert(address)
            } else {
                try execute(.deleteStrict, address)
                there.remove(address)
            }
            #expect(fixture.model.flowCount == there.count, "seed \(seed)")
        }
        for address in there { try execute(.deleteStrict, address) }
        #expect(fixture.model.flowCount == 0, "seed \(seed)")
    }

    private static func mod(_ random: inout SeededGenerator) -> FlowMod {
        FlowMod(
            cookie: .random(in: 0...3, using: &random),
            // One of them does not exist.
            tableID: [0, 0, 0, 1, 1, 254].randomElement(using: &random) ?? 0,
            command: ([.add, .add, .add, .add, .add, .modify, .modifyStrict, .deleteStrict, .delete]
                as [FlowModCommand])
                .randomElement(using: &random) ?? .add,
            priority: .random(in: 1...3, using: &random),
            flags: Int.random(in: 0..<4, using: &random) == 0 ? [.checkOverlap] : [.sendFlowRemoved],
            match: Match(.ipv4Dst(.random(in: 0..<16, using: &random))),
            instructions: .output(PortNumber(rawValue: .random(in: 1...3, using: &random)))
        )
    }

    private static func contents(_ fixture: SwitchModelFixture) -> [String] {
        fixture.model.entries.map { "\($0.tableID) \($0)" }.sorted()
    }
}
