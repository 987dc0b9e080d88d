// Meters from ovs-ofctl, with real packets: what is shown, what passes, and what becomes of entries when a meter goes.

import Foundation
import Testing

extension LiveTests {
    @Suite("Meters", .serialized) struct MeterTests {
        @Test("of ovs-ofctl are shown as they were given", arguments: [LiveSwitch.Target.tcp, .socket])
        func ovsOfctl(over target: LiveSwitch.Target) async throws {
            let live = try await LiveSwitch.started {
                $0.openflow = ["meter_limit: 3", "meter_band_limit: 2"]
            }
            func run(_ command: String, _ argument: String? = nil, status: CInt = 0) async throws -> String {
                let outcome =
                    if let argument {
                        try await live.ofctl(command, argument, over: target)
                    } else {
                        try await live.ofctl(command, over: target)
                    }
                #expect(outcome.status == status, "\(command) \(argument ?? ""): \(outcome)")
                return outcome.output + outcome.errors
            }
            let features = try await run("meter-features")
            for text in ["max_meter:3", "max_bands:2", "drop dscp_remark", "kbps pktps burst stats"] {
                #expect(features.contains(text), "\(features)")
            }
            _ = try await run("add-meter", "meter=1,kbps,burst,stats,band=type=drop,rate=1000,burst_size=50")
            _ = try await run(
                "add-meter",
                "meter=2,pktps,band=type=dscp_remark,rate=10,prec_level=1,type=drop,rate=20"
            )
            _ = try await run("add-meter", "meter=controller,pktps,band=type=drop,rate=5")
            let meters = try await run("dump-meters")
            for text in [
                "meter=1 kbps burst stats bands=", "type=drop rate=1000 burst_size=50", "meter=2 pktps bands=",
                "type=dscp_remark rate=10 prec_level=1", "type=drop rate=20", "meter=controller pktps bands=",
            ] {
                #expect(meters.contains(text), "\(meters)")
            }
            #expect(try await run("dump-meter", "meter=2").contains("meter=1 ") == false)
            #expect(
                try await run("add-meter", "meter=1,kbps,band=type=drop,rate=1", status: 1).contains("METER_EXISTS")
            )
            #expect(
                try await run("add-meter", "meter=3,kbps,band=type=drop,rate=1", status: 1).contains("OUT_OF_METERS")
            )
            #expect(
                try await run(
                    "mod-meter",
                    "meter=1,kbps,band=type=drop,rate=1,type=drop,rate=2,type=drop,rate=3",
                    status: 1
                ).contains("OUT_OF_BANDS")
            )
            #expect(
                try await run("mod-meter", "meter=4,kbps,band=type=drop,rate=1", status: 1).contains("UNKNOWN_METER")
            )
            _ = try await run("mod-meter", "meter=1,pktps,band=type=drop,rate=7")
            #expect(try await run("dump-meter", "meter=1").contains("meter=1 pktps bands="))
            let statistics = try await run("meter-stats")
            for text in ["meter:1 flow_count:0 packet_in_count:0 byte_in_count:0", "0: packet_count:0 byte_count:0"] {
                #expect(statistics.contains(text), "\(statistics)")
            }
            try await live.addFlows("in_port=1,actions=meter:1,output:2", "in_port=2,actions=output:1")
            let monitor = try live.startOfctl("monitor", "65535", over: target)
            #expect(try await eventually { try await live.show("channels").contains { $0.messages("set_config") > 0 } })
            try await live.addFlows("in_port=1,send_flow_rem,actions=meter:1,output:2")
            #expect(try await run("meter-stats", "meter=1").contains("flow_count:1"))
            _ = try await run("del-meter", "meter=1")
            #expect(try await live.flows() == ["in_port=2 actions=output:1"])
            #expect(
                try await eventually {
                    monitor.printed.contains("OFPT_FLOW_REMOVED") && monitor.printed.contains("reason=delete")
                },
                "\(monitor.printed)"
            )
            _ = try await run("del-meters")
            #expect(try await run("dump-meters").contains("meter=") == false)
            monitor.send(SIGTERM)
            _ = try await monitor.outcome(within: .seconds(5))
        }

        /// Two hosts send through one meter; with two workers each has another one.
        @Test(
            "let as many packets pass as they say, over all workers",
            arguments: Requirements.hasTwoCores ? ["{cores: [0]}", "{cores: [0, 1]}"] : ["{cores: [0]}"]
        )
        func rate(workers: String) async throws {
            let live = try await LiveSwitch.started(hosts: 3) { $0.workers = workers }
            let meter = try await live.ofctl(
                "add-meter",
                "meter=1,pktps,burst,stats,band=type=drop,rate=60,burst_size=6"
            )
            #expect(meter.status == 0, "\(meter)")
            try await live.addFlows(
                "priority=40000,arp,actions=flood",
                "in_port=1,actions=meter:1,output:3",
                "in_port=2,actions=meter:1,output:3",
                "in_port=3,ip,nw_dst=10.88.0.1,actions=output:1",
                "in_port=3,ip,nw_dst=10.88.0.2,actions=output:2"
            )
            for host in [1, 2] { try await live.expectPing(from: host, to: 3, count: 2) }
            try await Task.sleep(for: .milliseconds(200))
            let before = try await live.show("meters")
            let pings = try [1, 2].map { try live.startPing(from: $0, to: 3, count: 400, wait: 1) }
            var (answers, seconds) = (0, 0.0)
            for ping in pings {
                let outcome = try await ping.outcome()
                answers += LiveSwitch.answers(outcome)
                seconds = max(
                    seconds,
                    Double(LiveSwitch.numbers(of: ["% packet loss, time "], in: outcome.output)[0]) / 1_000
                )
            }
            let expected = 60 * seconds + 6
            #expect(abs(Double(answers) - expected) < 0.1 * expected, "\(answers) answers in \(seconds) s")
            let after = try await live.show("meters")
            let passed = after[0].number("packets") - before[0].number("packets")
            let dropped = after[0].rows("bands")[0].number("packets") - before[0].rows("bands")[0].number("packets")
            #expect(passed == 800 && dropped == 800 - answers, "\(after)")
            let drops = try await live.show("drops").filter { $0.text("reason") == "meter" }
            #expect(drops.reduce(0) { $0 + $1.number("packets") } == after[0].rows("bands")[0].number("packets"))
            let shown = try await live.ringway("show", "meters")
            #expect(shown.output.contains("pktps,burst,stats") && shown.output.contains("EXCEEDED"), "\(shown)")
            let statistics = try await live.ofctl("meter-stats").output
            #expect(
                statistics.contains("meter:1 flow_count:2 packet_in_count:\(after[0].number("packets"))"),
                "\(statistics)"
            )
        }
    }
}
