// When the flow cache is used, by made-up costs.

import DataPlane
import Testing

@Suite("Flow cache trial", .timeLimit(.minutes(1)))
struct FlowCacheTrialTests {
    /// A worker's counters, in which a packet costs as much as it does with or without the cache.
    private struct Load {
        var trial = FlowCacheTrial()
        var packets: UInt64 = 0
        var cycles: UInt64 = 0
        var packetsCached: UInt64 = 0

        mutating func run(_ count: UInt64, costOff: UInt64, costOn: UInt64) {
            let end = packets + count
            while packets < end {
                if packets >= trial.end { trial.advance(packets: packets, cycles: cycles) }
                packets += 32
                cycles += 32 * (trial.usesCache ? costOn : costOff)
                if trial.usesCache { packetsCached += 32 }
            }
        }
    }

    @Test func usesTheCacheWhereItSavesCycles() {
        var load = Load()
        load.run(1 << 24, costOff: 200, costOn: 150)
        #expect(load.packetsCached * 100 > load.packets * 95)
    }

    @Test func leavesItWhereItDoesNot() {
        var load = Load()
        load.run(1 << 26, costOff: 200, costOn: 199)
        #expect(load.packetsCached * 100 < load.packets * 5)
    }

    @Test func leavesItSoonWhenOtherTrafficCostsMore() {
        var load = Load()
        load.run(1 << 24, costOff: 200, costOn: 150)
        let before = load.packetsCached
        load.run(1 << 18, costOff: 200, costOn: 250)
        #expect(load.packetsCached - before < 1 << 14)
        #expect(!load.trial.usesCache)
    }

    @Test func triesAgainLater() {
        var load = Load()
        load.run(1 << 24, costOff: 200, costOn: 250)
        load.run(1 << 26, costOff: 200, costOn: 150)
        #expect(load.trial.usesCache)
    }

    @Test func anInterruptionWhileItMeasuresDoesNotMislead() {
        var load = Load()
        load.run(1 << 14, costOff: 200, costOn: 150)
        load.cycles += 1_000_000_000
        load.run(1 << 22, costOff: 200, costOn: 150)
        #expect(load.trial.usesCache)
    }

    @Test func changesOfTablesAloneDoNotEndIt() {
        var load = Load()
        load.run(1 << 22, costOff: 200, costOn: 150)
        for _ in 0..<100 {
            load.trial.refill(packets: load.packets)
            load.run(1 << 16, costOff: 200, costOn: 160)
        }
        #expect(load.packetsCached * 10 > load.packets * 8)
    }
}
