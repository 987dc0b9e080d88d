// How numbers are written in texts, without Foundation: hexadecimal, dotted IPv4, RFC 5952 IPv6, MAC addresses.

/// Text forms of numbers, as Open vSwitch writes them.
enum Text {
    /// `0x1f`, or with 4 digits `0x001f`.
    static func hex<Number: BinaryInteger>(_ value: Number, digits: Int = 1) -> String {
        let text = String(value, radix: 16)
        return "0x" + String(repeating: "0", count: max(0, digits - text.count)) + text
    }

    /// `1s`, `1.500s`, `1.500000001s`: as many digits as are needed of none, three and nine.
    static func duration(_ seconds: UInt32, _ nanoseconds: UInt32) -> String {
        func padded(_ number: UInt32, _ digits: Int) -> String {
            let text = String(number)
            return String(repeating: "0", count: max(0, digits - text.count)) + text
        }
        if nanoseconds == 0 { return "\(seconds)s" }
        if nanoseconds % 1_000_000 == 0 { return "\(seconds).\(padded(nanoseconds / 1_000_000, 3))s" }
        return "\(seconds).\(padded(nanoseconds, 9))s"
    }

    /// The number; `?` for all ones, which stands for a counter that does not exist.
    static func counter(_ value: UInt64) -> String { value == .max ? "?" : String(value) }

    /// The low 48 bits: `02:00:00:00:00:01`.
    static func ethernetAddress(_ value: UInt64) -> String {
        var text = ""
        text.reserveCapacity(17)
        for shift in stride(from: UInt64(40), through: 0, by: -8) {
            let byte = UInt8(truncatingIfNeeded: value >> shift)
            if byte < 0x10 { text.append("0") }
            text.append(String(byte, radix: 16))
            if shift > 0 { text.append(":") }
        }
        return text
    }

    /// `10.0.0.1`.
    static func ipv4Address(_ value: UInt32) -> String {
        "\(value >> 24).\(value >> 16 & 0xff).\(value >> 8 & 0xff).\(value & 0xff)"
    }

    /// `2001:db8::1`: lower case, the longest run of two or more zero groups replaced by `::`.
    static func ipv6Address(_ value: UInt128) -> String {
        let groups = (0..<8).map { UInt16(truncatingIfNeeded: value >> UInt128(112 - 16 * $0)) }
        var longest = 0..<0
        var start = 0
        while start < 8 {
            guard groups[start] == 0 else {
                start += 1
                continue
            }
            let end = groups[start...].firstIndex { $0 != 0 } ?? 8
            if end - start > max(1, longest.count) { longest = start..<end }
            start = end
        }
        func written(_ range: Range<Int>) -> String {
            groups[range].map { String($0, radix: 16) }.joined(separator: ":")
        }
        guard !longest.isEmpty else { return written(0..<8) }
        return written(0..<longest.lowerBound) + "::" + written(longest.upperBound..<8)
    }
}
