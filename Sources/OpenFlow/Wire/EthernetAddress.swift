// A MAC address as ports carry it; match fields hold theirs as plain integers.

/// 48 bits in the low bits of an integer: 02:00:00:00:00:01 is 0x0200_0000_0001.
package struct EthernetAddress: RawRepresentable, Hashable, Sendable, ExpressibleByIntegerLiteral {
    package let rawValue: UInt64

    /// Takes the low 48 bits.
    package init(rawValue: UInt64) { self.rawValue = rawValue & 0xffff_ffff_ffff }
    package init(integerLiteral value: UInt64) { self.init(rawValue: value) }
}

extension EthernetAddress: CustomStringConvertible {
    /// Six bytes in hexadecimal: `02:00:00:00:00:01`.
    package var description: String { Text.ethernetAddress(rawValue) }
}
