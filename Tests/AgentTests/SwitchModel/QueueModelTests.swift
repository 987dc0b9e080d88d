// What controllers hear of queues: OpenFlow 1.3.5 §7.2.2, §7.3.5.8 and §7.3.6.

import Agent
import NIOCore
import OpenFlow
import Testing

@Suite("Queues of the model", .timeLimit(.minutes(1)))
struct QueueModelTests {
    private let fixture = SwitchModelFixture()

    init() {
        fixture.model.setQueues(
            EgressQueues(
                rate: 100_000_000,
                queues: [.init(id: 1, minimum: 20_000_000, maximum: 50_000_000), .init(id: 5, minimum: 1)]
            ),
            of: 2
        )
        fixture.model.setQueues(EgressQueues(queues: [.init(id: 7, maximum: 3_000_000)]), of: 3)
    }

    private func error(_ body: () throws(OpenFlowError) -> Void) -> OpenFlowError? {
        do throws(OpenFlowError) {
            try body()
            return nil
        } catch {
            return error
        }
    }

    @Test("have rates in tenths of a percent of the port's rate, or of its link's speed")
    func config() throws {
        let second = [
            PacketQueue(queueID: 1, port: 2, properties: [.minRate(200), .maxRate(500)]),
            // Less than can be said, but not nothing.
            PacketQueue(queueID: 5, port: 2, properties: [.minRate(1)]),
        ]
        #expect(try fixture.model.queueConfig(ofPort: 2) == QueueConfig(port: 2, queues: second))
        // Without a rate and without a link's speed there is no measure.
        let bare = PacketQueue(queueID: 7, port: 3, properties: [])
        #expect(try fixture.model.queueConfig(ofPort: .any) == QueueConfig(port: .any, queues: second + [bare]))
        fixture.model.setPort(
            Port(
                number: 3,
                hardwareAddress: EthernetAddress(rawValue: 3),
                name: "p3",
                currentSpeed: 10_000,
                maxSpeed: 10_000
            )
        )
        #expect(try fixture.model.queueConfig(ofPort: 3).queues.map(\.properties) == [[.maxRate(300)]])
        #expect(try fixture.model.queueConfig(ofPort: 1) == QueueConfig(port: 1, queues: []))
        for port in [9, .local, .all, .controller] as [PortNumber] {
            #expect(
                error { () throws(OpenFlowError) in _ = try fixture.model.queueConfig(ofPort: port) }
                    == .queueOpFailed(.badPort)
            )
        }
    }

    @Test("have statistics, by port, by queue, and all")
    func statistics() throws {
        let counters = QueueCounters(id: 1, packets: 3, bytes: 300, overruns: 2, waiting: 9)
        fixture.datapath.queueCounters = [2: [counters, QueueCounters(id: 5), QueueCounters(id: nil, packets: 8)]]
        fixture.time = fixture.time + .milliseconds(1500)
        func answer(_ port: PortNumber, _ queue: UInt32) throws(OpenFlowError) -> [QueueStatistics] {
            let request = QueueStatisticsRequest(port: port, queueID: queue)
            guard case .queue(let list) = try fixture.model.answer(.queue(request)) else { return [] }
            return list
        }
        let first = QueueStatistics(
            port: 2,
            queueID: 1,
            transmittedBytes: 300,
            transmittedPackets: 3,
            transmitErrors: 2,
            durationSeconds: 1,
            durationNanoseconds: 500_000_000
        )
        #expect(try answer(2, 1) == [first])
        #expect(try answer(.any, 1) == [first])
        // The default queue has no number to be told of.
        #expect(try answer(2, QueueID.all).map(\.queueID) == [1, 5])
        #expect(try answer(.any, QueueID.all).map(\.queueID) == [1, 5])
        #expect(try answer(1, QueueID.all) == [])
        for (port, queue, expected) in [
            (2, 6, .badQueue), (1, 1, .badQueue), (.any, 6, .badQueue), (9, QueueID.all, .badPort),
        ] as [(PortNumber, UInt32, QueueOpFailedCode)] {
            #expect(
                error { () throws(OpenFlowError) in _ = try answer(port, queue) } == .queueOpFailed(expected),
                "\(port) \(queue)"
            )
        }
    }

    @Test("may be named by actions as long as any port has them")
    func actions() throws {
        func add(_ queue: UInt32) -> OpenFlowError? {
            error { () throws(OpenFlowError) in
                try fixture.model.execute(
                    FlowMod(match: .any, instructions: [.applyActions([.setQueue(queue), .output(1, maxLength: 0)])])
                )
            }
        }
        for queue in [0, 1, 5, 7] as [UInt32] { #expect(add(queue) == nil) }
        #expect(add(2) == .badAction(.badQueue))
        fixture.model.removePort(3)
        #expect(add(7) == .badAction(.badQueue))
        #expect(fixture.model.features().capabilities.contains(.queueStatistics))
    }
}
