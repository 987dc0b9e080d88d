// Peers that are broken, hostile, slow or killed: the switch forwards on, answers what can be answered, and keeps its memory.

import Foundation
import NIOCore
import OpenFlow
import Testing

extension LiveTests {
    @Suite("Robustness", .serialized) struct RobustnessTests {
        private static func forwarding(_ change: (inout LiveSwitch.Settings) -> Void = { _ in }) async throws
            -> LiveSwitch
        {
            let live = try await LiveSwitch.started(change)
            try await live.addFlows("priority=10,in_port=1,actions=output:2", "priority=10,in_port=2,actions=output:1")
            return live
        }

        /// The switch is sound: it forwards, answers tools, and its memory has not grown by more than 64 MiB.
        private static func expectSound(
            _ live: LiveSwitch,
            memory: Int,
            sourceLocation: SourceLocation = #_sourceLocation
        ) async throws {
            try await live.expectPing(from: 1, to: 2, sourceLocation: sourceLocation)
            #expect(try await live.ofctl("show", over: .tcp).status == 0, sourceLocation: sourceLocation)
            #expect(try await live.ringway("show", "channels").status == 0, sourceLocation: sourceLocation)
            #expect(
                live.residentMemory < memory + 65_536,
                "\(memory) KiB before, now \(live.residentMemory)",
                sourceLocation: sourceLocation
            )
            #expect(live.agent?.isRunning == true, sourceLocation: sourceLocation)
        }

        private static func connection(_ live: LiveSwitch) throws -> OpenFlowConnection {
            try OpenFlowConnection(port: 6654, namespace: live.namespaces.ofSwitch)
        }

        @Test("ovs-ofctl is killed in the middle of many flows")
        func killedOfctl() async throws {
            let live = try await Self.forwarding()
            let memory = live.residentMemory
            let lines = (0..<50_000).map {
                "table=1,priority=1,ip,nw_dst=10.\($0 >> 16).\($0 >> 8 & 255).\($0 & 255),actions=output:2"
            }
            let file = try live.file("many.txt", lines.joined(separator: "\n"))
            let ping = try live.startPing(from: 1, to: 2, count: 200)
            let adding = try live.startOfctl("add-flows", file, over: .tcp)
            func count() async throws -> Int {
                LiveSwitch.numbers(of: ["flow_count="], in: try await live.ofctl("dump-aggregate", "table=1").output)[0]
            }
            #expect(try await eventually { try await count() > 100 })
            adding.end()
            var last = -1
            let stands = try await eventually {
                let now = try await count()
                defer { last = now }
                return now == last
            }
            #expect(stands && last < 50_000, "\(last) flows")
            let outcome = try await ping.outcome()
            #expect(LiveSwitch.answers(outcome) == 200, "\(outcome)")
            #expect(try await live.ofctl("dump-flows", "table=1", options: ["--no-stats"]).lines.count == last)
            #expect(try await live.ofctl("del-flows", "table=1").status == 0)
            #expect(try await count() == 0)
            try await Self.expectSound(live, memory: memory)
        }

        @Test("random bytes, half messages, huge lengths")
        func garbage() async throws {
            let live = try await Self.forwarding()
            let memory = live.residentMemory
            let ping = try live.startPing(from: 1, to: 2, count: 200)
            var random = SystemRandomNumberGenerator()
            let hello = try OpenFlowConnection.bytes(of: .hello(Hello()))
            for round in 0..<40 {
                let connection = try Self.connection(live)
                if round % 2 == 0 { try await connection.send(hello) }
                var bytes = (0..<Int.random(in: 1...20_000)).map { _ in UInt8.random(in: .min ... .max, using: &random)
                }
                // Half of them look like messages of 1.3 at the beginning.
                if round % 4 < 2, bytes.count >= 8 { bytes.replaceSubrange(0..<2, with: [4, UInt8(round % 30)]) }
                try await connection.send(bytes, within: .seconds(1))
            }
            // A message that says it has 65535 bytes, and of which half comes.
            let half = try Self.connection(live)
            try await half.send(hello + [4, 14, 0xff, 0xff, 0, 0, 0, 1] + [UInt8](repeating: 0, count: 30_000))
            let outcome = try await ping.outcome()
            #expect(LiveSwitch.answers(outcome) == 200, "\(outcome)")
            try await Self.expectSound(live, memory: memory)
        }

