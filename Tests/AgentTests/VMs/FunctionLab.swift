// A VM's queue between a switch without threads and a function that the test plays: it writes the shared words itself, by
// vmring.h alone.

import Agent
import CDPDK
import CVMRing
import DataPlane
import Glibc
import OpenFlow
import Synchronization

/// A function's end of a queue.
final class FunctionEnd {
    let queue: UnsafeMutablePointer<VMQueue>
    /// By vmring_kind.
    private let rings: [UInt32: (memory: UnsafeMutableRawPointer, capacity: Int)]
    private var taken: [UInt32: UInt64] = [:]
    private(set) var given: UInt64 = 0
    private let region: PacketRegion
    let (owner, slot, verdicts): (UInt16, UInt16, UInt64)

    init(
        region: PacketRegion,
        owner: UInt16,
        slot: UInt16,
        capacity: Int,
        empty: Int,
        messages: Int,
        verdicts: UInt64
    ) {
        (self.region, self.owner, self.slot, self.verdicts) = (region, owner, slot, verdicts)
        var given = capacity
        while given < capacity + empty + messages { given *= 2 }
        let capacities = [
            (VMRING_RECEIVE, capacity), (VMRING_TRANSMIT, given), (VMRING_EMPTY, empty), (VMRING_MESSAGES, messages),
        ]
        rings = Dictionary(uniqueKeysWithValues: capacities.map { ($0.rawValue, (Self.memory($1), $1)) })
        queue = .allocate(capacity: 1)
        reset()
    }

    private static func bytes(_ capacity: Int) -> Int {
        MemoryLayout<vmring_ring>.size + capacity * MemoryLayout<vmring_descriptor>.stride
    }

    private static func memory(_ capacity: Int) -> UnsafeMutableRawPointer {
        .allocate(byteCount: bytes(capacity), alignment: 128)
    }

    private func ring(_ kind: vmring_kind) -> (memory: UnsafeMutableRawPointer, capacity: Int) {
        rings[kind.rawValue].unsafelyUnwrapped
    }

    /// As after another attachment.
    func reset() {
        for ring in rings.values {
            ring.memory.initializeMemory(as: UInt8.self, repeating: 0, count: Self.bytes(ring.capacity))
        }
        (taken, given) = ([:], 0)
        func place(_ kind: vmring_kind) -> VMQueue.Rings.Place {
            (vmring_locate(ring(kind).memory), ring(kind).capacity)
        }
        queue.initialize(
            to: VMQueue(
                region: region,
                rings: VMQueue.Rings(
                    packets: place(VMRING_RECEIVE),
                    given: place(VMRING_TRANSMIT),
                    empty: place(VMRING_EMPTY),
                    messages: place(VMRING_MESSAGES)
                ),
                owner: owner,
                slot: slot,
                verdicts: verdicts,
                sleeping: nil
            )
        )
    }

    deinit {
        for ring in rings.values { ring.memory.deallocate() }
        queue.deallocate()
    }

    private func word(_ ring: UnsafeMutableRawPointer, _ offset: Int) -> UnsafeMutablePointer<UInt64> {
        (ring + offset).assumingMemoryBound(to: UInt64.self)
    }

    /// The next descriptor of a ring to the function; nil: there is none.
    func take(_ kind: vmring_kind = VMRING_RECEIVE) -> vmring_descriptor? {
        let (memory, capacity) = ring(kind)
        let position = taken[kind.rawValue, default: 0]
        guard vmring_load(word(memory, 0)) != position else { return nil }
        let place = MemoryLayout<vmring_ring>.size + Int(position) % capacity * 16
        taken[kind.rawValue] = position + 1
        return (memory + place).load(as: vmring_descriptor.self)
    }

    /// Gives a descriptor back, whatever it says.
    func give(_ descriptor: vmring_descriptor) {
        let (memory, capacity) = ring(VMRING_TRANSMIT)
        let place = MemoryLayout<vmring_ring>.size + Int(given) % capacity * 16
        (memory + place).storeBytes(of: descriptor, as: vmring_descriptor.self)
        given += 1
        vmring_store(word(memory, 0), given)
    }

    /// Says that it has produced so many.
    func claim(_ produced: UInt64) { vmring_store(word(ring(VMRING_TRANSMIT).memory, 0), produced) }

    /// Writes a word somewhere in one of the rings.
    func scribble(ring index: UInt8, at place: Int, _ word: UInt64) {
        let (memory, capacity) = ring(vmring_kind(UInt32(index % 4) + VMRING_RECEIVE.rawValue))
        memory.storeBytes(of: word, toByteOffset: place % (Self.bytes(capacity) - 8), as: UInt64.self)
    }
}

final class FunctionLab: FunctionSwitch {
    static let owner: UInt16 = 7
    static let otherOwner: UInt16 = 8
    static let regionBytes = 1 << 20

    let system: InProcessSwitch
    let region: PacketRegion
    /// The whole packet region, as the functions see it.
    let packets: UnsafeMutableRawPointer
    /// The function at port 4 of the switch, in slot 3.
    let function: FunctionEnd
    /// Another one of the group, at port 5, in slot 4.
    let other: FunctionEnd?
    private let list: UnsafeMutableRawPointer
    private let directory: UnsafeMutableRawPointer

