// Functions with several queues: a thread for each, or one for all.

import Foundation
import Testing

extension LiveTests {
    @Suite("Functions with several queues", .serialized) struct ThreadTests {
        enum Kind: CaseIterable { case swift, c, oneThread }

        private func start(_ kind: Kind, _ live: LiveSwitch) async throws -> Command {
            switch kind {
            case .swift: try await live.startFunction("fw", "trace-function", "threads")
            case .c: try await live.startFunction("fw", try await live.compile(Requirements.threads))
            case .oneThread: try await live.startFunction("fw", "trace-function")
            }
        }

        @Test(
            "connections are spread over the queues, and none is reordered; each thread sleeps and is woken",
            arguments: Kind.allCases
        )
        func spread(_ kind: Kind) async throws {
            let live = try await LiveSwitch.startedWithFunctions(["fw"]) { $0.vmKeys = ", queues: 4" }
            let function = try await start(kind, live)
            let threads = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(function.pid)/task").count
            #expect(threads == (kind == .oneThread ? 1 : 5), "\(threads)")
            try await live.expectPing(from: 1, to: 2, count: 20)
            let receiver = try await live.startFlowReceiver()
            let sender = try live.startFlows(first: 5000, count: 40, rounds: 50)
            #expect(try await sender.outcome().status == 0)
            let flows = try await live.flows(receiver)
            #expect(flows.count == 40 && flows.values.allSatisfy { $0.numbers == Array(0..<50) }, "\(flows)")
            var queues: [Int: Int] = [:]
            for packet in Guest.traced(function.printed) where 46...60 ~= packet.bytes {
                queues[packet.queue, default: 0] += 1
            }
            #expect(queues.keys.sorted() == [0, 1, 2, 3] && queues.values.allSatisfy { $0 >= 50 }, "\(queues)")
            #expect(try await live.vm("fw").number("copied") == 0)

            // They sleep, and each is woken by what comes for it.
            try await Task.sleep(for: .milliseconds(300))
            let before = try FunctionTests.processorTime(of: function.pid)
            try await Task.sleep(for: .seconds(1))
            let used = try FunctionTests.processorTime(of: function.pid) - before
            #expect(used < 20, "\(used) hundredths of a second")
            let wakes = try await live.vm("fw").number("wakes")
            let late = try await live.startFlowReceiver()
            #expect(try await live.startFlows(first: 6000, count: 16, rounds: 2).outcome().status == 0)
            let last = try await live.flows(late)
            #expect(last.count == 16 && last.values.allSatisfy { $0.numbers == [0, 1] }, "\(last)")
            #expect(try await live.vm("fw").number("wakes") > wakes)

            // It attaches to the next agent, and leaves when it is asked to.
            try await live.restart(by: SIGKILL)
            try await live.addChain()
            try await live.expectAttached("fw")
            try await live.expectPing(from: 1, to: 2, count: 10)
            function.send(SIGTERM)
            #expect(try await function.outcome().status == 0)
            #expect(try await eventually { try await live.vm("fw").text("last_end") == "detached itself" })
            #expect(try await live.buffers().lent == 0)
        }

        @Test("other numbers of queues come by reload, and a killed function's buffers come back from all of them")
        func reload() async throws {
            let live = try await LiveSwitch.startedWithFunctions(["fw"])
            let function = try await start(.swift, live)
            try await live.expectPing(from: 1, to: 2, count: 10)
            live.settings.vmKeys = ", queues: 3"
            try live.writeConfiguration()
            let outcome = try await live.ringway("reload")
            #expect(outcome.status == 0 && outcome.output.contains("vm 10 (fw) replaced"), "\(outcome)")
            try await live.expectAttached("fw")
            try await live.expectPing(from: 1, to: 2, count: 10)
            #expect(try await live.vm("fw").number("queues") == 3)
            function.send(SIGSTOP)
            let sender = try live.startFlows(first: 5000, count: 30, rounds: 1)
            #expect(try await eventually { try await live.buffers().lent >= 30 })
            function.send(SIGKILL)
            #expect(try await eventually { try await live.buffers().lent == 0 })
            sender.end()
        }
    }
}
