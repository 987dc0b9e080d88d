// What the compiler promises besides forwarding right: last counters, memory given back, table-full without a trace.

import Agent
import DataPlane
import NIOCore
import OpenFlow
import Testing

@Suite("Compiler", .timeLimit(.minutes(2)), .serialized)
struct CompilerTests {
    private static func mod(_ index: UInt32, _ command: FlowModCommand = .add, flags: FlowModFlags = []) -> FlowMod {
        FlowMod(
            tableID: 0,
            command: command,
            priority: 10,
            flags: flags,
            match: Match([MatchField(.ethType, 0x0800), MatchField(.ipv4Dst, UInt128(index))]),
            instructions: [.applyActions([.output(2, maxLength: 0)])]
        )
    }

    /// A frame to 0.0.0.`index`.
    private static func frame(_ index: UInt8) -> [UInt8] {
        [
            2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, 0, 20, 0, 0, 0, 0, 64, 99, 0, 0, 1, 1, 1, 1, 0, 0, 0,
            index,
        ]
    }

    @Test("the last packets of a removed flow are in its flow-removed message, also if the worker is quick")
    func lastCounters() throws {
        let system = try InProcessSwitch()
        var removed: [FlowRemoved] = []
        system.model.onFlowRemoved = { removed.append($0) }
        try system.execute(Self.mod(7, flags: .sendFlowRemoved))
        for _ in 0..<5 { #expect(system.receive(Self.frame(7), port: 1)?.outputs.count == 1) }
        // The worker has taken the change before anybody waits for that.
        system.datapath.publisher.onSeal = { system.worker.pointee.takeDeltas() }
        try system.model.execute(Self.mod(7, .delete))
        system.settle()
        #expect(removed.map(\.packetCount) == [5])
        #expect(removed.map(\.byteCount) == [5 * 34])
    }

    @Test("all memory comes back when all flows have gone")
    func memory() throws {
        let system = try InProcessSwitch()
        let before = system.datapath.memory.used
        for index in 0..<5000 as Range<UInt32> { try system.execute(Self.mod(index)) }
        #expect(system.datapath.form(ofTable: 0) == .hash)
        for index in 0..<2500 as Range<UInt32> { try system.execute(Self.mod(index, .deleteStrict)) }
        try system.execute(FlowMod(tableID: TableID.all, command: .delete))
        system.settle()
        #expect(system.datapath.memory.used == before)
        #expect(system.datapath.form(ofTable: 0) == .constant)
    }

    @Test("without memory an ADD is TABLE_FULL, and all that was there forwards on")
    func tableFull() throws {
        let system = try InProcessSwitch(tableBytes: 1 << 20)
        var added: UInt32 = 0
        var refusal: OpenFlowError?
        while refusal == nil && added < 100_000 {
            do {
                try system.execute(Self.mod(added))
                added += 1
            } catch let error as OpenFlowError {
                refusal = error
            }
        }
        #expect(refusal == .flowModFailed(.tableFull, ""))
        #expect(added > 1000)
        #expect(system.model.tables[0].entries.count == Int(added))
        for index in 0..<200 as Range<UInt8> { #expect(system.receive(Self.frame(index), port: 1)?.outputs.count == 1) }
        // Removing needs no memory that is not there, and makes room.
        for index in 0..<100 as Range<UInt32> { try system.execute(Self.mod(index, .deleteStrict)) }
        #expect(system.receive(Self.frame(7), port: 1)?.drops == [.tableMiss])
        try system.execute(Self.mod(7))
        #expect(system.receive(Self.frame(7), port: 1)?.outputs.count == 1)
    }
}
