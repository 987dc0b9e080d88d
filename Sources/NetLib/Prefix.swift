// A range of addresses, in words and as a mask.

import Glibc

/// An address and how many of its bits count.
public struct Prefix: Equatable, Sendable {
    public let isIPv6: Bool
    private let address: UInt128
    private let mask: UInt128

    /// `10.0.0.0/8`, `2001:db8::/32`, or an address alone; nil: it is none.
    public init?(_ text: some StringProtocol) {
        let parts = String(text).split(separator: "/" as Character, maxSplits: 1, omittingEmptySubsequences: false).map(
            String.init
        )
        isIPv6 = parts[0].contains(":")
        let bits = isIPv6 ? 128 : 32
        guard let length = parts.count == 1 ? bits : Int(parts[1]), (0...bits).contains(length) else { return nil }
        var value: UInt128 = 0
        if isIPv6 {
            var binary = in6_addr()
            guard inet_pton(AF_INET6, parts[0], &binary) == 1 else { return nil }
            value = UInt128(bigEndian: withUnsafeBytes(of: binary) { $0.loadUnaligned(as: UInt128.self) })
        } else {
            var binary = in_addr()
            guard inet_pton(AF_INET, parts[0], &binary) == 1 else { return nil }
            value = UInt128(UInt32(bigEndian: binary.s_addr))
        }
        mask = length == 0 ? 0 : ~UInt128(0) << UInt128(bits - length)
        address = value & mask
    }

    public func contains(_ other: UInt128, isIPv6: Bool) -> Bool { isIPv6 == self.isIPv6 && other & mask == address }
}
