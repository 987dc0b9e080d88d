// Idle and hard timeouts by an injected clock: OpenFlow 1.3.5 §5.5.

import Agent
import NIOCore
import OpenFlow
import Testing

@Suite(.timeLimit(.minutes(1)))
struct TimeoutTests {
    let fixture = SwitchModelFixture()

    /// Lets time pass, and the model look.
    private func wait(_ amount: TimeAmount) {
        fixture.pass(amount)
        fixture.model.expireFlows()
    }

    @Test func hardTimeoutEndsAnEntryThatIsUsed() throws {
        let entry = try fixture.add(7, .ipv4, cookie: 4, hard: 10, flags: .sendFlowRemoved)
        #expect(fixture.model.nextTimeout == fixture.time + .seconds(10))
        wait(.milliseconds(9999))
        #expect(fixture.model.flowCount == 1)
        fixture.count(5, 300, by: entry)
        wait(.milliseconds(1))
        #expect(fixture.model.flowCount == 0)
        #expect(fixture.model.nextTimeout == nil)
        #expect(
            fixture.flowRemoved == [
                FlowRemoved(
                    cookie: 4,
                    priority: 7,
                    reason: .hardTimeout,
                    durationSeconds: 10,
                    hardTimeout: 10,
                    packetCount: 5,
                    byteCount: 300,
                    match: Match(.ipv4)
                )
            ]
        )
    }

    @Test func idleTimeoutCountsFromTheLastPacket() throws {
        let entry = try fixture.add(7, .ipv4, idle: 10, flags: .sendFlowRemoved)
        wait(.seconds(9))
        fixture.count(1, 60, by: entry)
        wait(.seconds(1))
        #expect(fixture.model.flowCount == 1)
        #expect(fixture.model.nextTimeout == fixture.time + .seconds(9))
        wait(.milliseconds(8999))
        #expect(fixture.model.flowCount == 1)
        wait(.milliseconds(1))
        #expect(fixture.model.flowCount == 0)
        #expect(fixture.flowRemoved.map(\.reason) == [.idleTimeout])
        #expect(fixture.flowRemoved.map(\.durationSeconds) == [19])
        #expect(fixture.flowRemoved.map(\.packetCount) == [1])
    }

    @Test func ofBothTheFirstOneCounts() throws {
        let used = try fixture.add(1, .ipv4, idle: 10, hard: 15, flags: .sendFlowRemoved)
        try fixture.add(2, .ipv4, idle: 10, hard: 15, flags: .sendFlowRemoved)
        try fixture.add(3, .ipv4, idle: 10, hard: 10, flags: .sendFlowRemoved)
        wait(.seconds(9))
        fixture.count(1, 60, by: used)
        wait(.seconds(20))
        let reasons = Dictionary(uniqueKeysWithValues: fixture.flowRemoved.map { ($0.priority, $0.reason) })
        #expect(reasons == [1: .hardTimeout, 2: .idleTimeout, 3: .hardTimeout])
    }

    @Test func replacingStartsBothAgain() throws {
        let entry = try fixture.add(7, .ipv4, idle: 10, hard: 20)
        wait(.seconds(8))
        fixture.count(1, 60, by: entry)
        wait(.seconds(1))
        try fixture.add(7, .ipv4, idle: 10, hard: 20)
        wait(.milliseconds(9999))
        #expect(fixture.model.flowCount == 1)
        wait(.milliseconds(1))
        #expect(fixture.model.flowCount == 0)
        try fixture.add(7, .ipv4, hard: 5)
        try fixture.add(7, .ipv4)
        #expect(fixture.model.nextTimeout == nil)
        wait(.hours(1))
        #expect(fixture.model.flowCount == 1)
    }

    @Test func modifyLeavesThemAlone() throws {
        try fixture.add(7, .ipv4, hard: 5)
        wait(.seconds(4))
        try fixture.model.execute(FlowMod(command: .modify, hardTimeout: 100, instructions: .output(1)))
        wait(.seconds(1))
        #expect(fixture.model.flowCount == 0)
    }

    @Test func withoutTheFlagNothingIsSaid() throws {
        try fixture.add(7, .ipv4, hard: 5)
        wait(.seconds(5))
        #expect(fixture.model.flowCount == 0)
        #expect(fixture.flowRemoved.isEmpty)
    }

    @Test func aDeletedEntryDoesNotExpire() throws {
        try fixture.add(7, .ipv4, hard: 5, flags: .sendFlowRemoved)
        try fixture.add(8, .ipv4, hard: 6)
        try fixture.model.execute(FlowMod(command: .deleteStrict, priority: 7, match: Match(.ipv4)))
        #expect(fixture.model.nextTimeout == fixture.time + .seconds(6))
        wait(.seconds(7))
        #expect(fixture.flowRemoved.map(\.reason) == [.delete])
    }

    @Test func whatTheDataPathKeepsIsTriedAgain() throws {
        try fixture.add(7, .ipv4, hard: 5)
        fixture.datapath.refusal = .flowModFailed(.unknown)
        wait(.seconds(5))
        #expect(fixture.model.flowCount == 1)
        wait(.seconds(1))
        #expect(fixture.model.flowCount == 0)
    }

    /// Each entry goes in the second in which a list that is searched in full says it should.
    @Test func manyTimeoutsInAnyOrder() throws {
        let seed = UInt64.random(in: 0 ... .max)
        var generator = SeededGenerator(seed)
        var expected: [UInt32: UInt16] = [:]
        for address in 0..<500 as Range<UInt32> {
            let hard = UInt16.random(in: 1...60, using: &generator)
            try fixture.add(7, .ipv4Dst(address), hard: hard)
            expected[address] = hard
            if Bool.random(using: &generator), let gone = expected.keys.randomElement(using: &generator) {
                try fixture.model.execute(FlowMod(command: .deleteStrict, priority: 7, match: Match(.ipv4Dst(gone))))
                expected[gone] = nil
            }
        }
        for second in 1...60 {
            wait(.seconds(1))
            let left = fixture.model.tables[0].entries.compactMap { $0.match[.ipv4Dst].map { UInt32($0.value) } }
            let wanted = expected.filter { $0.value > second }.keys.sorted()
            try #require(left.sorted() == wanted, "second \(second), seed \(seed)")
        }
    }
}
