// Packets to a VM: a descriptor each in the ring of this worker and the VM, or in those of several queues, by connections. What lies in
// the VM's packet region stays where it is; what does not is copied there once.

import CDPDK

extension Worker {
    /// Hands a port's gathered packets to its VM, each to the queue of its connection; returns how many it took, and their bytes.
    @inline(never)
    borrowing func transmit(
        _ gathered: UnsafeMutablePointer<OpaquePointer?>,
        _ count: Int,
        among queues: UnsafeMutablePointer<VMQueue>,
        slot: Int
    ) -> (sent: Int, bytes: UInt64) {
        let queueCount = queues.pointee.queueCount
        guard queueCount > 1 else { return transmit(gathered, count, to: queues, slot: slot) }
        let (chosen, picked) = (burst.chosenQueues, burst.picked)
        for i in 0..<count {
            let hash = connectionHash(gathered[i].unsafelyUnwrapped, seed: queues.pointee.seed) >> 32
            chosen[i] = UInt8(truncatingIfNeeded: (hash &* UInt64(truncatingIfNeeded: queueCount)) >> 32)
        }
        var (sent, bytes) = (0, UInt64(0))
        for queue in 0..<queueCount {
            var pickedCount = 0
            for i in 0..<count where Int(chosen[i]) == queue {
                picked[pickedCount] = gathered[i]
                pickedCount &+= 1
            }
            guard pickedCount > 0 else { continue }
            let part = transmit(picked, pickedCount, to: queues + queue, slot: slot)
            sent &+= part.sent
            bytes &+= part.bytes
        }
        return (sent, bytes)
    }

    @inline(never)
    private borrowing func transmit(
        _ gathered: UnsafeMutablePointer<OpaquePointer?>,
        _ count: Int,
        to queue: UnsafeMutablePointer<VMQueue>,
        slot: Int
    ) -> (sent: Int, bytes: UInt64) {
        let room = queue.pointee.packets.room
        let inPort = state.pointee.inPort
        var sent = 0
        var bytes: UInt64 = 0
        for i in 0..<count {
            let mbuf = gathered[i].unsafelyUnwrapped
            guard sent < room else {
                drop(mbuf, .vmFull, at: slot)
                continue
            }
            guard let own = inRegion(mbuf, of: queue) else {
                drop(mbuf, .noBuffer, at: slot)
                continue
            }
            let length = cdpdk_mbuf_packet_length(own)
            queue.pointee.put(own, length: length, inPort: inPort)
            bytes &+= UInt64(length)
            sent &+= 1
        }
        if sent > 0 { queue.pointee.publishPackets() }
        // Of several, the last; see `flush`.
        state.pointee.fed = UInt64(UInt(bitPattern: queue))
        state.pointee.fedCount = count
        return (sent, bytes)
    }

    /// The packet in the VM's region: itself, or a copy of it, and then it is freed; nil if there is no buffer for a copy, or if it is
    /// longer than what a VM may give back.
    @inline(__always)
    private borrowing func inRegion(_ mbuf: OpaquePointer, of queue: UnsafeMutablePointer<VMQueue>) -> OpaquePointer? {
        let pool = queue.pointee.region.pool.mempool
        let length = cdpdk_mbuf_packet_length(mbuf)
        if cdpdk_mbuf_pool(mbuf) == pool, length == cdpdk_mbuf_data_length(mbuf), length <= PacketPool.longestPacket {
            return mbuf
        }
        return copy(mbuf, into: pool, of: queue)
    }

    @inline(never)
    private borrowing func copy(
        _ mbuf: OpaquePointer,
        into pool: OpaquePointer,
        of queue: UnsafeMutablePointer<VMQueue>
    ) -> OpaquePointer? {
        guard cdpdk_mbuf_packet_length(mbuf) <= UInt32(PacketPool.longestPacket),
            let copy = cdpdk_mbuf_copy(mbuf, pool)
        else { return nil }
        queue.pointee.counters.copied &+= 1
        free(mbuf)
        return copy
    }
}
