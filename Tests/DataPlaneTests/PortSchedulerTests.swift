// A port's queues on a clock of the test's own, one cycle a microsecond. Nothing here depends on how fast it runs.

import DataPlane
import Testing

@Suite("Port scheduler", .timeLimit(.minutes(1)))
struct PortSchedulerTests {
    private static let megabit: UInt64 = 1_000_000

    /// A port, what comes to it, and a device that takes all or as much as the test says.
    private final class Lab {
        private let memory: UnsafeMutableRawPointer
        private let out = UnsafeMutablePointer<OpaquePointer?>.allocate(capacity: PortScheduler.burst)
        private var scheduler: UnsafeMutablePointer<PortScheduler> {
            memory.assumingMemoryBound(to: PortScheduler.self)
        }
        var time: UInt64 = 1_000_000
        private var last = 0
        /// Numbers of the packets that left, in order.
        private(set) var left: [Int] = []

        init(rate: UInt64? = nil, _ queues: [PortScheduler.QueueRates]) {
            memory = .allocate(byteCount: PortScheduler.size(queues), alignment: 64)
            PortScheduler.initialize(
                memory,
                device: 0,
                slot: 0,
                rate: rate,
                queues: queues,
                cyclesPerSecond: 1_000_000
            )
        }

        deinit {
            memory.deallocate()
            out.deallocate()
        }

        /// Puts a packet into a queue; its number, or nil if there was no room.
        func enqueue(_ queue: UInt32 = PortScheduler.noQueue, length: UInt32 = 1000) -> Int? {
            last += 1
            let packet = OpaquePointer(bitPattern: last).unsafelyUnwrapped
            return scheduler.enqueue(packet, length: length, queue: queue) ? last : nil
        }

        /// Lets the device take up to `most` of what may leave now; returns how many may.
        @discardableResult
        func send(atMost most: Int = .max) -> Int {
            let taken = scheduler.take(at: time, into: out)
            let sent = min(taken, most)
            _ = scheduler.settle(sent: sent, of: taken)
            left += (0..<sent).map { Int(bitPattern: out[$0]) }
            return taken
        }

        /// Lets time pass, a look at the queues every 20 µs, and keeps these queues filled with packets of these lengths.
        func run(milliseconds: UInt64, filled: [UInt32: UInt32]) {
            let end = time + milliseconds * 1000
            while time < end {
                for (queue, length) in filled { while waiting(queue) < 64 { _ = enqueue(queue, length: length) } }
                time += 20
                while send() == PortScheduler.burst {}
            }
        }

        private func queue(_ id: UInt32) -> PortQueue {
            let queues = (0..<Int(scheduler.pointee.queueCount)).map { scheduler.queues[$0] }
            return queues.first { $0.id == id } ?? queues[queues.count - 1]
        }

        func waiting(_ id: UInt32) -> UInt64 { queue(id).tail - queue(id).head }
        func bits(_ id: UInt32) -> UInt64 { queue(id).bytes * 8 }
        func packets(_ id: UInt32) -> UInt64 { queue(id).packets }
        func overruns(_ id: UInt32) -> UInt64 { queue(id).overruns }
        func discard() -> Int? { scheduler.discard().map { Int(bitPattern: $0) } }
    }

    private let none = PortScheduler.noQueue

    @Test("lets no more out than a queue's maximum and the port's rate, and no less")
    func maximum() {
        let lab = Lab(
            rate: 50 * Self.megabit,
            [.init(id: 1, maximum: 10 * Self.megabit), .init(id: 2, maximum: 20 * Self.megabit)]
        )
        lab.run(milliseconds: 2000, filled: [1: 1000])
        // Of two seconds, and what may be caught up: 5 ms and the packet that goes below.
        #expect((20_000_000...20_060_000).contains(lab.bits(1)), "\(lab.bits(1))")
        let (first, second) = (lab.bits(1), lab.bits(2))
        lab.run(milliseconds: 2000, filled: [1: 1000, 2: 100, 9: 1500])
        #expect((19_980_000...20_020_000).contains(lab.bits(1) - first))
        #expect((39_980_000...40_120_000).contains(lab.bits(2) - second))
        // What the others leave of the port's rate.
        #expect((39_800_000...40_300_000).contains(lab.bits(none)), "\(lab.bits(none))")
    }

