// A port with queues in a switch without threads: packets wait, leave at the port's rate, and none vanishes, whatever becomes of
// the port.

import Agent
import CDPDK
import DataPlane
import OpenFlow
import Testing

@Suite("A port's queues", .timeLimit(.minutes(1)), .serialized)
struct QueueTests {
    private static let egress = EgressQueues(rate: 1_000_000, queues: [.init(id: 1), .init(id: 2, maximum: 100_000)])
    private static let frame: [UInt8] =
        [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5] + [UInt8](repeating: 0, count: 46)

    /// A switch whose port 5 has the queues, and rules that send from port 1 by queue 1 and from port 2 by none.
    private func makeSwitch() throws -> InProcessSwitch {
        let system = try InProcessSwitch()
        try system.openDevices()
        let entry = try system.datapath.ports.add(
            number: 5,
            name: "p5",
            devargs: "net_null5\(UInt16.random(in: 1000...9999)),no-rx=1",
            receiveQueues: 1,
            byHand: [:],
            egress: Self.egress
        )
        system.model.setPort(
            Port(number: 5, hardwareAddress: EthernetAddress(rawValue: 0), name: entry.name, state: .live)
        )
        system.model.setQueues(Self.egress, of: 5)
        try system.datapath.portsChanged(entries: system.model.entries)
        system.settle()
        for (port, actions) in [(1, [Action.setQueue(1)]), (2, [.setQueue(2)]), (3, [])] {
            try system.execute(
                FlowMod(
                    priority: 1,
                    match: Match([MatchField(.inPort, UInt128(port))]),
                    instructions: [.applyActions(actions + [.output(5, maxLength: 0)])]
                )
            )
        }
        return system
    }

    private func statistics(_ system: InProcessSwitch) throws -> [QueueStatistics] {
        guard case .queue(let list) = try system.model.answer(.queue(QueueStatisticsRequest(port: 5))) else {
            return []
        }
        return list
    }

    /// The queues' packets, and the port's drops for a reason.
    private func waiting(_ system: InProcessSwitch) -> [UInt64] {
        system.datapath.counters(ofQueuesOf: 5).map(\.waiting)
    }

    private func drops(_ system: InProcessSwitch, _ reason: DropReason) -> UInt64 {
        system.datapath.ports.counters(5)?.drops[reason.rawValue] ?? 0
    }

    private func sendQueued(_ system: InProcessSwitch, at time: UInt64) {
        system.worker.pointee.beginStep(at: time)
        _ = system.worker.pointee.sendQueued()
    }

    @Test("hold what is above the rate, drop what they have no room for, and lose nothing")
    func conservation() throws {
        let system = try makeSwitch()
        defer { system.closeDevices() }
        for _ in 0..<600 { #expect(system.receive(Self.frame, port: 1) != nil) }
        for _ in 0..<7 { _ = system.receive(Self.frame, port: 2) }
        for _ in 0..<9 { _ = system.receive(Self.frame, port: 3) }
        #expect(waiting(system) == [512, 7, 9])
        #expect(drops(system, .queueFull) == 88)
        #expect(try statistics(system).map(\.transmitErrors) == [88, 0])
        #expect(system.datapath.counters(ofPort: 5)?.transmitDropped == 88)

        // A second of 1 Mbit/s is 2,083 of these packets, of 100 kbit/s 208; looked at every 1/1000 s.
        let second = Clock.cyclesPerSecond
        var time = Clock.cycles
        sendQueued(system, at: time)
        let first = system.datapath.counters(ofPort: 5)?.transmittedPackets ?? 0
        // At once no more than in 5 ms.
        #expect((10...12).contains(first), "\(first)")
        for _ in 0..<100 {
            time += second / 1000
            sendQueued(system, at: time)
        }
        let sent = system.datapath.counters(ofPort: 5)?.transmittedPackets ?? 0
        #expect((205...225).contains(sent), "\(sent)")
        #expect(waiting(system)[1...] == [0, 0])
        for _ in 0..<1000 {
            time += second / 1000
            sendQueued(system, at: time)
        }
        #expect(waiting(system) == [0, 0, 0])
        let after = try statistics(system)
        #expect(after.map(\.transmittedPackets) == [512, 7])
        #expect(after.map(\.transmittedBytes) == [512 * 60, 7 * 60])
        #expect(system.datapath.counters(ofPort: 5)?.transmittedPackets == 512 + 7 + 9)
    }

    @Test("are emptied when controllers close the port, and with the port when it goes")
    func closing() throws {
        let system = try makeSwitch()
        for _ in 0..<20 { _ = system.receive(Self.frame, port: 1) }
        try system.model.configure(5, [.noForward])
        system.settle()
        _ = system.receive(Self.frame, port: 1)
        sendQueued(system, at: Clock.cycles)
        #expect(waiting(system) == [0, 0, 0])
        #expect(drops(system, .noForward) == 21)
        try system.model.configure(5, [])
        system.settle()
        for _ in 0..<20 { _ = system.receive(Self.frame, port: 1) }
        #expect(waiting(system) == [20, 0, 0])
        let used = system.datapath.memory.used
        system.closeDevices()
        system.model.removePort(5)
        #expect(system.datapath.memory.used < used - PortScheduler.size(Self.egress.queues))
        // The rules are still there, and have nowhere to send to.
        #expect(system.receive(Self.frame, port: 1)?.drops == [.noSuchPort])
        #expect(try statisticsAreRefused(system))
    }

    private func statisticsAreRefused(_ system: InProcessSwitch) throws -> Bool {
        do throws(OpenFlowError) {
            _ = try system.model.answer(.queue(QueueStatisticsRequest(port: 5)))
            return false
        } catch {
            return error == .queueOpFailed(.badPort)
        }
    }
}
