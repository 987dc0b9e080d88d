// The pool of packet buffers that all ports receive into and all copies come from.

import CDPDK

package struct PacketPool: @unchecked Sendable {
    // A mempool may be used from any thread (rte_mempool.h); hence Sendable.
    package let mempool: OpaquePointer
    /// Buffers in all.
    package let count: Int

    /// Bytes that one buffer takes of DPDK's memory: mbuf and mempool headers, headroom, and 2,048 bytes for the packet.
    package static let bytesPerBuffer = 2_432
    /// The longest packet that fits into one buffer.
    package static let longestPacket = 2_048

    /// Nil if DPDK's memory does not suffice, or a pool of that name is there.
    package init?(count: Int, name: String = "packets") {
        guard
            let pool = rte_pktmbuf_pool_create(
                name,
                UInt32(count),
                256,
                0,
                UInt16(RTE_PKTMBUF_HEADROOM) + UInt16(Self.longestPacket),
                SOCKET_ID_ANY
            )
        else { return nil }
        mempool = pool
        self.count = count
    }

    init(mempool: OpaquePointer, count: Int) {
        self.mempool = mempool
        self.count = count
    }

    /// Buffers that nobody holds.
    package var available: Int { Int(rte_mempool_avail_count(mempool)) }

    /// A buffer with these bytes; nil if there is none or they do not fit.
    package func packet(_ bytes: UnsafeRawBufferPointer) -> OpaquePointer? {
        guard bytes.count <= Self.longestPacket, let mbuf = cdpdk_mbuf_allocate(mempool) else { return nil }
        guard let start = cdpdk_mbuf_append(mbuf, UInt16(bytes.count)) else {
            cdpdk_mbuf_free(mbuf)
            return nil
        }
        if let base = bytes.baseAddress {
            start.update(from: base.assumingMemoryBound(to: UInt8.self), count: bytes.count)
        }
        return mbuf
    }

    /// The first `limit` bytes of a packet, out of all its segments.
    package static func bytes(of mbuf: OpaquePointer, limit: Int = .max) -> [UInt8] {
        let count = min(limit, Int(cdpdk_mbuf_packet_length(mbuf)))
        return [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            guard let base = buffer.baseAddress, count > 0 else { return }
            let source = cdpdk_mbuf_read(mbuf, 0, UInt32(count), base)
            if source != UnsafeRawPointer(base) {
                base.update(from: source.assumingMemoryBound(to: UInt8.self), count: count)
            }
            initialized = count
        }
    }

    package static func free(_ mbuf: OpaquePointer) { cdpdk_mbuf_free(mbuf) }
}
