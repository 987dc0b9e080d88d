// Makes a frame of a packet's description in a scenario. Checksums are sums over the finished packet as RFC 1071 has them;
// nothing here is shared with the switch, so that an expected packet is an independent statement.

import Glibc

enum ScenarioPacket {
    /// The keys of a description; Fixtures/scenarios/README.md explains them.
    static let keys = [
        "eth", "vlan", "vlans", "mpls", "pbb", "arp", "ipv4", "ipv6", "tcp", "udp", "sctp", "icmp", "payload", "pad",
        "truncate", "raw",
    ]

    /// The frame of a description, without padding and frame check sequence.
    static func frame(_ description: ScenarioValue) throws -> [UInt8] {
        let parts = try description.mapping()
        if let key = parts.keys.first(where: { !keys.contains($0) }) {
            throw description.failure("no such key: \(key)")
        }
        if let raw = parts["raw"] { return try raw.hexBytes() }
        let payload = try parts["payload"].map(Self.payload) ?? []
        let (type, content) = try behindTags(parts, payload)
        let eth = try parts["eth"]?.mapping(of: "src", "dst", "type") ?? [:]
        var frame = try eth["dst"]?.ethernet() ?? [2, 0, 0, 0, 0, 2]
        frame += try eth["src"]?.ethernet() ?? [2, 0, 0, 0, 0, 1]
        for tag in try tags(parts) { frame += try vlan(tag) }
        frame += (try eth["type"]?.number(UInt16.self) ?? type).bytes
        frame += content
        if let length = try parts["pad"]?.number(Int.self), length > frame.count {
            frame += [UInt8](repeating: 0, count: length - frame.count)
        }
        if let length = try parts["truncate"]?.number(Int.self) { frame = Array(frame.prefix(length)) }
        return frame
    }

    private static func payload(_ value: ScenarioValue) throws -> [UInt8] {
        if case .text(let text) = value.content { return Array(text.utf8) }
        let parts = try value.mapping(of: "hex", "zeros")
        return try parts["hex"]?.hexBytes() ?? [UInt8](repeating: 0, count: parts["zeros"]?.number(Int.self) ?? 0)
    }

    // MARK: Ethernet and ARP

    private static func tags(_ parts: [String: ScenarioValue]) throws -> [ScenarioValue] {
        if let list = parts["vlans"] { return try list.list() }
        return parts["vlan"].map { [$0] } ?? []
    }

    private static func vlan(_ value: ScenarioValue) throws -> [UInt8] {
        let tag = try value.mapping(of: "vid", "pcp", "dei", "type")
        let priority = try tag["pcp"]?.number(UInt16.self) ?? 0
        let dei: UInt16 = try tag["dei"]?.flag() ?? false ? 1 : 0
        let type = try tag["type"]?.number(UInt16.self) ?? 0x8100
        return type.bytes + (priority << 13 | dei << 12 | (try tag["vid"]?.number(UInt16.self) ?? 0)).bytes
    }

    /// What follows the VLAN tags, and its Ethernet type.
    private static func behindTags(
        _ parts: [String: ScenarioValue],
        _ payload: [UInt8]
    ) throws -> (type: UInt16, content: [UInt8]) {
        if let value = parts["pbb"] {
            let tag = try value.mapping(of: "isid", "pcp", "packet")
            let priority = UInt32(try tag["pcp"]?.number(UInt8.self) ?? 0)
            let first = priority << 29 | (try tag["isid"]?.number(UInt32.self) ?? 0)
            return (0x88e7, first.bytes + (try frame(tag["packet"] ?? ScenarioValue(.mapping([:]), line: value.line))))
        }
        let (type, content) = try network(parts, payload)
        guard let value = parts["mpls"] else { return (type, content) }
        let shims = try value.list()
        let bytes = try shims.enumerated().flatMap { index, shim in
            let fields = try shim.mapping(of: "label", "tc", "bos", "ttl")
            let label = try fields["label"]?.number(UInt32.self) ?? 0
            let trafficClass = try fields["tc"]?.number(UInt32.self) ?? 0
            let isBottom = try fields["bos"]?.number(UInt32.self) ?? (index == shims.count - 1 ? 1 : 0)
            let ttl = try fields["ttl"]?.number(UInt32.self) ?? 64
            return (label << 12 | trafficClass << 9 | isBottom << 8 | ttl).bytes
        }
        return (0x8847, bytes + content)
    }

