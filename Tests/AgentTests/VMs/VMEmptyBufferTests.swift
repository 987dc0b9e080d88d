// Packets that a function makes in empty buffers, and messages between functions. The functions' side is played by the test.

import CVMRing
import DataPlane
import OpenFlow
import Testing

@Suite("Packets and messages of functions", .timeLimit(.minutes(2)), .serialized)
struct VMEmptyBufferTests {
    private static let frame: [UInt8] =
        [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5] + (0..<46).map { UInt8($0) }
    private static let all: UInt64 = 0b10111

    private func makeLab(empty: Int = 64, messages: Int = 16, verdicts: UInt64 = all) throws -> FunctionLab {
        let lab = try FunctionLab(empty: empty, messages: messages, verdicts: verdicts, hasOther: true)
        try lab.forward(from: 1, to: 4)
        for port in [UInt32(4), 5] { try lab.forward(from: port, to: 2) }
        return lab
    }

    /// All that a function finds in a ring.
    private func drain(_ end: FunctionEnd, _ kind: vmring_kind) -> [vmring_descriptor] {
        var taken: [vmring_descriptor] = []
        while let descriptor = end.take(kind) { taken.append(descriptor) }
        return taken
    }

    private func give(
        _ end: FunctionEnd,
        _ descriptor: vmring_descriptor,
        _ verdict: vmring_verdict,
        port: UInt32 = 0
    ) {
        var said = descriptor
        (said.verdict, said.port) = (UInt8(verdict.rawValue), port)
        end.give(said)
    }

    // MARK: Making packets

    @Test("a function gets its share of empty buffers, a burst at a time, and as many as it gave back")
    func share() throws {
        let lab = try makeLab()
        var taken: [vmring_descriptor] = []
        for count in [32, 64, 64, 64] {
            _ = lab.receiveFromVM()
            taken += drain(lab.function, VMRING_EMPTY)
            #expect(taken.count == count && lab.queue.pointee.lent == UInt64(count))
        }
        #expect(Set(taken.map(\.buffer)).count == 64 && taken.allSatisfy { $0.length == 0 && $0.offset >= 64 })
        #expect(lab.take() == nil && lab.take(VMRING_MESSAGES) == nil)
        // Fewer than half of a burst are not worth it.
        for descriptor in taken.prefix(31) { give(lab.function, descriptor, VMRING_DROP) }
        for _ in 0..<3 { _ = lab.receiveFromVM() }
        #expect(drain(lab.function, VMRING_EMPTY).isEmpty && lab.queue.pointee.lent == 33)
        give(lab.function, taken[31], VMRING_DROP)
        for _ in 0..<2 { _ = lab.receiveFromVM() }
        #expect(drain(lab.function, VMRING_EMPTY).count == 32 && lab.queue.pointee.lent == 64)
        // Nothing was made of them, so nothing has come in.
        #expect(lab.system.worker.pointee.ports[3].counters.receivedPackets == 0 && lab.drops(.verdict) == 0)
        #expect(lab.missing == 0)
    }

    @Test("a function without a share gets none")
    func none() throws {
        let lab = try FunctionLab()
        for _ in 0..<3 { _ = lab.receiveFromVM() }
        #expect(lab.take(VMRING_EMPTY) == nil && lab.region.lent == 0)
    }

