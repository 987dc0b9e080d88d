// What the switch answers to multipart requests: OpenFlow 1.3.5 §7.3.5.

import Agent
import NIOCore
import OpenFlow
import Testing

@Suite(.timeLimit(.minutes(1)))
struct StatisticsTests {
    let fixture = SwitchModelFixture()

    private func refusal(of request: MultipartRequest) -> OpenFlowError? {
        do {
            _ = try fixture.model.answer(request)
            return nil
        } catch {
            return error
        }
    }

    @Test func description() throws {
        #expect(try fixture.model.answer(.description) == .description(fixture.model.description))
    }

    @Test func flowsByFilter() throws {
        try fixture.add(table: 0, 1, .tcp, .output(1), cookie: 0x10)
        try fixture.add(table: 0, 2, .ipv4, [.writeActions([.to(2)])], cookie: 0x11)
        try fixture.add(table: 5, 3, .ipv6, .output(2), cookie: 0x20)
        func cookies(_ request: FlowStatisticsRequest) throws -> [UInt64] {
            try fixture.flows(request).map(\.cookie).sorted()
        }
        #expect(try cookies(FlowStatisticsRequest()) == [0x10, 0x11, 0x20])
        #expect(try cookies(FlowStatisticsRequest(tableID: 0)) == [0x10, 0x11])
        #expect(try cookies(FlowStatisticsRequest(tableID: 7)) == [])
        #expect(try cookies(FlowStatisticsRequest(outPort: 2)) == [0x11, 0x20])
        #expect(try cookies(FlowStatisticsRequest(outGroup: 2)) == [])
        #expect(try cookies(FlowStatisticsRequest(cookie: 0x10, cookieMask: 0xf0)) == [0x10, 0x11])
        #expect(try cookies(FlowStatisticsRequest(match: Match(.ipv4))) == [0x10, 0x11])
        #expect(try cookies(FlowStatisticsRequest(match: Match(.tcp))) == [0x10])
        #expect(refusal(of: .flow(FlowStatisticsRequest(tableID: 254))) == .badRequest(.badTableID))
        #expect(refusal(of: .aggregate(FlowStatisticsRequest(tableID: 254))) == .badRequest(.badTableID))
        #expect(
            refusal(of: .flow(FlowStatisticsRequest(match: Match([MatchField(.arpOp, 1)]))))
                == .badMatch(.badPrerequisite)
        )
    }

    @Test func flowCountersAndDuration() throws {
        let entry = try fixture.add(
            7,
            .ipv4,
            .output(1),
            cookie: 9,
            idle: 60,
            hard: 70,
            flags: [.sendFlowRemoved, .noByteCounts]
        )
        fixture.count(3, 180, by: entry)
        fixture.pass(.milliseconds(61_250))
        #expect(
            try fixture.flows() == [
                FlowStatistics(
                    tableID: 0,
                    durationSeconds: 61,
                    durationNanoseconds: 250_000_000,
                    priority: 7,
                    idleTimeout: 60,
                    hardTimeout: 70,
                    flags: [.sendFlowRemoved, .noByteCounts],
                    cookie: 9,
                    packetCount: 3,
                    byteCount: 180,
                    match: Match(.ipv4),
                    instructions: .output(1)
                )
            ]
        )
    }

    @Test func aggregate() throws {
        fixture.count(3, 180, by: try fixture.add(7, .ipv4))
        fixture.count(4, 280, by: try fixture.add(table: 9, 7, .ipv6))
        #expect(
            try fixture.model.answer(.aggregate(FlowStatisticsRequest()))
                == .aggregate(AggregateStatistics(packetCount: 7, byteCount: 460, flowCount: 2))
        )
        #expect(
            try fixture.model.answer(.aggregate(FlowStatisticsRequest(tableID: 1)))
                == .aggregate(AggregateStatistics(packetCount: 0, byteCount: 0, flowCount: 0))
        )
    }

    @Test func tables() throws {
        try fixture.add(table: 253, 7, .ipv4)
        fixture.datapath.tableCounters[253] = (10, 4)
        guard case .table(let tables) = try fixture.model.answer(.table) else { throw WrongReply() }
        #expect(tables.map(\.tableID) == Array(0..<254))
        #expect(tables[253] == TableStatistics(tableID: 253, activeCount: 1, lookupCount: 10, matchedCount: 4))
        #expect(tables[0] == TableStatistics(tableID: 0, activeCount: 0, lookupCount: 0, matchedCount: 0))
    }

    @Test func ports() throws {
        fixture.datapath.portCounters[2] = PortStatistics(number: 2, receivedPackets: 5, transmitDropped: 1)
        fixture.pass(.milliseconds(1500))
        func all(_ number: PortNumber) throws -> [PortStatistics] {
            guard case .portStatistics(let ports) = try fixture.model.answer(.portStatistics(number)) else {
                throw WrongReply()
            }
            return ports
        }
        #expect(try all(.any).map(\.number) == [1, 2, 3])
        #expect(
            try all(2) == [
                PortStatistics(
                    number: 2,
                    receivedPackets: 5,
                    transmitDropped: 1,
                    durationSeconds: 1,
                    durationNanoseconds: 500_000_000
                )
            ]
        )
        #expect(refusal(of: .portStatistics(4)) == .badRequest(.badPort))
        #expect(
            try fixture.model.answer(.portDescription)
                == .portDescription([1, 2, 3].map { SwitchModelFixture.port($0) })
        )
    }

    @Test func tableFeatures() throws {
        guard case .tableFeatures(let features) = try fixture.model.answer(.tableFeatures([])) else {
            throw WrongReply()
        }
        #expect(features.map(\.tableID) == Array(0..<254))
        for table in features {
            #expect(table.metadataMatch == .max && table.metadataWrite == .max && table.maxEntries == 1_000_000)
            // What ovs-ofctl insists on: the properties 0, 2, 4, 6, 8, 10, 12, 14, each once.
            var kinds: [Int] = []
            for property in table.properties {
                switch property {
                case .instructions(let list, miss: false):
                    kinds.append(0)
                    #expect(list.map(\.type) == (table.tableID < 253 ? [1, 2, 3, 4, 5, 6] : [2, 3, 4, 5, 6]))
                case .nextTables(let list, miss: false):
                    kinds.append(2)
                    #expect(list == Array((table.tableID + 1)..<254))
                case .writeActions(let list, miss: false):
                    kinds.append(4)
                    #expect(list.map(\.type) == [0, 11, 12, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27])
                case .applyActions(let list, miss: false):
                    kinds.append(6)
                    #expect(list.map(\.type) == [0, 11, 12, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27])
                case .match(let list):
                    kinds.append(8)
                    // in_port without, eth_dst with a mask, whose length counts twice.
                    #expect(list.map(\.header).starts(with: [0x8000_0004, 0x8000_0204, 0x8000_0510, 0x8000_070c]))
                    #expect(list.count == 40)
                case .wildcards(let list):
                    kinds.append(10)
                    #expect(list.map(\.header).starts(with: [0x8000_0004, 0x8000_0204, 0x8000_0408, 0x8000_0606]))
                    #expect(list.count == 40)
                case .writeSetField(let list, miss: false):
                    kinds.append(12)
                    #expect(list.map(\.header).starts(with: [0x8000_0606, 0x8000_0806, 0x8000_0a02, 0x8000_0c02]))
                    #expect(list.count == 36)
                case .applySetField(let list, miss: false):
                    kinds.append(14)
                    #expect(list.count == 36)
                default: Issue.record("\(property)")
                }
            }
            #expect(kinds == [0, 2, 4, 6, 8, 10, 12, 14])
        }
    }

    @Test func groupsMetersAndQueuesAreEmpty() throws {
        #expect(try fixture.model.answer(.group(.all)) == .group([]))
        #expect(try fixture.model.answer(.groupDescription) == .groupDescription([]))
        #expect(try fixture.model.answer(.meter(MeterID.all)) == .meter([]))
        #expect(try fixture.model.answer(.meterConfig(MeterID.all)) == .meterConfig([]))
        #expect(
            try fixture.model.answer(.meterFeatures)
                == .meterFeatures(
                    MeterFeatures(
                        maxMeters: 100,
                        bandTypes: 0b110,
                        capabilities: [.kilobitsPerSecond, .packetsPerSecond, .burst, .statistics],
                        maxBands: 4,
                        maxColor: 0
                    )
                )
        )
        #expect(try fixture.model.answer(.queue(QueueStatisticsRequest())) == .queue([]))
        #expect(refusal(of: .meter(1)) == .meterModFailed(.unknownMeter))
        #expect(refusal(of: .meterConfig(1)) == .meterModFailed(.unknownMeter))
        #expect(refusal(of: .queue(QueueStatisticsRequest(port: 9))) == .queueOpFailed(.badPort))
        #expect(refusal(of: .queue(QueueStatisticsRequest(port: 1, queueID: 4))) == .queueOpFailed(.badQueue))
    }

    @Test func experimenters() {
        let request = Experimenter(experimenter: 0x2320, type: 1, body: ByteBuffer())
        #expect(refusal(of: .experimenter(request)) == .badRequest(.badExperimenter))
    }

    private struct WrongReply: Error {}
}
