// Numbers as the configuration writes them: whole numbers, durations, sizes and rates with a unit.

import NIOCore

/// Decimal digits alone: no sign, no underscore, no leading zero (which YAML 1.1 took for octal).
func parseDecimal(_ text: String) -> UInt64? {
    guard !text.isEmpty, text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else {
        return nil
    }
    guard text == "0" || !text.hasPrefix("0") else { return nil }
    return UInt64(text)
}

/// A decimal number, or a hexadecimal one after `0x`.
func parseNumber(_ text: String) -> UInt64? {
    guard text.hasPrefix("0x") || text.hasPrefix("0X") else { return parseDecimal(text) }
    let digits = text.dropFirst(2)
    guard digits.utf8.allSatisfy({ isLetterOrDigit($0) }) else { return nil }
    return UInt64(digits, radix: 16)
}

func isLetterOrDigit(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
        UInt8(ascii: "A")...UInt8(ascii: "Z"):
        true
    default: false
    }
}

/// A duration: a whole number and `ms`, `s`, `min` or `h`.
func parseDuration(_ text: String) -> TimeAmount? {
    let units: [(String, Int64)] = [
        ("ms", 1_000_000), ("s", 1_000_000_000), ("min", 60_000_000_000), ("h", 3_600_000_000_000),
    ]
    return parseQuantity(text, units: units).map(TimeAmount.nanoseconds)
}

/// `5s`, `1500ms`: the largest unit that leaves a whole number.
func durationText(_ duration: TimeAmount) -> String {
    let milliseconds = duration.nanoseconds / 1_000_000
    for (unit, size) in [("h", Int64(3_600_000)), ("min", 60_000), ("s", 1000)]
    where milliseconds != 0 && milliseconds % size == 0 {
        return "\(milliseconds / size)\(unit)"
    }
    return "\(milliseconds)ms"
}

/// A size in bytes: a whole number and `KiB`, `MiB`, `GiB` or `TiB`.
func parseSize(_ text: String) -> Int? {
    let units: [(String, Int64)] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)]
    return parseQuantity(text, units: units).map(Int.init)
}

/// `512 MiB`, rounded up, for people.
package func sizeText(_ bytes: Int) -> String {
    let mebibytes = (bytes + (1 << 20) - 1) >> 20
    return "\(mebibytes) MiB"
}

/// A rate in bits a second: a whole number and `kbit/s`, `Mbit/s` or `Gbit/s`.
func parseRate(_ text: String) -> UInt64? {
    let units: [(String, Int64)] = [("kbit/s", 1000), ("Mbit/s", 1_000_000), ("Gbit/s", 1_000_000_000)]
    return parseQuantity(text, units: units).map(UInt64.init)
}

/// `20Mbit/s`: the largest unit that leaves a whole number.
func rateText(_ rate: UInt64) -> String {
    for (unit, size) in [("Gbit/s", UInt64(1_000_000_000)), ("Mbit/s", 1_000_000)] where rate % size == 0 {
        return "\(rate / size)\(unit)"
    }
    return "\(rate / 1000)kbit/s"
}

private func parseQuantity(_ text: String, units: [(name: String, size: Int64)]) -> Int64? {
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    let unit = text.dropFirst(digits.count)
    guard let size = units.first(where: { $0.name == unit })?.size, let number = parseDecimal(String(digits)),
        let count = Int64(exactly: number)
    else { return nil }
    let (product, overflow) = count.multipliedReportingOverflow(by: size)
    return overflow ? nil : product
}
