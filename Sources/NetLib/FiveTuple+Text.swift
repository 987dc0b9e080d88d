// Flows in words.

import Glibc

extension FiveTuple: CustomStringConvertible {
    /// `tcp 10.0.0.1:1024 > 10.0.0.2:80`.
    public var description: String {
        let names: [UInt8: String] = [1: "icmp", 6: "tcp", 17: "udp", 58: "icmp6", 132: "sctp"]
        func end(_ address: UInt128, _ port: UInt16) -> String {
            let text = text(address)
            return port == 0 ? text : isIPv6 ? "[\(text)]:\(port)" : "\(text):\(port)"
        }
        return "\(names[proto] ?? "\(proto)") \(end(source, sourcePort)) > \(end(destination, destinationPort))"
    }

    /// The source's address: `10.0.0.1`, `2001:db8::1`.
    public var sourceText: String { text(source) }

    private func text(_ address: UInt128) -> String {
        isIPv6 ? Self.ipv6(address) : Self.ipv4(UInt32(truncatingIfNeeded: address))
    }

    private static func ipv4(_ address: UInt32) -> String {
        (0..<4).map { "\(address >> UInt32(24 - 8 * $0) & 0xff)" }.joined(separator: ".")
    }

    private static func ipv6(_ address: UInt128) -> String {
        var binary = address.bigEndian
        return String(unsafeUninitializedCapacity: 64) { buffer in
            guard let start = buffer.baseAddress else { return 0 }
            return start.withMemoryRebound(to: CChar.self, capacity: 64) {
                inet_ntop(AF_INET6, &binary, $0, 64) == nil ? 0 : strlen($0)
            }
        }
    }
}
