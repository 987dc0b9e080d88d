// Setting table features: a table takes what was asked for and no more (OpenFlow 1.3.5 §7.3.5.5).

import Agent
import NIOCore
import OpenFlow
import Testing

@Suite("Table features", .timeLimit(.minutes(1)))
struct TableFeaturesTests {
    private let fixture = SwitchModelFixture(flowLimit: 100)

    /// A table for Ethernet destinations, in a pipeline that may go on to table 1.
    private func table(_ id: UInt8, _ change: (inout TableFeatures) -> Void = { _ in }) -> TableFeatures {
        var features = TableFeatures(
            tableID: id,
            name: "t\(id)",
            metadataMatch: 0xff,
            metadataWrite: 0x0f,
            maxEntries: 2,
            properties: [
                .instructions([InstructionID(.applyActions), InstructionID(.gotoTable), InstructionID(.writeMetadata)]),
                .nextTables(id == 0 ? [1] : []), .writeActions([]),
                .applyActions([ActionID(.output), ActionID(.setField)]),
                .match([OXMID(.inPort), OXMID(.ethDst, hasMask: true), OXMID(.metadata, hasMask: true)]),
                .wildcards([OXMID(.inPort), OXMID(.metadata)]),
                .writeSetField([]), .applySetField([OXMID(.ethSrc)]),
                .instructions([InstructionID(.applyActions)], miss: true),
            ]
        )
        change(&features)
        return features
    }

    private func set(_ tables: [TableFeatures]) throws -> [TableFeatures] {
        guard case .tableFeatures(let features) = try fixture.model.answer(.tableFeatures(tables)) else { return [] }
        return features
    }

    private func refusal(of tables: [TableFeatures]) -> OpenFlowError? {
        do {
            _ = try fixture.model.answer(.tableFeatures(tables))
            return nil
        } catch {
            return error
        }
    }

    private func refusal(
        table: UInt8 = 0,
        priority: UInt16 = 1,
        _ match: [MatchField],
        _ instructions: [Instruction] = []
    ) -> OpenFlowError? {
        fixture.refusal(
            of: FlowMod(
                tableID: table,
                command: .add,
                priority: priority,
                match: Match(match),
                instructions: instructions
            )
        )
    }

    private let toHost = [MatchField(.ethDst, 0x0200_0000_0001)]

    @Test func areReadAsTheyWereSet() throws {
        let tables = [table(0), table(1)]
        #expect(try set(tables) == tables)
        #expect(try set([]) == tables)
        guard case .table(let statistics) = try fixture.model.answer(.table) else { return }
        #expect(statistics.map(\.tableID) == [0, 1])
    }