        @Test("broken messages are told apart from the rest, and answered")
        func brokenMessages() async throws {
            let live = try await Self.forwarding()
            let connection = try Self.connection(live)
            try await connection.greet()
            for (bytes, error) in [
                ([4, 99, 0, 8, 0, 0, 0, 7], OpenFlowError.badRequest(.badType, "")),
                ([1, 14, 0, 8, 0, 0, 0, 7], .badRequest(.badVersion, "")),
                ([4, 14, 0, 12, 0, 0, 0, 7, 1, 2, 3, 4], .badRequest(.badLength, "")),
                ([4, 18, 0, 16, 0, 0, 0, 7, 0, 99, 0, 0, 0, 0, 0, 0], .badRequest(.badMultipart, "")),
                ([4, 4, 0, 16, 0, 0, 0, 7, 0, 0, 0x23, 0x20, 0, 0, 0, 1], .badRequest(.badExperimenter, "")),
            ] as [([UInt8], OpenFlowError)] {
                try await connection.send(bytes)
                let answer = try await connection.next()
                guard case .error(let message) = answer?.message else {
                    Issue.record("\(bytes): \(String(describing: answer))")
                    continue
                }
                #expect(
                    message.error == error && answer?.xid == 7 && Array(message.data.readableBytesView) == bytes,
                    "\(bytes): \(message.error.name)"
                )
            }
            #expect(try await connection.ask(.barrierRequest) == .barrierReply, "the connection is as good as before")
            // Where the next message begins is unknown after this one.
            try await connection.send([4, 2, 0, 3, 0, 0, 0, 8])
            guard case .error(let message) = try await connection.next()?.message else {
                Issue.record("no answer to a length of 3")
                return
            }
            #expect(message.error == .badRequest(.badLength, ""))
            #expect(try await connection.closes())
            // Another version only.
            let old = try Self.connection(live)
            try await old.send([1, 0, 0, 8, 0, 0, 0, 1])
            let failure = try await old.next { if case .error = $0.message { true } else { false } }
            guard case .error(let message) = failure?.message else {
                Issue.record("no answer to a hello of 1.0")
                return
            }
            #expect(message.error == .helloFailed(.incompatible, ""))
            #expect(try await old.closes())
        }

        @Test("200 connections at once, some silent, some slow")
        func manyConnections() async throws {
            let live = try await Self.forwarding { $0.openflow = ["inactivity_probe: 2s"] }
            let memory = live.residentMemory
            let ping = try live.startPing(from: 1, to: 2, count: 300)
            let hello = try OpenFlowConnection.bytes(of: .hello(Hello()))
            let connections = try (0..<200).map { _ in try Self.connection(live) }
            // One byte of a hello now and then.
            for byte in hello.prefix(3) {
                for connection in connections[..<50] where !connection.isClosed { try await connection.send([byte]) }
            }
            #expect(try await live.ofctl("probe", over: .socket).status == 0)
            let outcome = try await ping.outcome()
            #expect(LiveSwitch.answers(outcome) == 300, "\(outcome)")
            // Beyond openflow.max_connections, 64, they are closed at once; the others when they say no hello.
            var closed = 0
            for connection in connections where try await connection.closes(within: .seconds(6)) { closed += 1 }
            #expect(closed == 200)
            try await Self.expectSound(live, memory: memory)
        }

        @Test("the management socket stays open to tools when the TCP listener's connections are used up")
        func managementStaysOpen() async throws {
            let live = try await Self.forwarding()
            let connections = try (0..<100).map { _ in try Self.connection(live) }
            try await Task.sleep(for: .milliseconds(200))
            let outcome = try await live.ofctl("dump-flows", over: .socket)
            #expect(outcome.status == 0 && outcome.output.contains("in_port=1"), "\(outcome)")
            _ = connections.count
        }

        @Test("garbage at the control socket and the metrics port")
        func garbageElsewhere() async throws {
            let live = try await Self.forwarding()
            let memory = live.residentMemory
            for text in [
                "nonsense\n", "{\"command\": \"show\"}\n", "{\"command\": \"show\", \"what\": 7}\n", "[]\n",
                "{\"command\": \"trace\", \"flow\": \"\"}\n", "\u{0}\u{1}\n",
            ] {
                let connection = try OpenFlowConnection(path: live.controlSocket)
                try await connection.send(Array(text.utf8))
                let line = try await connection.line()
                #expect(line.contains("\"ok\":false") && line.contains("error"), "\(text): \(line)")
            }
            for _ in 0..<10 {
                let random = (0..<200_000).map { _ in UInt8.random(in: .min ... .max) }
                let control = try OpenFlowConnection(path: live.controlSocket)
                try await control.send(random, within: .seconds(1))
                let metrics = try OpenFlowConnection(port: 9653, namespace: live.namespaces.ofSwitch)
                try await metrics.send(random, within: .seconds(1))
            }
            let silent = try (0..<20).map { _ in try OpenFlowConnection(path: live.controlSocket) }
            #expect(try await live.metricsText().contains("ringway_build_info"))
            _ = silent.count
            try await Self.expectSound(live, memory: memory)
        }

        @Test("a controller that never reads, under a flood of packet-ins")
        func deafController() async throws {
            let live = try await LiveSwitch.started(hosts: 2) {
                $0.openflow = ["packet_in_rate: 0", "inactivity_probe: 0"]
            }
            try await live.addFlows("priority=10,in_port=1,actions=output:2", "priority=10,in_port=2,actions=output:1")
            let memory = live.residentMemory
            let (deaf, keen, source) = (try Self.connection(live), try Self.connection(live), try Self.connection(live))
            try await deaf.send(try OpenFlowConnection.bytes(of: .hello(Hello())))
            try await keen.greet()
            try await source.greet()
            let silent = AsyncMasks(packetIn: 0, portStatus: 0, flowRemoved: 0)
            #expect(try await source.error(of: .setAsync(AsyncConfig(equalOrMaster: silent, slave: silent))) == nil)
            #expect(try await eventually { try await live.show("channels").count >= 3 })
            let ping = try live.startPing(from: 1, to: 2, count: 200)
            // 28 MB of packet-ins: more than the buffers between here and the deaf one hold.
            let toController = PacketOut(
                actions: [.output(.controller, maxLength: 0xffff)],
                data: ByteBuffer(repeating: 0x5a, count: 1_400)
            )
            let burst = try [UInt8](
                (0..<100).map { _ in try OpenFlowConnection.bytes(of: .packetOut(toController)) }.joined()
            )
            var heard = 0
            for _ in 0..<200 {
                try await source.send(burst)
                while case .packetIn = try await keen.next(within: .milliseconds(2))?.message { heard += 1 }
            }
            let outcome = try await ping.outcome()
            #expect(LiveSwitch.answers(outcome) == 200, "\(outcome)")
            #expect(heard > 1_000)
            #expect(
                (try await live.metrics()["ringway_packet_in_dropped_total"] ?? 0) > 0,
                "what the deaf one was not sent"
            )
            #expect(try await live.ofctl("probe").status == 0)
            try await Self.expectSound(live, memory: memory)
            _ = deaf.isClosed
        }

        @Test("packet-ins beyond packet_in_rate are dropped and counted")
        func packetInRate() async throws {
            let live = try await LiveSwitch.started { $0.openflow = ["packet_in_rate: 40"] }
            try await live.addFlows(
                "priority=10,in_port=1,actions=controller",
                "priority=10,in_port=2,actions=controller"
            )
            let controller = try Self.connection(live)
            try await controller.greet()
            let flood = try Command(
                [
                    "sh", "-c",
                    "ip neigh replace 10.88.0.9 lladdr 02:00:00:00:00:09 dev eth0; exec ping -q -n -i 0.002 -c 250 -W 1 10.88.0.9",
                ],
                namespace: live.namespaces.ofHost(1)
            )
            _ = try await flood.outcome()
            var heard = 0
            while let envelope = try await controller.next(within: .milliseconds(300)) {
                if case .packetIn = envelope.message { heard += 1 }
            }
            let metrics = try await live.metrics()
            let dropped = Int(metrics["ringway_packet_in_dropped_total"] ?? -1)
            #expect(heard > 0 && heard < 150, "\(heard) of 250")
            #expect(dropped > 100, "\(dropped) dropped, \(heard) heard")
            #expect(heard + dropped == 250)
        }

        @Test("a controller that asks without reading the answers")
        func askingWithoutReading() async throws {
            let live = try await Self.forwarding()
            let lines = (0..<5_000).map { "table=1,priority=1,ip,nw_dst=10.0.\($0 >> 8).\($0 & 255),actions=output:2" }
            #expect(
                try await live.ofctl("add-flows", try live.file("flows.txt", lines.joined(separator: "\n"))).status == 0
            )
            let memory = live.residentMemory
            let deaf = try Self.connection(live)
            try await deaf.greet()
            let request = try OpenFlowConnection.bytes(
                of: .multipartRequest(.flow(FlowStatisticsRequest()), more: false)
            )
            // Half a megabyte of answer each.
            try await deaf.send([UInt8]((0..<1_000).map { _ in request }.joined()), within: .seconds(5))
            try await Self.expectSound(live, memory: memory)
        }
    }
}
