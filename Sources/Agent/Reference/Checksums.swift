// The two kinds of checksum that packets have.

/// The checksum of IP, TCP, UDP and ICMP (RFC 1071).
enum InternetChecksum {
    /// The sum of the 16-bit words; an odd last byte is a word's high byte.
    static func sum(_ bytes: some Sequence<UInt8>) -> UInt64 {
        var sum: UInt64 = 0
        var isHigh = true
        for byte in bytes {
            sum += isHigh ? UInt64(byte) << 8 : UInt64(byte)
            isHigh.toggle()
        }
        return sum
    }

    /// The sum in ones' complement, 16 bits.
    static func fold(_ sum: UInt64) -> UInt16 {
        var sum = sum
        while sum > 0xffff { sum = sum >> 16 + sum & 0xffff }
        return UInt16(sum)
    }
}

/// The checksum of SCTP (RFC 9260 appendix A), bit by bit.
package enum CRC32C {
    /// What remains of the bytes, with neither of the inversions that the checksum has at its beginning and its end.
    static func remainder(_ bytes: [UInt8], from start: UInt32 = 0) -> UInt32 {
        bytes.reduce(start) { crc, byte in
            (0..<8).reduce(crc ^ UInt32(byte)) { crc, _ in crc >> 1 ^ (crc & 1 == 1 ? 0x82f6_3b78 : 0) }
        }
    }

    /// The checksum of the bytes.
    package static func checksum(_ bytes: [UInt8]) -> UInt32 { ~remainder(bytes, from: .max) }
}
