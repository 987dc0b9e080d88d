// Every ovs-ofctl command that a pure OpenFlow 1.3 switch can answer, over TCP and over the management socket.

import Foundation
import Testing

extension LiveTests {
    @Suite("ovs-ofctl", .serialized) struct OvsOfctlCommandTests {
        @Test("reads the switch", arguments: [LiveSwitch.Target.tcp, .socket])
        func reads(over target: LiveSwitch.Target) async throws {
            let live = try await LiveSwitch.started()
            func expect(_ command: String, _ arguments: String..., prints texts: [String]) async throws {
                let outcome =
                    if let argument = arguments.first {
                        try await live.ofctl(command, argument, over: target)
                    } else {
                        try await live.ofctl(command, over: target)
                    }
                #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(command): \(outcome)")
                for text in texts { #expect(outcome.output.contains(text), "\(command): \(outcome)") }
            }
            try await expect(
                "show",
                prints: ["dpid:000000000000002a", "n_tables:254", " 1(h1): addr:", " 2(h2): addr:", "frags=normal"]
            )
            try await expect(
                "dump-desc",
                prints: ["Manufacturer: Ringway", "Hardware: DPDK", "Software: ringway", "DP Description: live"]
            )
            try await expect("dump-ports", prints: ["2 ports", "port  1: rx pkts=", "port  2: rx pkts="])
            try await expect("dump-ports", "2", prints: ["1 ports", "port  2: rx pkts="])
            // All ones, which ovs-ofctl shows as a question mark: not counted by anybody.
            try await expect("dump-ports", "1", prints: ["frame=?, over=?, crc=?", "coll=?", "errs=0"])
            try await expect("dump-ports", "h2", prints: ["1 ports", "port  2: rx pkts="])
            try await expect("dump-ports-desc", prints: [" 1(h1): addr:", " 2(h2): addr:", "LIVE"])
            try await expect("dump-tables", prints: ["table 0:", "active=0, lookup=0, matched=0"])
            try await expect("dump-table-features", prints: ["table 0", "goto_table", "eth_{src,dst}", "set_field"])
            try await expect("probe", prints: [])
            try await expect("ping", "200", prints: ["200 bytes from", "xid="])
            try await expect("get-frags", prints: ["normal"])
            try await expect("dump-flows", prints: [])
            try await expect("dump-aggregate", prints: ["packet_count=0 byte_count=0 flow_count=0"])
        }

        @Test("refuses a port that is not there")
        func refusesUnknownPort() async throws {
            let live = try await LiveSwitch.started()
            let outcome = try await live.ofctl("dump-ports", "9", options: ["--no-names"])
            #expect(
                outcome.description.contains("OFPBRC_BAD_PORT") || outcome.description.contains("OFPT_ERROR"),
                "\(outcome)"
            )
        }

        @Test("changes flows", arguments: [LiveSwitch.Target.tcp, .socket])
        func changesFlows(over target: LiveSwitch.Target) async throws {
            let live = try await LiveSwitch.started()
            func run(_ command: String, _ argument: String, options: [String] = []) async throws {
                let outcome = try await live.ofctl(command, argument, options: options, over: target)
                #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(command) \(argument): \(outcome)")
            }
            func flows(_ filter: String...) async throws -> Set<String> {
                Set(try await live.flows(filter.joined(separator: ","), over: target))
            }
            try await run("add-flow", "priority=10,in_port=h1,actions=output:h2")
            let file = try live.file(
                "flows.txt",
                """
                table=0,priority=20,ip,nw_dst=10.0.0.0/8,actions=goto_table:1
                table=1,priority=5,tcp,nw_dst=10.0.0.1,tp_dst=80,actions=dec_ttl,output:2
                # a comment

                table=1,priority=6,udp,nw_dst=10.0.0.1,cookie=0x7,actions=drop
                """
            )
            try await run("add-flows", file)
            #expect(
                try await flows() == [
                    "priority=10,in_port=1 actions=output:2", "priority=20,ip,nw_dst=10.0.0.0/8 actions=goto_table:1",
                    "table=1, priority=5,tcp,nw_dst=10.0.0.1,tp_dst=80 actions=dec_ttl,output:2",
                    "cookie=0x7, table=1, priority=6,udp,nw_dst=10.0.0.1 actions=drop",
                ]
            )
            #expect(try await flows("table=1,ip,nw_dst=10.0.0.1").count == 2)
            #expect(try await flows("tcp").count == 1)
            #expect(try await flows("cookie=0x7/-1").count == 1)
            #expect(try await flows("out_port=2").count == 2)
            let aggregate = try await live.ofctl("dump-aggregate", "table=1", over: target)
            #expect(aggregate.output.contains("packet_count=0 byte_count=0 flow_count=2"), "\(aggregate)")

