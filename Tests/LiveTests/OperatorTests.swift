// What an operator does with a switch that runs: look at it, trace a packet, change its configuration while packets flow.

import Foundation
import Testing

extension LiveTests {
    @Suite("Operator", .serialized) struct OperatorTests {
        private static let toEachOther = [
            "priority=10,in_port=1,actions=output:2", "priority=10,in_port=2,actions=output:1",
        ]

        @Test("traces a packet through two tables")
        func trace() async throws {
            let live = try await LiveSwitch.started()
            try await live.addFlows(
                "table=0,priority=10,tcp,in_port=1,nw_dst=10.0.0.0/8,actions=set_field:0x5->metadata,goto_table:1"
                    .replacingOccurrences(
                        of: "set_field:0x5->metadata",
                        with: "write_metadata:0x5"
                    ),
                "table=1,priority=7,metadata=0x5,ip,actions=dec_ttl,set_field:02:00:00:00:00:99->eth_dst,output:2"
            )
            let traced = try await live.ringway("trace", "in_port=1,tcp,nw_dst=10.0.0.2,tp_dst=80")
            #expect(traced.status == 0, "\(traced)")
            for text in [
                "table 0", "priority=10,tcp,in_port=1,nw_dst=10.0.0.0/8", "table 1", "priority=7,ip,metadata=0x5",
                "port 2 (h2)", "020000000099",
            ] { #expect(traced.output.contains(text), "\(text): \(traced)") }
            let line = try await live.ringway("trace", "in_port=1,tcp,nw_dst=10.0.0.2,tp_dst=80", "--json").output
            #expect(line.contains("\"agree\":true"), "\(line)")
            let missed = try await live.ringway("trace", "in_port=2,arp")
            #expect(missed.status == 0 && missed.output.contains("table_miss"), "\(missed)")
            let wrong = try await live.ringway("trace", "in_port=1,tcp,nw_dst=10.0.0.256")
            #expect(wrong.status == 1 && wrong.errors.contains("nw_dst"), "\(wrong)")
            let noPort = try await live.ringway("trace", "in_port=9,tcp")
            #expect(noPort.status == 1 && noPort.errors.contains("in_port"), "\(noPort)")
            #expect(try await live.show("tables").allSatisfy { $0.number("lookups") == 0 }, "a trace counts nothing")
        }

        @Test("shows everything, as tables and as JSON")
        func show() async throws {
            let live = try await LiveSwitch.started { $0.controllers = ["tcp:127.0.0.1:6653"] }
            try await live.addFlows(Self.toEachOther[0], Self.toEachOther[1])
            try await live.expectPing(from: 1, to: 2)
            for (what, texts) in [
                ("ports", ["PORT", "RX PACKETS", "h1", "net_af_packet1,iface=veth1", "up"]),
                ("tables", ["TABLE", "FORM"]),
                ("workers", ["WORKER", "h1:0"]), ("channels", ["ENDPOINT", "tcp:127.0.0.1:6653"]),
                ("drops", ["REASON"]),
            ] {
                let outcome = try await live.ringway("show", what)
                #expect(outcome.status == 0, "\(outcome)")
                for text in texts { #expect(outcome.output.contains(text), "\(what): \(outcome)") }
                _ = try await live.show(what)
            }
            let controller = try #require(
                try await live.show("channels").first { $0.text("endpoint") == "tcp:127.0.0.1:6653" }
            )
            #expect(["connecting", "backoff"].contains(controller.text("state")))
            #expect(
                try await live.show("drops").allSatisfy { $0.number("packets") > 0 },
                "drops that are 0 are not shown"
            )
            let nobody = try await Command.run([
                Requirements.ringway, "show", "ports", "--socket", "/tmp/there-is-no-such-socket",
            ])
            #expect(nobody.status == 69, "\(nobody)")
            let wrong = try await live.ringway("show", "nonsense")
            #expect(wrong.status == 64, "\(wrong)")
        }

        @Test(
            "has memory on its workers' socket",
            .enabled(if: access("/proc/self/numa_maps", R_OK) == 0, "no NUMA in this kernel")
        )
        func socket() async throws {
            let live = try await LiveSwitch.startedWithFunctions(["fw"])
            let agent = try #require(live.agent)
            let socket = try #require(agent.printed.firstMatch(of: /socket=([0-9]+|any)/)?.1)
            // Not where the kernel forbids it, as it may in a container.
            guard socket != "any" else { return }
            // The policy is that of the thread which made the files.
            let maps = try await Command.run(["sh", "-c", "cat /proc/\(agent.pid)/task/*/numa_maps"])
            for file in ["packets", "fw.rings"] {
                #expect(
                    maps.output.split(separator: "\n").contains {
                        $0.contains("prefer:\(socket) ") && $0.contains("/\(file)")
                    },
                    "\(maps)"
                )
            }
        }

        @Test("is told file, line and column of a mistake")
        func check() async throws {
            let live = try await LiveSwitch(hosts: 1)
            try live.writeConfiguration()
            let valid = try await Command.run([Requirements.ringway, "check", "--config", live.configurationPath])
            #expect(valid.status == 0 && valid.output.contains("memory") && valid.output.contains("MiB"), "\(valid)")
            // Wherever tests run, a core that is isolated is rare; it is not warned of.
            let isolated = (try? String(contentsOfFile: "/sys/devices/system/cpu/isolated", encoding: .utf8)) ?? ""
            #expect(valid.errors.contains("is not isolated") || isolated.count > 1, "\(valid)")
            let path = try live.file(
                "wrong.yaml",
                "datapath: {id: 1}\nports:\n  - {number: 1, name: a, device: net_null0}\n  - {number: 1, name: b, device: net_null1}\n"
            )
            for command in ["check", "run"] {
                let wrong = try await Command.run([Requirements.ringway, command, "--config", path])
                #expect(wrong.status == 78 && wrong.errors.contains("\(path):4:14: ports[1].number"), "\(wrong)")
            }
        }

