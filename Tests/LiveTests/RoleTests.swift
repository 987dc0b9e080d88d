// Several controllers at once: roles, which messages each hears of, and flow-removed messages as ovs-ofctl shows them.

import Foundation
import NIOCore
import OpenFlow
import Testing

extension LiveTests {
    @Suite("Roles and events", .serialized) struct RoleTests {
        private static let drop = FlowMod(priority: 1, match: Match([MatchField(.inPort, 1)]), instructions: [])

        @Test("one master, slaves that only read, no generation that is stale")
        func roles() async throws {
            let live = try await LiveSwitch.started(hosts: 1)
            let (first, second) = (
                try OpenFlowConnection(path: live.managementSocket),
                try OpenFlowConnection(port: 6654, namespace: live.namespaces.ofSwitch)
            )
            try await first.greet()
            try await second.greet()
            func role(_ connection: OpenFlowConnection, _ role: ControllerRole, _ generation: UInt64) async throws
                -> Message?
            {
                try await connection.ask(.roleRequest(RoleRequest(role: role, generationID: generation)))
            }
            func shown() async throws -> [String] { try await live.show("channels").map { $0.text("role") }.sorted() }

            #expect(try await role(first, .noChange, 0) == .roleReply(RoleRequest(role: .equal, generationID: .max)))
            #expect(try await role(first, .master, 5) == .roleReply(RoleRequest(role: .master, generationID: 5)))
            #expect(try await shown() == ["equal", "master"])
            #expect(try await second.error(of: .flowMod(Self.drop)) == nil, "an equal may change the switch")
            #expect(try await role(second, .slave, 5) == .roleReply(RoleRequest(role: .slave, generationID: 5)))
            #expect(try await second.error(of: .flowMod(Self.drop)) == .badRequest(.isSlave, ""))
            let packetOut = PacketOut(actions: [], data: ByteBuffer(repeating: 0, count: 60))
            #expect(try await second.error(of: .packetOut(packetOut)) == .badRequest(.isSlave, ""))
            #expect(try await first.error(of: .flowMod(Self.drop)) == nil)
            guard
                case .multipartReply(.flow(let flows), _) = try await second.ask(
                    .multipartRequest(.flow(FlowStatisticsRequest()), more: false)
                )
            else {
                Issue.record("a slave reads")
                return
            }
            #expect(flows.count == 1)

            // The next generation's master; the old one is told by its next message only.
            #expect(try await role(second, .master, 6) == .roleReply(RoleRequest(role: .master, generationID: 6)))
            #expect(try await shown() == ["master", "slave"])
            #expect(try await first.error(of: .flowMod(Self.drop)) == .badRequest(.isSlave, ""))
            guard case .error(let stale) = try await role(first, .master, 4) else {
                Issue.record("generation 4 is stale")
                return
            }
            #expect(stale.error == .roleRequestFailed(.stale, ""))
            #expect(try await role(first, .noChange, 0) == .roleReply(RoleRequest(role: .slave, generationID: 6)))
            #expect(try await role(first, .equal, 0) == .roleReply(RoleRequest(role: .equal, generationID: 6)))
            #expect(try await first.error(of: .flowMod(Self.drop)) == nil)
        }

        @Test("each controller hears of what its masks let through")
        func asyncMasks() async throws {
            let live = try await LiveSwitch.started()
            try await live.addFlows("priority=0,actions=controller")
            let (all, none, slave) = (
                try OpenFlowConnection(path: live.managementSocket),
                try OpenFlowConnection(path: live.managementSocket),
                try OpenFlowConnection(path: live.managementSocket)
            )
            for connection in [all, none, slave] { try await connection.greet() }
            let silent = AsyncMasks(packetIn: 0, portStatus: 0, flowRemoved: 0)
            #expect(try await none.error(of: .setAsync(AsyncConfig(equalOrMaster: silent, slave: silent))) == nil)
            #expect(
                try await none.ask(.getAsyncRequest)
                    == .getAsyncReply(AsyncConfig(equalOrMaster: silent, slave: silent))
            )
            #expect(try await slave.ask(.roleRequest(RoleRequest(role: .slave, generationID: 1))) != nil)

            try await live.expectPing(false, from: 1, to: 2, count: 1)
            let mod = FlowMod(
                priority: 9,
                flags: .sendFlowRemoved,
                match: Match([MatchField(.inPort, 2)]),
                instructions: []
            )
            #expect(try await none.error(of: .flowMod(mod)) == nil)
            var delete = mod
            delete.command = .delete
            #expect(try await none.error(of: .flowMod(delete)) == nil)
            live.settings.ports = [1]
            try live.writeConfiguration()
            #expect(try await live.ringway("reload").status == 0)

            func kinds(_ connection: OpenFlowConnection) async throws -> Set<String> {
                var kinds: Set<String> = []
                try await connection.send(.echoRequest(ByteBuffer()))
                while let envelope = try await connection.next() {
                    switch envelope.message {
                    case .echoReply: return kinds
                    case .packetIn(let packetIn):
                        kinds.insert("packetIn")
                        #expect(
                            packetIn.match[.inPort]?.value == 1 && packetIn.reason == .noMatch
                                && packetIn.data.readableBytes >= 42
                        )
                    case .flowRemoved(let removed):
                        kinds.insert("flowRemoved")
                        #expect(removed.reason == .delete && removed.priority == 9)
                    case .portStatus(let status):
                        kinds.insert("portStatus")
                        #expect(status.reason == .delete && status.port.number == 2)
                    default: kinds.insert("\(envelope.message.type)")
                    }
                }
                return kinds
            }
            #expect(try await kinds(all) == ["packetIn", "flowRemoved", "portStatus"])
            #expect(try await kinds(none) == [])
            #expect(try await kinds(slave) == ["portStatus"])
        }

        @Test("an idle flow is removed, with its last counters")
        func flowRemoved() async throws {
            let live = try await LiveSwitch.started()
            let monitor = try live.startOfctl("monitor", "65535")
            #expect(try await eventually { try await live.show("channels").contains { $0.messages("set_config") > 0 } })
            try await live.addFlows(
                "priority=10,in_port=1,idle_timeout=1,send_flow_rem,cookie=0x77,actions=output:2",
                "priority=10,in_port=2,actions=output:1",
                "priority=5,hard_timeout=1,send_flow_rem,cookie=0x78,arp,arp_tpa=1.2.3.4,actions=drop"
            )
            // Two seconds of traffic, longer than the idle time-out.
            let ping = try await live.startPing(from: 1, to: 2, count: 200).outcome()
            #expect(LiveSwitch.answers(ping) == 200, "a flow with traffic stays: \(ping)")
            #expect(
                try await eventually {
                    monitor.printed.contains("reason=idle") && monitor.printed.contains("reason=hard")
                },
                "\(monitor.printed)"
            )
            let line = try #require(monitor.printed.split(separator: "\n").first { $0.contains("reason=idle") })
            #expect(line.contains("in_port=1") && line.contains("cookie:0x77") && line.contains("idle1"), "\(line)")
            let packets = LiveSwitch.numbers(of: ["pkts"], in: String(line))[0]
            #expect(packets >= 200 && packets <= 204, "pings and ARP: \(line)")
            #expect(try await live.flows() == ["priority=10,in_port=2 actions=output:1"])
            monitor.end()
        }
    }
}