    @Test func decideWhatATableTakes() throws {
        _ = try set([table(0), table(1)])
        #expect(
            refusal(toHost, [.applyActions([.output(1, maxLength: 0), .setField(.ethSrc, 1)]), .gotoTable(1)]) == nil
        )
        #expect(refusal(toHost + [MatchField(.ethSrc, 1)]) == .badMatch(.badField))
        #expect(refusal(toHost + [MatchField(.inPort, 1)]) == nil)
        #expect(refusal([MatchField(.inPort, 1)]) == .badMatch(.badWildcards), "eth_dst is not among the wildcards")
        #expect(refusal(toHost + [MatchField(.metadata, 1, mask: 0x1ff)]) == .badMatch(.badMask))
        #expect(refusal(toHost, [.clearActions]) == .badInstruction(.unsupportedInstruction))
        #expect(refusal(toHost, [.gotoTable(2)]) == .badInstruction(.badTableID))
        #expect(refusal(toHost, [.writeMetadata(value: 0, mask: 0x10)]) == .badInstruction(.unsupportedMetadataMask))
        #expect(refusal(toHost, [.applyActions([.pushVLAN(0x8100)])]) == .badAction(.badType))
        #expect(refusal(toHost, [.applyActions([.setField(.ethDst, 1)])]) == .badAction(.badSetType))
        #expect(refusal(table: 2, toHost) == .flowModFailed(.badTableID))
        #expect(refusal(table: 1, [], []) == .badMatch(.badWildcards))
        // Two entries are in table 0 by now.
        #expect(refusal([MatchField(.ethDst, 7)]) == .flowModFailed(.tableFull))
    }

    @Test func areOthersForTheTableMissEntry() throws {
        _ = try set([table(0), table(1)])
        #expect(refusal(priority: 0, [], [.gotoTable(1)]) == .badInstruction(.unsupportedInstruction))
        #expect(refusal(priority: 0, [], [.applyActions([.output(.controller, maxLength: 0xffff)])]) == nil)
    }

    @Test func withoutAMaskAreForExactMatches() throws {
        let exact = table(0) {
            $0.properties[4] = .match([OXMID(.ethDst)])
            $0.properties[1] = .nextTables([])
        }
        _ = try set([exact])
        #expect(refusal([MatchField(.ethDst, 0, mask: 1 << 40)]) == .badMatch(.badMask))
        #expect(refusal(toHost) == nil)
    }

    @Test func takeAwayTheEntriesOfChangedTables() throws {
        try fixture.add(1, toHost, flags: .sendFlowRemoved)
        try fixture.add(table: 1, 1, toHost)
        _ = try set([table(0), table(1)])
        #expect(fixture.model.flowCount == 0)
        #expect(fixture.flowRemoved.isEmpty)
        try fixture.add(1, toHost)
        try fixture.add(table: 1, 1, toHost)
        _ = try set([table(0), table(1) { $0.maxEntries = 1 }])
        #expect(fixture.contents(ofTable: 0).count == 1, "as it was")
        #expect(fixture.contents(ofTable: 1).isEmpty)
    }

    @Test func areRefusedWholly() throws {
        try fixture.add(1, toHost)
        let cases: [(OpenFlowError, [TableFeatures])] = [
            (.tableFeaturesFailed(.badTable), [table(1)]),
            (.tableFeaturesFailed(.badTable), [table(0), table(1), table(1)]),
            (.tableFeaturesFailed(.badTable), [table(0), table(1), table(254) { $0.properties = [] }]),
            (.tableFeaturesFailed(.badArgument), [table(0)]),
            (.tableFeaturesFailed(.badArgument), [table(0), table(1) { $0.properties[1] = .nextTables([0]) }]),
            (.tableFeaturesFailed(.badArgument), [table(0), table(1) { $0.maxEntries = 101 }]),
            (.tableFeaturesFailed(.badArgument), [table(0), table(1) { $0.config = 4 }]),
            (
                .tableFeaturesFailed(.badArgument),
                [table(0), table(1) { $0.properties[0] = .instructions([InstructionID(type: 9)]) }]
            ),
            (
                .tableFeaturesFailed(.badArgument),
                [table(0), table(1) { $0.properties[3] = .applyActions([ActionID(type: 99)]) }]
            ),
            (
                .tableFeaturesFailed(.badArgument),
                [table(0), table(1) { $0.properties[4] = .match([OXMID(.inPort, hasMask: true)]) }]
            ),
            (
                .tableFeaturesFailed(.badArgument),
                [table(0), table(1) { $0.properties[7] = .applySetField([OXMID(.inPort)]) }]
            ),
            (
                .tableFeaturesFailed(.badType),
                [
                    table(0),
                    table(1) {
                        $0.properties.append(.experimenter(Experimenter(experimenter: 1, type: 1, body: ByteBuffer())))
                    },
                ]
            ),
        ]
        for (error, tables) in cases { #expect(refusal(of: tables) == error) }
        #expect(fixture.model.flowCount == 1)
        #expect(try set([]).count == 254)
    }

    @Test func thatWereReadCanBeSet() throws {
        let all = try set([])
        try fixture.add(1, toHost)
        #expect(try set(all) == all)
        #expect(fixture.model.flowCount == 1, "nothing has changed")
    }
}