            // Loose: all that is as specific; strict: the one.
            try await run("mod-flows", "table=1,ip,nw_dst=10.0.0.1,actions=output:1")
            #expect(try await flows("table=1").allSatisfy { $0.hasSuffix("actions=output:1") })
            try await run(
                "mod-flows",
                "table=1,priority=5,tcp,nw_dst=10.0.0.1,tp_dst=80,actions=output:2",
                options: ["--strict"]
            )
            #expect(try await flows("table=1,out_port=2").count == 1)
            try await run("del-flows", "table=1,priority=4,tcp,nw_dst=10.0.0.1,tp_dst=80", options: ["--strict"])
            #expect(try await flows("table=1").count == 2, "no flow has this priority")
            try await run("del-flows", "table=1,priority=5,tcp,nw_dst=10.0.0.1,tp_dst=80", options: ["--strict"])
            #expect(try await flows("table=1").count == 1)
            try await run("del-flows", "ip")
            #expect(try await flows() == ["priority=10,in_port=1 actions=output:2"])
            #expect(try await live.ofctl("del-flows", over: target).status == 0)
            #expect(try await flows().isEmpty)
        }

        @Test("replaces and compares flows", arguments: [LiveSwitch.Target.tcp, .socket])
        func replacesFlows(over target: LiveSwitch.Target) async throws {
            let live = try await LiveSwitch.started()
            let old = try live.file(
                "old.txt",
                "priority=1,in_port=1,actions=output:2\npriority=2,ip,actions=output:1\n"
            )
            let new = try live.file(
                "new.txt",
                "priority=1,in_port=1,actions=output:1\npriority=3,arp,actions=output:2\n"
            )
            #expect(try await live.ofctl("add-flows", old, over: target).status == 0)
            let same = try await live.ofctl("diff-flows", old, over: target)
            #expect(same.status == 0 && same.output.isEmpty, "\(same)")
            let different = try await live.ofctl("diff-flows", new, over: target)
            #expect(different.status == 2 && different.lines.count == 4, "\(different)")
            let replaced = try await live.ofctl("replace-flows", new, over: target)
            #expect(replaced.status == 0, "\(replaced)")
            let after = try await live.ofctl("diff-flows", new, over: target)
            #expect(after.status == 0 && after.output.isEmpty, "\(after)")
        }

