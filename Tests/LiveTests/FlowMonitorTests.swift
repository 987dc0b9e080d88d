// Flow monitors (ONF extension 187): ovs-ofctl's, and a connection's that does not read.

import Foundation
import NIOCore
import OpenFlow
import Testing

extension LiveTests {
    @Suite("Flow monitors", .serialized) struct FlowMonitorTests {
        @Test(
            "ovs-ofctl monitor watch: shows what is there and what happens",
            arguments: [LiveSwitch.Target.tcp, .socket]
        )
        func ovsOfctl(over target: LiveSwitch.Target) async throws {
            let live = try await LiveSwitch.started()
            try await live.addFlows("priority=1,in_port=1,cookie=1,actions=output:2")
            let monitor = try live.startOfctl("monitor", "watch:", over: target)
            func shows(_ text: String) async throws {
                #expect(try await eventually { monitor.printed.contains(text) }, "\(text): \(monitor.printed)")
            }
            try await shows("event=ADDED table=0 cookie=0x1 in_port=1 actions=output:2")
            try await live.addFlows("table=3,priority=20,ip,cookie=5,idle_timeout=30,actions=output:2")
            try await shows("event=ADDED table=3 idle_timeout=30 cookie=0x5 ip actions=output:2")
            #expect(try await live.ofctl("mod-flows", "table=3,ip,actions=output:1").status == 0)
            try await shows("event=MODIFIED table=3 idle_timeout=30 cookie=0x5 ip actions=output:1")
            #expect(try await live.ofctl("del-flows", "table=3").status == 0)
            try await shows("event=DELETED reason=delete table=3 idle_timeout=30 cookie=0x5 ip actions=output:1")
            try await live.addFlows("priority=9,hard_timeout=1,actions=drop")
            try await shows("event=DELETED reason=hard table=0 hard_timeout=1 cookie=0")
            monitor.send(SIGTERM)
            _ = try await monitor.outcome(within: .seconds(5))
        }

        @Test("a filter is kept to, an unknown monitor refused, a cancelled one silent")
        func filterAndCancel() async throws {
            let live = try await LiveSwitch.started(hosts: 1)
            let connection = try OpenFlowConnection(path: live.managementSocket)
            try await connection.greet()
            func request(_ monitors: [FlowMonitor], more: Bool = false) -> Message {
                .multipartRequest(.flowMonitor(monitors), more: more)
            }
            // A request in two parts, with something else in between.
            let parts = [
                try OpenFlowConnection.bytes(
                    of: request([FlowMonitor(id: 1, flags: .add, tableID: 1)], more: true),
                    xid: 9
                ),
                try OpenFlowConnection.bytes(of: .echoRequest(ByteBuffer()), xid: 10),
                try OpenFlowConnection.bytes(of: .getConfigRequest, xid: 11),
                try OpenFlowConnection.bytes(of: request([FlowMonitor(id: 2, flags: .add, tableID: 2)]), xid: 9),
            ]
            try await connection.send(parts.flatMap { $0 })
            #expect(
                try await connection.next { $0.xid == 9 }?.message == .multipartReply(.flowMonitor([]), more: false)
            )
            guard case .error(let known) = try await connection.ask(request([FlowMonitor(id: 2, flags: .add)])) else {
                Issue.record("monitor 2 is there")
                return
            }
            #expect(known.error == .flowMonitorFailed(.monitorExists))
            #expect(try await connection.error(of: .flowMonitorCancel(2)) == nil)
            #expect(try await connection.error(of: .flowMonitorCancel(2)) == .flowMonitorFailed(.unknownMonitor))
            try await live.addFlows("table=0,actions=drop", "table=2,actions=drop", "table=1,cookie=7,actions=drop")
            guard
                case .multipartReply(.flowMonitor(let updates), _)? = try await connection.next(where: { $0.xid == 0 })?
                    .message,
                case .full(let update)? = updates.first
            else {
                Issue.record("no update")
                return
            }
            #expect(updates.count == 1 && update.tableID == 1 && update.cookie == 7)
            // Its own change: by the id of the message.
            let xid = try await connection.send(.flowMod(FlowMod(tableID: 1, priority: 2)))
            #expect(
                try await connection.next(where: { $0.xid == 0 })?.message
                    == .multipartReply(.flowMonitor([.abbreviated(xid: xid)]), more: false)
            )
        }

        @Test("who does not read is paused, and knows everything in the end")
        func pause() async throws {
            let live = try await LiveSwitch.started(hosts: 1)
            let (slow, other) = (
                try OpenFlowConnection(path: live.managementSocket), try OpenFlowConnection(path: live.managementSocket)
            )
            try await slow.greet()
            try await other.greet()
            _ = try await slow.ask(.multipartRequest(.flowMonitor([FlowMonitor(id: 1, flags: .all)]), more: false))
            func mod(_ index: Int, _ command: FlowModCommand = .add) throws -> [UInt8] {
                let match = Match([MatchField(.ethType, 0x0800), MatchField(.ipv4Dst, UInt128(index))])
                let bytes = FlowMod(
                    command: command,
                    priority: 5,
                    match: match,
                    instructions: [.applyActions([.output(1, maxLength: 0)])]
                )
                return try OpenFlowConnection.bytes(of: .flowMod(bytes), xid: UInt32(index))
            }
            // Far more than the socket's buffers hold; every third goes again.
            for index in 0..<60_000 {
                try await other.send(mod(index))
                if index % 3 == 0 { try await other.send(mod(index, .deleteStrict)) }
            }
            #expect(try await other.ask(.barrierRequest) == .barrierReply)
            var known: Set<UInt128> = []
            var (pauses, resumes) = (0, 0)
            let isDone = try await eventually(within: .seconds(60)) {
                guard let message = try await slow.next(within: .milliseconds(500))?.message else { return true }
                switch message {
                case .flowMonitorPaused: pauses += 1
                case .flowMonitorResumed: resumes += 1
                case .multipartReply(.flowMonitor(let updates), _):
                    for case .full(let update) in updates {
                        guard let address = update.match[.ipv4Dst]?.value else { continue }
                        if update.event == .deleted {
                            #expect(known.remove(address) != nil, "\(address) was never told of")
                        } else {
                            known.insert(address)
                        }
                    }
                default: break
                }
                return false
            }
            #expect(isDone && pauses > 0 && resumes == pauses, "\(pauses) pauses, \(resumes) resumptions")
            #expect(known == Set((0..<60_000).filter { $0 % 3 != 0 }.map { UInt128($0) }))
        }
    }
}
