// A bundle against the model: order, what the data path hears, and nothing at all where one message fails.

import Agent
import NIOCore
import OpenFlow
import Testing

@Suite(.timeLimit(.minutes(1)))
struct BundleExecutionTests {
    private let fixture = SwitchModelFixture()

    private func execute(_ mods: FlowMod...) throws(BundleFailure) {
        try fixture.model.execute(bundle: mods.map { .flowMod($0) }, atomically: true)
    }

    @Test func theDataPathHearsOfTheSum() throws {
        try fixture.add(1, .ipv4, .output(1))
        try fixture.add(2, .ipv4, .output(1))
        let before = fixture.datapath.changes.count
        try execute(
            FlowMod(priority: 3, match: Match(.ipv4), instructions: .output(2)),
            FlowMod(command: .modify, match: Match(.ipv4), instructions: .output(3)),
            FlowMod(command: .deleteStrict, priority: 1, match: Match(.ipv4)),
            // Comes and goes.
            FlowMod(priority: 4, match: Match(.ipv6)),
            FlowMod(command: .delete, match: Match(.ipv6))
        )
        // What needs memory first, removals last.
        let output3 = [Instruction].output(3).description
        #expect(fixture.datapath.changes[before...] == [.add(output3), .modify(output3), .remove(output3)])
        #expect(fixture.contents() == ["2/0", "3/0"])
    }

    @Test func isCarriedOutInOrder() throws {
        try fixture.add(1, .ipv4, .output(1), cookie: 1, flags: .sendFlowRemoved)
        // Deleted and added again: another entry, with counters of its own.
        try execute(
            FlowMod(command: .delete),
            FlowMod(cookie: 2, priority: 1, match: Match(.ipv4), instructions: .output(2))
        )
        #expect(fixture.contents() == ["1/2"])
        #expect(fixture.flowRemoved.map(\.cookie) == [1])
        #expect(fixture.datapath.changes.count == 3)
    }

    @Test func oneThatFailsLeavesNothing() throws {
        let entry = try fixture.add(1, .ipv4, .output(1), cookie: 1, idle: 9, flags: .sendFlowRemoved)
        try fixture.add(2, .ipv6, .output(1), cookie: 2)
        let before = fixture.datapath.changes.count
        let failure = #expect(throws: BundleFailure.self) {
            try execute(
                FlowMod(cookie: 9, priority: 1, match: Match(.ipv4), instructions: .output(2)),
                FlowMod(command: .modify, instructions: .output(3)),
                FlowMod(command: .delete),
                FlowMod(cookie: 3, priority: 1, match: Match(.ipv4)),
                FlowMod(priority: 1, flags: .checkOverlap)
            )
        }
        #expect(failure == BundleFailure(message: 4, error: .flowModFailed(.overlap)))
        #expect(fixture.contents() == ["1/1", "2/2"])
        #expect(entry.instructions == .output(1) && entry.idleTimeout == 9)
        #expect(fixture.datapath.changes.count == before && fixture.flowRemoved.isEmpty)
        #expect(fixture.model.flowCount == 2)
        // The entries are whole: they can be changed, and expire.
        fixture.pass(.seconds(9))
        fixture.model.expireFlows()
        #expect(fixture.contents() == ["2/2"])
    }

    @Test func whatTheDataPathRefusesLeavesNothing() throws {
        try fixture.add(1, .ipv4, .output(1), cookie: 1)
        fixture.datapath.refusal = .flowModFailed(.tableFull)
        let failure = #expect(throws: BundleFailure.self) {
            try execute(FlowMod(command: .delete), FlowMod(priority: 5), FlowMod(priority: 6, match: Match(.arp)))
        }
        #expect(failure == BundleFailure(message: nil, error: .flowModFailed(.tableFull)))
        #expect(fixture.contents() == ["1/1"])
    }

    @Test func theFlowLimitHoldsAtEachMessage() throws {
        let fixture = SwitchModelFixture(flowLimit: 2)
        try fixture.add(1)
        try fixture.add(2)
        func execute(_ mods: FlowMod...) throws {
            try fixture.model.execute(bundle: mods.map { .flowMod($0) }, atomically: false)
        }
        #expect(throws: BundleFailure(message: 0, error: .flowModFailed(.tableFull))) {
            try execute(FlowMod(priority: 3), FlowMod(command: .delete))
        }
        try execute(FlowMod(command: .delete), FlowMod(priority: 3), FlowMod(priority: 4))
        #expect(fixture.contents() == ["3/0", "4/0"])
    }

    @Test func otherMessagesAreRefused() {
        #expect(throws: BundleFailure(message: 0, error: .bundleFailed(.messageUnsupported))) {
            try fixture.model.execute(bundle: [.barrierRequest], atomically: false)
        }
        let group = GroupMod(command: .modify, groupID: 4)
        #expect(throws: BundleFailure(message: 0, error: .groupModFailed(.unknownGroup))) {
            try fixture.model.execute(bundle: [.groupMod(group)], atomically: false)
        }
    }
}