        @Test("sends packets out and monitors packet-ins", arguments: [LiveSwitch.Target.tcp, .socket])
        func packetOutAndMonitor(over target: LiveSwitch.Target) async throws {
            let live = try await LiveSwitch.started()
            // Port 2's packets are shown, in full; a packet-out to TABLE goes through the rules.
            try await live.addFlows(
                "priority=1,in_port=2,actions=controller",
                "priority=2,in_port=1,actions=output:2,controller:20"
            )
            // Without buffers a packet-in holds the whole packet, whatever `max_len` says (OpenFlow 1.3.5 §7.4.1).
            let monitor = try live.startOfctl("monitor", "65535", over: target)
            #expect(try await eventually { try await live.show("channels").contains { $0.messages("set_config") > 0 } })
            let frame = "0200000000020200000000010800" + String(repeating: "5a", count: 50)
            for port in ["1", "table"] {
                let outcome = try await live.ofctl(
                    "packet-out",
                    "in_port=1,packet=\(frame),actions=\(port == "1" ? "output:2" : "table")",
                    over: target
                )
                #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome)")
            }
            #expect(try await eventually { monitor.printed.contains("(via action)") }, "\(monitor.printed)")
            #expect(
                monitor.printed.contains("total_len=64") && monitor.printed.contains("data_len=64 (unbuffered)"),
                "\(monitor.printed)"
            )
            #expect(try await eventually { try await live.dumpedPort(2)[2] == 2 }, "both left by port 2")
            try await live.expectPing(false, from: 2, to: 1, count: 1)
            #expect(
                try await eventually { monitor.printed.contains("in_port=2") && monitor.printed.contains("arp") },
                "\(monitor.printed)"
            )
            monitor.send(SIGTERM)
            _ = try await monitor.outcome(within: .seconds(5))
        }

        @Test("sets how fragments are handled")
        func fragments() async throws {
            let live = try await LiveSwitch.started()
            // No packets: the kernel puts fragments together before an AF_PACKET port sees them.
            #expect(try await live.ofctl("get-frags").output.contains("normal"))
            #expect(try await live.ofctl("set-frags", "drop").status == 0)
            #expect(try await live.ofctl("get-frags").output.contains("drop"))
            let refused = try await live.ofctl("set-frags", "reassemble")
            #expect(refused.status != 0, "there is no reassembly: \(refused)")
            #expect(try await live.ofctl("get-frags").output.contains("drop"))
        }

        @Test("adds, changes, shows and deletes groups")
        func groups() async throws {
            let live = try await LiveSwitch.started()
            let buckets = "bucket=weight:1,output:2,bucket=weight:3,output:3"
            #expect(try await live.ofctl("add-group", "group_id=1,type=select,\(buckets)").status == 0)
            #expect(try await live.ofctl("add-flow", "in_port=1,actions=group:1").status == 0)
            #expect(try await live.ofctl("dump-groups").output.contains("group_id=1,type=select"))
            let statistics = try await live.ofctl("dump-group-stats").output
            #expect(statistics.contains("group_id=1") && statistics.contains("ref_count=1"), "\(statistics)")
            let features = try await live.ofctl("dump-group-features").output
            // All four types; weights, liveness, chains and their checks.
            for text in ["Types:  0xf\n", "Capabilities:  0xf\n", "max_groups=0x1000"] {
                #expect(features.contains(text), "\(features)")
            }
            #expect(try await live.ofctl("mod-group", "group_id=1,type=all,bucket=output:2").status == 0)
            #expect(try await live.ofctl("dump-groups").output.contains("type=all"))
            let again = try await live.ofctl("add-group", "group_id=1,type=all")
            #expect(again.status == 1 && again.errors.contains("OFPGMFC_GROUP_EXISTS"), "\(again)")
            #expect(try await live.ofctl("del-groups").status == 0)
            #expect(try await live.flows().isEmpty)
        }

        @Test("sends packets by way of groups, and follows the ports that they watch")
        func groupPackets() async throws {
            let live = try await LiveSwitch.started()
            func group(_ command: String, _ text: String) async throws {
                let outcome = try await live.ofctl(command, text)
                #expect(outcome.status == 0, "\(text): \(outcome)")
            }
            try await group("add-group", "group_id=1,type=indirect,bucket=output:2")
            try await group("add-group", "group_id=2,type=select,bucket=weight:2,group:1,bucket=weight:1,group:1")
            try await live.addFlows("in_port=1,actions=group:2", "in_port=2,actions=output:1")
            try await live.expectPing(from: 1, to: 2, count: 3)
            let groups = try await live.show("groups")
            #expect(groups.map { $0.text("type") } == ["indirect", "select"])
            #expect(groups[0].number("packets") >= 3 && groups[0].number("packets") == groups[1].number("packets"))
            #expect(groups[0].number("references") == 1, "\(groups)")
            let statistics = try await live.ofctl("dump-group-stats", "group_id=1").output
            #expect(!statistics.contains("packet_count=0") && statistics.contains("bucket0:"), "\(statistics)")

            try await group(
                "mod-group",
                "group_id=2,type=ff,bucket=watch_port:2,output:2,bucket=watch_port:1,output:in_port"
            )
            try await live.expectPing(from: 1, to: 2, count: 2)
            #expect(try await live.ofctl("mod-port", "2", "down").status == 0)
            try await live.expectPing(false, from: 1, to: 2, count: 1)
            let failedOver = try await live.ofctl("dump-group-stats", "group_id=2").output
            #expect(!failedOver.contains("bucket1:packet_count=0,"), "\(failedOver)")
            #expect(try await live.ofctl("mod-port", "2", "up").status == 0)
            try await live.expectPing(from: 1, to: 2, count: 2)

            try await group("mod-group", "group_id=2,type=all")
            try await live.expectPing(false, from: 1, to: 2, count: 1)
            let chained = try await live.ofctl("add-group", "group_id=3,type=all,bucket=group:9")
            #expect(chained.status == 1 && chained.errors.contains("OFPBAC_BAD_OUT_GROUP"), "\(chained)")
            #expect(try await live.ofctl("del-groups", "group_id=2").status == 0)
            let left = try await live.flows()
            #expect(left.count == 1 && left[0].contains("in_port=2"), "\(left)")
        }

        @Test("closes and opens a port, and hears of its link")
        func ports() async throws {
            let live = try await LiveSwitch.started()
            try await live.addFlows("in_port=1,actions=output:2", "in_port=2,actions=output:1")
            let monitor = try live.startOfctl("monitor")
            try await live.expectPing(from: 1, to: 2, count: 2)
            for (word, opposite, shown) in [
                ("down", "up", "PORT_DOWN"), ("no-receive", "receive", "NO_RECV"), ("no-forward", "forward", "NO_FWD"),
            ] {
                #expect(try await live.ofctl("mod-port", "2", word).status == 0, "\(word)")
                let described = try await live.ofctl("dump-ports-desc", "2").output
                #expect(described.contains("config:     \(shown)"), "\(described)")
                try await live.expectPing(false, from: 1, to: 2, count: 1)
                #expect(try await eventually { monitor.printed.contains("config:     \(shown)") }, "\(monitor.printed)")
                #expect(try await live.ofctl("mod-port", "2", opposite).status == 0, "\(opposite)")
                try await live.expectPing(from: 1, to: 2, count: 2)
            }
            let drops = try await live.show("drops")
            for reason in ["port_down", "no_receive", "no_forward"] {
                #expect(drops.contains { $0.text("reason") == reason && $0.number("port") == 2 }, "\(drops)")
            }
            #expect(monitor.printed.contains("MOD: 2(h2)"), "\(monitor.printed)")

            // A setting stays while the link goes and comes.
            #expect(try await live.ofctl("mod-port", "2", "no-packet-in").status == 0)
            func setLink(_ state: String) async throws {
                let outcome = try await Command.run(
                    ["ip", "-n", live.namespaces.ofHost(2), "link", "set", "eth0", state]
                )
                try #require(outcome.status == 0, "\(outcome)")
            }
            func described(_ text: String) async throws -> Bool {
                try await live.ofctl("dump-ports-desc", "2").output.contains(text)
            }
            try await setLink("down")
            #expect(
                try await eventually(within: .seconds(1)) { monitor.printed.contains("state:      LINK_DOWN") },
                "\(monitor.printed)"
            )
            #expect(try await described("config:     NO_PACKET_IN"))
            try await setLink("up")
            #expect(try await eventually { try await described("state:      LIVE") })
            #expect(try await described("config:     NO_PACKET_IN"))
            monitor.send(SIGTERM)
            _ = try await monitor.outcome(within: .seconds(5))
        }

        @Test("is told what is wrong with a flow")
        func errors() async throws {
            let live = try await LiveSwitch.started()
            // BAD_VENDOR is what ovs-ofctl calls BAD_EXPERIMENTER. It refuses to send a goto to an earlier table.
            for (flow, error) in [
                ("in_port=1,actions=enqueue:1:2", "OFPT_ERROR (OF1.3)"),
                ("in_port=1,actions=resubmit:2", "OFPBAC_BAD_VENDOR"),
                ("in_port=1,actions=meter:1", "OFPT_ERROR (OF1.3)"),
                ("in_port=1,actions=group:1", "OFPBAC_BAD_OUT_GROUP"),
                ("table=3,actions=goto_table:2", "OFPBIC_BAD_TABLE_ID"),
            ] {
                let outcome = try await live.ofctl("add-flow", flow)
                #expect(outcome.status == 1 && outcome.errors.contains(error), "\(flow): \(outcome)")
            }
            #expect(try await live.flows().isEmpty)
        }
    }
}

extension LiveSwitch.Row {
    /// Messages of a type received over a channel.
    func messages(_ type: String) -> Int {
        rows("messages").filter { $0.text("type") == type && $0.text("direction") == "receive" }.reduce(0) {
            $0 + $1.number("count")
        }
    }
}
