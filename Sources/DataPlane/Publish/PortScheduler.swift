// A port's queues and the order in which their packets leave: first what is guaranteed to a queue, then the rest in equal shares,
// each queue up to its maximum, all within the port's rate. One worker owns it, so no word of it is shared. It knows no device:
// `take` says what may leave now, `settle` hears how much of that the device has taken.

/// One queue. The control side reads its counters.
package struct PortQueue {
    /// The OpenFlow queue id; `PortScheduler.noQueue`: the default queue, unless queue 0 is.
    package var id: UInt32
    /// What the queue gets before others get more than that.
    var minimum: RateLimit
    var maximum: RateLimit
    /// Bytes that it may still send of its share of what is left.
    var share: Int64 = 0
    /// Positions of its first packet and behind its last one; they count up for ever.
    package var head: UInt64 = 0
    package var tail: UInt64 = 0
    package var packets: UInt64 = 0
    package var bytes: UInt64 = 0
    /// Packets that it had no room for.
    package var overruns: UInt64 = 0

    var isEmpty: Bool { head == tail }
    /// Whether it is behind its guarantee.
    var isBehind: Bool { minimum.cost != 0 && !minimum.isSpent }
    var isAtMaximum: Bool { maximum.cost != 0 && maximum.isSpent }
}

/// The head of a scheduler; its queues follow, then the places of their packets.
package struct PortScheduler {
    package let device: UInt16
    /// The device's transmit queue.
    package let transmitQueue: UInt16
    package let slot: UInt16
    package let queueCount: UInt16
    /// Which queue packets are in that no action has given one, or one that the port has not.
    let defaultQueue: Int
    var rate: RateLimit
    /// The highest level of a rate: what it may catch up after the worker was away.
    let mostTime: Int64
    /// When time was last added, in cycles.
    var time: UInt64 = 0
    /// Packets in all queues.
    var count = 0
    /// Whose turn it is: behind its guarantee, and for a share of what is left.
    var nextBehind = 0
    var nextSharing = 0
    /// Of the packets taken but not settled.
    var taken = InlineArray<32, Taken>(repeating: Taken(queue: 0, isGuaranteed: false, length: 0))

    /// The queue of packets that no action has given one.
    package static let noQueue = UInt32.max
    /// Packets that a queue holds.
    package static let depth = 512
    /// The most packets taken at once.
    package static let burst = 32
    /// The part of a second that a rate may catch up: longer than a worker is away from its ports.
    private static var catchUp: UInt64 { 200 }
    /// What a queue adds to its share in its turn, in bytes: as much as the longest packet.
    fileprivate static var quantum: Int64 { Int64(PacketPool.longestPacket) }

    struct Taken: BitwiseCopyable {
        var queue: UInt16
        var isGuaranteed: Bool
        var length: UInt32
    }

    /// A packet's place in a queue.
    struct Place: BitwiseCopyable {
        var mbuf: OpaquePointer
        var length: UInt32
    }

    /// A queue as it is configured; rates in bits a second.
    package struct QueueRates: Equatable, Sendable {
        package var id: UInt32
        package var minimum: UInt64?
        package var maximum: UInt64?
        package init(id: UInt32, minimum: UInt64? = nil, maximum: UInt64? = nil) {
            (self.id, self.minimum, self.maximum) = (id, minimum, maximum)
        }
    }

    /// How many queues there are, with the default one.
    package static func queueCount(_ queues: [QueueRates]) -> Int { all(queues).count }

    private static var queuesOffset: Int { (MemoryLayout<PortScheduler>.stride + 63) & ~63 }

    /// Bytes for a scheduler of these queues.
    package static func size(_ queues: [QueueRates]) -> Int {
        queuesOffset + queueCount(queues)
            * (MemoryLayout<PortQueue>.stride + depth * MemoryLayout<Place>.stride)
    }

    /// With the default queue: queue 0 if there is one, or one more.
    private static func all(_ queues: [QueueRates]) -> [QueueRates] {
        queues.contains { $0.id == 0 } ? queues : queues + [QueueRates(id: noQueue)]
    }

    /// Writes a scheduler into `memory`, which holds `size` bytes on a multiple of 64.
    ///
    /// - Parameters:
    ///   - rate: Of the port, in bits a second; nil: as much as the device takes.
    ///   - cyclesPerSecond: Of the clock that `take` is told the time by.
    package static func initialize(
        _ memory: UnsafeMutableRawPointer,
        device: UInt16,
        transmitQueue: UInt16 = 0,
        slot: UInt16,
        rate: UInt64?,
        queues: [QueueRates],
        cyclesPerSecond: UInt64 = Clock.cyclesPerSecond
    ) {
        let queues = all(queues)
        let list = (memory + queuesOffset).assumingMemoryBound(to: PortQueue.self)
        for (index, queue) in queues.enumerated() {
            (list + index).initialize(
                to: PortQueue(
                    id: queue.id,
                    minimum: RateLimit(queue.minimum, cyclesPerSecond: cyclesPerSecond),
                    maximum: RateLimit(queue.maximum, cyclesPerSecond: cyclesPerSecond)
                )
            )
        }
        memory.assumingMemoryBound(to: PortScheduler.self).initialize(
            to: PortScheduler(
                device: device,
                transmitQueue: transmitQueue,
                slot: slot,
                queueCount: UInt16(queues.count),
                defaultQueue: queues.firstIndex { $0.id == 0 } ?? queues.count - 1,
                rate: RateLimit(rate, cyclesPerSecond: cyclesPerSecond),
                mostTime: Int64(cyclesPerSecond / catchUp) << Int64(RateLimit.scale)
            )
        )
    }

    fileprivate static func queues(_ scheduler: UnsafeMutablePointer<Self>) -> UnsafeMutablePointer<PortQueue> {
        (UnsafeMutableRawPointer(scheduler) + queuesOffset).assumingMemoryBound(to: PortQueue.self)
    }
}