        @Test("reloads ports, controllers and listeners without losing a packet of the others")
        func reload() async throws {
            let live = try await LiveSwitch(hosts: 3)
            live.settings.ports = [1, 2]
            try await live.start()
            try await live.addFlows(Self.toEachOther[0], Self.toEachOther[1])
            let ping = try live.startPing(from: 1, to: 2, count: 600)
            func reload() async throws -> String {
                try live.writeConfiguration()
                let outcome = try await live.ringway("reload")
                #expect(outcome.status == 0, "\(outcome)")
                return outcome.output
            }
            let monitor = try live.startOfctl("monitor", "65535")
            #expect(try await eventually { try await live.show("channels").contains { $0.messages("set_config") > 0 } })
            #expect(try await reload().contains("nothing changed"))

            live.settings.ports = [1, 2, 3]
            #expect(try await reload().contains("port 3 (h3) added"))
            #expect(try await live.show("ports").map { $0.number("number") } == [1, 2, 3])
            #expect(
                try await eventually {
                    monitor.printed.contains("OFPT_PORT_STATUS") && monitor.printed.contains("ADD: 3(h3)")
                },
                "\(monitor.printed)"
            )
            try await live.addFlows(
                "priority=20,arp,in_port=3,actions=output:1",
                "priority=20,in_port=1,arp,arp_tpa=10.88.0.3,actions=output:3"
            )
            try await live.addFlows(
                "priority=20,arp,in_port=1,actions=output:2,output:3",
                "priority=20,ip,in_port=3,actions=output:1",
                "priority=20,ip,in_port=1,nw_dst=10.88.0.3,actions=output:3"
            )
            try await live.expectPing(from: 3, to: 1, "over the new port")

            live.settings.controllers = ["tcp:127.0.0.1:7653"]
            live.settings.listen.append("ptcp:7654:127.0.0.1")
            #expect(try await reload().contains("controller tcp:127.0.0.1:7653 added"))
            #expect(try await live.show("channels").contains { $0.text("endpoint") == "tcp:127.0.0.1:7653" })
            let other = ["ovs-ofctl", "-O", "OpenFlow13", "probe", "tcp:127.0.0.1:7654"]
            #expect(try await Command.run(other, namespace: live.namespaces.ofSwitch).status == 0)

            live.settings.ports = [1, 2]
            live.settings.controllers = []
            live.settings.listen.removeLast()
            #expect(try await reload().contains("port 3 (h3) removed"))
            #expect(try await live.show("ports").map { $0.number("number") } == [1, 2])
            #expect(try await eventually { monitor.printed.contains("DEL: 3(h3)") }, "\(monitor.printed)")
            #expect(try await Command.run(other, namespace: live.namespaces.ofSwitch).status != 0)
            #expect(try await live.show("channels").allSatisfy { $0.text("endpoint") != "tcp:127.0.0.1:7653" })

            // The same port again, by a signal.
            live.settings.ports = [1, 2, 3]
            try live.writeConfiguration()
            live.agent?.send(SIGHUP)
            #expect(try await eventually { try await live.show("ports").count == 3 })
            try await live.expectPing(from: 3, to: 1, "over the port that came back")

            let outcome = try await ping.outcome()
            #expect(LiveSwitch.answers(outcome) == 600, "\(outcome)")
        }

        @Test("changes nothing with a file that is refused")
        func refusedReload() async throws {
            let live = try await LiveSwitch.started()
            try await live.addFlows(Self.toEachOther[0], Self.toEachOther[1])
            live.settings.ports = [1]
            live.settings.workers = "{idle: busy}"
            try live.writeConfiguration()
            let anew = try await live.ringway("reload")
            #expect(anew.status == 1 && anew.errors.contains("workers.idle"), "\(anew)")
            try "ports: [{number: 1".write(toFile: live.configurationPath, atomically: true, encoding: .utf8)
            let broken = try await live.ringway("reload")
            #expect(broken.status == 1 && broken.errors.contains("live.yaml:"), "\(broken)")
            live.agent?.send(SIGHUP)
            #expect(try await eventually { live.agent?.printed.contains("reload refused") == true })
            #expect(try await live.show("ports").map { $0.number("number") } == [1, 2])
            try await live.expectPing(from: 1, to: 2)
        }

        @Test("adds a port whose device is not there: told so, and the rest goes on")
        func reloadWithBadDevice() async throws {
            let live = try await LiveSwitch.started()
            try await live.addFlows(Self.toEachOther[0], Self.toEachOther[1])
            live.settings.otherPorts = ["{number: 9, name: gone, device: \"net_af_packet9,iface=nowhere0\"}"]
            try live.writeConfiguration()
            let outcome = try await live.ringway("reload")
            #expect(outcome.status == 1 && outcome.errors.contains("net_af_packet9"), "\(outcome)")
            #expect(try await live.show("ports").map { $0.number("number") } == [1, 2])
            try await live.expectPing(from: 1, to: 2)
            // And with the device there, it works by the same file.
            try await live.namespaces.addHost(3)
            live.settings.otherPorts = ["{number: 9, name: gone, device: \"net_af_packet9,iface=veth3\"}"]
            try live.writeConfiguration()
            let second = try await live.ringway("reload")
            #expect(second.status == 0, "\(second)")
            #expect(try await live.show("ports").map { $0.number("number") } == [1, 2, 9])
        }
    }
}