    @Test("what is made comes in by the function's port, and every packet is accounted for")
    func conservation() throws {
        let lab = try makeLab()
        try lab.system.execute(
            FlowMod(
                priority: 9,
                match: Match([MatchField(.inPort, 4), MatchField(.ethSrc, 0x0200_0000_0009)]),
                instructions: []
            )
        )
        var received: [[UInt8]] = []
        for round in 0..<100 {
            received += lab.receiveFromVM().outputs.map(\.bytes)
            for descriptor in drain(lab.function, VMRING_EMPTY) {
                var frame = Self.frame
                // Every fourth is one that the rules drop.
                (frame[20], frame[11]) = (UInt8(round), descriptor.buffer % 4 == 0 ? 9 : 1)
                let isOut = descriptor.buffer % 4 == 1
                give(
                    lab.function,
                    lab.write(frame, to: descriptor),
                    isOut ? VMRING_OUT : VMRING_NEXT,
                    port: isOut ? 2 : 0
                )
            }
            received += lab.receiveFromVM().outputs.map(\.bytes)
        }
        for _ in 0..<2 { received += lab.receiveFromVM().outputs.map(\.bytes) }
        let port = lab.system.worker.pointee.ports[3].counters
        let drops = DropReason.allCases.reduce(0) { $0 + lab.drops($1) }
        #expect(port.receivedPackets == UInt64(received.count) + drops && drops > 100 && received.count > 1000)
        #expect(lab.queue.pointee.counters.made == port.receivedPackets && drops == lab.drops(.noOutput))
        #expect(received.allSatisfy { $0.count == 60 && $0[11] == 1 } && Set(received.map { $0[20] }).count > 90)
        #expect(lab.missing == 0 && lab.region.reclaim(from: FunctionLab.owner) > 32 && lab.missing == 0)
    }

    @Test("a function that makes more than its receiver takes is held back, and loses nothing")
    func heldBack() throws {
        let lab = try makeLab(empty: 256)
        try lab.forward(from: 4, to: 5)
        let other = try #require(lab.other)
        let (worker, start) = (lab.system.worker, UInt64(1) << 40)
        var made = 0
        for step in 0..<50 {
            // Within 100 µs.
            worker.pointee.beginStep(at: start + UInt64(step))
            _ = lab.receiveFromVM()
            for descriptor in drain(lab.function, VMRING_EMPTY) {
                give(lab.function, lab.write(Self.frame, to: descriptor), VMRING_NEXT)
                made += 1
            }
        }
        let taken = drain(other, VMRING_RECEIVE).count
        // What the other one may have, and a burst that waits.
        #expect(taken == 64 && made == 64 + 32, "\(taken) \(made)")
        #expect(worker.pointee.ports[4].counters.drops[DropReason.vmFull.rawValue] == 0 && lab.missing == 0)
    }

    enum Lie: CaseIterable { case tooLong, verdict, twice, others, runt }

    @Test("takes no lie for a packet that was made", arguments: Lie.allCases)
    func lies(_ lie: Lie) throws {
        let lab = try makeLab()
        let other = try #require(lab.other)
        _ = lab.receiveFromVM()
        let empty = try #require(lab.take(VMRING_EMPTY))
        var descriptor = lab.write(Self.frame, to: empty)
        let theirs = try #require(other.take(VMRING_EMPTY))
        var verdict = VMRING_NEXT
        switch lie {
        case .tooLong: descriptor.length = 2049
        case .verdict: verdict = vmring_verdict(9)
        case .twice: give(lab.function, descriptor, VMRING_NEXT)
        case .others: descriptor = lab.write(Self.frame, to: theirs)
        case .runt: descriptor.length = 0
        }
        give(lab.function, descriptor, verdict)
        let outputs = lab.receiveFromVM().outputs.count
        #expect(outputs == (lie == .twice ? 1 : 0) && lab.drops(.runt) == (lie == .runt ? 1 : 0))
        let counters = lab.queue.pointee.counters
        #expect(counters.violations == (lie == .runt ? 0 : 1) && lab.missing == 0)
        // Nothing was received of what is no packet.
        #expect(counters.made == (lie == .twice || lie == .runt ? 1 : 0) && lab.drops(.vmViolation) == 0)
    }

    // MARK: Messages