    private static func network(
        _ parts: [String: ScenarioValue],
        _ payload: [UInt8]
    ) throws -> (type: UInt16, content: [UInt8]) {
        if let value = parts["arp"] {
            let arp = try value.mapping(of: "op", "sha", "spa", "tha", "tpa")
            let sender = try (arp["sha"]?.ethernet() ?? [2, 0, 0, 0, 0, 1]) + (arp["spa"]?.ipv4() ?? [10, 0, 0, 1])
            let target = try (arp["tha"]?.ethernet() ?? [0, 0, 0, 0, 0, 0]) + (arp["tpa"]?.ipv4() ?? [10, 0, 0, 2])
            let operation = try arp["op"]?.number(UInt16.self) ?? 1
            return (0x0806, [0, 1, 8, 0, 6, 4] + operation.bytes + sender + target + payload)
        }
        if let value = parts["ipv4"] { return (0x0800, try ipv4(value, parts, payload)) }
        if let value = parts["ipv6"] { return (0x86dd, try ipv6(value, parts, payload)) }
        return (0x88b5, payload)
    }

    // MARK: IP

    private static func ipv4(
        _ value: ScenarioValue,
        _ parts: [String: ScenarioValue],
        _ payload: [UInt8]
    ) throws -> [UInt8] {
        let ip = try value.mapping(
            of: "src",
            "dst",
            "ttl",
            "dscp",
            "ecn",
            "proto",
            "id",
            "df",
            "more",
            "offset",
            "options",
            "checksum",
            "version",
            "header_words"
        )
        let addresses = try (ip["src"]?.ipv4() ?? [10, 0, 0, 1]) + (ip["dst"]?.ipv4() ?? [10, 0, 0, 2])
        let options = try ip["options"]?.hexBytes() ?? []
        let proto = try ip["proto"]?.number(UInt8.self) ?? transportNumber(parts, icmp: 1)
        let content = try transport(parts, payload, addresses, proto, icmpHasPseudoHeader: false)
        let words = try ip["header_words"]?.number(UInt8.self) ?? UInt8(5 + options.count / 4)
        let dontFragment: UInt16 = try ip["df"]?.flag() ?? false ? 0x4000 : 0
        let more: UInt16 = try ip["more"]?.flag() ?? false ? 0x2000 : 0
        // In units of 8 bytes, as on the wire.
        let offset = try ip["offset"]?.number(UInt16.self) ?? 0
        var header: [UInt8] = [(try ip["version"]?.number(UInt8.self) ?? 4) << 4 | words, try trafficClass(ip)]
        header += UInt16(20 + options.count + content.count).bytes + (try ip["id"]?.number(UInt16.self) ?? 0).bytes
        header += (dontFragment | more | offset).bytes + [try ip["ttl"]?.number(UInt8.self) ?? 64, proto, 0, 0]
        header += addresses + options
        let checksum = try ip["checksum"]?.number(UInt16.self) ?? internetChecksum(header)
        header.replaceSubrange(10..<12, with: checksum.bytes)
        return header + content
    }

    private static func ipv6(
        _ value: ScenarioValue,
        _ parts: [String: ScenarioValue],
        _ payload: [UInt8]
    ) throws -> [UInt8] {
        let ip = try value.mapping(of: "src", "dst", "ttl", "dscp", "ecn", "label", "proto", "extensions")
        let ones: [UInt8] = [0x20, 1, 0x0d, 0xb8] + [UInt8](repeating: 0, count: 11)
        let addresses = try (ip["src"]?.ipv6() ?? ones + [1]) + (ip["dst"]?.ipv6() ?? ones + [2])
        let proto = try ip["proto"]?.number(UInt8.self) ?? transportNumber(parts, icmp: 58)
        // A routing header that is not at its end yet has the address that counts (RFC 8200 §8.1).
        let final = try (ip["extensions"]?.list() ?? []).lazy.compactMap { try $0.mapping()["final"] }.first
        let counted = try Array(addresses[..<16]) + (final?.ipv6() ?? Array(addresses[16...]))
        let content = try transport(parts, payload, counted, proto, icmpHasPseudoHeader: true)
        var next = proto
        var extensions: [UInt8] = []
        for header in try (ip["extensions"]?.list() ?? []).reversed() {
            let (number, bytes) = try extensionHeader(header, next)
            (next, extensions) = (number, bytes + extensions)
        }
        let first = UInt32(6) << 28 | UInt32(try trafficClass(ip)) << 20 | (try ip["label"]?.number(UInt32.self) ?? 0)
        return first.bytes + UInt16(extensions.count + content.count).bytes
            + [next, try ip["ttl"]?.number(UInt8.self) ?? 64] + addresses + extensions + content
    }

