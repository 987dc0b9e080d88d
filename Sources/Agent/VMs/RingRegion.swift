// The rings of one VM and their header, in a file of its own: where each ring lies, and the words by which the agent and the VM
// know of each other (vmring.h). What the VM's side wrote is read once and then checked.

import CVMRing
import DataPlane
import Glibc

final class RingRegion {
    let file: RegionFile
    private let workers: Int
    private let capacity: Int
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
    static func bytes(workers: Int, capacity: Int, pageSize: Int) -> Int {
        offset(ofRing: 2 * workers, workers: workers, capacity: capacity).roundedUp(to: pageSize)
    }

    private static func offset(ofRing index: Int, workers: Int, capacity: Int) -> Int {
        let list = MemoryLayout<vmring_header>.size + 2 * workers * MemoryLayout<vmring_entry>.stride
        let ring = MemoryLayout<vmring_ring>.size + capacity * MemoryLayout<vmring_descriptor>.stride
        return list.roundedUp(to: 4096) + index * ring
    }

    /// Makes the region, in a file that may have been another agent's: a VM that is attached to that one sees that it is no more.
    init(
        file: RegionFile,
        workers: Int,
        capacity: Int,
        port: UInt32,
        packets: RegionFile,
        buffers: Int,
        heartbeatMilliseconds: UInt32
    ) {
        (self.file, self.workers, self.capacity, self.port) = (file, workers, capacity, port)
        (packetBytes, self.buffers, self.heartbeatMilliseconds) = (packets.bytes, buffers, heartbeatMilliseconds)
        vmring_store(header.word(\.agent_epoch), 0)
        describe()
    }

    /// Writes the agent's part of the header and the list of rings; nobody is attached. What a VM has written there is gone then, and the
    /// next one finds what it needs.
    func describe() {
        attached = 0
        header.pointee.magic = VMRING_MAGIC
        header.pointee.version = VMRING_VERSION
        header.pointee.ring_count = UInt32(2 * workers)
        header.pointee.packet_bytes = UInt64(packetBytes)
        header.pointee.buffer_size = UInt32(PacketRegion.bufferSize)
        header.pointee.buffer_count = UInt32(buffers)
        header.pointee.port = port
        header.pointee.heartbeat_limit = heartbeatMilliseconds
        let entries = (file.memory + MemoryLayout<vmring_header>.size).assumingMemoryBound(to: vmring_entry.self)
        for index in 0..<2 * workers {
            let kind = index % 2 == 0 ? VMRING_RECEIVE : VMRING_TRANSMIT
            entries[index] = vmring_entry(
                kind: UInt16(kind.rawValue),
                queue: 0,
                worker: UInt16(index / 2),
                reserved: 0,
                capacity: UInt64(capacity),
                offset: UInt64(Self.offset(ofRing: index, workers: workers, capacity: capacity))
            )
        }
        vmring_store(header.word(\.agent_epoch), epoch)
    }

    /// There are no rings any more: what is attached is let go, and waits for another agent's.
    func end() {
        attached = 0
        vmring_store(header.word(\.agent_epoch), 0)
    }

    /// The rings to and from a worker.
    func rings(ofWorker worker: Int) -> (toVM: vmring_parts, fromVM: vmring_parts) {
        (vmring_locate(memory(ofRing: 2 * worker)), vmring_locate(memory(ofRing: 2 * worker + 1)))
    }

    /// Sets all positions to 0. No worker uses the rings.
    func clear() {
        for index in 0..<2 * workers {
            memory(ofRing: index).initializeMemory(as: UInt8.self, repeating: 0, count: MemoryLayout<vmring_ring>.size)
        }
    }

    private func memory(ofRing index: Int) -> UnsafeMutableRawPointer {
        file.memory + Self.offset(ofRing: index, workers: workers, capacity: capacity)
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

    /// What a process sleeps on.
    var sleepWord: UnsafeMutablePointer<UInt32> { header.word(\.need_wakeup) }
}
