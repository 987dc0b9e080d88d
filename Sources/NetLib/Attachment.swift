// A function's side of its port: finds the rings, tells the agent that it is there and that it lives, sees when the agent has let
// it go, and takes bursts of packets.

import CVMRing
import Glibc

/// Attached to the agent or not, at one VM's port. For one thread.
public struct Attachment: ~Copyable {
    private let packets: SharedRegion
    private let rings: SharedRegion
    private let header: Header
    @usableFromInline let buffers: UnsafeMutableRawPointer
    @usableFromInline var bufferSize = 0
    /// One for each worker. Behind a pointer, so that a burst costs no check of an array.
    @usableFromInline var pairs = UnsafeMutablePointer<RingPair>.allocate(capacity: 1)
    @usableFromInline var pairCount = 0
    private var epoch: UInt64 = 0
    private var beats: UInt64 = 0
    /// The OpenFlow port number of the function, once it is attached.
    public private(set) var port: UInt32 = 0

    /// Opens the memory that the agent has made for the VM; `attach` comes next.
    ///
    /// - Parameters:
    ///   - packets: On the host `<run directory>/<datapath>.vms/<group>/packets`; in a virtual machine `/sys/bus/pci/devices/…`.
    ///   - rings: On the host `<run directory>/<datapath>.vms/<group>/<vm>.rings`; in a virtual machine as above.
    public init(packets: String, rings: String) throws(AttachError) {
        let packetsRegion = try SharedRegion(at: packets)
        let ringsRegion = try SharedRegion(at: rings)
        guard ringsRegion.lock() else { throw AttachError(description: "\(rings): another process is attached") }
        // On the host the agent may be about to make the file.
        guard ringsRegion.isOnHost || Header(ringsRegion.memory).isThere else {
            throw AttachError(description: "\(rings): there are no rings in this memory")
        }
        header = Header(ringsRegion.memory)
        buffers = packetsRegion.memory
        self.packets = packetsRegion
        self.rings = ringsRegion
    }

    /// Opens the memory that a virtual machine has as devices: the first one by its address has the packets, the second one the
    /// rings.
    public init() throws(AttachError) {
        let devices = PCIDevice.present
        guard devices.count == 2 else {
            throw AttachError(
                description: """
                    RINGWAY_PACKETS and RINGWAY_RINGS are not set, as 'ringway nf run' does on the host, and there are \
                    \(devices.count) devices with shared memory (ivshmem), as two are in a virtual machine
                    """
            )
        }
        try self.init(packets: devices[0].folder, rings: devices[1].folder)
    }

    /// What is wrong with the way that the memory is mapped; nil: nothing. Where the processor does not cache it, packets pass at a
    /// hundredth of the rate.
    public var complaint: String? {
        // A cached line takes some nanoseconds, even where the processor is emulated.
        let nanoseconds = packets.nanosecondsToRead
        guard nanoseconds > 60 else { return nil }
        return "packet memory is not cached: reading a line of it takes \(nanoseconds) ns"
    }

    deinit {
        detach()
        pairs.deallocate()
    }

    // MARK: Attaching

    /// Attaches; waits until the agent has answered, for ever if it is not there.
    ///
    /// - Parameter isOver: Asked every millisecond; true ends the waiting.
    /// - Returns: False if `isOver` ended it.
    public mutating func attach(unless isOver: () -> Bool) throws(AttachError) -> Bool {
        while !isOver() {
            let agent = vmring_load(header.agentEpoch)
            if agent != 0, header.isThere {
                try readRings()
                newEpoch()
                vmring_store32(header.attachFlags, rings.isOnHost ? UInt32(VMRING_LOCKED) : 0)
                vmring_store(header.seenEpoch, agent)
                vmring_store(header.epoch, epoch)
                while !isOver(), vmring_load(header.agentEpoch) == agent {
                    if isAttached { return true }
                    beat()
                    usleep(1_000)
                }
            } else {
                usleep(1_000)
            }
        }
        return false
    }

