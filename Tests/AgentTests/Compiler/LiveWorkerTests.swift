// A worker that really polls, on a thread of its own, against rules that change: what a barrier promises.

import Agent
import CDPDK
import DataPlane
import NIOCore
import OpenFlow
import Testing

@Suite("Barrier", .timeLimit(.minutes(5)), .serialized)
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
}
