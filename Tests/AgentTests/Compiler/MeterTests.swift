// Meters in the workers: the rate over all of them, however the packets are spread, and what changes of a meter do.

import Agent
import CDPDK
import DataPlane
import Foundation
import NIOCore
import OpenFlow
import Testing

/// One after the other: some take the cores that the workers of other tests run on.
@Suite("Meters", .timeLimit(.minutes(5)), .serialized)
struct MeterTests {
    /// A meter and workers that measure packets when told, at times that are told.
    private final class Lab {
        /// Workers live as long as the process does, so all tests share these.
        nonisolated(unsafe) private static let all = InProcessSwitch.pool.map {
            Worker.make(count: 4, pool: $0, controlPipe: -1, idle: .busy)
        }
        let workers: [UnsafeMutablePointer<Worker>]
        let slot: UnsafeMutableRawPointer
        private let block: UnsafeMutableRawPointer
        let start = Clock.cycles

        init(workers count: Int, rate: Double, bits: Bool, burst: Double? = nil) throws {
            guard let all = Self.all else { throw InProcessSwitch.NoMemory() }
            workers = Array(all.prefix(count))
            slot = .allocate(byteCount: MeterSlot.size(workers: count), alignment: 64)
            block = .allocate(byteCount: MeterBlock.size(bands: 1, workers: count), alignment: 64)
            let band = RateBand(
                rate: rate,
                unitBits: bits ? 8 : 1,
                burst: burst ?? max(rate / 10, bits ? 32_768 : 2),
                verdict: .drop
            )
            MeterBlock.initialize(block, [band], countsPackets: !bits, workers: count, start: start)
            for worker in 0..<count {
                MeterSlot.word(slot, worker: worker).pointee = UInt64(UInt(bitPattern: block))
            }
        }

        deinit {
            slot.deallocate()
            block.deallocate()
        }

        /// Whether a packet passes that a worker meets so many seconds after the start.
        func passes(_ length: UInt64, worker: Int, at seconds: Double) -> Bool {
            workers[worker].pointee.beginStep(at: start + UInt64(seconds * Double(Clock.cyclesPerSecond)))
            if case .pass = workers[worker].pointee.measure(slot, length: length) { return true }
            return false
        }
    }

    struct Load: CustomTestStringConvertible {
        /// Packets or bits per second.
        var rate: Double
        var bits = false
        var length: UInt64 = 64
        /// What each worker gets, in parts of all.
        var shares: [Double]
        /// What comes, as a multiple of the rate.
        var overload: Double
        var testDescription: String {
            "\(rate) \(bits ? "bit/s" : "packets/s") of \(length) bytes over \(shares), \(overload) times"
        }

        static let all: [Load] =
            [100, 1_000, 20_000, 1_000_000].flatMap { rate in
                [
                    [1], [1, 0], [0.5, 0.5], [0.9, 0.1], [0.99, 0.01], [0.25, 0.25, 0.25, 0.25],
                    [0.97, 0.01, 0.01, 0.01],
                ]
                .map { Load(rate: rate, shares: $0, overload: 2) }
            }
            + [1e6, 200e6, 10e9].flatMap { rate in
                [[1], [0.5, 0.5], [0.95, 0.05]].flatMap { shares in
                    [64, 1_500].map { Load(rate: rate, bits: true, length: $0, shares: shares, overload: 1.7) }
                }
            } + [Load(rate: 100, shares: [0.5, 0.5], overload: 1.3), Load(rate: 100, shares: [0, 1], overload: 50)]
    }