    /// Whether the agent serves this attachment. Not so any more: the agent has begun anew, or has taken the function for dead, and it may
    /// attach again.
    public var isAttached: Bool { vmring_load(header.attached) == epoch }

    /// Tells the agent that the function leaves. What it had in hand goes back to the agent.
    public func detach() { vmring_store(header.epoch, 0) }

    private mutating func newEpoch() {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        // Another one than the last, and not 0.
        epoch = max(1, vmring_load(header.epoch) &+ 1 &+ UInt64(time.tv_nsec) &+ UInt64(time.tv_sec) << 30)
    }

    private mutating func readRings() throws(AttachError) {
        guard header.fixed.pointee.version == VMRING_VERSION else {
            throw AttachError(
                description:
                    "the agent's rings are of version \(header.fixed.pointee.version), this function's of \(VMRING_VERSION)"
            )
        }
        bufferSize = Int(header.fixed.pointee.buffer_size)
        port = header.fixed.pointee.port
        let entries = UnsafeRawBufferPointer(
            start: rings.memory + MemoryLayout<vmring_header>.size,
            count: Int(header.fixed.pointee.ring_count) * MemoryLayout<vmring_entry>.stride
        ).bindMemory(to: vmring_entry.self)
        func memory(_ entry: vmring_entry) -> vmring_parts { vmring_locate(rings.memory + Int(entry.offset)) }
        pairs.deallocate()
        pairs = .allocate(capacity: entries.count + 1)
        pairCount = 0
        for entry in entries where UInt32(entry.kind) == VMRING_RECEIVE.rawValue {
            let other = entries.first {
                UInt32($0.kind) == VMRING_TRANSMIT.rawValue && $0.queue == entry.queue && $0.worker == entry.worker
            }
            guard let other, other.capacity == entry.capacity else {
                throw AttachError(description: "worker \(entry.worker) has no ring that packets go back by")
            }
            (pairs + pairCount).initialize(
                to: RingPair(received: memory(entry), given: memory(other), capacity: entry.capacity)
            )
            pairCount += 1
        }
    }

    // MARK: Packets

    /// Takes a burst from each worker's ring and gives it back with the verdicts of `decide`; returns how many packets there were. To
    /// be called often: it is the heartbeat, too.
    @inlinable
    public mutating func poll(_ decide: (inout Packet) -> Verdict) -> Int {
        beat()
        var count = 0
        for index in 0..<pairCount {
            let available = pairs[index].available()
            guard available > 0 else { continue }
            for _ in 0..<available {
                let words = pairs[index].next()
                let buffer = UInt32(truncatingIfNeeded: words.place)
                var packet = Packet(
                    buffer: buffer,
                    memory: buffers + Int(buffer) * bufferSize,
                    bufferSize: bufferSize,
                    offset: Int(truncatingIfNeeded: words.place >> 32 & 0xffff),
                    count: Int(truncatingIfNeeded: words.place >> 48),
                    inPort: UInt32(truncatingIfNeeded: words.rest)
                )
                let verdict = decide(&packet)
                pairs[index].give(buffer: buffer, offset: packet.offset, count: packet.count, verdict: verdict)
            }
            pairs[index].publish()
            count += available
        }
        return count
    }

    /// Tells the agent that the function lives.
    @usableFromInline
    mutating func beat() {
        beats &+= 1
        vmring_store(header.heartbeat, beats)
    }

    /// Sleeps until there is a packet, but no longer than it takes for the next beat. In a virtual machine nobody can end that: there it
    /// is for 50 µs.
    public mutating func sleep() {
        guard rings.isOnHost else {
            usleep(50)
            return beat()
        }
        let sleepWord = header.needWakeup
        vmring_before_sleep(sleepWord)
        let milliseconds = min(100, max(1, header.fixed.pointee.heartbeat_limit / 4))
        if isAttached && (0..<pairCount).allSatisfy({ pairs[$0].isEmpty }) {
            vmring_sleep(sleepWord, milliseconds * 1_000_000)
        } else {
            vmring_store32(sleepWord, 0)
        }
        beat()
    }
}
