// The same numbers everywhere, and no packet that vanishes.

import Foundation
import Testing

extension LiveTests {
    @Suite("Counters", .serialized) struct CountersTests {
        /// With one worker, and with two where there are cores for them.
        private static let workers = Requirements.hasTwoCores ? ["{cores: [0]}", "{cores: [0, 1]}"] : ["{cores: [0]}"]

        /// ARP and ICMP between two hosts and copies to a third, over two tables; some to the controller, some dropped for
        /// different reasons.
        private static func afterTraffic(workers: String) async throws -> LiveSwitch {
            let live = try await LiveSwitch.started(hosts: 3) { $0.workers = workers }
            try await live.addFlows(
                "table=0,priority=10,in_port=1,actions=goto_table:1",
                "table=1,priority=10,ip,actions=output:2,output:3",
                "table=1,priority=10,arp,actions=output:2,controller:64",
                "priority=10,in_port=2,actions=output:1",
                "priority=10,in_port=3,arp,actions=drop"
            )
            try await live.expectPing(from: 1, to: 2, count: 20)
            try await live.expectPing(false, from: 3, to: 1, count: 1, "port 3's ARP is dropped")
            for actions in ["output:2", "table", "output:1,output:3", "drop"] {
                let frame = "0200000000020200000000010800" + String(repeating: "5a", count: 50)
                #expect(try await live.ofctl("packet-out", "in_port=1,packet=\(frame),actions=\(actions)").status == 0)
            }
            try await quiet(live)
            return live
        }

        /// Waits until the counters stand still.
        private static func quiet(_ live: LiveSwitch) async throws {
            var last: [Int] = []
            let isQuiet = try await eventually {
                let now = try await live.show("ports").flatMap {
                    [$0.number("receive_packets"), $0.number("transmit_packets")]
                }
                defer { last = now }
                try await Task.sleep(for: .milliseconds(100))
                return now == last
            }
            #expect(isQuiet)
        }

        @Test("agree in /metrics, dump-ports, dump-tables and show", arguments: workers)
        func agree(workers: String) async throws {
            let live = try await Self.afterTraffic(workers: workers)
            let metrics = try await live.metrics()
            let ports = try await live.show("ports")
            #expect(ports.map { $0.number("number") } == [1, 2, 3])
            for port in ports {
                let (number, name) = (port.number("number"), port.text("name"))
                let keys = ["receive_packets", "receive_bytes", "transmit_packets", "transmit_bytes"]
                let shown = keys.map { port.number($0) }
                let measured = keys.map {
                    Int(metrics["ringway_port_\($0)_total{port=\"\(number)\",name=\"\(name)\"}"] ?? -1)
                }
                #expect(shown == measured, "port \(number): show and /metrics")
                #expect(try await live.dumpedPort(number) == shown, "port \(number): dump-ports and show")
                #expect(shown[0] > 0)
            }
            let dumped = try await live.ofctl("dump-tables").output
            for table in try await live.show("tables") {
                let number = table.number("table")
                let shown = ["active_entries", "lookups", "matches"].map { table.number($0) }
                let text = try #require(dumped.range(of: "table \(number):")).upperBound
                #expect(
                    LiveSwitch.numbers(of: ["active=", "lookup=", "matched="], in: String(dumped[text...])) == shown,
                    "table \(number): \(dumped)"
                )
                #expect(Int(metrics["ringway_table_lookups_total{table=\"\(number)\"}"] ?? -1) == shown[1])
                #expect(Int(metrics["ringway_table_matches_total{table=\"\(number)\"}"] ?? -1) == shown[2])
                #expect(shown[1] >= shown[2] && shown[2] > 0)
            }
            for drop in try await live.show("drops") {
                let labels = "reason=\"\(drop.text("reason"))\",port=\"\(drop.values["port"].map { "\($0)" } ?? "")\""
                #expect(Int(metrics["ringway_drops_total{\(labels)}"] ?? -1) == drop.number("packets"), "\(labels)")
            }
            let hosts = try await live.show("ports").reduce(0) { $0 + $1.number("receive_packets") }
            #expect(try await live.show("workers").reduce(0) { $0 + $1.number("packets") } == hosts)
            #expect((metrics["ringway_packet_in_total{reason=\"action\"}"] ?? 0) > 0)
            #expect(metrics["ringway_flow_mods_total{command=\"add\"}"] == 5)
        }

        @Test(
            "balance: received + injected + copies = sent + to the controller + dropped",
            arguments: workers
        )
        func balance(workers: String) async throws {
            let live = try await Self.afterTraffic(workers: workers)
            let metrics = try await live.metrics()
            func sum(_ prefix: String) -> Int {
                Int(metrics.filter { $0.key.hasPrefix(prefix) }.reduce(0) { $0 + $1.value })
            }
            let shownWorkers = try await live.show("workers")
            func shown(_ key: String) -> Int { shownWorkers.reduce(0) { $0 + $1.number(key) } }
            #expect(shown("injected") == 4, "packet-outs")
            #expect(shown("copies") > 0)
            let drops = try await live.show("drops").reduce(0) { $0 + $1.number("packets") }
            #expect(drops == sum("ringway_drops_total{"))
            let arrived = sum("ringway_port_receive_packets_total{") + shown("injected") + shown("copies")
            let left = sum("ringway_port_transmit_packets_total{") + shown("packet_ins") + drops
            #expect(arrived == left, "arrived \(arrived), left \(left)")
            #expect(sum("ringway_worker_injected_packets_total{") == shown("injected"))
            #expect(sum("ringway_worker_copied_packets_total{") == shown("copies"))
            #expect(sum("ringway_worker_packet_ins_total{") == shown("packet_ins"))
            #expect(
                sum("ringway_packet_in_total{") == shown("packet_ins"),
                "each packet-in that the workers made reached the control side"
            )
        }

        @Test(
            "are read by Prometheus' own checker",
            .enabled(if: Requirements.isInstalled("promtool"), "promtool is not installed")
        )
        func promtool() async throws {
            let live = try await Self.afterTraffic(workers: "{cores: [0]}")
            let file = try live.file("metrics.txt", try await live.metricsText())
            let outcome = try await Command.run(["sh", "-c", "exec promtool check metrics <\(file)"])
            #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome)")
        }
    }
}
