// Memory for tables, records and programs: huge pages where there are any, in blocks of powers of two, cut from chunks of
// 2 MiB. Allocated and freed by the control side alone; its size is limited, and beyond the limit a table is full.

import CDPDK
import Glibc

package final class TableMemory {
    /// Bytes that may be in use.
    package let limit: Int
    /// Bytes of them kept for what must not fail: rebuilding small lookups when rules are removed.
    package let reserve: Int
    /// Bytes in use, with what rounding costs.
    package private(set) var used = 0
    private let fromEAL: Bool
    /// Free blocks by the logarithm of their size.
    private var free = [[UnsafeMutableRawPointer]](repeating: [], count: 64)
    private var chunk: UnsafeMutableRawPointer?
    private var chunkUsed = 0
    private static let chunkSize = 2 << 20
    private static let smallest = 6

    /// `fromEAL` is false where the EAL is not started.
    package init(limit: Int, fromEAL: Bool) {
        self.limit = limit
        reserve = min(8 << 20, limit / 8)
        self.fromEAL = fromEAL
    }

    /// A block of at least `bytes`, aligned to a cache line; nil if there is no more.
    package func allocate(_ bytes: Int, reserve useReserve: Bool = false) -> UnsafeMutableRawPointer? {
        let order = Self.order(bytes)
        let size = 1 << order
        guard used + size <= (useReserve ? limit : limit - reserve) else { return nil }
        let block = free[order].popLast() ?? (size >= Self.chunkSize ? obtain(size) : cut(size))
        if block != nil { used += size }
        return block
    }

    /// Blocks of these sizes, from the reserve if need be; nil, and none is taken, if there is no memory for all.
    package func allocate(_ sizes: [Int]) -> [UnsafeMutableRawPointer]? {
        var blocks: [UnsafeMutableRawPointer] = []
        for size in sizes {
            guard let block = allocate(size, reserve: true) else {
                for (block, size) in zip(blocks, sizes) { deallocate(block, size) }
                return nil
            }
            blocks.append(block)
        }
        return blocks
    }

    /// Takes back a block that `allocate(bytes)` gave.
    package func deallocate(_ block: UnsafeMutableRawPointer, _ bytes: Int) {
        let order = Self.order(bytes)
        used -= 1 << order
        if 1 << order >= Self.chunkSize {
            if fromEAL { rte_free(block) } else { Glibc.free(block) }
        } else {
            free[order].append(block)
        }
    }

    /// Counts `bytes` that something else takes of the same memory; false if there are not so many left.
    package func take(_ bytes: Int) -> Bool {
        guard used + bytes <= limit - reserve else { return false }
        used += bytes
        return true
    }

    /// Takes back what `take` has counted.
    package func giveBack(_ bytes: Int) { used -= bytes }

    private static func order(_ bytes: Int) -> Int {
        max(smallest, Int.bitWidth - (max(bytes, 1) - 1).leadingZeroBitCount)
    }

    private func cut(_ size: Int) -> UnsafeMutableRawPointer? {
        if chunk == nil || chunkUsed + size > Self.chunkSize {
            keepRest()
            guard let new = obtain(Self.chunkSize) else { return nil }
            chunk = new
            chunkUsed = 0
        }
        defer { chunkUsed += size }
        return chunk.map { $0 + chunkUsed }
    }

    /// What is left of a chunk that a larger block does not fit into serves for smaller ones.
    private func keepRest() {
        guard let chunk else { return }
        while chunkUsed < Self.chunkSize {
            let order = min(chunkUsed.trailingZeroBitCount, (Self.chunkSize - chunkUsed).trailingZeroBitCount)
            free[order].append(chunk + chunkUsed)
            chunkUsed += 1 << order
        }
    }

    private func obtain(_ size: Int) -> UnsafeMutableRawPointer? {
        if fromEAL { return rte_malloc("tables", size, 64) }
        var block: UnsafeMutableRawPointer?
        return posix_memalign(&block, 64, size) == 0 ? block : nil
    }
}
