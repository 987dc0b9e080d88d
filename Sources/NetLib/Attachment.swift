// A function's side of its port: finds the rings, tells the agent that it is there and that it lives, sees when the agent has let
// it go, and takes bursts of packets.

import CVMRing
import Glibc

/// Attached to the agent or not, at one VM's port. For one thread.
public struct Attachment: ~Copyable {
    private let packets: SharedFile
    private let rings: SharedFile
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

    /// Opens the files that the agent has made for the VM; `attach` comes next.
    ///
    /// - Parameters:
    ///   - packets: `<run directory>/<datapath>.vms/<group>/packets`.
    ///   - rings: `<run directory>/<datapath>.vms/<group>/<vm>.rings`.
    public init(packets: String, rings: String) throws(AttachError) {
        let packetsFile = try SharedFile(path: packets)
        let ringsFile = try SharedFile(path: rings)
        guard ringsFile.lock() else { throw AttachError(description: "\(rings): another process is attached") }
        header = Header(ringsFile.memory)
        buffers = packetsFile.memory
        self.packets = packetsFile
        self.rings = ringsFile
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
            if agent != 0, header.fixed.pointee.magic == VMRING_MAGIC {
                try readRings()
                newEpoch()
                vmring_store32(header.attachFlags, UInt32(VMRING_LOCKED))
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
                    buffer: buffers + Int(buffer) * bufferSize,
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

    /// Sleeps until there is a packet, but no longer than it takes for the next beat.
    public mutating func sleep() {
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
