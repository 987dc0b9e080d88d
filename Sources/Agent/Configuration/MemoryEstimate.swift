// How much memory a configuration needs, and how `memory.size` is divided: what `ringway check` prints, and what the packet
// pool and the tables are made by. The constants that the data plane has no name for are all here.

import DataPlane

/// What the data plane needs of `memory.size`, and gets.
package struct MemoryEstimate: Equatable, Sendable {
    /// Packet buffers that the ports and workers need.
    package var packetBuffers: Int
    /// Packet buffers of the pool: those, and at least two fifths of the memory, for ports that come later.
    package var poolBuffers: Int
    /// Rings, device state and what DPDK takes for itself.
    package var otherBytes: Int
    /// What DPDK takes of them for the packet buffers of trust groups.
    package var groupBytes: Int
    /// What services remember of connections, on every worker.
    package var serviceBytes: Int
    /// Tables with `openflow.flow_limit` entries, on every worker.
    package var tableBytes: Int
    /// What tables may take: all that the pool and the rest leave.
    package var tableLimit: Int
    /// Flow entries that fit there; at most `openflow.flow_limit`.
    package var flowEntries: Int

    package var packetBytes: Int { packetBuffers * Self.bytesPerBuffer }
    /// Less than this, and the agent does not start.
    package var atLeast: Int { packetBytes + otherBytes + serviceBytes + Self.smallestTables }
    /// With this, `openflow.flow_limit` entries fit.
    package var inAll: Int {
        let besides = otherBytes + serviceBytes + tableBytes
        return max(packetBytes + besides, besides / 3 * 5)
    }

    /// Bytes of one packet buffer: 128 of mbuf, 128 of headroom, 2,048 of packet, and the mempool's header.
    static let bytesPerBuffer = 2432
    /// Buffers in the hands of one worker: its mempool cache of 256 may grow to half as much again, a burst received, and packet-ins
    /// on their way to the control side.
    static let buffersPerWorker = 384 + burstSize + 1024
    /// DPDK's own structures.
    static let fixedBytes = 16 << 20
    /// Rings, scratch space and counters of one worker; of one queue.
    static let bytesPerWorker = 1 << 20
    static let bytesPerQueue = 64 << 10
    /// A flow entry on one worker: a record of one or two cache lines, its place in a hash table that is at most half full, its actions.
    static let bytesPerFlowEntry = 320
    /// Tables have at least this, or the agent does not start.
    static let smallestTables = 16 << 20
}

extension Configuration {
    /// What this configuration needs, with as many queues at each port as it may have: a device may offer fewer.
    ///
    /// With `R` receive queues of all ports, `W` workers and `P` ports, each with a transmit queue for every worker,
    /// and `Q` queues of all ports that have a rate or queues, with one more for each that has no queue 0:
    ///
    ///     buffers  = R × 1,024 + P × W × (1,024 + 32) + W × 1,440 + Q × 512
    ///     packets  = buffers × 2,432
    ///     other    = 16 MiB + W × 1 MiB + (R + P × W) × 64 KiB + G × 320
    ///     services = W × (C × 128/7, rounded up to a power of two), for each service
    ///     tables   = flow_limit × W × 320, and 16 MiB at least
    ///     at least = packets + other + services + 16 MiB
    ///     in all   = the larger of packets + other + services + tables and (other + services + tables) × 5/3
    ///
    /// `C` are the connections that a service remembers.
    /// `G` are the buffers of all trust groups; the packets in them lie in memory of the groups' own (`buffers(ofGroup:)`).
    package var memoryNeeded: MemoryEstimate {
        let workers = self.workers.cores.count
        let receiveQueues = ports.reduce(0) { $0 + ($1.queues ?? workers) }
        let transmitQueues = ports.count * workers
        let buffers = buffers(of: ports)
        let groupBytes = groupNames.reduce(0) { $0 + self.buffers(ofGroup: $1) } * PacketRegion.bytesBesides
        let other =
            MemoryEstimate.fixedBytes + workers * MemoryEstimate.bytesPerWorker
            + (receiveQueues + transmitQueues) * MemoryEstimate.bytesPerQueue
            + groupBytes
        let serviceBytes =
            workers * services.reduce(0) { $0 + DataPlane.Service.linesSize(connections: $1.connections) }
        let bytesPerEntry = max(1, workers * MemoryEstimate.bytesPerFlowEntry)
        // Spare buffers leave room for the rest.
        let spare = min(memory.size / 5 * 2, memory.size - other - serviceBytes - MemoryEstimate.smallestTables)
        let pool = max(buffers, spare / MemoryEstimate.bytesPerBuffer)
        let tableLimit = max(
            MemoryEstimate.smallestTables + serviceBytes,
            memory.size - other - pool * MemoryEstimate.bytesPerBuffer
        )
        return MemoryEstimate(
            packetBuffers: buffers,
            poolBuffers: pool,
            otherBytes: other,
            groupBytes: groupBytes,
            serviceBytes: serviceBytes,
            tableBytes: max(MemoryEstimate.smallestTables, openflow.flowLimit * bytesPerEntry),
            tableLimit: tableLimit,
            flowEntries: min(openflow.flowLimit, max(0, tableLimit - serviceBytes) / bytesPerEntry)
        )
    }

    /// Packet buffers that a trust group is made with: those of the configuration, or half as many again as its ports and VMs need, so
    /// that `reload` can add some.
    package func buffers(ofGroup name: String) -> Int {
        let needed = buffersNeeded(ofGroup: name)
        return groups.first { $0.name == name }?.buffers ?? needed + needed / 2
    }

    /// Packet buffers that the ports and VMs of a trust group need: those of the ports as above, and what each VM may have
    /// of each worker and queue.
    package func buffersNeeded(ofGroup name: String) -> Int {
        let lent = vms.filter { $0.group == name }.reduce(0) { $0 + $1.queues * ($1.ring + $1.empty + $1.messages) }
        return buffers(of: ports.filter { $0.group == name }) + lent * workers.cores.count
    }

    private func buffers(of ports: [Port]) -> Int {
        let workers = self.workers.cores.count
        let receiveQueues = ports.reduce(0) { $0 + ($1.queues ?? workers) }
        return receiveQueues * Int(EthernetDevice.receiveRingSize)
            + ports.count * workers * (Int(EthernetDevice.transmitRingSize) + burstSize)
            + workers * MemoryEstimate.buffersPerWorker
            + ports.reduce(0) { $0 + $1.egress.places }
    }
}
