// What a worker hands to a function and takes back, and what it does when the function lies. The function's side is played by the
// test, from the header that it shares with functions in any language.

import CVMRing
import DataPlane
import Glibc
import OpenFlow
import Testing

@Suite("A VM's queue", .timeLimit(.minutes(2)), .serialized)
struct VMQueueTests {
    private static let frame: [UInt8] =
        [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5] + (0..<46).map { UInt8($0) }

    /// Port 1 to the function, and what it gives back to port 2.
    private func makeLab(capacity: Int = 64, verdicts: UInt64 = 0b11) throws -> FunctionLab {
        let lab = try FunctionLab(capacity: capacity, verdicts: verdicts)
        try lab.forward(from: 1, to: 4)
        try lab.forward(from: 4, to: 2)
        return lab
    }

    @Test("hands a packet over where it lies, and takes it back where it lies")
    func inPlace() throws {
        let lab = try makeLab()
        #expect(lab.receive(Self.frame)?.drops == [])
        var descriptor = try #require(lab.take())
        #expect(lab.bytes(descriptor) == Self.frame && descriptor.port == 1 && descriptor.length == 60)
        #expect(lab.take() == nil && lab.region.lent == 1 && lab.queue.pointee.lent == 1)
        // The function changes a byte, which is in the packet that goes on.
        lab.packets.storeBytes(
            of: 0xee,
            toByteOffset: Int(descriptor.buffer) * PacketRegion.bufferSize + Int(descriptor.offset) + 20,
            as: UInt8.self
        )
        descriptor.verdict = UInt8(VMRING_NEXT.rawValue)
        lab.give(descriptor)
        let outcome = lab.receiveFromVM()
        var changed = Self.frame
        changed[20] = 0xee
        #expect(outcome.outputs.map(\.port) == [2] && outcome.outputs.map(\.bytes) == [changed])
        #expect(lab.queue.pointee.counters.copied == 0 && lab.region.lent == 0 && lab.missing == 0)
    }

    @Test("hands over no packet that is longer than what the function may give back")
    func longest() throws {
        let lab = try makeLab()
        let frame = Self.frame.prefix(14) + [UInt8](repeating: 1, count: PacketPool.longestPacket - 14)
        #expect(lab.receive([UInt8](frame))?.drops == [])
        var descriptor = try #require(lab.take())
        descriptor.verdict = UInt8(VMRING_NEXT.rawValue)
        lab.give(descriptor)
        #expect(lab.receiveFromVM().outputs.map(\.bytes.count) == [2048])
        // With a tag it is longer than that. Its buffer has room for it.
        try lab.forward(from: 3, [.pushVLAN(0x8100), .output(PortNumber(rawValue: 4), maxLength: 0)])
        #expect(lab.receive([UInt8](frame), port: 3)?.drops == [.noBuffer] && lab.take() == nil)
        #expect(lab.queue.pointee.counters.violations == 0 && lab.region.lent == 0 && lab.missing == 0)
    }

    @Test("lets the function make a packet longer and shorter at both ends")
    func moves() throws {
        let lab = try makeLab()
        for (start, end) in [(-18, 0), (4, -10), (0, 1988)] {
            _ = lab.receive(Self.frame)
            var descriptor = try #require(lab.take())
            descriptor.offset = UInt16(Int(descriptor.offset) + start)
            descriptor.length = UInt16(Int(descriptor.length) - start + end)
            descriptor.verdict = UInt8(VMRING_NEXT.rawValue)
            let expected = lab.bytes(descriptor)
            lab.give(descriptor)
            #expect(lab.receiveFromVM().outputs.map(\.bytes) == [expected], "\(start), \(end)")
        }
        #expect(lab.missing == 0)
    }