    /// Packets at random times; every half second the shares change places.
    @Test("the sum over all workers keeps to the rate within a hundredth", arguments: Load.all)
    func rate(_ load: Load) throws {
        let lab = try Lab(workers: load.shares.count, rate: load.rate, bits: load.bits)
        var random = SeededGenerator(7)
        let packetRate = load.bits ? load.rate / Double(8 * load.length) : load.rate
        let seconds = min(60, 400_000 / packetRate)
        var time = 0.0
        var passed = 0
        while true {
            time -= log(1 - Double.random(in: 0..<1, using: &random)) / (packetRate * load.overload)
            if time > seconds { break }
            var choice = Double.random(in: 0..<1, using: &random)
            let turn = Int(time / (seconds / 20)) % load.shares.count
            var worker = 0
            while worker + 1 < load.shares.count, choice >= load.shares[worker] {
                choice -= load.shares[worker]
                worker += 1
            }
            if lab.passes(load.length, worker: (worker + turn) % load.shares.count, at: time) { passed += 1 }
        }
        let burst = packetRate / 10
        let expected = packetRate * seconds
        #expect(Double(passed) > expected * 0.99 - 2)
        #expect(Double(passed) < expected * 1.01 + max(burst, 32_768 / Double(8 * load.length), 2) + 2)
    }

    @Test("what comes below the rate passes, all of it")
    func below() throws {
        let lab = try Lab(workers: 2, rate: 1_000, bits: false)
        for packet in 0..<5_000 {
            #expect(lab.passes(64, worker: packet % 7 == 0 ? 1 : 0, at: Double(packet) / 900))
        }
    }

    @Test("a burst passes up to its size, whichever workers it comes to, and again after a pause")
    func burst() throws {
        let lab = try Lab(workers: 2, rate: 100, bits: false, burst: 10)
        func burst(_ packets: Int, at time: Double) -> Int {
            (0..<packets).count { lab.passes(64, worker: $0 % 2, at: time + Double($0) * 1e-6) }
        }
        #expect(burst(30, at: 0) == 10)
        #expect(burst(30, at: 0.05) == 5)
        // What comes in while the bucket is full is lost, whoever looks first.
        #expect(burst(30, at: 10) == 10)
        #expect(burst(30, at: 10.02) == 2)
        #expect(burst(30, at: 5_000) == 10)
    }

    @Test("two threads at once, one of them faster, share 10 Gbit/s")
    func concurrently() throws {
        guard ProcessInfo.processInfo.activeProcessorCount > 1 else { return }
        let lab = try Lab(workers: 2, rate: 10e9, bits: true)
        let length: UInt64 = 1_500
        let end = lab.start + Clock.cyclesPerSecond
        nonisolated(unsafe) let shared = lab
        let passed = [Locked(0), Locked(0)]
        let offered = [Locked(0), Locked(0)]
        DispatchQueue.concurrentPerform(iterations: 2) { worker in
            var (count, all) = (0, 0)
            while Clock.cycles < end {
                shared.workers[worker].pointee.beginStep(at: Clock.cycles)
                for _ in 0..<32 {
                    all += 1
                    if case .pass = shared.workers[worker].pointee.measure(shared.slot, length: length) { count += 1 }
                }
                if worker == 1 { for _ in 0..<300 { cdpdk_pause() } }
            }
            passed[worker].withLock { $0 = count }
            offered[worker].withLock { $0 = all }
        }
        let counts = passed.map { $0.withLock { $0 } }
        let expected = 10e9 / Double(8 * length)
        let sum = Double(counts[0] + counts[1])
        print("meter: \(counts) of \(offered.map { $0.withLock { $0 } }) packets, expected \(Int(expected))")
        // A tenth of a second's worth lies in the bucket at first.
        #expect(abs(sum - 1.1 * expected) < 0.05 * expected)
    }

    // MARK: In a switch

    private func meterMod(_ command: MeterModCommand, _ id: UInt32, _ flags: MeterFlags, _ bands: MeterBand...)
        -> MeterMod
    {
        MeterMod(command: command, flags: flags, meterID: id, bands: bands)
    }

    private let frame = [UInt8](repeating: 2, count: 12) + [0x88, 0xb5] + [UInt8](repeating: 0, count: 46)