    @Test("a message goes to the other function in the same buffer, and comes back")
    func message() throws {
        let lab = try makeLab()
        let other = try #require(lab.other)
        _ = lab.receiveFromVM()
        let empty = try #require(lab.take(VMRING_EMPTY))
        give(lab.function, lab.write(Array("hello".utf8), to: empty), VMRING_MESSAGE, port: 5)
        #expect(other.take(VMRING_MESSAGES) == nil)
        _ = lab.receiveFromVM()
        let message = try #require(other.take(VMRING_MESSAGES))
        #expect(message.buffer == empty.buffer && message.port == 4 && lab.bytes(message) == Array("hello".utf8))
        #expect(other.take(VMRING_MESSAGES) == nil && other.take() == nil)
        // It is the receiver's now: the sender has no say in it.
        give(lab.function, empty, VMRING_NEXT)
        _ = lab.receiveFromVM()
        #expect(lab.queue.pointee.counters.foreignBuffers == 1)
        // An answer in the same buffer, and the first one makes a packet of that.
        give(other, message, VMRING_MESSAGE, port: 4)
        _ = lab.receiveFromVM()
        let answer = try #require(lab.take(VMRING_MESSAGES))
        #expect(answer.buffer == empty.buffer && answer.port == 5)
        give(lab.function, lab.write(Self.frame, to: answer), VMRING_NEXT)
        #expect(lab.receiveFromVM().outputs.map(\.bytes) == [Self.frame])
        for end in [lab.function, other] {
            let counters = end.queue.pointee.counters
            #expect(counters.messagesSent == 1 && counters.messagesReceived == 1)
        }
        // No port has counted anything but that packet.
        let ports = lab.system.worker.pointee.ports
        #expect(ports[4].counters.transmittedPackets == 0 && ports[4].counters.receivedPackets == 0)
        #expect(ports[3].counters.transmittedPackets == 0 && ports[3].counters.receivedPackets == 1)
        #expect(lab.missing == 0)
    }

    @Test("a received packet may become a message, and one burst may have messages to several")
    func burst() throws {
        let lab = try makeLab()
        let other = try #require(lab.other)
        for _ in 0..<9 { _ = lab.receive(Self.frame) }
        for (index, descriptor) in drain(lab.function, VMRING_RECEIVE).enumerated() {
            // To the other, to itself, and on.
            let verdict = index % 3 == 2 ? VMRING_NEXT : VMRING_MESSAGE
            give(lab.function, descriptor, verdict, port: index % 3 == 0 ? 5 : 4)
        }
        #expect(lab.receiveFromVM().outputs.count == 3)
        let theirs = drain(other, VMRING_MESSAGES)
        let own = drain(lab.function, VMRING_MESSAGES)
        #expect(theirs.count == 3 && own.count == 3 && theirs.allSatisfy { lab.bytes($0) == Self.frame })
        for descriptor in theirs { give(other, descriptor, VMRING_DROP) }
        for descriptor in own { give(lab.function, descriptor, VMRING_DROP) }
        _ = lab.receiveFromVM()
        #expect(lab.system.worker.pointee.ports[3].counters.receivedPackets == 3 && lab.missing == 0)
        #expect(lab.queue.pointee.counters.made == 0)
    }

    @Test("what a full receiver gets is dropped, and takes nothing of its packets' room")
    func full() throws {
        let lab = try makeLab()
        let other = try #require(lab.other)
        for _ in 0..<3 { _ = lab.receiveFromVM() }
        let empties = drain(lab.function, VMRING_EMPTY)
        for descriptor in empties { give(lab.function, descriptor, VMRING_MESSAGE, port: 5) }
        for _ in 0..<2 { _ = lab.receiveFromVM() }
        let counters = lab.queue.pointee.counters
        #expect(counters.messagesSent == 16 && counters.messagesFull == UInt64(empties.count) - 16)
        #expect(drain(other, VMRING_MESSAGES).count == 16 && counters.violations == 0 && lab.missing == 0)
        try lab.forward(from: 1, to: 5)
        for _ in 0..<64 { _ = lab.receive(Self.frame) }
        #expect(drain(other, VMRING_RECEIVE).count == 64)
        // It is gone, with all that it had.
        #expect(lab.region.reclaim(from: FunctionLab.otherOwner) >= 80 && lab.missing == 0)
    }

