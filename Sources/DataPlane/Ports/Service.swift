// One worker's view of a service: a port that stands for the replicas of a network function. Which connection went to which replica
// is remembered in a table of this worker alone, so that a connection stays where it is when replicas come and others go.
//
// The table never moves a connection to make room. One cache line has seven places; a connection for which its line has none goes by its
// hash and the replicas that there are at the moment (the highest score wins, so few move when one comes or goes), and so do
// new ones of that line until it has had room for as long as connections are remembered: they may be among those that went that way.

import CDPDK

package struct Service {
    /// The address of a `ReplicaList`; deltas replace it.
    package var replicas: UInt64
    private let lines: ConnectionLine
    private let lineMask: UInt64
    /// What a connection is forgotten after that is not seen any more; see `ConnectionAge`.
    private let idle: UInt64
    /// Nobody outside can choose connections that share a line.
    let seed: UInt64
    /// Where the search for the least loaded replica begins, so that those that are alike take turns.
    private var turn = 0
    /// Hashes of the packets in hand.
    let hashes: UnsafeMutablePointer<UInt64>
    package var counters = ServiceCounters()

    /// - Parameters:
    ///   - memory: `size` bytes, aligned to a cache line.
    ///   - lines: `linesSize(connections:)` bytes, likewise.
    ///   - idle: How long a connection is remembered after its last packet, in cycles of the time stamp counter.
    package static func initialize(
        _ memory: UnsafeMutableRawPointer,
        lines: UnsafeMutableRawPointer,
        connections: Int,
        idle: UInt64,
        seed: UInt64,
        replicas: UnsafeMutableRawPointer
    ) {
        let lineCount = lineCount(connections)
        let words = lines.bindMemory(to: UInt64.self, capacity: lineCount * ConnectionLine.words)
        words.initialize(repeating: 0, count: lineCount * ConnectionLine.words)
        let hashes = (memory + hashesOffset).bindMemory(to: UInt64.self, capacity: PortSlot.capacity)
        hashes.initialize(repeating: 0, count: PortSlot.capacity)
        memory.bindMemory(to: Service.self, capacity: 1).initialize(
            to: Service(
                replicas: UInt64(UInt(bitPattern: replicas)),
                lines: ConnectionLine(words: words),
                lineMask: UInt64(lineCount - 1),
                idle: max(1, ConnectionAge.units(cycles: idle)),
                seed: seed,
                hashes: hashes
            )
        )
    }

    /// Bytes of a service without its lines.
    package static let size = hashesOffset + 8 * PortSlot.capacity
    private static let hashesOffset = 192

    /// Bytes of the lines that hold this many connections, with as many places to spare.
    package static func linesSize(connections: Int) -> Int { lineCount(connections) * ConnectionLine.words * 8 }

    private static func lineCount(_ connections: Int) -> Int {
        var lines = 16
        while lines * ConnectionLine.places / 2 < connections { lines *= 2 }
        return lines
    }

    @inline(__always)
    func prefetch(_ hash: UInt64) { cdpdk_prefetch(line(of: hash).words) }

    @inline(__always)
    private func line(of hash: UInt64) -> ConnectionLine {
        lines.advanced(by: Int(truncatingIfNeeded: hash & lineMask))
    }

    /// Where the packets of a connection go: the slot of a replica's port; nil: there is none that packets can be sent to.
    @inline(__always)
    mutating func replica(of hash: UInt64, at age: UInt64, _ ports: UnsafeMutablePointer<PortSlot>) -> Int? {
        let line = line(of: hash)
        let signature = Connection.signature(hash)
        for place in 0..<ConnectionLine.places {
            let connection = Connection(word: line.words[place])
            guard connection.isOf(signature) else { continue }
            let slot = connection.slot
            guard takes(slot, ports) else { return move(hash, at: age, ports) }
            if connection.age != age { line.words[place] = Connection(signature, slot: slot, age: age).word }
            return slot
        }
        return place(hash, at: age, ports)
    }

    /// Chooses a replica for a connection that is not remembered, and remembers it if there is room.
    @inline(never)
    private mutating func place(_ hash: UInt64, at age: UInt64, _ ports: UnsafeMutablePointer<PortSlot>) -> Int? {
        let line = line(of: hash)
        for place in 0..<ConnectionLine.places {
            let old = Connection(word: line.words[place])
            guard old.isEmpty || ConnectionAge.passed(from: old.age, to: age) > idle || !takes(old.slot, ports) else {
                continue
            }
            let lack = line.words[ConnectionLine.lack]
            if lack != 0, ConnectionAge.passed(from: lack &- 1, to: age) > idle { line.words[ConnectionLine.lack] = 0 }
            let hadRoom = line.words[ConnectionLine.lack] == 0
            guard let slot = hadRoom ? leastLoaded(ports) : highestScore(hash, ports) else { return nil }
            line.words[place] = Connection(Connection.signature(hash), slot: slot, age: age).word
            counters.connections &+= 1
            return slot
        }
        line.words[ConnectionLine.lack] = age &+ 1
        counters.unremembered &+= 1
        return highestScore(hash, ports)
    }

    /// Chooses another replica for a connection whose own is gone.
    @inline(never)
    private mutating func move(_ hash: UInt64, at age: UInt64, _ ports: UnsafeMutablePointer<PortSlot>) -> Int? {
        let line = line(of: hash)
        let signature = Connection.signature(hash)
        guard let slot = leastLoaded(ports) else { return nil }
        for place in 0..<ConnectionLine.places where Connection(word: line.words[place]).isOf(signature) {
            line.words[place] = Connection(signature, slot: slot, age: age).word
        }
        counters.moved &+= 1
        return slot
    }

    /// Whether the port in this slot is a replica to which packets can be sent.
    @inline(__always)
    private func takes(_ slot: Int, _ ports: UnsafeMutablePointer<PortSlot>) -> Bool {
        ReplicaList.contains(slot, in: list) && Destination(rawValue: ports[slot].destination).isAttachedVM
    }

    /// A `ReplicaList`.
    var list: UnsafeRawPointer { UnsafeRawPointer(bitPattern: UInt(replicas)).unsafelyUnwrapped }

    /// The replica that has the fewest of this worker's packets in hand or coming.
    private mutating func leastLoaded(_ ports: UnsafeMutablePointer<PortSlot>) -> Int? {
        let count = ReplicaList.count(list)
        // There may be fewer replicas than last time.
        let start = turn < count ? turn : 0
        var best: (place: Int, slot: Int)?
        var least = UInt64.max
        for step in 0..<count {
            let next = start &+ step
            let place = next < count ? next : next &- count
            let slot = ReplicaList.slot(place, in: list)
            let destination = Destination(rawValue: ports[slot].destination)
            guard destination.isAttachedVM, let queues = destination.vmQueue else { continue }
            var load = UInt64(truncatingIfNeeded: ports[slot].count)
            for queue in 0..<queues.pointee.queueCount { load &+= queues[queue].packets.lent }
            if load < least { (best, least) = ((place, slot), load) }
        }
        guard let best else { return nil }
        turn = best.place &+ 1 < count ? best.place &+ 1 : 0
        return best.slot
    }

    /// The replica with the highest score for this connection (rendezvous hashing: Thaler, Ravishankar 1998).
    private func highestScore(_ hash: UInt64, _ ports: UnsafeMutablePointer<PortSlot>) -> Int? {
        var (best, highest): (Int?, UInt64) = (nil, 0)
        for place in 0..<ReplicaList.count(list) {
            let slot = ReplicaList.slot(place, in: list)
            guard Destination(rawValue: ports[slot].destination).isAttachedVM else { continue }
            var score = seed
            FlowHash.mix(&score, hash ^ ports[slot].number)
            if best == nil || score > highest { (best, highest) = (slot, score) }
        }
        return best
    }

    /// How many connections are remembered, by the slot of their replica's port. For the control side: the worker goes on meanwhile.
    package func connectionCounts(at cycles: UInt64) -> [Int: Int] {
        let age = ConnectionAge.units(cycles: cycles) & ConnectionAge.limit
        var counts: [Int: Int] = [:]
        for number in 0...Int(lineMask) {
            let line = lines.advanced(by: number)
            for place in 0..<ConnectionLine.places {
                let connection = Connection(word: line.words[place])
                guard !connection.isEmpty, ConnectionAge.passed(from: connection.age, to: age) <= idle else { continue }
                counts[connection.slot, default: 0] += 1
            }
        }
        return counts
    }
}

