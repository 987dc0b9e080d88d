// Functions, virtual machines and agents that are killed in the middle of traffic, two hundred times in all: every buffer comes
// back, and who has nothing to do with it loses nothing.

import Foundation
import Testing

extension LiveTests {
    @Suite("Kills", .serialized) struct KillTests {
        /// A switch with a function's port between hosts 1 and 2, in one group, and hosts 3 and 4 beside them in another, where a
        /// process is in between.
        private static func started() async throws -> LiveSwitch {
            let live = try await LiveSwitch.startedWithFunctions(["fw"]) {
                $0.otherHosts = [3: "other", 4: "other"]
                $0.otherVMs = ["{number: 20, name: bystander, group: other, heartbeat: 5s}"]
            }
            try await live.addBystander()
            return live
        }

        @Test("functions: gone at once, and another takes its place")
        func functions() async throws {
            let live = try await Self.started()
            let bystander = try await live.startFunction("bystander")
            let (all, kills) = (try await live.buffers().all, 172)
            let others = try live.startPing(from: 3, to: 4, count: 1_000_000, tellsOfEach: true)
            let bait = try live.startPing(from: 1, to: 2, count: 1_000_000)
            for round in 1...kills {
                let function = try await live.startFunction("fw")
                try await Task.sleep(for: .milliseconds(round % 40))
                function.end()
                let start = ContinuousClock.now
                #expect(try await eventually { try await live.vm("fw").text("state") == "detached" })
                #expect(ContinuousClock.now - start < .seconds(1), "by its lock, not by its heart")
                let (vm, buffers) = (try await live.vm("fw"), try await live.buffers())
                #expect(vm.number("attachments") == round && vm.text("last_end") == "the process ended", "\(vm)")
                #expect(vm.number("lent") == 0 && buffers.lent == 0 && buffers.all == all, "\(vm) \(buffers)")
            }
            try await Self.expectNoLoss(others)
            bait.end()
            let function = try await live.startFunction("fw")
            try await live.expectPing(from: 1, to: 2)
            #expect(try await live.vm("bystander").number("attachments") == 1)
            for function in [function, bystander] { function.end() }
        }

        @Test(
            "virtual machines: missed by their hearts",
            .enabled(if: Guest.missing == nil, "\(Guest.reason)")
        )
        func guests() async throws {
            let live = try await Self.started()
            let bystander = try await live.startFunction("bystander")
            let (all, kills) = (try await live.buffers().all, 8)
            let others = try live.startPing(from: 3, to: 4, count: 1_000_000, tellsOfEach: true)
            let bait = try live.startPing(from: 1, to: 2, count: 1_000_000)
            for round in 1...kills {
                let guest = try await Guest("fw", of: live, function: "simple-forward")
                try await live.expectAttached("fw")
                try await Task.sleep(for: .milliseconds(10 * round))
                guest.command.end()
                #expect(try await eventually { try await live.vm("fw").text("state") == "detached" })
                let buffers = try await live.buffers()
                #expect(buffers.lent == 0 && buffers.all == all, "\(buffers)")
            }
            #expect(try await live.vm("fw").text("last_end") == "no heartbeat")
            try await Self.expectNoLoss(others)
            for command in [bystander, bait] { command.end() }
        }

        @Test("agents: functions attach to the next one, and packets go on")
        func agents() async throws {
            let live = try await Self.started()
            let functions = [try await live.startFunction("fw"), try await live.startFunction("bystander")]
            let (all, kills) = (try await live.buffers().all, 20)
            for _ in 1...kills {
                let pings = try [(1, 2), (3, 4)].map { try live.startPing(from: $0, to: $1, count: 1_000_000) }
                try await Task.sleep(for: .milliseconds(50))
                try await live.restart(by: SIGKILL)
                for name in ["fw", "bystander"] { try await live.expectAttached(name) }
                try await live.addChain()
                try await live.addBystander()
                try await live.expectPing(from: 1, to: 2, count: 3)
                try await live.expectPing(from: 3, to: 4, count: 3)
                for ping in pings { ping.end() }
                let buffers = try await live.buffers()
                #expect(buffers.all == all && functions.allSatisfy(\.isRunning), "\(buffers)")
            }
            for function in functions { function.end() }
        }

        /// Ends pings, which have had every answer in turn up to the last that came; those to the last of them may be still on their way.
        private static func expectNoLoss(_ pings: Command) async throws {
            pings.send(SIGINT)
            let outcome = try await pings.outcome()
            let answers = outcome.lines.compactMap { $0.firstMatch(of: /icmp_seq=([0-9]+) ttl/).flatMap { Int($0.1) } }
            let sent = outcome.output.firstMatch(of: /([0-9]+) packets transmitted/).flatMap { Int($0.1) } ?? 0
            #expect(answers == Array(1..<1 + answers.count), "\(outcome.lines.suffix(4))")
            #expect(sent > 100 && sent - answers.count <= 2, "\(outcome.lines.suffix(4))")
        }
    }
}

extension LiveSwitch {
    /// Rules by which hosts 3 and 4 reach each other through port 20.
    fileprivate func addBystander() async throws {
        try await addFlows(
            "in_port=3,actions=output:20",
            "in_port=4,actions=output:20",
            "in_port=20,dl_src=02:00:00:00:00:03,actions=output:4",
            "in_port=20,dl_src=02:00:00:00:00:04,actions=output:3"
        )
    }
}
