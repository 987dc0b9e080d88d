// The compiled tables against the reference interpreter over the same model: random rules, random changes, random packets.

import Agent
import DataPlane
import Foundation
import OpenFlow
import Testing

@Suite("Compiled tables and reference agree", .timeLimit(.minutes(10)), .serialized)
struct DifferentialTests {
    @Test("over 100,000 random steps of changes and packets, in every form of lookup")
    func random() throws {
        let seed = ProcessInfo.processInfo.environment["RINGWAY_SEED"].flatMap { UInt64($0) } ?? .random(in: 0 ... .max)
        let stepCount = ProcessInfo.processInfo.environment["RINGWAY_STEPS"].flatMap { Int($0) } ?? 100_000
        print("differential test: RINGWAY_SEED=\(seed) RINGWAY_STEPS=\(stepCount)")
        var random = SeededGenerator(seed)
        let system = try InProcessSwitch()
        var rules = RandomRules(&random)
        var forms: Set<LookupForm> = []
        var parts: Set<LookupPartKind> = []
        var recent: [(port: UInt32, frame: [UInt8])] = []
        var packets = (all: 0, hit: 0, several: 0, grouped: 0)
        for step in 0..<stepCount {
            if step % 2_000 == 0 {
                try system.execute(FlowMod(tableID: TableID.all, command: .delete))
                for mod in RandomGroups.start(&random) { try system.execute(mod) }
                rules = RandomRules(&random)
            }
            for _ in 0..<rules.changes(at: step % 2_000, &random) {
                try system.execute(rules.change(&random))
            }
            if Int.random(in: 0..<10, using: &random) == 0 {
                for mod in RandomGroups.change(&random) { try system.execute(mod) }
            }
            if Int.random(in: 0..<50, using: &random) == 0 {
                system.setLink(.random(in: 1...4, using: &random), up: .random(using: &random))
            }
            forms.formUnion((0..<4).map { system.datapath.form(ofTable: $0) })
            parts.formUnion((0..<4).flatMap { system.datapath.lookup(ofTable: $0).parts })
            // Some come again, perhaps by the path that was recorded of them, perhaps after a change.
            var (port, frame) = (UInt32.random(in: 1...4, using: &random), RandomPacket.make(&random))
            if let former = recent.randomElement(using: &random), Bool.random(using: &random) { (port, frame) = former }
            recent = (recent + [(port, frame)]).suffix(8)
            let cached = Bool.random(using: &random)
            let expected = ReferencePipeline.receive(frame, inPort: PortNumber(rawValue: port), by: system.model)
            let actual = try #require(system.receive(frame, port: port, cached: cached))
            let agree =
                system.departures(actual) == system.departures(expected)
                && actual.drops.sorted { $0.rawValue < $1.rawValue } == Self.drops(expected)
            if !agree {
                Issue.record(
                    """
                    step \(step) of seed \(seed), \(cached ? "by the flow cache, " : "")in_port \(port), frame \(frame.map { String(format: "%02x", $0) }.joined())
                    reference: \(expected.steps.map(\.description).joined(separator: "\n           "))
                    reference sends \(system.departures(expected)) drops \(Self.drops(expected))
                    compiled: \(actual.steps) sends \(system.departures(actual)) drops \(actual.drops)
                    """
                )
                return
            }
            system.settle()
            packets.all += 1
            if expected.steps.contains(where: { if case .bucket = $0 { true } else { false } }) { packets.grouped += 1 }
            if case .table(_, let entry?)? = expected.steps.first, !entry.isTableMiss { packets.hit += 1 }
            if Self.matching(frame, port, system.model) >= 2 { packets.several += 1 }
        }
        print("differential test: \(packets.hit) of \(packets.all) packets hit a rule, \(packets.several) fit several")
        let hits = system.worker.pointee.counters.pointee.cacheHits
        print("differential test: \(hits) packets took a cached path")
        #expect(hits * 20 >= packets.all, "only \(hits) of \(packets.all) packets took a cached path")
        #expect(forms == Set(LookupForm.allCases))
        #expect(parts == Set(LookupPartKind.allCases))
        #expect(packets.hit * 2 >= packets.all, "only \(packets.hit) of \(packets.all) packets hit a rule")
        #expect(
            packets.several * 10 >= packets.all,
            "only \(packets.several) of \(packets.all) packets fit several rules"
        )
        #expect(
            packets.grouped * 20 >= packets.all,
            "only \(packets.grouped) of \(packets.all) packets came by a bucket"
        )
        #expect(system.missingPackets == 0)
    }

    private static func drops(_ pipeline: ReferencePipeline) -> [DropReason] {
        pipeline.steps.compactMap { step -> DropReason? in
            if case .drop(let reason) = step { DropReason(reason) } else { nil }
        }.sorted { $0.rawValue < $1.rawValue }
    }

    /// How many rules of the first table a packet fits, not counting the table-miss.
    private static func matching(_ frame: [UInt8], _ port: UInt32, _ model: SwitchModel) -> Int {
        var fields = PacketFields(frame)?.values ?? [:]
        fields[.inPort] = UInt128(port)
        fields[.inPhyPort] = UInt128(port)
        return model.tables[0].entries.count { entry in
            !entry.isTableMiss
                && entry.normalizedMatch.fields.allSatisfy { (fields[$0.field] ?? 0) & $0.significantMask == $0.value }
        }
    }
}
