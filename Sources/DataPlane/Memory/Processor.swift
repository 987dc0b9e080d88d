// The processor's own means, by short names: prefetch, CRC-32C, the time stamp counter, and memory order for the words
// that two threads share.

import CDPDK

@inline(__always) func prefetch(_ address: UnsafeRawPointer) { cdpdk_prefetch(address) }

@inline(__always) func crc32c(_ seed: UInt32, _ word: UInt64) -> UInt32 { cdpdk_crc32c(seed, word) }

/// Which of eight words have `tag` in their upper 16 bits: the byte of that number in the result is not 0.
@inline(__always) func matchTags(_ words: UnsafePointer<UInt64>, _ tag: UInt64) -> UInt64 {
    cdpdk_match_tags(words, UInt16(truncatingIfNeeded: tag))
}

/// Whether four words are the same in the bits of `mask`.
@inline(__always) func sameUnder(_ mask: UnsafeRawPointer, _ a: UnsafeRawPointer, _ b: UnsafeRawPointer) -> Bool {
    cdpdk_same_under(a, b, mask)
}

/// Reads a word that another thread publishes; what it wrote before is visible after.
@inline(__always) package func observe(_ word: UnsafePointer<UInt64>) -> UInt64 { cdpdk_observe(word) }

/// Writes a word that another thread observes.
@inline(__always) package func publish(_ word: UnsafeMutablePointer<UInt64>, _ value: UInt64) {
    cdpdk_publish(word, value)
}

/// Reads a counter that another thread writes: whole, perhaps a moment old.
@inline(__always) package func glance(_ word: UnsafePointer<UInt64>) -> UInt64 { cdpdk_load(word) }

/// The data plane's coarse time, for idle timeouts: one tick is 2^20 cycles of the time stamp counter, below a
/// millisecond on any processor it runs on. Wraps after weeks; compare by difference.
package enum Clock {
    @inline(__always) package static var cycles: UInt64 { cdpdk_tsc() }
    @inline(__always) static func ticks(_ cycles: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: cycles >> 20) }
    package static var now: UInt32 { ticks(cdpdk_tsc()) }
    /// Nanoseconds since `tick`.
    package static func nanoseconds(since tick: UInt32) -> UInt64 {
        let cycles = UInt64(now &- tick) << 20
        return UInt64(Double(cycles) * 1e9 / Double(cyclesPerSecond))
    }
    package static var cyclesPerSecond: UInt64 { rte_get_tsc_hz() }
}
