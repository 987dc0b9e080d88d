// Queues of ports, with ovs-ofctl and real packets: what is configured is shown, what goes through is counted where it went.

import Foundation
import Testing

extension LiveTests {
    @Suite("Queues", .serialized) struct QueueTests {
        private static func port(_ number: Int, _ more: String) -> String {
            "{number: \(number), name: h\(number), device: \"net_af_packet\(number),iface=veth\(number)\", \(more)}"
        }

        @Test("are configured, named by actions, counted and shown; with two workers one sends for both")
        func ovsOfctl() async throws {
            let live = try await LiveSwitch.started(hosts: 3) {
                $0.workers = Requirements.hasTwoCores ? "{cores: [0, 1]}" : "{cores: [0]}"
                $0.ports = [1]
                $0.otherPorts = [
                    Self.port(
                        2,
                        "rate: 10Mbit/s, egress_queues: {1: {min_rate: 2Mbit/s, max_rate: 5Mbit/s}, 6: {max_rate: 1Mbit/s}}"
                    ), Self.port(3, "rate: 20Mbit/s"),
                ]
            }
            func run(_ command: String, _ arguments: String..., status: CInt = 0) async throws -> String {
                let outcome =
                    switch arguments.count {
                    case 1: try await live.ofctl(command, arguments[0])
                    case 2: try await live.ofctl(command, arguments[0], arguments[1])
                    default: try await live.ofctl(command)
                    }
                #expect(outcome.status == status, "\(command) \(arguments): \(outcome)")
                return outcome.output + outcome.errors
            }
            #expect(try await run("show").contains("QUEUE_STATS"))
            let config = try await run("queue-get-config", "2")
            #expect(config.contains("queue 1: min_rate:20.0% max_rate:50.0%"), "\(config)")
            #expect(config.contains("queue 6: max_rate:10.0%"), "\(config)")
            #expect(try await run("queue-get-config", "3").contains("queue ") == false)
            #expect(try await run("queue-stats", "2", "7").contains("OFPQOFC_BAD_QUEUE"))
            #expect(try await run("queue-stats", "9").contains("OFPQOFC_BAD_PORT"))

            // By an action and by none, and to a port that has a rate only.
            try await live.addFlows(
                "in_port=1,actions=set_queue:1,output:2",
                "in_port=3,actions=set_queue:6,output:2",
                "in_port=2,actions=output:1,3"
            )
            for host in [1, 3] { try await live.expectPing(from: host, to: 2, count: 40) }
            // All that the rules have sent, wherever a worker received it, has gone through its queue.
            var statistics = ""
            let isEven = try await eventually {
                statistics = try await run("queue-stats")
                let sent = LiveSwitch.numbers(
                    of: ["port 2 queue 1: bytes=", "pkts=", "errors=", "port 2 queue 6: bytes=", "pkts=", "errors="],
                    in: statistics
                )
                let flows = try await run("dump-flows")
                let first = flows.split(separator: "\n").first { $0.contains("in_port=1 ") }.map(String.init) ?? ""
                let third = flows.split(separator: "\n").first { $0.contains("in_port=3 ") }.map(String.init) ?? ""
                return sent[1] >= 40 && sent[4] >= 40 && sent[2] == 0 && sent[5] == 0
                    && [sent[1]] == LiveSwitch.numbers(of: ["n_packets="], in: first)
                    && [sent[4]] == LiveSwitch.numbers(of: ["n_packets="], in: third)
            }
            #expect(isEven, "\(statistics)")
            #expect(try await run("queue-stats", "2", "6").contains("1 queues"))

            let queues = try await live.show("queues")
            #expect(queues.map { $0.number("port") } == [2, 2, 2, 3])
            #expect(queues.map { $0.number("max_rate") } == [5_000_000, 1_000_000, 10_000_000, 20_000_000])
            #expect(queues.map { $0.number("waiting") } == [0, 0, 0, 0])
            #expect(queues[3].number("transmit_packets") >= 40)
            #expect(try await live.ringway("show", "queues").lines.count == 5)
            // A host may ask for an address anew between the two.
            let isSum = try await eventually {
                let queues = try await live.show("queues").prefix(3)
                return try await live.dumpedPort(2)[2] == queues.reduce(0) { $0 + $1.number("transmit_packets") }
            }
            #expect(isSum)
            let series = "ringway_queue_transmit_packets_total{port=\"2\",name=\"h2\",queue=\"6\"}"
            #expect(try await live.metrics()[series] ?? 0 >= 40)

            // Nobody has this queue; and one that is there after a reload.
            #expect(
                try await run("add-flow", "in_port=1,actions=set_queue:3,output:2", status: 1).contains("OFPT_ERROR")
            )
            live.settings.otherPorts[0] = Self.port(2, "rate: 10Mbit/s, egress_queues: {3: {min_rate: 4Mbit/s}}")
            try live.writeConfiguration()
            let reload = try await live.ringway("reload")
            #expect(reload.status == 0 && reload.output.contains("port 2 (h2) replaced"), "\(reload)")
            #expect(try await run("queue-get-config", "2").contains("queue 3: min_rate:40.0%"))
            try await live.addFlows("in_port=3,actions=set_queue:3,output:2")
            for host in [1, 3] { try await live.expectPing(from: host, to: 2, count: 20) }
            #expect(try await live.show("queues")[0].number("transmit_packets") >= 20)
        }
    }
}