/// What a worker counts of a service. Its packets are those of the replicas' ports, too, and count there for the sum of all ports.
package struct ServiceCounters {
    package var packets: UInt64 = 0
    package var bytes: UInt64 = 0
    /// Connections that were given a place.
    package var connections: UInt64 = 0
    /// Connections that went to another replica because theirs was gone.
    package var moved: UInt64 = 0
    /// Packets of connections that there was no room to remember.
    package var unremembered: UInt64 = 0

    package init() {}

    package static func += (sum: inout ServiceCounters, other: ServiceCounters) {
        sum.packets &+= other.packets
        sum.bytes &+= other.bytes
        sum.connections &+= other.connections
        sum.moved &+= other.moved
        sum.unremembered &+= other.unremembered
    }
}

/// A cache line: seven connections, and since when there has been no room for another, as an age plus one; 0: never.
private struct ConnectionLine {
    let words: UnsafeMutablePointer<UInt64>
    static let words = 8
    static let places = 7
    static let lack = 7

    @inline(__always)
    func advanced(by lines: Int) -> ConnectionLine { ConnectionLine(words: words + lines &* Self.words) }
}

/// A connection in a word: half of its hash, the slot of its replica plus one (10 bits), when its last packet came (22 bits).
private struct Connection {
    let word: UInt64

