// The rings of one VM and their header, in a file of its own: where each ring lies, and the words by which the agent and the VM
// know of each other (vmring.h). What the VM's side wrote is read once and then checked.

import CVMRing
import DataPlane
import Glibc

final class RingRegion {
    let file: RegionFile
    private let workers: Int
    private let queues: Int
    private let sizes: RingSizes
    private let port: UInt32
    private let packetBytes: Int
    private let buffers: Int
    /// Without a beat for so long the VM is taken for dead. It hears of another value at once.
    var heartbeatMilliseconds: UInt32 {
        didSet { header.pointee.heartbeat_limit = heartbeatMilliseconds }
    }
    /// The agent's: a number that no earlier agent is likely to have had, and not 0.
    private let epoch = UInt64.random(in: 1 ... .max)
    private var header: UnsafeMutablePointer<vmring_header> {
        file.memory.assumingMemoryBound(to: vmring_header.self)
    }

    /// Bytes that the region takes: whole pages.
    static func bytes(workers: Int, queues: Int, sizes: RingSizes, pageSize: Int) -> Int {
        offset(ofRing: 0, pair: workers * queues, of: workers * queues, sizes: sizes).roundedUp(to: pageSize)
    }

    /// Where a ring of `RingSizes.rings` lies, of a worker and a queue; that of the pair behind the last one is the end.
    private static func offset(ofRing index: Int, pair: Int, of pairs: Int, sizes: RingSizes) -> Int {
        let count = sizes.rings.count
        let list = MemoryLayout<vmring_header>.size + count * pairs * MemoryLayout<vmring_entry>.stride
        return list.roundedUp(to: 4096) + pair * sizes.offset(ofRing: count) + sizes.offset(ofRing: index)
    }

    /// Makes the region, in a file that may have been another agent's: a VM that is attached to that one sees that it is no more.
    init(file: RegionFile, of vm: Configuration.VM, workers: Int, packets: RegionFile, buffers: Int) {
        (self.file, self.workers, queues, sizes) = (file, workers, vm.queues, vm.ringSizes)
        (port, heartbeatMilliseconds) = (vm.number, vm.heartbeatMilliseconds)
        (packetBytes, self.buffers) = (packets.bytes, buffers)
        vmring_store(header.word(\.agent_epoch), 0)
        describe()
    }

    /// Writes the agent's part of the header and the list of rings; nobody is attached. What a VM has written there is gone then, and the
    /// next one finds what it needs.
    func describe() {
        attached = 0
        header.pointee.magic = VMRING_MAGIC
        header.pointee.version = VMRING_VERSION
        header.pointee.packet_bytes = UInt64(packetBytes)
        header.pointee.buffer_size = UInt32(PacketRegion.bufferSize)
        header.pointee.buffer_count = UInt32(buffers)
        header.pointee.port = port
        header.pointee.heartbeat_limit = heartbeatMilliseconds
        let entries = (file.memory + MemoryLayout<vmring_header>.size).assumingMemoryBound(to: vmring_entry.self)
        var count = 0
        for pair in 0..<workers * queues {
            for (index, ring) in sizes.rings.enumerated() where ring.capacity > 0 {
                entries[count] = vmring_entry(
                    kind: UInt16(ring.kind.rawValue),
                    queue: UInt16(pair % queues),
                    worker: UInt16(pair / queues),
                    reserved: 0,
                    capacity: UInt64(ring.capacity),
                    offset: UInt64(offset(ofRing: index, pair: pair))
                )
                count += 1
            }
        }
        header.pointee.ring_count = UInt32(count)
        vmring_store(header.word(\.agent_epoch), epoch)
    }

    /// There are no rings any more: what is attached is let go, and waits for another agent's.
    func end() {
        attached = 0
        vmring_store(header.word(\.agent_epoch), 0)
    }

    /// The rings to and from a worker, of one queue.
    func rings(ofWorker worker: Int, queue: Int) -> VMQueue.Rings {
        let places = sizes.rings.enumerated().map { index, ring in
            (vmring_locate(file.memory + offset(ofRing: index, pair: worker * queues + queue)), ring.capacity)
        }
        return VMQueue.Rings(packets: places[0], given: places[1], empty: places[2], messages: places[3])
    }

    /// Sets all positions to 0. No worker uses the rings.
    func clear() {
        for pair in 0..<workers * queues {
            for index in sizes.rings.indices {
                (file.memory + offset(ofRing: index, pair: pair))
                    .initializeMemory(as: UInt8.self, repeating: 0, count: MemoryLayout<vmring_ring>.size)
            }
        }
    }

    private func offset(ofRing index: Int, pair: Int) -> Int {
        Self.offset(ofRing: index, pair: pair, of: workers * queues, sizes: sizes)
    }

    /// The VM epoch that is attached; 0: none.
    var attached: UInt64 {
        get { vmring_load(header.word(\.attached)) }
        set { vmring_store(header.word(\.attached), newValue) }
    }

    /// What the VM's side wants: its epoch, if it is for this agent; 0: nothing.
    var wanted: UInt64 {
        let wanted = vmring_load(header.word(\.epoch))
        return vmring_load(header.word(\.seen_epoch)) == epoch ? wanted : 0
    }

    var heartbeat: UInt64 { vmring_load(header.word(\.heartbeat)) }

    /// Whether it says that it is a process that holds the lock.
    var claimsLock: Bool { vmring_load32(header.word(\.attach_flags)) & VMRING_LOCKED != 0 }

    /// What a process sleeps on that waits for something in one of a queue's rings.
    func sleepWord(ofQueue queue: Int) -> UnsafeMutablePointer<UInt32> { vmring_sleep_word(header, UInt32(queue)) }
}
