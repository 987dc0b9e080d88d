// What is refused, and with which error: experimenters nobody knows, requests in parts, more than there is room for.

import Foundation
import NIOCore
import OpenFlow
import Testing

extension LiveTests {
    @Suite("Limits and refusals", .serialized) struct LimitTests {
        private static func ask(_ connection: OpenFlowConnection, _ message: Message) async throws -> OpenFlowError? {
            guard case .error(let error) = try await connection.ask(message) else { return nil }
            return error.error
        }

        @Test("experimenters and their types that are not known")
        func experimenters() async throws {
            let live = try await LiveSwitch.started(hosts: 1)
            let connection = try OpenFlowConnection(path: live.managementSocket)
            try await connection.greet()
            let other = Experimenter(experimenter: 0x1234, type: 1, body: ByteBuffer(repeating: 7, count: 12))
            let own = Experimenter(experimenter: 0x4f4e_4600, type: 9999, body: ByteBuffer())
            #expect(try await Self.ask(connection, .experimenter(other)) == .badRequest(.badExperimenter, ""))
            #expect(try await Self.ask(connection, .experimenter(own)) == .badRequest(.badExperimenterType, ""))
            for more in [false, true] {
                #expect(
                    try await Self.ask(connection, .multipartRequest(.experimenter(other), more: more))
                        == .badRequest(.badExperimenter, "")
                )
                #expect(
                    try await Self.ask(connection, .multipartRequest(.experimenter(own), more: more))
                        == .badRequest(.badExperimenterType, "")
                )
            }
            // What the switch sends is no request.
            #expect(try await Self.ask(connection, .flowMonitorPaused) == .badRequest(.badType, ""))
            let reply = BundleControl(bundleID: 1, type: .commitReply)
            #expect(try await Self.ask(connection, .bundleControl(reply)) == .bundleFailed(.badType, ""))
        }

        @Test("requests in parts are put together as far as there is room")
        func parts() async throws {
            let live = try await LiveSwitch.started(hosts: 1)
            let connection = try OpenFlowConnection(path: live.managementSocket)
            try await connection.greet()
            func send(_ request: MultipartRequest, more: Bool, xid: UInt32) async throws {
                try await connection.send(
                    OpenFlowConnection.bytes(of: .multipartRequest(request, more: more), xid: xid)
                )
            }
            func answer(_ xid: UInt32) async throws -> Message? { try await connection.next { $0.xid == xid }?.message }
            func error(_ message: Message?) -> OpenFlowError? {
                if case .error(let error)? = message { error.error } else { nil }
            }
            let overflow = OpenFlowError.badRequest(.multipartBufferOverflow, "")
            // Without a body it asks, however many messages that takes.
            try await send(.tableFeatures([]), more: true, xid: 7)
            try await send(.tableFeatures([]), more: false, xid: 7)
            guard case .multipartReply(.tableFeatures(let some), let more) = try await answer(7) else {
                Issue.record("no features")
                return
            }
            var count = some.count
            var isMore = more
            while isMore, case .multipartReply(.tableFeatures(let some), let more) = try await answer(7) {
                count += some.count
                isMore = more
            }
            #expect(count == 254)
            // One without an end.
            let features = TableFeatures(
                tableID: 0,
                name: "t",
                metadataMatch: 0,
                metadataWrite: 0,
                maxEntries: 1,
                properties: []
            )
            for _ in 0..<3 {
                try await send(.tableFeatures(Array(repeating: features, count: 100)), more: true, xid: 8)
            }
            #expect(error(try await answer(8)) == overflow)
            // Parts that can't be parts, of another type, amidst another's.
            try await send(.description, more: true, xid: 9)
            #expect(error(try await answer(9)) == overflow)
            try await send(.tableFeatures([]), more: true, xid: 10)
            try await send(.flowMonitor([]), more: true, xid: 11)
            #expect(error(try await answer(11)) == overflow)
            try await send(.flowMonitor([]), more: false, xid: 10)
            #expect(error(try await answer(10)) == overflow)
            #expect(try await connection.ask(.barrierRequest) == .barrierReply)
        }

        @Test("flows of a table and of all, also after a reload")
        func flows() async throws {
            let live = try await LiveSwitch.started(hosts: 1) {
                $0.openflow = ["flow_limit: 3", "table_flow_limit: 2"]
            }
            let connection = try OpenFlowConnection(path: live.managementSocket)
            try await connection.greet()
            func add(_ table: UInt8, _ priority: UInt16) async throws -> OpenFlowError? {
                try await connection.error(of: .flowMod(FlowMod(tableID: table, priority: priority)))
            }
            let full = OpenFlowError.flowModFailed(.tableFull, "")
            #expect(try await add(0, 1) == nil)
            #expect(try await add(0, 2) == nil)
            #expect(try await add(0, 3) == full)
            #expect(try await add(0, 2) == nil, "replacing needs no room")
            #expect(try await add(1, 1) == nil)
            #expect(try await add(2, 1) == full)
            live.settings.openflow = ["flow_limit: 4", "table_flow_limit: 2"]
            try live.writeConfiguration()
            #expect(try await live.ringway("reload").status == 0)
            #expect(try await add(2, 1) == nil)
            #expect(try await add(3, 1) == full)
        }

        @Test("a connection too many is told so; one that says no hello is closed even without probes")
        func connections() async throws {
            let live = try await LiveSwitch.started(hosts: 1) {
                $0.openflow = ["max_connections: 1", "inactivity_probe: 0"]
            }
            func connect() throws -> OpenFlowConnection {
                try OpenFlowConnection(port: 6654, namespace: live.namespaces.ofSwitch)
            }
            let first = try connect()
            try await first.greet()
            let second = try connect()
            let told = try await second.next { if case .error = $0.message { true } else { false } }
            guard case .error(let refusal) = told?.message else {
                Issue.record("no error")
                return
            }
            #expect(refusal.error == .helloFailed(.permissionError, ""))
            #expect(try await second.closes())
            try await first.hangUp()
            let silent = try connect()
            guard case .hello = try await silent.next()?.message else {
                Issue.record("no hello")
                return
            }
            #expect(try await silent.closes(within: .seconds(10)))
        }

        @Test("a controller that does not read what it gets is given up, and nobody else notices")
        func slow() async throws {
            let live = try await LiveSwitch.started(hosts: 1) { $0.openflow = ["inactivity_probe: 0"] }
            let (slow, other) = (
                try OpenFlowConnection(port: 6654, namespace: live.namespaces.ofSwitch),
                try OpenFlowConnection(path: live.managementSocket)
            )
            try await slow.greet()
            try await other.greet()
            let nothing = AsyncMasks(packetIn: 0, portStatus: 0, flowRemoved: 0)
            try await other.send(.setAsync(AsyncConfig(equalOrMaster: nothing, slave: nothing)))
            let add = try OpenFlowConnection.bytes(of: .flowMod(FlowMod(flags: .sendFlowRemoved)))
            let delete = try OpenFlowConnection.bytes(of: .flowMod(FlowMod(command: .delete)))
            // Far more flow-removed messages than sockets hold.
            for _ in 0..<1_200 {
                try await other.send(Array(repeating: add + delete, count: 100).flatMap { $0 })
            }
            #expect(try await other.ask(.barrierRequest) == .barrierReply)
            #expect(try await eventually { try await live.show("channels").count == 1 })
            #expect(live.residentMemory < 400_000, "\(live.residentMemory) KiB")
        }
    }
}
