// METER_MOD on the model: what is there afterwards, what is refused, and what becomes of flow entries that refer to a meter.

import Agent
import NIOCore
import OpenFlow
import Testing

@Suite("Meter-mods", .timeLimit(.minutes(1)))
struct MeterModTests {
    let fixture = SwitchModelFixture(meterLimit: 3, meterBandLimit: 2)

    private func refusal(
        _ command: MeterModCommand,
        _ id: UInt32,
        _ flags: MeterFlags = .kilobitsPerSecond,
        _ bands: [MeterBand] = [.drop(rate: 1_000, burst: 0)]
    ) -> OpenFlowError? {
        do throws(OpenFlowError) {
            try fixture.model.execute(MeterMod(command: command, flags: flags, meterID: id, bands: bands))
            return nil
        } catch {
            return error
        }
    }

    private func configs(_ id: UInt32 = MeterID.all) throws -> [MeterConfig] {
        guard case .meterConfig(let configs) = try fixture.model.answer(.meterConfig(id)) else { return [] }
        return configs
    }

    private func statistics(_ id: UInt32 = MeterID.all) throws -> [MeterStatistics] {
        guard case .meter(let statistics) = try fixture.model.answer(.meter(id)) else { return [] }
        return statistics
    }

    @Test func addsAndDescribesAsWritten() throws {
        let bands: [MeterBand] = [.drop(rate: 7, burst: 0), .dscpRemark(rate: 3, burst: 9, precedenceLevels: 1)]
        #expect(refusal(.add, 2, [.packetsPerSecond, .burst, .statistics], bands) == nil)
        #expect(refusal(.add, 1, [], []) == nil)
        #expect(
            try configs() == [
                MeterConfig(flags: [], meterID: 1, bands: []),
                MeterConfig(flags: [.packetsPerSecond, .burst, .statistics], meterID: 2, bands: bands),
            ]
        )
        #expect(try configs(2).map(\.meterID) == [2])
        #expect(throws: OpenFlowError.meterModFailed(.unknownMeter)) { try configs(3) }
        #expect(throws: OpenFlowError.meterModFailed(.unknownMeter)) { try statistics(3) }
    }

    @Test func modifiesWhatIsThere() throws {
        #expect(refusal(.modify, 1) == .meterModFailed(.unknownMeter))
        #expect(refusal(.add, 1) == nil)
        fixture.pass(.seconds(5))
        #expect(refusal(.modify, 1, .packetsPerSecond, [.drop(rate: 9, burst: 1)]) == nil)
        #expect(
            try configs() == [
                MeterConfig(flags: .packetsPerSecond, meterID: 1, bands: [.drop(rate: 9, burst: 1)])
            ]
        )
        // The same meter as before, for its age and its counters.
        #expect(try statistics().map(\.durationSeconds) == [5])
        guard case .set(_, isNew: false)? = fixture.datapath.meterChanges.last?.first else {
            Issue.record("\(fixture.datapath.meterChanges)")
            return
        }
    }

    @Test func refusesByTheSpecifiedErrors() {
        #expect(refusal(.add, 1) == nil)
        #expect(refusal(.add, 1) == .meterModFailed(.meterExists))
        for id: UInt32 in [0, 0xffff_0001, MeterID.all] {
            #expect(refusal(.add, id) == .meterModFailed(.invalidMeter))
            #expect(refusal(.modify, id) == .meterModFailed(.invalidMeter))
        }
        #expect(refusal(.delete, 0) == .meterModFailed(.invalidMeter))
        #expect(refusal(.add, 2, [.kilobitsPerSecond, .packetsPerSecond]) == .meterModFailed(.badFlags))
        #expect(refusal(.modify, 1, [.kilobitsPerSecond, .packetsPerSecond]) == .meterModFailed(.badFlags))
        #expect(refusal(.add, 2, [], [.drop(rate: 0, burst: 1)]) == .meterModFailed(.badRate))
        let unknown = MeterBand.experimenter(rate: 1, burst: 1, experimenter: 9, data: ByteBuffer())
        #expect(refusal(.add, 2, [], [unknown]) == .meterModFailed(.badBand))
        let three = [MeterBand](repeating: .drop(rate: 1, burst: 1), count: 3)
        #expect(refusal(.add, 2, [], three) == .meterModFailed(.outOfBands))
        #expect(refusal(.add, 0xffff_0000) == nil)
        #expect(refusal(.add, MeterID.controller) == nil)
        #expect(refusal(.add, MeterID.slowPath) == .meterModFailed(.outOfMeters))
        #expect(refusal(.delete, MeterID.all) == nil)
        #expect(refusal(.add, MeterID.slowPath) == nil)
        #expect(refusal(.delete, 5) == nil)
    }

    @Test func deletesTheEntriesThatReferToIt() throws {
        for id: UInt32 in [1, 2, 3] { #expect(refusal(.add, id) == nil) }
        let watched: FlowModFlags = .sendFlowRemoved
        try fixture.add(1, .inPort(1), [.meter(1), .applyActions([.to(2)])], cookie: 1, flags: watched)
        try fixture.add(table: 3, 2, .inPort(1), [.meter(1)], cookie: 2, flags: watched)
        try fixture.add(3, .inPort(1), [.meter(2)], cookie: 3, flags: watched)
        try fixture.add(4, .inPort(1), .output(2), cookie: 4, flags: watched)
        // One entry that stops to refer to meter 2, one that begins to.
        try fixture.add(5, .inPort(2), [.meter(2)], cookie: 5)
        try fixture.add(5, .inPort(2), [.meter(3)], cookie: 6)
        #expect(try statistics().map(\.flowCount) == [2, 1, 1])
        #expect(refusal(.delete, 1) == nil)
        #expect(fixture.flowRemoved.map(\.cookie).sorted() == [1, 2])
        // 1.3 has no reason METER_DELETE.
        #expect(fixture.flowRemoved.allSatisfy { $0.reason == .delete })
        #expect(fixture.contents() == ["3/3", "4/4", "5/6"])
        #expect(fixture.contents(ofTable: 3).isEmpty)
        #expect(refusal(.delete, MeterID.all) == nil)
        #expect(fixture.contents() == ["4/4"])
        #expect(try configs().isEmpty && statistics().isEmpty)
        #expect(
            fixture.refusal(of: FlowMod(instructions: [.meter(1)])) == .meterModFailed(.unknownMeter)
        )
    }

    @Test func countsUsersThroughModifyAndDelete() throws {
        #expect(refusal(.add, 1) == nil)
        try fixture.add(1, .inPort(1), .output(2))
        #expect(try statistics().map(\.flowCount) == [0])
        try fixture.model.execute(FlowMod(command: .modify, instructions: [.meter(1)]))
        #expect(try statistics().map(\.flowCount) == [1])
        // A refused change leaves the count as it is.
        fixture.datapath.refusal = .flowModFailed(.tableFull)
        #expect(fixture.refusal(of: FlowMod(command: .modify, instructions: [])) == .flowModFailed(.tableFull))
        #expect(try statistics().map(\.flowCount) == [1])
        fixture.datapath.refusal = .flowModFailed(.tableFull)
        #expect(fixture.refusal(of: FlowMod(tableID: TableID.all, command: .delete)) == .flowModFailed(.tableFull))
        #expect(try statistics().map(\.flowCount) == [1])
        try fixture.model.execute(FlowMod(tableID: TableID.all, command: .delete))
        #expect(try statistics().map(\.flowCount) == [0])
    }

    @Test func aRefusedMeterModChangesNothing() throws {
        #expect(refusal(.add, 1) == nil)
        try fixture.add(1, .inPort(1), [.meter(1)])
        let before = try configs()
        for (command, id): (MeterModCommand, UInt32) in [(.add, 2), (.modify, 1), (.delete, 1)] {
            fixture.datapath.refusal = .meterModFailed(.outOfMeters)
            #expect(refusal(command, id, .packetsPerSecond) == .meterModFailed(.outOfMeters))
            #expect(try configs() == before)
            #expect(try statistics().map(\.flowCount) == [1])
            #expect(fixture.contents() == ["1/0"])
        }
    }

    @Test func standsInBundles() throws {
        #expect(refusal(.add, 1) == nil)
        let add = MeterMod(command: .add, flags: .kilobitsPerSecond, meterID: 2, bands: [.drop(rate: 5, burst: 0)])
        let flow = FlowMod(priority: 7, instructions: [.meter(2)])
        try fixture.model.check(forBundle: .flowMod(flow))
        try fixture.model.execute(bundle: [.meterMod(add), .flowMod(flow)], atomically: true)
        #expect(try statistics().map(\.flowCount) == [0, 1])
        // The entry must go with the meter, and it can't come before it.
        #expect(throws: BundleFailure(message: 1, error: .meterModFailed(.unknownMeter))) {
            try fixture.model.execute(
                bundle: [
                    .meterMod(MeterMod(command: .delete, meterID: MeterID.all)),
                    .flowMod(FlowMod(priority: 8, instructions: [.meter(1)])),
                ],
                atomically: false
            )
        }
        #expect(try statistics().map(\.flowCount) == [0, 1])
        #expect(fixture.contents() == ["7/0"])
        // Gone and back again in one bundle: another meter.
        try fixture.model.execute(
            bundle: [.meterMod(MeterMod(command: .delete, meterID: 2)), .meterMod(add), .flowMod(flow)],
            atomically: false
        )
        guard case .set(_, isNew: true)? = fixture.datapath.meterChanges.last?.first else {
            Issue.record("\(fixture.datapath.meterChanges)")
            return
        }
        #expect(fixture.contents() == ["7/0"])
    }

    @Test func reportsCounters() throws {
        #expect(refusal(.add, 1, [], [.drop(rate: 1, burst: 0), .drop(rate: 2, burst: 0)]) == nil)
        let exceeded = TrafficCounter(packetCount: 2, byteCount: 120)
        fixture.datapath.meterCounters[1] = MeterCounters(packets: 9, bytes: 540, bands: [exceeded])
        fixture.pass(.milliseconds(1_500))
        #expect(
            try statistics() == [
                MeterStatistics(
                    meterID: 1,
                    packetInCount: 9,
                    byteInCount: 540,
                    durationSeconds: 1,
                    durationNanoseconds: 500_000_000,
                    bands: [exceeded, TrafficCounter(packetCount: 0, byteCount: 0)]
                )
            ]
        )
    }
}