    private static func extensionHeader(_ value: ScenarioValue, _ next: UInt8) throws -> (number: UInt8, bytes: [UInt8])
    {
        let header = try value.mapping(of: "type", "offset", "more", "id", "final")
        switch try header["type"]?.text() {
        case "hop_by_hop": return (0, [next, 0, 1, 4, 0, 0, 0, 0])
        case "routing":
            // Type 0, with one address to come or none.
            guard let final = try header["final"]?.ipv6() else { return (43, [next, 0, 0, 0, 0, 0, 0, 0]) }
            return (43, [next, 2, 0, 1, 0, 0, 0, 0] + final)
        case "esp": return (50, [0, 0, 0, 1, 0, 0, 0, 1] + [UInt8](repeating: 0x55, count: 16))
        case "destination": return (60, [next, 1, 1, 12] + [UInt8](repeating: 0, count: 12))
        case "authentication":
            return (51, [next, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1] + [UInt8](repeating: 0xaa, count: 12))
        case "fragment":
            let more: UInt16 = try header["more"]?.flag() ?? false ? 1 : 0
            let offset = try header["offset"]?.number(UInt16.self) ?? 0
            return (44, [next, 0] + (offset << 3 | more).bytes + (try header["id"]?.number(UInt32.self) ?? 1).bytes)
        default:
            throw value.failure("type: hop_by_hop, routing, destination, authentication, esp or fragment")
        }
    }

    private static func trafficClass(_ ip: [String: ScenarioValue]) throws -> UInt8 {
        (try ip["dscp"]?.number(UInt8.self) ?? 0) << 2 | (try ip["ecn"]?.number(UInt8.self) ?? 0)
    }

    // MARK: Transport

    private static func transportNumber(_ parts: [String: ScenarioValue], icmp: UInt8) -> UInt8 {
        if parts["tcp"] != nil { return 6 }
        if parts["udp"] != nil { return 17 }
        if parts["sctp"] != nil { return 132 }
        // Without a transport header: IANA's number for experiments.
        return parts["icmp"] != nil ? icmp : 253
    }

    private static func transport(
        _ parts: [String: ScenarioValue],
        _ payload: [UInt8],
        _ addresses: [UInt8],
        _ proto: UInt8,
        icmpHasPseudoHeader: Bool
    ) throws -> [UInt8] {
        var segment: [UInt8]
        let place: Int
        let given: ScenarioValue?
        var hasPseudoHeader = true
        if let value = parts["tcp"] {
            let tcp = try value.mapping(of: "src", "dst", "seq", "ack", "flags", "window", "checksum")
            segment = try ports(tcp, 49152, 80)
            segment +=
                (try tcp["seq"]?.number(UInt32.self) ?? 0).bytes + (try tcp["ack"]?.number(UInt32.self) ?? 0).bytes
            segment += [0x50, try tcp["flags"]?.number(UInt8.self) ?? 2]
            segment += (try tcp["window"]?.number(UInt16.self) ?? 0xffff).bytes + [0, 0, 0, 0] + payload
            (place, given) = (16, tcp["checksum"])
        } else if let value = parts["udp"] {
            let udp = try value.mapping(of: "src", "dst", "checksum")
            segment = try ports(udp, 49152, 9) + UInt16(8 + payload.count).bytes + [0, 0] + payload
            (place, given) = (6, udp["checksum"])
        } else if let value = parts["sctp"] {
            return try sctp(value, payload)
        } else if let value = parts["icmp"] {
            let icmp = try value.mapping(of: "type", "code", "rest", "target", "sll", "tll", "checksum")
            segment = [
                try icmp["type"]?.number(UInt8.self) ?? (icmpHasPseudoHeader ? 128 : 8),
                try icmp["code"]?.number(UInt8.self) ?? 0, 0, 0,
            ]
            segment += (try icmp["rest"]?.number(UInt32.self) ?? 0).bytes
            segment += try icmp["target"]?.ipv6() ?? []
            if let address = try icmp["sll"]?.ethernet() { segment += [1, 1] + address }
            if let address = try icmp["tll"]?.ethernet() { segment += [2, 1] + address }
            segment += payload
            (place, given, hasPseudoHeader) = (2, icmp["checksum"], icmpHasPseudoHeader)
        } else {
            return payload
        }
        let pseudoHeader = hasPseudoHeader ? addresses + UInt16(segment.count).bytes + [0, proto] : []
        var checksum = try given?.number(UInt16.self) ?? internetChecksum(pseudoHeader + segment)
        if parts["udp"] != nil, given == nil, checksum == 0 { checksum = 0xffff }
        segment.replaceSubrange(place..<(place + 2), with: checksum.bytes)
        return segment
    }

