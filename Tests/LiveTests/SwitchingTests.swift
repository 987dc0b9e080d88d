// The switch as a learning one: output to NORMAL, VLANs of ports, fail standalone mode; and the port LOCAL, the host's own.

import Foundation
import Testing

extension LiveTests {
    @Suite("Switching", .serialized) struct SwitchingTests {
        @Test("NORMAL learns from the frames, shows what it knows and forgets it when told")
        func normal() async throws {
            let live = try await LiveSwitch.started(hosts: 3) { $0.workers = "{cores: [0], idle: adaptive}" }
            try await live.addFlows("actions=normal")
            try await live.expectPing(from: 1, to: 2, count: 10)
            try await live.expectPing(from: 3, to: 1, count: 10)
            let known = try await live.show("addresses").map { "\($0.text("address")) \($0.number("port"))" }
            #expect(known == ["02:00:00:00:00:01 1", "02:00:00:00:00:02 2", "02:00:00:00:00:03 3"])
            #expect(try await live.metrics()["ringway_learned_addresses"] == 3)
            // The third host heard the first one ask for the second, and nothing of what followed.
            #expect(try await live.dumpedPort(3)[2] < 20)
            let table = try await live.ringway("show", "addresses")
            #expect(table.lines.count == 4 && table.output.hasPrefix("ADDRESS"))

            let flushed = try await live.ringway("flush")
            #expect(flushed.output == "3 addresses forgotten\n")
            #expect(try await live.show("addresses").isEmpty)
            try await live.expectPing(from: 1, to: 2, count: 10)

            let trace = try await live.ringway("trace", "in_port=3,dl_src=02:00:00:00:00:03,dl_dst=02:00:00:00:00:01")
            #expect(trace.status == 0 && trace.output.contains("port 1"), "\(trace)")
            #expect(!trace.output.contains("port 2"), "\(trace)")
        }

        @Test("ports in VLANs hear only what is for theirs")
        func vlans() async throws {
            let live = try await LiveSwitch.started(hosts: 4) {
                $0.ports = []
                $0.otherPorts = [(1, "tag: 10"), (2, "tag: 10"), (3, "tag: 20"), (4, "tag: 20")].map {
                    "{number: \($0), name: h\($0), device: \"net_af_packet\($0),iface=veth\($0)\", \($1)}"
                }
                $0.otherPorts.append("{number: 5, name: trunk, device: \"net_null5,no-rx=1\", trunks: [20, 30]}")
            }
            try await live.addFlows("actions=normal")
            try await live.expectPing(from: 1, to: 2)
            try await live.expectPing(from: 3, to: 4)
            try await live.expectPing(false, from: 1, to: 3)
            try await live.expectPing(false, from: 4, to: 2)
            let vlans = try await live.show("addresses").map { [$0.number("port"), $0.number("vlan")] }
            #expect(Set(vlans) == [[1, 10], [2, 10], [3, 20], [4, 20]])
            // The trunk gets what is for VLAN 20, with a tag.
            let trace = try await live.ringway("trace", "in_port=3,arp,dl_dst=ff:ff:ff:ff:ff:ff")
            #expect(trace.status == 0 && trace.output.contains("port 5"), "\(trace)")
            #expect(trace.output.contains("81000014") && !trace.output.contains("port 1"), "\(trace)")
        }

        @Test(
            "without its controller, and in fail standalone mode, it forwards all the same",
            .enabled(if: Requirements.isInstalled("ovs-testcontroller"), "ovs-testcontroller is not installed")
        )
        func standalone() async throws {
            let live = try await LiveSwitch.started {
                $0.controllers = ["tcp:127.0.0.1:6653"]
                $0.openflow = ["max_backoff: 1s", "fail_mode: standalone"]
            }
            func isStandalone() async throws -> Bool { try await live.metrics()["ringway_standalone"] == 1 }
            // No controller has been there yet; a rule that drops everything changes nothing.
            try await live.addFlows("priority=65535,actions=drop")
            #expect(try await isStandalone())
            try await live.expectPing(from: 1, to: 2)
            let trace = try await live.ringway("trace", "in_port=1,dl_dst=ff:ff:ff:ff:ff:ff")
            #expect(trace.status == 0 && trace.output.contains("port 2"), "\(trace)")

            let controller = try Command(
                ["ovs-testcontroller", "ptcp:6653:127.0.0.1", "--unixctl=\(live.directory.path)/tc.ctl"],
                namespace: live.namespaces.ofSwitch
            )
            #expect(try await eventually(within: .seconds(15)) { try await !isStandalone() })
            try await live.expectPing(false, from: 1, to: 2, "the rule drops")
            controller.end()
            #expect(try await eventually(within: .seconds(15)) { try await isStandalone() })
            try await live.expectPing(from: 1, to: 2)
            #expect(try await live.flows().contains { $0.contains("priority=65535") }, "the rules have stayed")
        }

        @Test("LOCAL is the host's own interface")
        func local() async throws {
            let live = try await LiveSwitch.started {
                $0.otherPorts = ["{number: LOCAL, name: ring0, device: \"net_tap0,iface=ring0\"}"]
            }
            let setUp = try await Command.run([
                "sh", "-ec",
                """
                n=\(live.namespaces.ofSwitch)
                ip -n $n address add 10.88.0.9/24 dev ring0
                ip -n $n link set ring0 up
                """,
            ])
            try #require(setUp.status == 0, "\(setUp)")
            #expect(try await live.ofctl("show").output.contains("LOCAL(ring0)"))
            try await live.addFlows("priority=1,in_port=LOCAL,actions=flood", "priority=1,in_port=1,actions=local")
            try await live.expectPing(from: 1, to: 9)
            #expect(try await live.ofctl("dump-ports", "LOCAL").output.contains("port LOCAL"))
            // The second host hears the answers, as FLOOD goes everywhere, and can't ask.
            try await live.expectPing(false, from: 2, to: 9)
            try await live.addFlows("priority=2,actions=normal")
            try await live.expectPing(from: 2, to: 9)
            let trace = try await live.ringway("trace", "in_port=LOCAL,arp,dl_dst=ff:ff:ff:ff:ff:ff")
            #expect(trace.status == 0 && trace.output.contains("port 1") && trace.output.contains("port 2"), "\(trace)")
        }
    }
}
