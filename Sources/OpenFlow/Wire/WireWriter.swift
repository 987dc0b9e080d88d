// Writing of bytes in network byte order. No length is ever computed by hand: `lengthPrefixed` writes it once the
// bytes are there.

import NIOCore

/// Appends to a buffer.
struct WireWriter {
    private(set) var buffer: ByteBuffer
    /// Whether something was longer than its 16-bit length can say; then the bytes are worthless.
    private(set) var isTooLong = false

    init(_ buffer: ByteBuffer) { self.buffer = buffer }

    /// Starts again with an empty buffer, whose memory is kept.
    mutating func clear() {
        buffer.clear()
        isTooLong = false
    }

    mutating func write<Number: FixedWidthInteger>(_ value: Number) { buffer.writeInteger(value) }

    /// The low `byteCount` bytes of a number, most significant first.
    mutating func write(_ value: UInt128, byteCount: Int) {
        switch byteCount {
        case 1: write(UInt8(truncatingIfNeeded: value))
        case 2: write(UInt16(truncatingIfNeeded: value))
        case 4: write(UInt32(truncatingIfNeeded: value))
        case 8: write(UInt64(truncatingIfNeeded: value))
        case 16: write(value)
        default:
            for index in (0..<byteCount).reversed() {
                write(UInt8(truncatingIfNeeded: value >> UInt128(8 * index)))
            }
        }
    }

    mutating func write(_ port: PortNumber) { write(port.rawValue) }
    mutating func write(_ group: GroupID) { write(group.rawValue) }
    mutating func write(_ address: EthernetAddress) { write(UInt128(address.rawValue), byteCount: 6) }

    /// Text in a field of `byteCount` bytes, with at least one zero after it; cut between two characters if it is too
    /// long.
    mutating func write(_ text: String, byteCount: Int) {
        var length = 0
        for scalar in text.unicodeScalars {
            let next = length + UTF8.width(scalar)
            guard next < byteCount else { break }
            length = next
        }
        buffer.writeBytes(text.utf8.prefix(length))
        pad(byteCount - length)
    }

    mutating func write(_ bytes: ByteBuffer) { buffer.writeImmutableBuffer(bytes) }

    mutating func pad(_ byteCount: Int) { buffer.writeRepeatingByte(0, count: byteCount) }

    /// `body` from the place `offset` bytes before here on counts into a 16-bit length that is written here. Zeros
    /// follow up to a multiple of `alignment` bytes; they count as well only with `countingPadding`.
    mutating func lengthPrefixed(
        after offset: Int = 2,
        alignment: Int = 1,
        countingPadding: Bool = true,
        _ body: (inout WireWriter) -> Void
    ) {
        let place = buffer.writerIndex
        let start = place - offset
        write(UInt16(0))
        body(&self)
        var length = buffer.writerIndex - start
        let padding = (alignment - length % alignment) % alignment
        pad(padding)
        if countingPadding { length += padding }
        guard let encoded = UInt16(exactly: length) else {
            isTooLong = true
            return
        }
        buffer.setInteger(encoded, at: place)
    }
}
