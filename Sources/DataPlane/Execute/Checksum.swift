// Incremental checksums (RFC 1624, equation 3): the sum of a header after one of its 16-bit words changed, without looking
// at the rest. Everything is in network byte order as it lies in the packet: ones' complement sums do not care. And the CRC of
// SCTP, which is linear.

import CDPDK

enum Checksum {
    /// The sum of a change of up to 64 bits, to be folded into a checksum: the words of `old` taken away, those of `new` added.
    @inline(__always)
    static func difference(_ old: UInt64, _ new: UInt64) -> UInt64 {
        words(~old) &+ words(new)
    }

    /// Changes the checksum at `field` by `difference`.
    @inline(__always)
    static func update(_ field: UnsafeMutableRawPointer, by difference: UInt64) {
        let old = field.loadUnaligned(as: UInt16.self)
        field.storeBytes(of: ~fold(UInt64(~old) &+ difference), as: UInt16.self)
    }

    /// The same for UDP (RFC 768): 0 means that there is none, and a sum of 0 is sent as all ones.
    @inline(__always)
    static func updateUDP(_ field: UnsafeMutableRawPointer, by difference: UInt64) {
        guard field.loadUnaligned(as: UInt16.self) != 0 else { return }
        update(field, by: difference)
        if field.loadUnaligned(as: UInt16.self) == 0 { field.storeBytes(of: 0xffff, as: UInt16.self) }
    }

    /// What remains of the eight bytes of `word`, the lowest first, and `zeros` bytes of zero by the polynomial of CRC-32C.
    static func crc32c(_ word: UInt64, zeros: Int) -> UInt32 {
        var crc = cdpdk_crc32c(0, word)
        var left = zeros
        while left >= 8 {
            crc = cdpdk_crc32c(crc, 0)
            left &-= 8
        }
        while left > 0 {
            crc = cdpdk_crc32c_byte(crc, 0)
            left &-= 1
        }
        return crc
    }

    @inline(__always)
    private static func words(_ value: UInt64) -> UInt64 {
        (value & 0xffff) &+ (value >> 16 & 0xffff) &+ (value >> 32 & 0xffff) &+ (value >> 48)
    }

    @inline(__always)
    private static func fold(_ sum: UInt64) -> UInt16 {
        var sum = (sum & 0xffff) &+ (sum >> 16)
        sum = (sum & 0xffff) &+ (sum >> 16)
        return UInt16(truncatingIfNeeded: (sum & 0xffff) &+ (sum >> 16))
    }
}