extension UnsafeMutablePointer<PortScheduler> {
    package var queues: UnsafeMutablePointer<PortQueue> { PortScheduler.queues(self) }

    /// The place of a queue's packet at this position.
    @inline(__always)
    private func place(_ queue: Int, _ position: UInt64) -> UnsafeMutablePointer<PortScheduler.Place> {
        let places = UnsafeMutableRawPointer(queues + Int(pointee.queueCount))
            .assumingMemoryBound(to: PortScheduler.Place.self)
        let depth = PortScheduler.depth
        return places + (queue &* depth &+ Int(truncatingIfNeeded: position) & (depth &- 1))
    }

    /// Puts a packet at the end of a queue; false if that is full, which counts there.
    @inline(__always)
    package func enqueue(_ mbuf: OpaquePointer, length: UInt32, queue id: UInt32) -> Bool {
        var index = pointee.defaultQueue
        for i in 0..<Int(pointee.queueCount) where queues[i].id == id { index = i }
        let queue = queues + index
        guard queue.pointee.tail &- queue.pointee.head < UInt64(PortScheduler.depth) else {
            queue.pointee.overruns &+= 1
            return false
        }
        place(index, queue.pointee.tail).pointee = PortScheduler.Place(mbuf: mbuf, length: length)
        queue.pointee.tail &+= 1
        pointee.count &+= 1
        return true
    }

    /// Takes the packets that may leave at this time, a burst at most, out of the queues; returns how many. What the device does not
    /// take of them comes back by `settle`, which is called before the next `take`.
    @inline(never)
    package func take(at time: UInt64, into mbufs: UnsafeMutablePointer<OpaquePointer?>) -> Int {
        pass(until: time)
        var count = 0
        while count < PortScheduler.burst, pointee.rate.cost == 0 || !pointee.rate.isSpent {
            var index = nextBehind()
            let isGuaranteed = index >= 0
            if !isGuaranteed { index = nextSharing() }
            guard index >= 0 else { break }
            let queue = queues + index
            let packet = place(index, queue.pointee.head).pointee
            queue.pointee.head &+= 1
            if isGuaranteed {
                queue.pointee.minimum.spend(packet.length)
            } else {
                queue.pointee.share &-= Int64(packet.length)
            }
            queue.pointee.maximum.spend(packet.length)
            pointee.rate.spend(packet.length)
            pointee.taken[count] = PortScheduler.Taken(
                queue: UInt16(truncatingIfNeeded: index),
                isGuaranteed: isGuaranteed,
                length: packet.length
            )
            mbufs[count] = packet.mbuf
            count &+= 1
        }
        pointee.count &-= count
        return count
    }

