// A VM's queue between a switch without threads and a function that the test plays: it writes the shared words itself, by
// vmring.h alone.

import Agent
import CDPDK
import CVMRing
import DataPlane
import Glibc
import OpenFlow
import Synchronization

final class FunctionLab: FunctionSwitch {
    static let owner: UInt16 = 7
    static let regionBytes = 1 << 20

    let system: InProcessSwitch
    let region: PacketRegion
    /// The whole packet region, as the function sees it.
    let packets: UnsafeMutableRawPointer
    let queue: UnsafeMutablePointer<VMQueue>
    let capacity: Int
    private let verdicts: UInt64
    private let ringBytes: Int
    private let toVM: UnsafeMutableRawPointer
    private let fromVM: UnsafeMutableRawPointer
    private let list: UnsafeMutableRawPointer
    private var taken: UInt64 = 0
    private(set) var given: UInt64 = 0

    private static let count = Atomic(0)

    /// The VM is port 4 of the switch, in slot 3.
    init(capacity: Int = 64, verdicts: UInt64 = 0b11) throws {
        system = try InProcessSwitch()
        self.capacity = capacity
        let memory = mmap(nil, Self.regionBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)
        packets = memory.unsafelyUnwrapped
        region = try PacketRegion(
            memory: packets,
            bytes: Self.regionBytes,
            pageSize: 4096,
            name: "lab-\(Self.count.add(1, ordering: .relaxed).newValue)"
        )
        ringBytes = MemoryLayout<vmring_ring>.size + capacity * MemoryLayout<vmring_descriptor>.stride
        toVM = .allocate(byteCount: ringBytes, alignment: 128)
        fromVM = .allocate(byteCount: ringBytes, alignment: 128)
        queue = .allocate(capacity: 1)
        self.verdicts = verdicts
        list = .allocate(byteCount: PointerList.size(count: 1), alignment: 64)
        PointerList.initialize(list, [UnsafeMutableRawPointer(queue)])
        let worker = system.worker
        worker.pointee.settings.pointee.vmQueues = UnsafeRawPointer(list)
        worker.pointee.ports[3].destination = Destination.vm(queue).rawValue
        worker.pointee.ports[3].isShared = 1
        reset()
    }

    /// As after another attachment.
    func reset() {
        for ring in [toVM, fromVM] { ring.initializeMemory(as: UInt8.self, repeating: 0, count: ringBytes) }
        (taken, given) = (0, 0)
        queue.initialize(
            to: VMQueue(
                region: region,
                toVM: vmring_locate(toVM),
                fromVM: vmring_locate(fromVM),
                capacity: capacity,
                owner: Self.owner,
                slot: 3,
                verdicts: verdicts,
                sleeping: nil
            )
        )
    }

    deinit {
        _ = region.reclaim(from: Self.owner)
        for memory in [toVM, fromVM, list] { memory.deallocate() }
        queue.deallocate()
    }

    /// A packet that lies in the region comes in by a port; what becomes of it.
    func receive(_ frame: [UInt8], port: Int = 1) -> Outcome? {
        frame.withUnsafeBytes { region.pool.packet($0) }.flatMap { system.worker.pointee.inspect($0, slot: port - 1) }
    }

    // MARK: The function's side

    private func word(_ ring: UnsafeMutableRawPointer, _ offset: Int) -> UnsafeMutablePointer<UInt64> {
        (ring + offset).assumingMemoryBound(to: UInt64.self)
    }

    /// The next descriptor of the ring to the function; nil: there is none.
    func take() -> vmring_descriptor? {
        guard vmring_load(word(toVM, 0)) != taken else { return nil }
        let place = MemoryLayout<vmring_ring>.size + Int(taken) % capacity * 16
        taken += 1
        return (toVM + place).load(as: vmring_descriptor.self)
    }

    /// Gives a descriptor back, whatever it says.
    func give(_ descriptor: vmring_descriptor) {
        let place = MemoryLayout<vmring_ring>.size + Int(given) % capacity * 16
        (fromVM + place).storeBytes(of: descriptor, as: vmring_descriptor.self)
        given += 1
        vmring_store(word(fromVM, 0), given)
    }

    /// Says that it has produced so many.
    func claim(_ produced: UInt64) { vmring_store(word(fromVM, 0), produced) }

    /// Writes a word somewhere in one of the rings.
    func scribble(ring: UInt8, at place: Int, _ word: UInt64) {
        (ring % 2 == 0 ? toVM : fromVM).storeBytes(of: word, toByteOffset: place % (ringBytes - 8), as: UInt64.self)
    }

    /// The bytes that a descriptor names.
    func bytes(_ descriptor: vmring_descriptor) -> [UInt8] {
        let start = packets + Int(descriptor.buffer) * PacketRegion.bufferSize + Int(descriptor.offset)
        return [UInt8](UnsafeRawBufferPointer(start: start, count: Int(descriptor.length)))
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
        try system.execute(
            FlowMod(
                priority: 1,
                match: Match([MatchField(.inPort, UInt128(inPort))]),
                instructions: [.applyActions(outPorts.map { .output(PortNumber(rawValue: $0), maxLength: 0) })]
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