    @Test("drops what the function wants dropped, by that name")
    func dropVerdict() throws {
        let lab = try makeLab()
        _ = lab.receive(Self.frame)
        lab.give(try #require(lab.take()))
        #expect(lab.receiveFromVM().outputs.isEmpty)
        #expect(lab.drops(.verdict) == 1 && lab.missing == 0 && lab.region.lent == 0)
        #expect(lab.system.worker.pointee.ports[3].counters.receivedPackets == 1)
    }

    @Test("outputs what the function says goes out of a port, if it may say so")
    func outVerdict() throws {
        let lab = try makeLab(verdicts: 0b111)
        let worker = lab.system.worker
        func out(_ port: UInt32, _ verdict: vmring_verdict = VMRING_OUT) throws {
            _ = lab.receive(Self.frame)
            var descriptor = try #require(lab.take())
            (descriptor.verdict, descriptor.port) = (UInt8(verdict.rawValue), port)
            lab.give(descriptor)
        }
        try out(3)
        try out(9, VMRING_NEXT)
        try out(1)
        let outputs = lab.receiveFromVM().outputs
        #expect(outputs.map(\.port).sorted() == [1, 2, 3] && outputs.allSatisfy { $0.bytes == Self.frame })
        #expect(worker.pointee.ports[3].counters.receivedPackets == 3)
        // To itself, and to ports that there are not.
        for (port, reason) in [
            (UInt32(4), DropReason.outputToIngress), (6, .noSuchPort), (0, .noSuchPort), (.max, .noSuchPort),
        ] {
            let before = lab.drops(reason)
            try out(port)
            #expect(lab.receiveFromVM().outputs.isEmpty && lab.drops(reason) == before + 1, "\(port)")
        }
        // What controllers have set of the function's port holds for this, too.
        worker.pointee.ports[3].config = 1 << 2
        try out(3)
        #expect(lab.receiveFromVM().outputs.isEmpty && lab.drops(.noReceive) == 1)
        #expect(lab.queue.pointee.counters.violations == 0 && lab.missing == 0 && lab.region.lent == 0)
    }

    @Test("finds every port by its number, and no other", arguments: [0, 1, 7, 511])
    func directory(count: Int) {
        var generator = SeededGenerator(UInt64(count))
        let numbers = (0..<count).map { $0 % 3 == 0 ? UInt32($0 + 1) : .random(in: 1 ... .max, using: &generator) }
        let ports = Dictionary(numbers.enumerated().map { ($1, UInt16($0)) }, uniquingKeysWith: { first, _ in first })
        let memory = UnsafeMutableRawPointer.allocate(byteCount: PortDirectory.size(count: ports.count), alignment: 8)
        defer { memory.deallocate() }
        PortDirectory.initialize(memory, ports.map { ($0, $1) })
        for (number, slot) in ports { #expect(PortDirectory.slot(of: number, in: memory) == Int(slot)) }
        for _ in 0..<1000 {
            let number = UInt32.random(in: 0 ... .max, using: &generator)
            #expect(PortDirectory.slot(of: number, in: memory) == ports[number].map { Int($0) })
        }
    }

    @Test("hands over no more than the function may have, whatever it says of what it has taken")
    func full() throws {
        let lab = try makeLab(capacity: 64)
        for _ in 0..<70 { _ = lab.receive(Self.frame) }
        #expect(lab.queue.pointee.lent == 64 && lab.drops(.vmFull) == 6)
        var taken: [vmring_descriptor] = []
        while let descriptor = lab.take() { taken.append(descriptor) }
        #expect(taken.count == 64 && Set(taken.map(\.buffer)).count == 64)
        _ = lab.receive(Self.frame)
        #expect(lab.drops(.vmFull) == 7, "all of them are still in its hand")
        lab.give(taken[0])
        _ = lab.receiveFromVM()
        _ = lab.receive(Self.frame)
        #expect(lab.queue.pointee.lent == 64 && lab.drops(.vmFull) == 7)
        // It is gone.
        #expect(lab.region.reclaim(from: FunctionLab.owner) == 64)
        #expect(lab.missing == 0 && lab.region.lent == 0)
    }

    @Test("leaves a source alone while all that it feeds is a function without room, but no longer than 100 µs")
    func heldBack() throws {
        let lab = try makeLab()
        let worker = lab.system.worker
        // Another port of the same function, so that it feeds itself.
        worker.pointee.ports[2].destination = Destination.vm(lab.queue).rawValue
        let address = UInt64(UInt(bitPattern: lab.queue))
        func giveOne() throws {
            var descriptor = try #require(lab.take())
            descriptor.verdict = UInt8(VMRING_NEXT.rawValue)
            lab.give(descriptor)
        }
        _ = lab.receive(Self.frame)
        try lab.forward(from: 4, to: [3, 2])
        try giveOne()
        #expect(lab.receiveFromVM().outputs.map(\.port) == [2])
        #expect(lab.queue.pointee.feeds.queue == 0, "it feeds another port, too")
        try lab.forward(from: 4, to: [3])
        try giveOne()
        _ = lab.receiveFromVM()
        #expect(lab.queue.pointee.feeds.queue == address)
        while lab.queue.pointee.lent < 64 { _ = lab.receive(Self.frame) }
        let drops = lab.drops(.vmFull)
        let start: UInt64 = 1 << 40
        worker.pointee.beginStep(at: start)
        try giveOne()
        for time in [start, start + 1 << 17] {
            worker.pointee.beginStep(at: time)
            _ = lab.receiveFromVM()
            #expect(lab.queue.pointee.lent == 64)
        }
        worker.pointee.beginStep(at: start + 1 << 18)
        try lab.forward(from: 4, to: [2])
        worker.pointee.beginStep(at: start + 1 << 18)
        #expect(lab.receiveFromVM().outputs.map(\.port) == [2])
        #expect(lab.queue.pointee.lent == 63 && lab.queue.pointee.feeds.queue == 0 && lab.drops(.vmFull) == drops)
    }

    @Test("goes by a copy of the headers, also where they are parsed again")
    func parsedAgain() throws {
        let lab = try makeLab()
        let tagged = Array(Self.frame[..<12]) + [0x81, 0, 0, 5] + Array(Self.frame[12...])
        try lab.system.execute(
            FlowMod(
                priority: 2,
                match: Match([MatchField(.inPort, 4), MatchField(.vlanVID, 0x1005)]),
                instructions: [.applyActions([.popVLAN, .output(PortNumber(rawValue: 2), maxLength: 0)])]
            )
        )
        _ = lab.receive(tagged)
        var descriptor = try #require(lab.take())
        descriptor.verdict = UInt8(VMRING_NEXT.rawValue)
        lab.give(descriptor)
        #expect(lab.receiveFromVM().outputs.map(\.bytes) == [Self.frame])
        #expect(lab.missing == 0)
    }

    @Test("copies once what comes from other memory")
    func copies() throws {
        let lab = try makeLab()
        #expect(lab.system.receive(Self.frame, port: 1)?.drops == [])
        let descriptor = try #require(lab.take())
        #expect(lab.bytes(descriptor) == Self.frame && lab.queue.pointee.counters.copied == 1)
        lab.give(descriptor)
        _ = lab.receiveFromVM()
        #expect(lab.missing == 0 && lab.system.missingPackets == 0)
    }

    enum Lie: CaseIterable { case beyondRegion, notLent, twice, tooLong, tooLongToCopy, farOut, verdict, forbidden }

    @Test("takes no lie for a packet", arguments: Lie.allCases)
    func lies(_ lie: Lie) throws {
        let lab = try makeLab(verdicts: lie == .forbidden ? 0b01 : 0b11)
        _ = lab.receive(Self.frame)
        _ = lab.receive(Self.frame)
        var descriptor = try #require(lab.take())
        let other = try #require(lab.take())
        descriptor.verdict = UInt8(VMRING_NEXT.rawValue)
        switch lie {
        case .beyondRegion: descriptor.buffer = UInt32(lab.region.count)
        case .notLent: descriptor.buffer = (0..<3).first { $0 != descriptor.buffer && $0 != other.buffer } ?? 0
        case .twice: lab.give(descriptor)
        case .tooLong: descriptor.length = UInt16(PacketRegion.bufferSize) - descriptor.offset + 1
        case .tooLongToCopy: (descriptor.offset, descriptor.length) = (0, 2049)
        case .farOut: (descriptor.offset, descriptor.length) = (.max, .max)
        case .verdict: descriptor.verdict = 200
        case .forbidden: break
        }
        lab.give(descriptor)
        let outputs = lab.receiveFromVM().outputs.count
        #expect(outputs == (lie == .twice ? 1 : 0))
        let counters = lab.queue.pointee.counters
        #expect(counters.violations == 1)
        switch lie {
        case .beyondRegion, .notLent, .twice: #expect(counters.foreignBuffers == 1)
        case .tooLong, .tooLongToCopy, .farOut: #expect(counters.badPlaces == 1 && lab.drops(.vmViolation) == 1)
        case .verdict, .forbidden: #expect(counters.badVerdicts == 1 && lab.drops(.vmViolation) == 1)
        }
        // What it did not give back is still its own.
        let lent = [.beyondRegion, .notLent].contains(lie) ? 2 : 1
        #expect(lab.region.lent == lent && lab.missing == 0)
        #expect(lab.region.reclaim(from: FunctionLab.owner) == lent && lab.missing == 0)
    }

    @Test("stops listening to one that claims more than a ring holds", arguments: [65, 1 << 40, UInt64.max])
    func overrun(claim: UInt64) throws {
        let lab = try makeLab()
        lab.claim(claim)
        #expect(lab.receiveFromVM().outputs.isEmpty && lab.queue.pointee.isBroken != 0)
        lab.claim(1)
        #expect(lab.receiveFromVM().outputs.isEmpty && lab.queue.pointee.counters.violations == 0)
    }

    @Test("refuses frames that are none")
    func runts() throws {
        let lab = try makeLab()
        _ = lab.receive(Self.frame)
        var descriptor = try #require(lab.take())
        (descriptor.length, descriptor.verdict) = (13, UInt8(VMRING_NEXT.rawValue))
        lab.give(descriptor)
        #expect(lab.receiveFromVM().outputs.isEmpty && lab.drops(.runt) == 1 && lab.missing == 0)
    }

    /// Random descriptors, positions and bytes, between packets of ports that have nothing to do with it.
    @Test("keeps every buffer and every other packet, whatever the function writes")
    func hostile() throws {
        let lab = try makeLab()
        try lab.forward(from: 3, to: 2)
        var generator = SeededGenerator(5)
        var held: [vmring_descriptor] = []
        for step in 0..<20_000 {
            _ = lab.receive(Self.frame)
            while let descriptor = lab.take() { held.append(descriptor) }
            for _ in 0..<Int.random(in: 0...3, using: &generator) {
                var descriptor = held.randomElement(using: &generator) ?? vmring_descriptor()
                descriptor.verdict = UInt8(VMRING_NEXT.rawValue)
                switch Int.random(in: 0..<8, using: &generator) {
                case 0: descriptor.buffer = .random(in: 0...600, using: &generator)
                case 1: descriptor.buffer = .random(in: 0 ... .max, using: &generator)
                case 2: descriptor.offset = .random(in: 0 ... .max, using: &generator)
                case 3: descriptor.length = .random(in: 0 ... .max, using: &generator)
                case 4: descriptor.verdict = .random(in: 0 ... .max, using: &generator)
                case 5: held.removeAll { $0.buffer == descriptor.buffer }
                default: break
                }
                lab.give(descriptor)
            }
            // It writes all over the packets.
            let place = Int.random(in: 0..<FunctionLab.regionBytes - 64, using: &generator)
            memset(lab.packets + place, Int32(step & 0xff), 64)
            _ = lab.receiveFromVM()
            if step % 64 == 0 {
                let other = lab.system.receive(Self.frame, port: 3)
                #expect(other?.outputs.map(\.bytes) == [Self.frame])
                #expect(lab.missing == 0 && lab.queue.pointee.isBroken == 0)
            }
        }
        #expect(lab.queue.pointee.counters.violations > 1000)
        _ = lab.region.reclaim(from: FunctionLab.owner)
        #expect(lab.region.pool.available == lab.region.count)
    }
}