    @Test("gives each queue its minimum when more comes than the port lets out, and equal shares of the rest")
    func minimum() {
        let lab = Lab(
            rate: 100 * Self.megabit,
            [.init(id: 1, minimum: 50 * Self.megabit), .init(id: 2, minimum: 20 * Self.megabit), .init(id: 3)]
        )
        lab.run(milliseconds: 1000, filled: [1: 1500, 2: 300, 3: 64, none: 1000])
        for (queue, expected) in [(UInt32(1), 57.5), (2, 27.5), (3, 7.5), (none, 7.5)] {
            let megabits = Double(lab.bits(queue)) / 1e6
            #expect(abs(megabits - expected) < 0.03 * expected, "queue \(queue): \(megabits)")
        }
        // A guarantee that is not used is for the others.
        let before = [2, 3, none].map { lab.bits($0) }
        lab.run(milliseconds: 1000, filled: [3: 64, none: 1000])
        #expect(abs(Double(lab.bits(3) - before[1]) / 1e6 - 50) < 2)
        #expect(abs(Double(lab.bits(none) - before[2]) / 1e6 - 50) < 2)
    }

    @Test("shares by bytes, however long the packets are, and forgets what an empty queue did not take")
    func fairness() {
        let lab = Lab(rate: 40 * Self.megabit, [.init(id: 1), .init(id: 2)])
        lab.run(milliseconds: 1000, filled: [1: 1500])
        let alone = lab.bits(1)
        #expect(alone > 39_900_000)
        lab.run(milliseconds: 1000, filled: [1: 1500, 2: 60])
        let (first, second) = (lab.bits(1) - alone, lab.bits(2))
        #expect(abs(Double(first) - Double(second)) < 0.01 * 20e6, "\(first) \(second)")
    }

    @Test("holds so many packets, counts the others, and keeps the order in each queue")
    func overrun() {
        let lab = Lab(rate: 8 * Self.megabit, [.init(id: 1), .init(id: 2)])
        let first = (0..<PortScheduler.depth + 10).map { _ in lab.enqueue(1) }
        #expect(first.prefix(PortScheduler.depth).allSatisfy { $0 != nil })
        #expect(first.suffix(10).allSatisfy { $0 == nil })
        #expect(lab.overruns(1) == 10 && lab.overruns(2) == 0)
        let second = (0..<5).map { _ in lab.enqueue(2) }
        for _ in 0..<600 {
            lab.time += 1000
            lab.send()
        }
        #expect(lab.packets(1) == UInt64(PortScheduler.depth) && lab.packets(2) == 5)
        #expect(lab.left.filter { $0 <= first.count } == first.compactMap { $0 })
        #expect(lab.left.filter { $0 > first.count } == second.compactMap { $0 })
    }

    @Test("keeps what the device does not take, in its order and at no cost")
    func backPressure() {
        let lab = Lab(rate: 80 * Self.megabit, [.init(id: 1, minimum: 40 * Self.megabit), .init(id: 2)])
        let numbers = (0..<400).map { lab.enqueue(UInt32($0 % 2 + 1)) }
        // 100 µs let one packet of 1,000 bytes out; the device takes one of four looks.
        var looks = 0
        while lab.left.count < 400, looks < 2000 {
            lab.time += 100
            lab.send(atMost: looks % 4 == 0 ? .max : 0)
            looks += 1
        }
        #expect(lab.left.count == 400 && looks < 420, "\(looks)")
        for queue in 0..<2 {
            #expect(
                lab.left.filter { $0 % 2 == 1 - queue }
                    == numbers.compactMap { $0 }.filter { $0 % 2 == 1 - queue }
            )
        }
        #expect(lab.packets(1) == 200 && lab.packets(2) == 200)
    }

    @Test("gives no credit for idle time but 5 ms")
    func idle() {
        let lab = Lab(rate: 8 * Self.megabit, [.init(id: 1)])
        lab.time += 3_600_000_000
        for _ in 0..<100 { _ = lab.enqueue(1) }
        // A packet takes a millisecond.
        #expect(lab.send() == 5)
        #expect(lab.send() == 0)
        lab.time += 1000
        #expect(lab.send() == 1)
    }

    @Test("has a place for packets of no queue, and of one that it has not")
    func defaultQueue() {
        let without = Lab([.init(id: 7)])
        for queue in [none, 0, 8, 7] { _ = without.enqueue(queue) }
        #expect(without.waiting(none) == 3 && without.waiting(7) == 1)
        let with = Lab([.init(id: 0, maximum: Self.megabit), .init(id: 7)])
        for queue in [none, 0, 8, 7] { _ = with.enqueue(queue) }
        #expect(with.waiting(0) == 3 && with.waiting(7) == 1)
        // Without a rate, what has no maximum leaves at once.
        #expect(without.send() == 4)
        let rest = [with.discard(), with.discard(), with.discard(), with.discard(), with.discard()]
        #expect(rest == [1, 2, 3, 4, nil])
    }
}
