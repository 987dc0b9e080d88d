// Which updates a flow monitor gives for what happens in the model.

import Agent
import NIOCore
import OpenFlow
import Testing

@Suite("Flow monitors", .timeLimit(.minutes(1)))
struct FlowMonitorsTests {
    private let fixture = SwitchModelFixture()
    private let log = Log()

    /// What has happened since the last look.
    private final class Log {
        var events: [FlowEvent] = []
        var since: UInt64 = 0
    }

    init() {
        fixture.model.onFlowEvents = { [log] events, since in
            if log.events.isEmpty { log.since = since }
            log.events += events
        }
    }

    private func monitors(_ monitors: FlowMonitor...) throws -> FlowMonitors {
        var all = FlowMonitors()
        try all.add(monitors)
        return all
    }

    /// The updates for what has happened since the last look, in short.
    private func updates(_ monitors: FlowMonitors, ownXIDs: [UInt32]? = nil) -> [String] {
        defer { log.events = [] }
        return Self.texts(monitors.updates(log.events, ownXIDs: ownXIDs))
    }

    private static func texts(_ updates: [FlowUpdate]) -> [String] {
        updates.map { update in
            switch update {
            case .abbreviated(let xid): "xid \(xid)"
            case .full(let full):
                "\(full.event) \(full.reason) \(full.tableID)/\(full.priority)/\(full.cookie)"
                    + (full.instructions.isEmpty ? "" : " \(full.instructions)")
            }
        }
    }

    @Test func allEventsOfAllEntries() throws {
        let all = try monitors(FlowMonitor(id: 1, flags: .all))
        try fixture.add(7, .ipv4, .output(1), cookie: 5)
        #expect(updates(all) == ["added 0 0/7/5 [\(Instruction.applyActions([.to(1)]))]"])
        // Again: as if it were new.
        try fixture.add(7, .ipv4, .output(2), cookie: 6)
        #expect(updates(all) == ["added 0 0/7/6 [\(Instruction.applyActions([.to(2)]))]"])
        try fixture.model.execute(FlowMod(command: .modify, instructions: .output(3)))
        #expect(updates(all) == ["modified 0 0/7/6 [\(Instruction.applyActions([.to(3)]))]"])
        try fixture.model.execute(FlowMod(command: .modify, instructions: .output(3)))
        #expect(updates(all) == [], "nothing has changed")
        try fixture.model.execute(FlowMod(command: .delete))
        #expect(updates(all) == ["deleted 2 0/7/6 [\(Instruction.applyActions([.to(3)]))]"])
        try fixture.model.execute(FlowMod(command: .delete))
        #expect(updates(all) == [])
        try fixture.add(8, .ipv4, cookie: 7, hard: 2)
        fixture.pass(.seconds(2))
        fixture.model.expireFlows()
        #expect(updates(all) == ["added 0 0/8/7", "deleted 1 0/8/7"])
    }

    @Test func onlyWhatIsAskedFor() throws {
        let deleted = try monitors(FlowMonitor(id: 1, flags: [.delete]))
        let table = try monitors(FlowMonitor(id: 1, flags: [.add, .delete], tableID: 3))
        let match = try monitors(FlowMonitor(id: 1, flags: [.add], match: Match(.ipv4)))
        try fixture.add(7, .ipv6, .output(1))
        try fixture.add(table: 3, 8, .tcp, .output(1))
        try fixture.model.execute(FlowMod(tableID: TableID.all, command: .delete))
        let events = log.events
        #expect(Self.texts(deleted.updates(events, ownXIDs: nil)) == ["deleted 2 0/7/0", "deleted 2 3/8/0"])
        #expect(Self.texts(table.updates(events, ownXIDs: nil)) == ["added 0 3/8/0", "deleted 2 3/8/0"])
        #expect(Self.texts(match.updates(events, ownXIDs: nil)) == ["added 0 3/8/0"])
    }

    @Test func anOutputPortBeforeOrAfter() throws {
        let port2 = try monitors(FlowMonitor(id: 1, flags: .all.subtracting(.actions), outPort: 2))
        try fixture.add(7, .ipv4)
        #expect(updates(port2) == [])
        try fixture.model.execute(FlowMod(command: .modify, instructions: .output(2)))
        #expect(updates(port2) == ["modified 0 0/7/0"])
        try fixture.model.execute(FlowMod(command: .modify, instructions: .output(1)))
        #expect(updates(port2) == ["modified 0 0/7/0"])
        try fixture.model.execute(FlowMod(command: .delete))
        #expect(updates(port2) == [])
    }

    @Test func severalMonitorsGiveOneUpdate() throws {
        let two = try monitors(
            FlowMonitor(id: 1, flags: [.add]),
            FlowMonitor(id: 2, flags: [.add, .actions], match: Match(.ipv4))
        )
        try fixture.add(7, .ipv4, .output(1))
        try fixture.add(8, .ipv6, .output(1))
        #expect(updates(two) == ["added 0 0/7/0 [\(Instruction.applyActions([.to(1)]))]", "added 0 0/8/0"])
    }