    /// The common header, and the payload as it is: chunks, or what the switch need not understand.
    private static func sctp(_ value: ScenarioValue, _ payload: [UInt8]) throws -> [UInt8] {
        let sctp = try value.mapping(of: "src", "dst", "tag", "checksum")
        var packet = try ports(sctp, 49152, 9) + (try sctp["tag"]?.number(UInt32.self) ?? 1).bytes + [0, 0, 0, 0]
        packet += payload
        let checksum = try sctp["checksum"]?.number(UInt32.self) ?? crc32c(packet)
        packet.replaceSubrange(8..<12, with: checksum.bytes)
        return packet
    }

    /// The checksum of SCTP as it goes on the wire (RFC 9260 appendix A): by a table, low byte first.
    private static func crc32c(_ bytes: [UInt8]) -> UInt32 {
        let table = (0..<256).map { index -> UInt32 in
            var entry = UInt32(index)
            for _ in 0..<8 { entry = entry & 1 == 0 ? entry / 2 : entry / 2 ^ 0x82f6_3b78 }
            return entry
        }
        var crc = UInt32.max
        for byte in bytes { crc = table[Int(UInt8(truncatingIfNeeded: crc) ^ byte)] ^ crc >> 8 }
        return (crc ^ UInt32.max).byteSwapped
    }

    private static func ports(_ header: [String: ScenarioValue], _ src: UInt16, _ dst: UInt16) throws -> [UInt8] {
        try (header["src"]?.number(UInt16.self) ?? src).bytes + (header["dst"]?.number(UInt16.self) ?? dst).bytes
    }

    /// RFC 1071: the ones' complement of the ones' complement sum of all 16-bit words.
    private static func internetChecksum(_ bytes: [UInt8]) -> UInt16 {
        var sum: UInt32 = 0
        for index in stride(from: 0, to: bytes.count, by: 2) {
            sum += UInt32(bytes[index]) << 8 | (index + 1 < bytes.count ? UInt32(bytes[index + 1]) : 0)
            if sum > 0xffff { sum -= 0xffff }
        }
        return ~UInt16(sum)
    }
}

extension FixedWidthInteger {
    /// As it goes on the wire.
    fileprivate var bytes: [UInt8] {
        stride(from: Self.bitWidth - 8, through: 0, by: -8).map { UInt8(truncatingIfNeeded: self >> Self($0)) }
    }
}

extension ScenarioValue {
    fileprivate func ethernet() throws -> [UInt8] {
        let bytes = try text().split(separator: ":").compactMap { UInt8($0, radix: 16) }
        guard bytes.count == 6 else { throw failure("an Ethernet address expected") }
        return bytes
    }

    fileprivate func ipv4() throws -> [UInt8] { try address(AF_INET, 4) }
    fileprivate func ipv6() throws -> [UInt8] { try address(AF_INET6, 16) }

    private func address(_ family: Int32, _ count: Int) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        guard inet_pton(family, try text(), &bytes) == 1 else { throw failure("an IP address expected") }
        return bytes
    }
}
