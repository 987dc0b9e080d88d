// The packet buffers that a trust group's VMs see: a pool whose packets lie in shared memory. That memory holds packet bytes
// and nothing else. What DPDK knows of a packet, which buffer is whose, and every count stay in the agent's own memory.

import CDPDK
import Glibc

package struct PacketRegion: @unchecked Sendable {
    // What workers write lies behind the pointers, and each element is written by one thread at a time; hence Sendable.

    /// Bytes of one buffer: headroom, the longest packet, and as much as makes it an odd number of cache lines, so that the
    /// beginnings of packets do not all fall into the same few sets of the cache.
    package static let bufferSize = 2_240
    /// Bytes of DPDK's memory that one buffer takes besides: the mbuf, its mempool header, what DPDK keeps of shared buffers,
    /// and its places in the tables here.
    package static let bytesBesides = 320

    package let pool: PacketPool
    let base: UnsafeMutableRawPointer
    /// Of whole pages.
    private let bytes: Int
    /// By buffer: its packet.
    let mbufs: UnsafeMutablePointer<OpaquePointer>
    /// By buffer: the `VMQueue.owner` that it is lent to in the lower half, the `LoanKind` in the upper one; 0: the agent has it. Written by
    /// the worker of that queue alone while it is lent.
    let owners: UnsafeMutablePointer<UInt32>

    package var count: Int { pool.count }

    /// Whether nobody holds a buffer. True for good, once nobody is there who would take one.
    package var isWhole: Bool { pool.available == count }

    /// Why there is no region.
    package struct RegionError: Error, CustomStringConvertible {
        package let description: String
    }

    /// Makes a pool of the buffers that fit into `bytes` at `memory`, which stays mapped until `close`.
    ///
    /// - Parameters:
    ///   - pageSize: Bytes; `memory` and `bytes` are multiples of it.
    ///   - name: Of the pool; DPDK takes 25 bytes.
    package init(
        memory: UnsafeMutableRawPointer,
        bytes: Int,
        pageSize: Int,
        name: String
    ) throws(RegionError) {
        let count = bytes / Self.bufferSize
        guard rte_extmem_register(memory, bytes, nil, 0, pageSize) == 0 else {
            throw RegionError(description: "DPDK takes no memory: \(String(cString: rte_strerror(cdpdk_errno())))")
        }
        var external = rte_pktmbuf_extmem()
        external.buf_ptr = memory
        // Devices that need addresses of their own are given them by rte_dev_dma_map.
        external.buf_iova = UInt64(UInt(bitPattern: memory))
        external.buf_len = bytes
        external.elt_size = UInt16(Self.bufferSize)
        let pool = rte_pktmbuf_pool_create_extbuf(
            name,
            UInt32(count),
            256,
            0,
            UInt16(Self.bufferSize),
            SOCKET_ID_ANY,
            &external,
            1
        )
        guard let pool else {
            rte_extmem_unregister(memory, bytes)
            throw RegionError(
                description:
                    "no memory for \(count) packet buffers: \(String(cString: rte_strerror(cdpdk_errno())))"
            )
        }
        self.pool = PacketPool(mempool: pool, count: count)
        base = memory
        self.bytes = bytes
        mbufs = UnsafeMutablePointer<OpaquePointer>.allocate(capacity: count)
        owners = zeroed(count)
        var places = Places(base: UnsafeRawPointer(memory), mbufs: mbufs)
        withUnsafeMutablePointer(to: &places) { places in
            _ = rte_mempool_obj_iter(
                pool,
                { _, places, object, _ in
                    // DPDK's callbacks take what they need as an untyped pointer.
                    guard let places, let object else { return }
                    let mbuf = OpaquePointer(object)
                    let place = places.assumingMemoryBound(to: Places.self).pointee
                    let index = (UnsafeRawPointer(cdpdk_mbuf_buffer(mbuf)) - place.base) / PacketRegion.bufferSize
                    cdpdk_mbuf_own_buffer(mbuf)
                    (place.mbufs + index).initialize(to: mbuf)
                },
                places
            )
        }
    }

    private struct Places {
        var base: UnsafeRawPointer
        var mbufs: UnsafeMutablePointer<OpaquePointer>
    }

    /// Lets a device read and write the region; 0, or a negative error number. Needed of devices that access memory by themselves. (A
    /// region stays mapped for all of a kind when one of them goes.)
    func map(for device: OpaquePointer) -> Int32 {
        guard rte_eal_iova_mode() == RTE_IOVA_VA else { return -ENOTSUP }
        return rte_dev_dma_map(device, base, UInt64(UInt(bitPattern: base)), bytes) == 0 ? 0 : -cdpdk_errno()
    }

    /// Takes that back. (Of devices of a kind, the first one does it for all.)
    func unmap(for device: OpaquePointer) {
        _ = rte_dev_dma_unmap(device, base, UInt64(UInt(bitPattern: base)), bytes)
    }

    /// Ends the pool, when no worker, no device and no packet of it is used any more; the memory may then be unmapped.
    package func close() {
        rte_mempool_free(pool.mempool)
        rte_extmem_unregister(base, bytes)
        mbufs.deallocate()
        owners.deallocate()
    }

    /// The buffer of a packet of this region's pool.
    @inline(__always)
    func index(of mbuf: OpaquePointer) -> Int {
        // The region's buffers only, so the difference is positive; a division by a constant is a multiplication.
        Int(truncatingIfNeeded: UInt(bitPattern: cdpdk_mbuf_buffer(mbuf) - base) / UInt(Self.bufferSize))
    }

    /// Takes back all buffers that are lent to a queue that no worker uses any more; returns how many.
    package func reclaim(from owner: UInt16) -> Int {
        var reclaimed = 0
        for index in 0..<count where LoanRing.owner(owners[index]) == owner {
            owners[index] = 0
            cdpdk_mbuf_free(mbufs[index])
            reclaimed += 1
        }
        return reclaimed
    }

    /// How many buffers are lent to VMs at this moment.
    package var lent: Int { (0..<count).reduce(0) { $0 + (owners[$1] == 0 ? 0 : 1) } }
}