    @Test func ownChangesByTheirTransactionIDs() throws {
        let brief = try monitors(FlowMonitor(id: 1, flags: [.add, .delete, .modify]))
        let full = try monitors(FlowMonitor(id: 1, flags: [.add, .own]))
        try fixture.add(7)
        let events = log.events
        #expect(Self.texts(brief.updates(events, ownXIDs: [99])) == ["xid 99"])
        #expect(Self.texts(full.updates(events, ownXIDs: [99])) == ["added 0 0/7/0"])
        log.events = []
        // Once for each message of a bundle, however much it does.
        try fixture.model.execute(
            bundle: [
                .flowMod(FlowMod(priority: 1)), .flowMod(FlowMod(tableID: 4, command: .delete)),
                .flowMod(FlowMod(command: .modify, instructions: .output(1))), .flowMod(FlowMod(command: .delete)),
            ],
            atomically: true
        )
        #expect(updates(brief, ownXIDs: [10, 11, 12, 13]) == ["xid 10", "xid 12", "xid 13"])
    }

    @Test func aBundleTellsOfEachOfItsSteps() throws {
        let all = try monitors(FlowMonitor(id: 1, flags: .all))
        try fixture.model.execute(
            bundle: [
                .flowMod(FlowMod(priority: 1, instructions: .output(1))),
                .flowMod(FlowMod(command: .modify, instructions: .output(2))), .flowMod(FlowMod(command: .delete)),
            ],
            atomically: true
        )
        #expect(
            updates(all) == [
                "added 0 0/1/0 [\(Instruction.applyActions([.to(1)]))]",
                "modified 0 0/1/0 [\(Instruction.applyActions([.to(2)]))]",
                "deleted 2 0/1/0 [\(Instruction.applyActions([.to(2)]))]",
            ]
        )
        // One that fails tells of nothing.
        #expect(throws: BundleFailure.self) {
            try fixture.model.execute(
                bundle: [.flowMod(FlowMod(priority: 1)), .flowMod(FlowMod(instructions: [.meter(1)]))],
                atomically: true
            )
        }
        #expect(log.events.isEmpty)
    }

    @Test func theEntriesThatAreThere() throws {
        try fixture.add(7, .ipv4, .output(1), cookie: 1)
        try fixture.add(table: 2, 8, .ipv6, .output(2), cookie: 2)
        func initial(_ monitors: FlowMonitor...) throws -> [String] {
            guard case .flowMonitor(let updates) = try fixture.model.answer(.flowMonitor(monitors)) else { return [] }
            return Self.texts(updates)
        }
        #expect(try initial(FlowMonitor(id: 1, flags: .initial)) == ["added 0 0/7/1", "added 0 2/8/2"])
        #expect(try initial(FlowMonitor(id: 1, flags: .add)) == [])
        #expect(try initial(FlowMonitor(id: 1, flags: .initial, tableID: 2)) == ["added 0 2/8/2"])
        #expect(try initial(FlowMonitor(id: 1, flags: .initial, outPort: 1)) == ["added 0 0/7/1"])
        #expect(throws: OpenFlowError.badRequest(.badTableID)) {
            try initial(FlowMonitor(id: 1, flags: .initial, tableID: 254))
        }
        #expect(throws: OpenFlowError.badMatch(.badPrerequisite)) {
            try initial(FlowMonitor(id: 1, flags: .initial, match: Match([MatchField(.tcpDst, 1)])))
        }
    }

    @Test func whatIsMissedIsMadeUpFor() throws {
        var all = try monitors(FlowMonitor(id: 1, flags: .all.subtracting(.actions)))
        try fixture.add(1)
        try fixture.add(2)
        try fixture.add(3)
        #expect(updates(all).count == 3)
        all.pause(at: fixture.model.changeCount)
        // Known entries that go are told of; the others later, and only what is left of them.
        try fixture.model.execute(FlowMod(command: .deleteStrict, priority: 1))
        try fixture.add(4, .ipv4)
        try fixture.model.execute(FlowMod(command: .deleteStrict, priority: 4, match: Match(.ipv4)))
        try fixture.add(5, .ipv4)
        try fixture.model.execute(FlowMod(command: .modifyStrict, priority: 2, instructions: .output(1)))
        #expect(updates(all, ownXIDs: [1]) == ["deleted 2 0/1/0"])
        #expect(Self.texts(all.resume(fixture.model.entries)).sorted() == ["added 0 0/5/0", "modified 0 0/2/0"])
        #expect(all.pausedAt == nil)
        try fixture.add(6, .ipv4)
        #expect(updates(all) == ["added 0 0/6/0"])
    }

    @Test func wrongMonitorsAreRefusedAndNoneOfTheRequestIsAdded() throws {
        var some = try monitors(FlowMonitor(id: 1, flags: .add))
        for flags in [FlowMonitorFlags(rawValue: 0x40), [], [.own, .actions], FlowMonitorFlags(rawValue: 0x41)] {
            #expect(throws: OpenFlowError.flowMonitorFailed(.badFlags)) {
                try some.add([FlowMonitor(id: 2, flags: .add), FlowMonitor(id: 3, flags: flags)])
            }
        }
        #expect(throws: OpenFlowError.flowMonitorFailed(.monitorExists)) {
            try some.add([FlowMonitor(id: 1, flags: .add)])
        }
        #expect(throws: OpenFlowError.flowMonitorFailed(.monitorExists)) {
            try some.add([FlowMonitor(id: 4, flags: .add), FlowMonitor(id: 4, flags: .add)])
        }
        for id in [2, 3, 4] as [UInt32] {
            #expect(throws: OpenFlowError.flowMonitorFailed(.unknownMonitor)) { try some.cancel(id) }
        }
        try some.cancel(1)
        #expect(some.isEmpty)
        let many = (0...UInt32(FlowMonitors.limit)).map { FlowMonitor(id: $0, flags: .add) }
        #expect(throws: OpenFlowError.badRequest(.permissionError)) { try some.add(many) }
        #expect(some.isEmpty)
    }
}