    @inline(__always)
    init(word: UInt64) { self.word = word }

    @inline(__always)
    init(_ signature: UInt64, slot: Int, age: UInt64) {
        word = signature << 32 | UInt64(truncatingIfNeeded: slot &+ 1) << 22 | age
    }

    /// The half that does not say which line it is.
    @inline(__always)
    static func signature(_ hash: UInt64) -> UInt64 { hash >> 32 }

    var isEmpty: Bool { slotPlusOne == 0 }
    var slot: Int { Int(truncatingIfNeeded: slotPlusOne) &- 1 }
    var age: UInt64 { word & ConnectionAge.limit }
    private var slotPlusOne: UInt64 { word >> 22 & 0x3ff }

    @inline(__always)
    func isOf(_ signature: UInt64) -> Bool { word >> 32 == signature && !isEmpty }
}

/// When a connection's last packet came, in units of 2^30 cycles (some 0.4 s), modulo 2^22 (three weeks).
enum ConnectionAge {
    static let limit: UInt64 = 1 << 22 - 1

    @inline(__always)
    static func units(cycles: UInt64) -> UInt64 { cycles >> 30 }

    @inline(__always)
    static func passed(from earlier: UInt64, to later: UInt64) -> UInt64 { (later &- earlier) & limit }
}

/// The replicas of a service, as slots: a set, a word for 64 slots, and a list. Replaced as a whole.
package enum ReplicaList {
    private static let setOffset = 8
    private static let slotsOffset = setOffset + PortSlot.limit / 8

    package static func size(count: Int) -> Int { slotsOffset + 2 * count }

    package static func initialize(_ memory: UnsafeMutableRawPointer, _ slots: [UInt16]) {
        memory.storeBytes(of: UInt64(slots.count), as: UInt64.self)
        let set = (memory + setOffset).bindMemory(to: UInt64.self, capacity: PortSlot.limit / 64)
        set.initialize(repeating: 0, count: PortSlot.limit / 64)
        let list = (memory + slotsOffset).bindMemory(to: UInt16.self, capacity: slots.count)
        for (place, slot) in slots.enumerated() {
            set[Int(slot) / 64] |= 1 << UInt64(slot % 64)
            list[place] = slot
        }
    }

    @inline(__always)
    static func count(_ list: UnsafeRawPointer) -> Int { Int(truncatingIfNeeded: list.load(as: UInt64.self)) }

    @inline(__always)
    static func slot(_ place: Int, in list: UnsafeRawPointer) -> Int {
        Int((list + slotsOffset).assumingMemoryBound(to: UInt16.self)[place])
    }

    @inline(__always)
    static func contains(_ slot: Int, in list: UnsafeRawPointer) -> Bool {
        let set = (list + setOffset).assumingMemoryBound(to: UInt64.self)
        return set[slot >> 6] >> UInt64(truncatingIfNeeded: slot & 63) & 1 != 0
    }
}