    @Test("a modified meter goes by its new bands at once and counts on; a deleted one gives its memory back")
    func changes() throws {
        let system = try InProcessSwitch()
        let before = system.datapath.memory.used
        func execute(_ mod: MeterMod) throws {
            try system.model.execute(mod)
            system.settle()
        }
        func passed(_ packets: Int) throws -> Int {
            try (0..<packets).count { _ in
                let outcome = try #require(system.receive(frame, port: 1))
                #expect(outcome.outputs.count + outcome.drops.count { $0 == .meter } == 1)
                return outcome.outputs.count == 1
            }
        }
        func counters() throws -> [MeterStatistics] { try system.model.meterStatistics() }
        try execute(meterMod(.add, 1, [.packetsPerSecond, .burst], .drop(rate: 1, burst: 3)))
        try system.execute(FlowMod(instructions: [.applyActions([.to(2)]), .meter(1)]))
        #expect(try passed(5) == 3)
        #expect(try counters().map(\.packetInCount) == [5])
        #expect(try counters().map(\.bands) == [[TrafficCounter(packetCount: 2, byteCount: 120)]])
        try execute(
            meterMod(.modify, 1, [.packetsPerSecond, .burst], .drop(rate: 1, burst: 4), .drop(rate: 2, burst: 9))
        )
        #expect(try passed(6) == 4)
        #expect(try counters().map(\.packetInCount) == [11])
        #expect(try counters().map { $0.bands.map(\.packetCount) } == [[4, 0]])
        #expect(try counters().map(\.byteInCount) == [11 * 60])
        // The same number, another meter.
        try execute(meterMod(.delete, MeterID.all, []))
        #expect(system.receive(frame, port: 1)?.drops == [.tableMiss])
        try execute(meterMod(.add, 1, .packetsPerSecond, .drop(rate: 1_000_000, burst: 0)))
        try system.execute(FlowMod(instructions: [.meter(1), .applyActions([.to(2)])]))
        #expect(try passed(6) == 6)
        #expect(try counters().map(\.packetInCount) == [6])
        try system.model.execute(
            bundle: [
                .meterMod(meterMod(.delete, 1, [])),
                .meterMod(meterMod(.add, 1, [.packetsPerSecond, .burst], .drop(rate: 1, burst: 2))),
                .flowMod(FlowMod(instructions: [.meter(1), .applyActions([.to(2)])])),
            ],
            atomically: true
        )
        system.settle()
        #expect(try passed(6) == 2)
        #expect(try counters().map(\.packetInCount) == [6])
        try execute(meterMod(.delete, 1, []))
        #expect(system.datapath.memory.used == before)
    }

    @Test("a meter for which there is no memory is refused, and nothing is left of it")
    func outOfMemory() throws {
        let system = try InProcessSwitch(tableBytes: 4 << 20)
        let before = system.datapath.memory.used
        var refusal: OpenFlowError?
        var added: UInt32 = 0
        while refusal == nil, added < 60_000 {
            do throws(OpenFlowError) {
                try system.model.execute(
                    MeterMod(
                        command: .add,
                        meterID: added + 1,
                        bands: .init(repeating: .drop(rate: 1, burst: 1), count: 8)
                    )
                )
                added += 1
            } catch { refusal = error }
            system.settle()
        }
        #expect(refusal == .meterModFailed(.outOfMeters))
        #expect(try system.model.meterStatistics().count == Int(added))
        try system.model.execute(MeterMod(command: .delete, meterID: MeterID.all))
        system.settle()
        #expect(system.datapath.memory.used == before)
    }

    @Test("packet-ins keep to the controller's meter, packets that are not above it too")
    func controllerMeter() throws {
        let system = try InProcessSwitch()
        try system.execute(FlowMod(instructions: [.applyActions([.output(.controller, maxLength: 0xffff), .to(2)])]))
        try system.model.execute(
            meterMod(.add, MeterID.controller, [.packetsPerSecond, .burst], .drop(rate: 1, burst: 3))
        )
        system.settle()
        var packetIns = 0
        for _ in 0..<10 {
            let outcome = try #require(system.receive(frame, port: 1))
            #expect(outcome.outputs.count == 1)
            #expect(outcome.packetIns.count + outcome.drops.count == 1)
            packetIns += outcome.packetIns.count
        }
        #expect(packetIns == 3)
        try system.model.execute(meterMod(.delete, MeterID.controller, []))
        system.settle()
        #expect(system.receive(frame, port: 1)?.packetIns.count == 1)
    }