    private static let count = Atomic(0)

    init(
        capacity: Int = 64,
        empty: Int = 0,
        messages: Int = 0,
        verdicts: UInt64 = 0b11,
        hasOther: Bool = false
    ) throws {
        system = try InProcessSwitch(portCount: 5)
        let memory = mmap(nil, Self.regionBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)
        packets = memory.unsafelyUnwrapped
        let region = try PacketRegion(
            memory: packets,
            bytes: Self.regionBytes,
            pageSize: 4096,
            name: "lab-\(Self.count.add(1, ordering: .relaxed).newValue)"
        )
        self.region = region
        func makeEnd(_ owner: UInt16, slot: UInt16) -> FunctionEnd {
            FunctionEnd(
                region: region,
                owner: owner,
                slot: slot,
                capacity: capacity,
                empty: empty,
                messages: messages,
                verdicts: verdicts
            )
        }
        function = makeEnd(Self.owner, slot: 3)
        other = hasOther ? makeEnd(Self.otherOwner, slot: 4) : nil
        let ends = [function] + (other.map { [$0] } ?? [])
        list = .allocate(byteCount: PointerList.size(count: ends.count), alignment: 64)
        PointerList.initialize(list, ends.map { UnsafeMutableRawPointer($0.queue) })
        directory = .allocate(byteCount: PortDirectory.size(count: 5), alignment: 64)
        PortDirectory.initialize(directory, (1...5).map { (UInt32($0), UInt16($0 - 1)) })
        let worker = system.worker
        worker.pointee.settings.pointee.vmQueues = UnsafeRawPointer(list)
        worker.pointee.settings.pointee.portDirectory = UnsafeRawPointer(directory)
        for end in ends {
            worker.pointee.ports[Int(end.slot)].destination = Destination.vm(end.queue).rawValue
            worker.pointee.ports[Int(end.slot)].isShared = 1
        }
    }

    /// As after another attachment of both.
    func reset() {
        function.reset()
        other?.reset()
    }

    deinit {
        for owner in [Self.owner, Self.otherOwner] { _ = region.reclaim(from: owner) }
        for memory in [list, directory] { memory.deallocate() }
    }

    /// A packet that lies in the region comes in by a port; what becomes of it.
    func receive(_ frame: [UInt8], port: Int = 1) -> Outcome? {
        frame.withUnsafeBytes { region.pool.packet($0) }.flatMap { system.worker.pointee.inspect($0, slot: port - 1) }
    }

    // MARK: The function's side

    var queue: UnsafeMutablePointer<VMQueue> { function.queue }
    func take(_ kind: vmring_kind = VMRING_RECEIVE) -> vmring_descriptor? { function.take(kind) }
    func give(_ descriptor: vmring_descriptor) { function.give(descriptor) }
    func claim(_ produced: UInt64) { function.claim(produced) }

    /// The bytes that a descriptor names.
    func bytes(_ descriptor: vmring_descriptor) -> [UInt8] {
        let start = packets + Int(descriptor.buffer) * PacketRegion.bufferSize + Int(descriptor.offset)
        return [UInt8](UnsafeRawBufferPointer(start: start, count: Int(descriptor.length)))
    }

    /// Writes bytes to where a descriptor's packet begins; the descriptor of what is there then.
    func write(_ bytes: [UInt8], to descriptor: vmring_descriptor) -> vmring_descriptor {
        let start = packets + Int(descriptor.buffer) * PacketRegion.bufferSize + Int(descriptor.offset)
        UnsafeMutableRawBufferPointer(start: start, count: bytes.count).copyBytes(from: bytes)
        var written = descriptor
        written.length = UInt16(bytes.count)
        return written
    }

    // MARK: What must hold

    var drops: (DropReason) -> UInt64 {
        { [system] reason in system.worker.pointee.ports[3].counters.drops[reason.rawValue] }
    }
}

/// A switch with a port whose other side is a function.
protocol FunctionSwitch {
    var system: InProcessSwitch { get }
    var region: PacketRegion { get }
}

extension FunctionSwitch {
    /// A rule: what comes in by a port goes out by another.
    func forward(from inPort: UInt32, to outPort: UInt32) throws { try forward(from: inPort, to: [outPort]) }

    /// A rule: what comes in by a port goes out by others.
    func forward(from inPort: UInt32, to outPorts: [UInt32]) throws {
        try forward(from: inPort, outPorts.map { .output(PortNumber(rawValue: $0), maxLength: 0) })
    }

    /// A rule for what comes in by a port.
    func forward(from inPort: UInt32, _ actions: [Action]) throws {
        try system.execute(
            FlowMod(
                priority: 1,
                match: Match([MatchField(.inPort, UInt128(inPort))]),
                instructions: [.applyActions(actions)]
            )
        )
    }

    /// The worker looks at what the function gave back; what became of that.
    func receiveFromVM() -> Outcome {
        var outcome = Outcome()
        _ = system.worker.pointee.receiveFromVMs()
        system.worker.pointee.collect(into: &outcome)
        return outcome
    }

    /// Buffers that neither the pool nor the function has.
    var missing: Int { region.count - region.pool.available - region.lent }
}
