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
            let faucet = try Faucet(
                """
                vlans: {hosts: {vid: 100}}
                acls: {guard: [{rule: {dl_type: 0x800, nw_proto: 17, udp_dst: 9, actions: {allow: 0}}}, {rule: {actions: {allow: 1}}}]}
                dps:
                  live:
                    dp_id: 0x2a
                    hardware: "\(hardware)"
                    interfaces: {1: {native_vlan: hosts, acl_in: guard}, 2: {native_vlan: hosts}}

                """,
                at: live
            )
            #expect(try await faucet.isUp(), "\(faucet.said)")
            #expect(try await eventually { try await live.flows().count > 10 }, "Faucet's pipeline")
            try await live.expectPing(from: 1, to: 2, count: 10)
            try await live.expectPing(from: 2, to: 1, count: 10)
            let learned = try await live.flows("dl_dst=02:00:00:00:00:02")
            #expect(learned.contains { $0.contains("output:2") }, "\(learned)")
            #expect(try await live.flows("udp,tp_dst=9").contains { $0.contains("actions=drop") }, "the ACL")
            #expect(!faucet.said.contains("OFPErrorMsg"), "\(faucet.said)")
            faucet.end()
        }

        @Test(
            "Faucet routes between two VLANs, and blocks a port",
            .enabled(if: Requirements.isInstalled(Requirements.faucet), "there is no \(Requirements.faucet)")
        )
        func faucetRoutes() async throws {
            let live = try await LiveSwitch.started {
                $0.controllers = ["tcp:127.0.0.1:6653"]
                $0.openflow = ["max_backoff: 1s"]
            }
            for (host, network) in [(1, "10.88.1"), (2, "10.88.2")] {
                let namespace = live.namespaces.ofHost(host)
                let script = """
                    ip -n \(namespace) address add \(network).\(host)/24 dev eth0
                    ip -n \(namespace) route add 10.88.0.0/16 via \(network).254
                    """
                let outcome = try await Command.run(["sh", "-ec", script])
                try #require(outcome.status == 0, "\(outcome)")
            }
            let faucet = try Faucet(
                """
                vlans:
                  office: {vid: 100, faucet_vips: ["10.88.1.254/24"], faucet_mac: "0e:00:00:00:00:01"}
                  laboratory: {vid: 200, faucet_vips: ["10.88.2.254/24"], faucet_mac: "0e:00:00:00:00:02"}
                routers: {between: {vlans: [office, laboratory]}}
                acls:
                  guard:
                    - rule: {dl_type: 0x800, nw_proto: 6, tcp_dst: 5002, actions: {allow: 0}}
                    - rule: {actions: {allow: 1}}
                dps:
                  live:
                    dp_id: 0x2a
                    hardware: "Open vSwitch"
                    interfaces: {1: {native_vlan: office, acl_in: guard}, 2: {native_vlan: laboratory}}

                """,
                at: live
            )
            #expect(try await faucet.isUp(), "\(faucet.said)")
            func ping(_ host: Int, _ address: String, _ count: Int) async throws -> Int {
                let ping = ["ping", "-n", "-q", "-c", "\(count)", "-i", "0.02", "-W", "2", address]
                return LiveSwitch.answers(try await Command.run(ping, namespace: live.namespaces.ofHost(host)))
            }
            #expect(
                try await eventually(within: .seconds(20)) { try await ping(1, "10.88.1.254", 1) == 1 },
                "Faucet's own address: \(faucet.said)"
            )
            // Faucet has to ask for the other host's hardware address first.
            #expect(
                try await eventually(within: .seconds(30)) { try await ping(1, "10.88.2.2", 1) == 1 },
                "\(faucet.said)"
            )
            #expect(try await ping(1, "10.88.2.2", 50) == 50)
            #expect(try await ping(2, "10.88.1.1", 50) == 50)
            let routes = try await live.flows("ip,nw_dst=10.88.2.2")
            #expect(routes.contains { $0.contains("dec_ttl") }, "in the switch, not by Faucet: \(routes)")

            let servers = try [5001, 5002].map { port in
                try Command(["nc", "-l", "-k", "10.88.2.2", "\(port)"], namespace: live.namespaces.ofHost(2))
            }
            func reaches(_ port: Int) async throws -> Bool {
                let client = ["nc", "-z", "-w", "2", "10.88.2.2", "\(port)"]
                return try await Command.run(client, namespace: live.namespaces.ofHost(1)).status == 0
            }
            #expect(try await eventually { try await reaches(5001) }, "TCP to what is not blocked")
            #expect(try await !reaches(5002))
            let blocked = try await live.ofctl("dump-flows", "tcp,tp_dst=5002").output
            #expect(LiveSwitch.numbers(of: ["n_packets="], in: blocked)[0] > 0, "\(blocked)")
            #expect(!faucet.said.contains("OFPErrorMsg"), "\(faucet.said)")
            for server in servers { server.end() }
            faucet.end()
        }

        @Test(
            "Faucet over TLS",
            .enabled(if: Requirements.isInstalled(Requirements.faucet), "there is no \(Requirements.faucet)"),
            .enabled(if: Requirements.isInstalled("openssl"), "openssl is not installed")
        )
        func faucetOverTLS() async throws {
            var settings = LiveSwitch.Settings(ports: [1, 2])
            settings.controllers = ["tls:127.0.0.1:6653"]
            let live = try await LiveSwitch(hosts: 2, settings: settings)
            try await live.makePKI()
            live.settings.openflow = [
                "max_backoff: 1s",
                "tls: {private_key: \(live.pki("switch-key.pem")), certificate: \(live.pki("switch-cert.pem")), ca_certificate: \(live.pki("ours-ca.pem"))}",
            ]
            try await live.start()
            func start(_ name: String) throws -> Faucet {
                try Faucet(
                    """
                    vlans: {hosts: {vid: 100}}
                    dps: {live: {dp_id: 0x2a, hardware: "Open vSwitch", interfaces: {1: {native_vlan: hosts}, 2: {native_vlan: hosts}}}}

                    """,
                    at: live,
                    options: [
                        "--ryu-ofp-ssl-listen-port", "6653", "--ryu-ctl-privkey", live.pki("\(name)-key.pem"),
                        "--ryu-ctl-cert", live.pki("\(name)-cert.pem"), "--ryu-ca-certs", live.pki("ours-ca.pem"),
                    ]
                )
            }
            func channel() async throws -> LiveSwitch.Row {
                try #require(try await live.show("channels").first { $0.text("endpoint") == "tls:127.0.0.1:6653" })
            }
            let stranger = try start("stranger")
            #expect(
                try await eventually(within: .seconds(30)) {
                    try await channel().text("last_error").contains("certificate verify failed")
                },
                "\(stranger.said)"
            )
            #expect(try await live.flows().isEmpty)
            stranger.end()

            let faucet = try start("controller")
            #expect(try await faucet.isUp(), "\(faucet.said)")
            #expect(try await eventually { try await live.flows().count > 10 }, "Faucet's pipeline")
            try await live.expectPing(from: 1, to: 2, count: 10)
            #expect(try await channel().text("certificate") == "CN=controller,O=Ringway tests")
            #expect(!faucet.said.contains("OFPErrorMsg"), "\(faucet.said)")
            faucet.end()
        }

        @Test(
            "a master that is killed leaves its rules, and the slave becomes master",
            .enabled(if: Requirements.isInstalled(Requirements.faucet), "there is no \(Requirements.faucet)")
        )
        func succession() async throws {
            let live = try await LiveSwitch.started {
                $0.controllers = ["tcp:127.0.0.1:6653", "tcp:127.0.0.1:6655"]
                $0.openflow = ["max_backoff: 1s"]
            }
            let first = try ObedientController("first", port: 6653, at: live)
            let second = try ObedientController("second", port: 6655, at: live)
            try #require(try await first.isConnected(), "\(first.process.printed)")
            try #require(try await second.isConnected(), "\(second.process.printed)")
            func shown() async throws -> [String] {
                try await live.show("channels").filter { $0.text("state") == "active" }.map { $0.text("role") }.sorted()
            }
            let isSlave = "error 1 10"

            #expect(try await first.tell("role master 1") == "master 1")
            #expect(try await second.tell("role slave 1") == "slave 1")
            #expect(try await first.tell("flows 10 10") == "done")
            #expect(try await second.tell("flows 11 20") == isSlave)
            try await live.expectPing(from: 1, to: 2)

            // Ten seconds of packets, none of which is lost.
            let count = 1_000
            let ping = try live.startPing(from: 1, to: 2, count: count)
            #expect(try await second.tell("role master 2") == "master 2")
            #expect(try await first.tell("flows 10 30") == isSlave, "the old one hears of it by its next message")
            #expect(try await first.tell("role master 1") == "error 11 0", "a generation that is stale")
            #expect(try await first.tell("role master 3") == "master 3")
            #expect(try await shown() == ["master", "slave"])
            try await Task.sleep(for: .seconds(2))

            first.process.send(SIGKILL)
            #expect(try await eventually { try await shown() == ["slave"] })
            #expect(try await live.flows().count == 2, "its rules stay")
            try await Task.sleep(for: .seconds(2))
            #expect(try await second.tell("delete 10") == isSlave, "nobody becomes master by itself")
            #expect(try await second.tell("role master 4") == "master 4")
            #expect(try await second.tell("flows 12 20") == "done")
            #expect(try await second.tell("delete 10") == "done")
            #expect(ping.isRunning, "all this while packets run")
            let outcome = try await ping.outcome()
            #expect(LiveSwitch.answers(outcome) == count, "\(outcome)")
            let flows = try await live.ofctl("dump-flows").output
            let packets = LiveSwitch.numbers(of: ["cookie=0xc,", "n_packets=", "cookie=0xc,", "n_packets="], in: flows)
            #expect(!flows.contains("cookie=0xa,"), "\(flows)")
            #expect(
                [packets[1], packets[3]].allSatisfy { (100..<count).contains($0) },
                "the new rules' share: \(flows)"
            )
            second.end()
        }
    }
}
