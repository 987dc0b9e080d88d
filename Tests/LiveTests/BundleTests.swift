// Bundles (ONF extension 230) from ovs-ofctl and from a connection of our own, at a running switch.

import Foundation
import NIOCore
import OpenFlow
import Testing

extension LiveTests {
    @Suite("Bundles", .serialized) struct BundleTests {
        @Test("of ovs-ofctl change flows", arguments: [LiveSwitch.Target.tcp, .socket])
        func ovsOfctl(over target: LiveSwitch.Target) async throws {
            let live = try await LiveSwitch.started()
            func run(_ command: String, _ argument: String, bundle: Bool = true) async throws {
                let options = bundle ? ["--bundle"] : []
                let outcome = try await live.ofctl(command, argument, options: options, over: target)
                #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(command) \(argument): \(outcome)")
            }
            let flows = try live.file(
                "flows.txt",
                """
                priority=1,in_port=1,actions=output:2
                priority=2,ip,nw_dst=10.0.0.0/8,actions=output:1
                table=1,priority=3,arp,actions=drop
                """
            )
            try await run("add-flows", flows)
            #expect(try await live.flows().count == 3)
            try await run("mod-flows", "ip,actions=output:2")
            #expect(try await live.flows("ip") == ["priority=2,ip,nw_dst=10.0.0.0/8 actions=output:2"])
            try await run("del-flows", "arp")
            let others = try live.file(
                "others.txt",
                "priority=1,in_port=1,actions=output:1\npriority=9,udp,actions=drop\n"
            )
            try await run("replace-flows", others)
            #expect(
                try await Set(live.flows()) == [
                    "priority=1,in_port=1 actions=output:1", "priority=9,udp actions=drop",
                ]
            )
            let mixed = try live.file(
                "bundle.txt",
                "flow add priority=7,in_port=2,actions=output:1\nflow delete udp\nflow modify in_port=2,actions=output:2\n"
            )
            try await run("bundle", mixed, bundle: false)
            #expect(
                try await Set(live.flows()) == [
                    "priority=1,in_port=1 actions=output:1", "priority=7,in_port=2 actions=output:2",
                ]
            )
        }

        @Test("that fail change nothing, and the message is named")
        func failing() async throws {
            let live = try await LiveSwitch.started()
            try await live.addFlows("priority=1,in_port=1,actions=output:2")
            let file = try live.file(
                "bundle.txt",
                "flow delete\nflow add priority=5,in_port=1,actions=drop\nflow add check_overlap,priority=5,actions=drop\n"
            )
            let outcome = try await live.ofctl("bundle", file)
            #expect(outcome.status != 0)
            #expect(outcome.errors.contains("Error OFPFMFC_OVERLAP for: OFPT_FLOW_MOD"), "\(outcome)")
            #expect(outcome.errors.contains("Error OFPBFC_MSG_FAILED for: ONFT_BUNDLE_CONTROL"), "\(outcome)")
            #expect(try await live.flows() == ["priority=1,in_port=1 actions=output:2"])
        }

        private static func add(_ connection: OpenFlowConnection, to bundle: UInt32, _ mod: FlowMod, xid: UInt32)
            async throws
        {
            let add = BundleAdd(bundleID: bundle, message: Envelope(xid: xid, message: .flowMod(mod)))
            try await connection.send(OpenFlowConnection.bytes(of: .bundleAdd(add), xid: xid))
        }

        private static func control(_ type: BundleControlType, _ bundle: UInt32) -> Message {
            .bundleControl(BundleControl(bundleID: bundle, type: type))
        }

        @Test("belong to a connection, end with it, and with their time")
        func lifetime() async throws {
            let live = try await LiveSwitch.started(hosts: 1) { $0.openflow = ["bundle_timeout: 2s"] }
            let (first, second) = (
                try OpenFlowConnection(path: live.managementSocket), try OpenFlowConnection(path: live.managementSocket)
            )
            try await first.greet()
            try await second.greet()
            #expect(try await first.ask(Self.control(.openRequest, 7)) == Self.control(.openReply, 7))
            try await Self.add(first, to: 7, FlowMod(priority: 3), xid: 9000)
            guard case .error(let unknown) = try await second.ask(Self.control(.commitRequest, 7)) else {
                Issue.record("the bundle is another connection's")
                return
            }
            #expect(unknown.error == .bundleFailed(.badID))
            #expect(try await first.ask(Self.control(.commitRequest, 7)) == Self.control(.commitReply, 7))
            #expect(try await live.flows().count == 1)

            let xid = try await first.send(Self.control(.openRequest, 8))
            let timeout = try await first.next(within: .seconds(10)) {
                if case .error = $0.message { true } else { false }
            }
            #expect(timeout?.xid == xid)
            guard case .error(let expired) = timeout?.message else { return }
            #expect(expired.error == .bundleFailed(.timeout))
        }

        @Test("are not for slaves")
        func slaves() async throws {
            let live = try await LiveSwitch.started(hosts: 1)
            let connection = try OpenFlowConnection(path: live.managementSocket)
            try await connection.greet()
            _ = try await connection.ask(.roleRequest(RoleRequest(role: .slave, generationID: 1)))
            #expect(try await connection.error(of: Self.control(.openRequest, 1)) == .badRequest(.isSlave, ""))
        }

        @Test("of 100,000 flows take seconds at most")
        func many() async throws {
            let live = try await LiveSwitch.started(hosts: 1) { $0.memory = "512MiB" }
            let lines = (0..<100_000).map {
                "priority=9,ip,nw_dst=10.\($0 >> 16).\($0 >> 8 & 255).\($0 & 255),actions=output:1"
            }
            let file = try live.file("many.txt", lines.joined(separator: "\n"))
            let start = ContinuousClock.now
            let outcome = try await live.ofctl("add-flows", file, options: ["--bundle"])
            print("bundle of 100,000 flows: \(ContinuousClock.now - start)")
            #expect(outcome.status == 0, "\(outcome)")
            let aggregate = try await live.ofctl("dump-aggregate")
            #expect(aggregate.output.contains("flow_count=100000"))
        }
    }
}