    /// Counts the first `sent` of the packets taken last, and puts the others back to where they were; returns the bytes sent.
    @inline(never)
    package func settle(sent: Int, of count: Int) -> UInt64 {
        var bytes: UInt64 = 0
        for i in 0..<sent {
            let taken = pointee.taken[i]
            let queue = queues + Int(taken.queue)
            queue.pointee.packets &+= 1
            queue.pointee.bytes &+= UInt64(taken.length)
            bytes &+= UInt64(taken.length)
        }
        var i = count
        while i > sent {
            i &-= 1
            let taken = pointee.taken[i]
            let queue = queues + Int(taken.queue)
            queue.pointee.head &-= 1
            if taken.isGuaranteed {
                queue.pointee.minimum.giveBack(taken.length)
            } else {
                queue.pointee.share &+= Int64(taken.length)
            }
            queue.pointee.maximum.giveBack(taken.length)
            pointee.rate.giveBack(taken.length)
            pointee.count &+= 1
        }
        return bytes
    }

    /// Takes any packet, however late it may leave; nil: there is none. It is counted by who takes it.
    package func discard() -> OpaquePointer? {
        for index in 0..<Int(pointee.queueCount) {
            let queue = queues + index
            if queue.pointee.isEmpty { continue }
            let mbuf = place(index, queue.pointee.head).pointee.mbuf
            queue.pointee.head &+= 1
            pointee.count &-= 1
            return mbuf
        }
        return nil
    }

    /// Adds the time since the last call to all rates.
    @inline(__always)
    private func pass(until time: UInt64) {
        // Longer than any debt lasts; and what is above does not fit.
        let elapsed = Swift.min(time &- pointee.time, 1 << 40)
        pointee.time = time
        let more = Int64(elapsed << RateLimit.scale)
        pointee.rate.add(more, upTo: pointee.mostTime)
        for i in 0..<Int(pointee.queueCount) {
            queues[i].minimum.add(more, upTo: pointee.mostTime)
            queues[i].maximum.add(more, upTo: pointee.mostTime)
        }
    }

    /// In turn, a queue with packets that is behind its guarantee; -1: there is none.
    @inline(__always)
    private func nextBehind() -> Int {
        let count = Int(pointee.queueCount)
        var index = pointee.nextBehind
        for _ in 0..<count {
            let queue = queues + index
            let here = index
            index = index &+ 1 == count ? 0 : index &+ 1
            if !queue.pointee.isEmpty, queue.pointee.isBehind, !queue.pointee.isAtMaximum {
                pointee.nextBehind = index
                return here
            }
        }
        return -1
    }

    /// A queue with packets that is below its maximum and whose turn it is: each has as many bytes in its turn; -1: there is none.
    @inline(__always)
    private func nextSharing() -> Int {
        let count = Int(pointee.queueCount)
        // A queue that has used up its share gets more in its next turn, so all are looked at twice.
        for _ in 0...(2 &* count) {
            let queue = queues + pointee.nextSharing
            if queue.pointee.isEmpty {
                queue.pointee.share = 0
            } else if !queue.pointee.isAtMaximum, queue.pointee.share > 0 {
                return pointee.nextSharing
            }
            pointee.nextSharing = pointee.nextSharing &+ 1 == count ? 0 : pointee.nextSharing &+ 1
            let next = queues + pointee.nextSharing
            next.pointee.share = Swift.min(next.pointee.share &+ PortScheduler.quantum, PortScheduler.quantum)
        }
        return -1
    }
}
