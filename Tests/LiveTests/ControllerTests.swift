// Real controllers: Open vSwitch's learning one, and Faucet. Each teaches the switch to forward between two hosts.

import Foundation
import Testing

extension LiveTests {
    @Suite("Controllers", .serialized) struct ControllerTests {
        @Test(
            "ovs-testcontroller learns, ends by force, and comes back while packets flow",
            .enabled(if: Requirements.isInstalled("ovs-testcontroller"), "ovs-testcontroller is not installed")
        )
        func testController() async throws {
            let live = try await LiveSwitch.started {
                $0.controllers = ["tcp:127.0.0.1:6653"]
                $0.openflow = ["max_backoff: 1s"]
            }
            func startController() throws -> Command {
                try Command(
                    [
                        "ovs-testcontroller", "ptcp:6653:127.0.0.1", "--max-idle=permanent",
                        "--unixctl=\(live.directory.path)/tc.ctl",
                    ],
                    namespace: live.namespaces.ofSwitch
                )
            }
            func state() async throws -> String {
                try await live.show("channels").first { $0.text("endpoint") == "tcp:127.0.0.1:6653" }?.text("state")
                    ?? "none"
            }
            let first = try startController()
            #expect(
                try await eventually(within: .seconds(15)) {
                    try await live.flows().contains { $0.contains("CONTROLLER") }
                }
            )
            try await live.expectPing(from: 1, to: 2, count: 10, "the controller learns")
            try #require(try await live.flows().count > 1, "rules for what it has learned")
            let metrics = try await live.metrics()
            #expect((metrics["ringway_packet_in_total{reason=\"no_match\"}"] ?? 0) >= 2)

            // Forwarding goes on without it, by the rules that are there.
            let rules = try await live.flows()
            let ping = try live.startPing(from: 1, to: 2, count: 300)
            first.end()
            #expect(try await eventually { try await ["backoff", "connecting"].contains(state()) })
            #expect(try await live.flows() == rules)
            let outcome = try await ping.outcome()
            #expect(LiveSwitch.answers(outcome) == 300, "\(outcome)")
            #expect(
                try await live.metrics()["ringway_channel_connected{peer=\"tcp:127.0.0.1:6653\",role=\"equal\"}"] == 0
            )

            let second = try startController()
            #expect(try await eventually(within: .seconds(15)) { try await state() == "active" }, "connects again")
            try await live.expectPing(from: 2, to: 1, count: 5)
            second.end()
        }

        @Test(
            "Faucet connects two hosts in one VLAN",
            .enabled(if: Requirements.isInstalled(Requirements.faucet), "there is no \(Requirements.faucet)"),
            // The second one sets the features of the tables that it uses, and removes the others.
            arguments: ["Open vSwitch", "GenericTFM"]
        )
        func faucet(hardware: String) async throws {
            let live = try await LiveSwitch.started {
                $0.controllers = ["tcp:127.0.0.1:6653"]
                $0.openflow = ["max_backoff: 1s"]
            }
            let configuration = try live.file(
                "faucet.yaml",
                """
                vlans: {hosts: {vid: 100}}
                acls: {guard: [{rule: {dl_type: 0x800, nw_proto: 17, udp_dst: 9, actions: {allow: 0}}}, {rule: {actions: {allow: 1}}}]}
                dps:
                  live:
                    dp_id: 0x2a
                    hardware: "\(hardware)"
                    interfaces: {1: {native_vlan: hosts, acl_in: guard}, 2: {native_vlan: hosts}}

                """
            )
            // It executes `osken-manager`, which lies beside it.
            let folder = URL(fileURLWithPath: Requirements.faucet).deletingLastPathComponent().path
            let log = live.directory.appendingPathComponent("faucet.log").path
            let faucet = try Command(
                [Requirements.faucet, "--ryu-ofp-listen-host", "127.0.0.1", "--ryu-ofp-tcp-listen-port", "6653"],
                namespace: live.namespaces.ofSwitch,
                environment: [
                    "PATH": "\(folder):/usr/sbin:/usr/bin:/sbin:/bin", "FAUCET_CONFIG": configuration,
                    "FAUCET_LOG": log,
                    "FAUCET_EXCEPTION_LOG": "\(log).exceptions", "FAUCET_PROMETHEUS_ADDR": "127.0.0.1",
                    "FAUCET_PROMETHEUS_PORT": "9302",
                ]
            )
            func said() -> String { (try? String(contentsOfFile: log, encoding: .utf8)) ?? "" + faucet.printed }
            let isUp = try await eventually(within: .seconds(60)) {
                said().contains("Port 2 (2) configured") || !faucet.isRunning
            }
            #expect(isUp && faucet.isRunning, "\(said())\n\(faucet.printed)")
            #expect(try await eventually { try await live.flows().count > 10 }, "Faucet's pipeline")
            try await live.expectPing(from: 1, to: 2, count: 10)
            try await live.expectPing(from: 2, to: 1, count: 10)
            let learned = try await live.flows("dl_dst=02:00:00:00:00:02")
            #expect(learned.contains { $0.contains("output:2") }, "\(learned)")
            #expect(try await live.flows("udp,tp_dst=9").contains { $0.contains("actions=drop") }, "the ACL")
            #expect(!said().contains("OFPErrorMsg"), "\(said())")
            faucet.end()
        }
    }
}