    @Test(
        "there is nobody at other ports, or in other groups, or without room for messages",
        arguments: [2, 3, 0, UInt32.max]
    )
    func unreachable(port: UInt32) throws {
        let lab = try makeLab()
        let other = try #require(lab.other)
        let strangers = try FunctionLab(messages: 16)
        let deaf = try FunctionLab()
        // One of another group is at port 3; for the last one, the other function is of a kind that gets none.
        lab.system.worker.pointee.ports[2].destination = Destination.vm(strangers.queue).rawValue
        _ = lab.receiveFromVM()
        give(lab.function, try #require(lab.take(VMRING_EMPTY)), VMRING_MESSAGE, port: port)
        lab.system.worker.pointee.ports[4].destination = Destination.vmDetached.rawValue
        give(lab.function, try #require(lab.take(VMRING_EMPTY)), VMRING_MESSAGE, port: 5)
        lab.system.worker.pointee.ports[4].destination = Destination.vm(deaf.queue).rawValue
        _ = lab.receiveFromVM()
        #expect(lab.queue.pointee.counters.messagesUnreachable == 2 && lab.queue.pointee.counters.messagesSent == 0)
        #expect(strangers.take(VMRING_MESSAGES) == nil && other.take(VMRING_MESSAGES) == nil && lab.missing == 0)
    }

    @Test("who may not send messages sends none")
    func forbidden() throws {
        let lab = try makeLab(verdicts: 0b111)
        _ = lab.receiveFromVM()
        give(lab.function, try #require(lab.take(VMRING_EMPTY)), VMRING_MESSAGE, port: 5)
        _ = lab.receiveFromVM()
        #expect(lab.queue.pointee.counters.badVerdicts == 1 && lab.other?.take(VMRING_MESSAGES) == nil)
        #expect(lab.drops(.vmViolation) == 0 && lab.queue.pointee.counters.made == 0 && lab.missing == 0)
    }

    /// Random descriptors of all rings, between packets of a port that has nothing to do with it.
    @Test("keeps every buffer, whatever two functions write")
    func hostile() throws {
        let lab = try makeLab(empty: 16)
        try lab.forward(from: 3, to: 2)
        let ends = [lab.function, try #require(lab.other)]
        var generator = SeededGenerator(9)
        var held: [[vmring_descriptor]] = [[], []]
        for step in 0..<20_000 {
            let (end, its) = (ends[step % 2], step % 2)
            for kind in [VMRING_RECEIVE, VMRING_EMPTY, VMRING_MESSAGES] { held[its] += drain(end, kind) }
            for _ in 0..<Int.random(in: 0...4, using: &generator) {
                guard let place = held[its].indices.randomElement(using: &generator) else { break }
                var descriptor = held[its][place]
                descriptor.length = 60
                switch Int.random(in: 0..<8, using: &generator) {
                case 0: descriptor.buffer = .random(in: 0...600, using: &generator)
                case 1: descriptor.offset = .random(in: 0 ... .max, using: &generator)
                case 2: descriptor.length = .random(in: 0 ... .max, using: &generator)
                // And once more, later.
                case 3: break
                default: held[its].remove(at: place)
                }
                give(
                    end,
                    descriptor,
                    vmring_verdict(.random(in: 0...5, using: &generator)),
                    port: .random(in: 0...6, using: &generator)
                )
            }
            _ = lab.receiveFromVM()
            if step % 64 == 0 {
                let packet = lab.system.receive(Self.frame, port: 3)
                #expect(packet?.outputs.map(\.bytes) == [Self.frame] && lab.missing == 0)
                #expect(ends.allSatisfy { $0.queue.pointee.isBroken == 0 })
            }
        }
        for end in ends {
            let counters = end.queue.pointee.counters
            #expect(counters.violations > 1000 && counters.messagesSent > 100 && counters.made > 100)
        }
        let lent = ends.reduce(0) { $0 + Int($1.queue.pointee.lent) }
        #expect(lab.region.lent == lent)
        for owner in [FunctionLab.owner, FunctionLab.otherOwner] { _ = lab.region.reclaim(from: owner) }
        #expect(lab.region.pool.available == lab.region.count)
    }
}
