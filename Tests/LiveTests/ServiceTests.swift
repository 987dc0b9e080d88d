// Services of a running switch: replicas that start and stop while flows go through them.

import Foundation
import Testing

extension LiveTests {
    @Suite("Services", .serialized) struct ServiceTests {
        /// Host 1 reaches host 2 through the service, and what each replica lets through says so in its type of service: 40 of replica a
        /// (port 10), 80 of replica b (port 11).
        private func makeSwitch(_ replicas: [String] = ["a", "b"]) async throws -> LiveSwitch {
            let live = try await LiveSwitch.startedWithFunctions(replicas) {
                $0.services = ["{number: 100, name: service, replicas: [\(replicas.joined(separator: ", "))]}"]
                $0.vmKeys = ", verdicts: [drop, next, function]"
            }
            #expect(try await live.ofctl("del-flows").status == 0)
            try await live.addFlows(
                "in_port=1,actions=output:100",
                "in_port=10,ip,actions=set_field:10->ip_dscp,output:2",
                "in_port=11,ip,actions=set_field:20->ip_dscp,output:2",
                "priority=40000,arp,actions=all",
                "in_port=2,priority=1,actions=output:1"
            )
            return live
        }

        /// Waits until so many connections have been given a replica.
        private func expectConnections(_ count: Int, _ live: LiveSwitch) async throws {
            #expect(try await eventually { try await live.show("services").first?.number("connections") == count })
        }

        @Test("flows stay where they are while replicas come and go, and none is reordered")
        func replicas() async throws {
            let live = try await makeSwitch()
            let a = try await live.startFunction("a")
            #expect(try await live.ofctl("dump-ports-desc").output.contains("100(service)"))
            // The second one starts while 20 flows go through the first.
            var receiver = try await live.startFlowReceiver()
            var sender = try live.startFlows(first: 5000, count: 20, rounds: 150)
            try await expectConnections(20, live)
            let b = try await live.startFunction("b")
            #expect(try await sender.outcome().status == 0)
            var flows = try await live.flows(receiver)
            #expect(flows.count == 20)
            for (port, flow) in flows {
                #expect(flow.numbers == Array(0..<150), "\(port): nothing is lost or reordered")
                #expect(flow.marks.allSatisfy { $0 == 40 }, "\(port): it stays")
            }
            // Twenty more are spread; then the first replica ends in the middle.
            receiver = try await live.startFlowReceiver()
            sender = try live.startFlows(first: 5000, count: 40, rounds: 200)
            try await expectConnections(40, live)
            a.send(SIGTERM)
            #expect(try await sender.outcome().status == 0)
            flows = try await live.flows(receiver)
            #expect(flows.count == 40)
            for (port, flow) in flows {
                #expect(flow.numbers == flow.numbers.sorted(), "\(port): not reordered")
                if flow.marks.first == 80 {
                    #expect(port >= 5020, "\(port): new flows alone go to the new replica")
                    #expect(flow.numbers == Array(0..<200) && Set(flow.marks) == [80], "\(port): not concerned")
                } else {
                    // What the replica had in hand when it ended is lost.
                    #expect(flow.marks == flow.marks.sorted() && flow.marks.last == 80, "\(port): moved, once")
                    #expect(flow.numbers.count >= 190 && flow.numbers.last == 199, "\(port)")
                }
            }
            let spread = flows.filter { $0.value.marks.first == 80 }.count
            #expect((5...20).contains(spread), "\(spread) of 20 new ones")
            let report = try #require(try await live.show("services").first)
            #expect(report.number("moved") == 40 - spread && report.number("unremembered") == 0, "\(report)")
            #expect(try await live.ringway("show", "services").output.contains("service"))
            b.end()
            #expect(
                try await eventually {
                    try await live.ofctl("dump-ports-desc").output.contains(/100\(service\)[^\(]*LINK_DOWN/)
                }
            )
            #expect(try await live.buffers().lent == 0)
        }

        @Test("replicas are added and removed by reload")
        func reload() async throws {
            let live = try await makeSwitch(["a"])
            let a = try await live.startFunction("a")
            var receiver = try await live.startFlowReceiver()
            var sender = try live.startFlows(first: 5000, count: 20, rounds: 150)
            try await expectConnections(20, live)
            live.settings.vms = ["a", "b"]
            live.settings.services = ["{number: 100, name: service, replicas: [a, b]}"]
            try await expectReload(live, ["vm 11 (b) added", "service 100 (service) changed"])
            let b = try await live.startFunction("b")
            #expect(try await sender.outcome().status == 0)
            for (port, flow) in try await live.flows(receiver) {
                #expect(flow.numbers == Array(0..<150) && Set(flow.marks) == [40], "\(port): it stays, nothing is lost")
            }
            receiver = try await live.startFlowReceiver()
            sender = try live.startFlows(first: 5000, count: 40, rounds: 150)
            try await expectConnections(40, live)
            // Out of the service, but running: nothing that it has in hand is lost.
            live.settings.services = ["{number: 100, name: service, replicas: [b]}"]
            try await expectReload(live, ["service 100 (service) changed"])
            #expect(try await sender.outcome().status == 0)
            let last = try await live.flows(receiver)
            #expect(last.count == 40)
            for (port, flow) in last {
                #expect(flow.numbers.count == 150 && flow.marks.last == 80, "\(port): moved, and nothing is lost")
                #expect(flow.marks == flow.marks.sorted(), "\(port)")
            }
            live.settings.services = []
            try await expectReload(live, ["service 100 (service) removed"])
            #expect(try await !live.ofctl("dump-ports-desc").output.contains("100(service)"))
            for function in [a, b] { function.end() }
        }

        private func expectReload(_ live: LiveSwitch, _ changes: [String]) async throws {
            try live.writeConfiguration()
            let outcome = try await live.ringway("reload")
            #expect(outcome.status == 0, "\(outcome)")
            for change in changes { #expect(outcome.output.contains(change), "\(outcome)") }
        }

        @Test("a function sends to a service by its verdict, past the rules")
        func verdict() async throws {
            let live = try await LiveSwitch.startedWithFunctions(["a", "b"]) {
                $0.services = ["{number: 100, name: service, replicas: [b]}"]
                $0.vmKeys = ", verdicts: [drop, next, function]"
            }
            // Nothing but the verdict leads from a to b.
            #expect(try await live.ofctl("del-flows", "in_port=10").status == 0)
            let b = try await live.startFunction("b")
            let a = try await live.startFunction("a", "trace-function", "service", "100")
            try await live.expectPing(from: 1, to: 2)
            for function in [a, b] { function.end() }
        }
    }
}