    /// Both go by the same clock, which jumps to and fro between idleness and overload.
    @Test("compiled meters and the reference agree on 50,000 packets at random times")
    func differential() throws {
        let seed = ProcessInfo.processInfo.environment["RINGWAY_SEED"].flatMap { UInt64($0) } ?? .random(in: 0 ... .max)
        print("meters: RINGWAY_SEED=\(seed)")
        var random = SeededGenerator(seed)
        let system = try InProcessSwitch()
        var nanoseconds: UInt64 = 0
        let start = Clock.cycles + Clock.cyclesPerSecond
        let buckets = ReferenceMeters(now: { .uptimeNanoseconds(1_000_000_000 + nanoseconds) })
        try system.execute(FlowMod(priority: 0, instructions: [.gotoTable(1)]))
        try system.execute(FlowMod(tableID: 1, priority: 0, instructions: .output(3)))
        try system.execute(
            FlowMod(
                tableID: 1,
                priority: 5,
                match: Match(.ipv4 + [MatchField(.ipDSCP, 14)]),
                instructions: .output(4)
            )
        )
        var verdicts: [String: Int] = [:]
        for step in 0..<50_000 {
            if step % 1_000 == 0 {
                try system.model.execute(MeterMod(command: .delete, meterID: MeterID.all))
                for id: UInt32 in 1...3 {
                    let bands = (0..<Int.random(in: 0...3, using: &random)).map { _ -> MeterBand in
                        let rate = UInt32.random(in: 1...2_000, using: &random)
                        let burst = UInt32.random(in: 0...40, using: &random)
                        return Bool.random(using: &random)
                            ? .drop(rate: rate, burst: burst)
                            : .dscpRemark(
                                rate: rate,
                                burst: burst,
                                precedenceLevels: .random(in: 0...3, using: &random)
                            )
                    }
                    let flags: MeterFlags = Bool.random(using: &random) ? .packetsPerSecond : .kilobitsPerSecond
                    let mod = MeterMod(
                        command: .add,
                        flags: Bool.random(using: &random) ? flags : flags.union(.burst),
                        meterID: id,
                        bands: bands
                    )
                    try system.model.execute(mod)
                    buckets.forget(id)
                    try system.execute(
                        FlowMod(
                            priority: 10,
                            match: Match(.inPort(id)),
                            instructions: Bool.random(using: &random)
                                ? [.meter(id), .gotoTable(1)] : [.applyActions([.to(2)]), .meter(id)]
                        )
                    )
                }
                // The compiled buckets are full from now on, as those of the reference are when they are made.
                nanoseconds += 10_000_000_000
            }
            nanoseconds += UInt64.random(in: 1...(step / 500 % 2 == 0 ? 100_000 : 3_000_000), using: &random)
            let port = UInt32.random(in: 1...4, using: &random)
            let frame = RandomPacket.make(&random)
            let expected = ReferencePipeline.receive(
                frame,
                inPort: PortNumber(rawValue: port),
                by: system.model,
                meters: buckets
            )
            let time = start + UInt64(Double(nanoseconds) / 1e9 * Double(Clock.cyclesPerSecond))
            let actual = try #require(system.receive(frame, port: port, at: time))
            let drops = expected.steps.compactMap { step -> DropReason? in
                if case .drop(let reason) = step { DropReason(reason) } else { nil }
            }
            guard system.departures(actual) == system.departures(expected), actual.drops.count == drops.count,
                Set(actual.drops) == Set(drops)
            else {
                Issue.record(
                    "step \(step) of seed \(seed): \(expected.steps.map(\.description)), not \(actual.steps), drops \(actual.drops)"
                )
                return
            }
            if port < 4 { verdicts[drops.contains(.meter) ? "dropped" : "passed", default: 0] += 1 }
            if step % 1_000 == 999 {
                for statistics in try system.model.meterStatistics() {
                    let counted = buckets.counters(of: statistics.meterID)
                    #expect(statistics.packetInCount == counted.packets && statistics.byteInCount == counted.bytes)
                    if !counted.bands.isEmpty { #expect(statistics.bands == counted.bands) }
                }
            }
        }
        print("meters: \(verdicts)")
        #expect(verdicts.values.allSatisfy { $0 > 1_000 } && verdicts.count == 2)
    }
}
