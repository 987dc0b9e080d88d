// A worker that really polls, on a thread of its own, against rules that change: what a barrier and an atomic bundle promise.

import Agent
import CDPDK
import DataPlane
import NIOCore
import OpenFlow
import Testing

/// One after the other: they take the cores that the workers run on.
@Suite("Live workers", .timeLimit(.minutes(5)), .serialized)
struct LiveWorkerTests {
    /// Traffic that has used the old rule, then a change, then the moment of the barrier's reply, then one more packet: never by
    /// the old rule.
    @Test("no packet goes by an old rule after the reply, 10,000 times", arguments: [1, 2])
    func barrier(workerCount: Int) throws {
        let lab = try RingLab(workerCount: workerCount)
        defer { lab.stop() }
        var random = SeededGenerator(1)
        var wrong = 0
        for trial in 0..<10_000 {
            let worker = trial % workerCount
            // A rule for port 2, seen by traffic.
            try lab.change(RingLab.rule(priority: 10, output: 2))
            lab.barrier()
            lab.send(trial, to: worker)
            if lab.receive() != 2 { wrong += 1 }
            // Changed in one of four ways.
            let expected: Int?
            switch Int.random(in: 0..<4, using: &random) {
            case 0:
                try lab.change(RingLab.rule(priority: 20, output: 3))
                expected = 3
            case 1:
                try lab.change(RingLab.rule(priority: 10, output: 3))
                expected = 3
            case 2:
                try lab.change(RingLab.rule(priority: 10, output: 3, command: .modify))
                expected = 3
            default:
                try lab.change(RingLab.rule(priority: 10, output: nil, command: .deleteStrict))
                expected = nil
            }
            lab.barrier()
            lab.send(trial, to: worker)
            if lab.receive() != expected { wrong += 1 }
            try lab.change(FlowMod(tableID: TableID.all, command: .delete))
            lab.barrier()
        }
        #expect(wrong == 0)
    }

    /// Two tables that are right only together, changed to and fro under a packet.
    @Test("an atomic bundle is met by a packet as a whole or not at all, 5,000 times", arguments: [1, 2])
    func atomicBundle(workerCount: Int) throws {
        let lab = try RingLab(workerCount: workerCount)
        defer { lab.stop() }
        func way(_ mark: UInt64) -> [Message] {
            func rule(table: UInt8, _ match: [MatchField], _ instructions: [Instruction]) -> Message {
                .flowMod(FlowMod(tableID: table, priority: 1, match: Match(match), instructions: instructions))
            }
            func end(_ other: UInt64) -> Message {
                let port = PortNumber(rawValue: UInt32(mark) + 1)
                return rule(table: 1, [MatchField(.metadata, UInt128(other))], other == mark ? .output(port) : [])
            }
            // Enough between the two that they are not in one step of the worker's by chance.
            let others = (100..<300).map { rule(table: 1, [MatchField(.metadata, $0)], .output(mark == 1 ? 2 : 3)) }
            return [rule(table: 0, [], [.writeMetadata(value: mark, mask: .max), .gotoTable(1)])] + others
                + [end(1), end(2)]
        }
        try lab.model.execute(bundle: way(1), atomically: true)
        lab.barrier()
        var wrong = 0
        for trial in 0..<5_000 {
            let mark = UInt64(trial % 2 == 0 ? 2 : 1)
            lab.send(trial, to: trial % workerCount)
            try lab.model.execute(bundle: way(mark), atomically: true)
            if lab.receive() == nil { wrong += 1 }
            lab.barrier()
            lab.send(trial, to: trial % workerCount)
            if lab.receive() != Int(mark) + 1 { wrong += 1 }
        }
        #expect(wrong == 0)
    }
}
