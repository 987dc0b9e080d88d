// Packets to a VM: a descriptor each in the ring of this worker and the VM. What lies in the VM's packet region stays where it
// is; what does not is copied there once.

import CDPDK

extension Worker {
    /// Hands a port's gathered packets to its VM; returns how many it took, and their bytes.
    @inline(never)
    borrowing func transmit(
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
