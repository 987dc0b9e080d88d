// Numbers and addresses in text, strictly: what is not wholly understood is nil.

import OpenFlow

/// The values of FlowSyntax as right-aligned integers.
enum AddressSyntax {
    /// Decimal, or hexadecimal with `0x`.
    static func number(_ text: some StringProtocol) -> UInt128? {
        if text.hasPrefix("0x") || text.hasPrefix("0X") { return digits(text.dropFirst(2), radix: 16) }
        return digits(text, radix: 10)
    }

    /// `02:00:00:00:00:01`.
    static func ethernet(_ text: String) -> UInt128? {
        join(text.split(separator: ":", omittingEmptySubsequences: false), count: 6, bits: 8, radix: 16)
    }

    /// `10.0.0.1`.
    static func ipv4(_ text: some StringProtocol) -> UInt128? {
        join(Substring(text).split(separator: ".", omittingEmptySubsequences: false), count: 4, bits: 8, radix: 10)
    }

    /// RFC 4291 §2.2: eight groups, one run of zero groups as `::`, the last 32 bits perhaps as an IPv4 address.
    static func ipv6(_ text: String) -> UInt128? {
        var text = text
        if let colon = text.lastIndex(of: ":"), text[colon...].contains(".") {
            guard let last = ipv4(text[text.index(after: colon)...]) else { return nil }
            text = text[...colon] + String(last >> 16, radix: 16) + ":" + String(last & 0xffff, radix: 16)
        }
        guard let gap = text.firstRange(of: "::") else {
            return join(groups(text[...]), count: 8, bits: 16, radix: 16)
        }
        let (head, tail) = (groups(text[..<gap.lowerBound]), groups(text[gap.upperBound...]))
        guard head.count + tail.count < 8 else { return nil }
        let zeros = [Substring](repeating: "0", count: 8 - head.count - tail.count)
        return join(head + zeros + tail, count: 8, bits: 16, radix: 16)
    }

    /// A number, or `LOCAL` and `CONTROLLER`.
    static func port(_ text: String) -> UInt128? {
        switch text.uppercased() {
        case "LOCAL": UInt128(PortNumber.local.rawValue)
        case "CONTROLLER": UInt128(PortNumber.controller.rawValue)
        default: number(text)
        }
    }

    private static func groups(_ text: Substring) -> [Substring] {
        text.isEmpty ? [] : text.split(separator: ":", omittingEmptySubsequences: false)
    }

    private static func join(_ parts: [Substring], count: Int, bits: UInt128, radix: Int) -> UInt128? {
        guard parts.count == count else { return nil }
        var value: UInt128 = 0
        for part in parts {
            guard let number = digits(part, radix: radix), number < 1 << bits else { return nil }
            value = value << bits | number
        }
        return value
    }

    /// Digits only: no sign.
    private static func digits(_ text: some StringProtocol, radix: Int) -> UInt128? {
        text.allSatisfy { $0.isHexDigit } ? UInt128(text, radix: radix) : nil
    }
}
