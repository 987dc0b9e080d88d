// Auxiliary connections (OpenFlow 1.3.5 §6.3.8), as a controller sees them.

import Foundation
import NIOCore
import OpenFlow
import Testing

extension LiveTests {
    @Suite("Auxiliary connections", .serialized) struct AuxiliaryConnectionTests {
        private static func auxiliaryID(_ connection: OpenFlowConnection) async throws -> UInt8? {
            guard case .featuresReply(let features) = try await connection.ask(.featuresRequest) else { return nil }
            #expect(features.datapathID == 0x2a)
            return features.auxiliaryID
        }

        @Test("come after the main one, share its role and packet-ins, and go with it")
        func lifetime() async throws {
            let live = try await LiveSwitch(hosts: 2)
            live.settings.controllers = ["tcp:127.0.0.1:6653"]
            live.settings.openflow = ["auxiliary_connections: 2", "max_backoff: 1s"]
            let listener = try OpenFlowListener(port: 6653, namespace: live.namespaces.ofSwitch)
            try await live.start()
            let main = try #require(try await listener.accept())
            try await main.greet()
            // Not before the controller knows whose connection the main one is.
            #expect(try await listener.accept(within: .milliseconds(500)) == nil)
            #expect(try await Self.auxiliaryID(main) == 0)
            var auxiliaries: [OpenFlowConnection] = []
            var ids: Set<UInt8> = []
            for _ in 0..<2 {
                let auxiliary = try #require(try await listener.accept())
                try await auxiliary.greet()
                ids.insert(try #require(try await Self.auxiliaryID(auxiliary)))
                auxiliaries.append(auxiliary)
            }
            #expect(ids == [1, 2])
            #expect(
                try await eventually {
                    try await Set(
                        live.show("channels").filter { $0.text("state") == "active" }.map { $0.text("endpoint") }
                    )
                    .isSuperset(of: ["tcp:127.0.0.1:6653", "tcp:127.0.0.1:6653/1", "tcp:127.0.0.1:6653/2"])
                }
            )

            // Any message may come by any of them, and is answered there; the role is the controller's.
            let role = RoleRequest(role: .slave, generationID: 1)
            #expect(try await auxiliaries[0].ask(.roleRequest(role)) == .roleReply(role))
            #expect(try await auxiliaries[1].error(of: .flowMod(FlowMod())) == .badRequest(.isSlave, ""))
            #expect(try await main.error(of: .flowMod(FlowMod())) == .badRequest(.isSlave, ""))
            _ = try await main.ask(.roleRequest(RoleRequest(role: .equal)))
            let toController = FlowMod(instructions: [.applyActions([.output(.controller, maxLength: 0xffff)])])
            #expect(try await auxiliaries[1].error(of: .flowMod(toController)) == nil)

            // Each packet goes to one of them, those of a flow to the same one.
            var homes: [UInt16: Set<Int>] = [:]
            for round in 0..<3 {
                for flow in 0..<24 as Range<UInt16> {
                    var frame: [UInt8] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0]
                    frame += [0x45, 0, 0, 28, UInt8(round), 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 2, 10, 0, 0, 1]
                    frame += [UInt8(flow >> 8), UInt8(flow & 255), 0, 80, 0, 8, 0, 0]
                    let packetOut = PacketOut(
                        inPort: 1,
                        actions: [.output(.table, maxLength: 0)],
                        data: ByteBuffer(bytes: frame)
                    )
                    try await main.send(.packetOut(packetOut))
                }
            }
            for (index, connection) in ([main] + auxiliaries).enumerated() {
                while let message = try await connection.next(within: .milliseconds(500))?.message {
                    guard case .packetIn(let packetIn) = message,
                        let port = packetIn.data.getInteger(at: packetIn.data.readerIndex + 34, as: UInt16.self)
                    else { continue }
                    homes[port, default: []].insert(index)
                }
            }
            #expect(homes.count == 24 && homes.values.allSatisfy { $0.count == 1 })
            #expect(Set(homes.values.flatMap { $0 }) == [0, 1, 2], "they are spread")
            // Other events have one way only.
            #expect(try await main.error(of: .flowMod(FlowMod(command: .delete))) == nil)

            try await main.hangUp()
            for auxiliary in auxiliaries { #expect(try await auxiliary.closes()) }
        }

        @Test("come again while the main one is there")
        func again() async throws {
            let live = try await LiveSwitch(hosts: 1)
            live.settings.controllers = ["tcp:127.0.0.1:6653"]
            live.settings.openflow = ["auxiliary_connections: 1", "max_backoff: 1s"]
            let listener = try OpenFlowListener(port: 6653, namespace: live.namespaces.ofSwitch)
            try await live.start()
            let main = try #require(try await listener.accept())
            try await main.greet()
            #expect(try await Self.auxiliaryID(main) == 0)
            let first = try #require(try await listener.accept())
            try await first.greet()
            try await first.hangUp()
            let second = try #require(try await listener.accept())
            try await second.greet()
            #expect(try await Self.auxiliaryID(second) == 1)
            #expect(try await main.ask(.barrierRequest) == .barrierReply)
        }
    }
}
