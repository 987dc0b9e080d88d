// Empty buffers for VMs that make packets: as many as a VM has given back, from its group's pool, up to its share. A VM whose packets
// the switch does not take has none to make more in.

import CDPDK

extension Worker {
    /// Hands out what there is room for, up to a burst. Where the group has not so many, that is tried again at the next poll.
    @inline(never)
    borrowing func handOutEmpty(to queue: UnsafeMutablePointer<VMQueue>) {
        let count = min(queue.pointee.empty.room, burstSize)
        // Nothing is in hand between two bursts.
        guard cdpdk_mbuf_allocate_burst(queue.pointee.region.pool.mempool, burst.mbufs, UInt32(count)) else { return }
        for i in 0..<count { queue.pointee.putEmpty(burst.mbufs[i].unsafelyUnwrapped) }
        queue.pointee.publishEmpty()
    }
}
