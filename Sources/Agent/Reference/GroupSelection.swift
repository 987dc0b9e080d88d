// By which a select group chooses, from the fields of the frame; the workers compute the same from their key.

import OpenFlow

enum GroupSelection {
    /// A number below `total` that is the same for all packets with the same addresses, tags, types, labels and ports; nil: nothing
    /// to choose from.
    static func share(of frame: [UInt8], _ total: Int) -> Int? {
        guard total > 0 else { return nil }
        let fields = PacketFields(frame)?.values ?? [:]
        func value(_ field: OXMField) -> UInt64 { UInt64(truncatingIfNeeded: fields[field] ?? 0) }
        let type = value(.ethType)
        var words = [
            type << 16 | value(.vlanPCP) << 13 | value(.vlanVID), value(.ethDst), value(.ethSrc),
        ]
        switch type {
        case 0x0800: words.append(value(.ipv4Src) << 32 | value(.ipv4Dst))
        case 0x0806: words += [value(.arpSPA) << 32 | value(.arpTPA), value(.arpOp)]
        case 0x8847, 0x8848: words.append(value(.mplsLabel))
        case 0x88e7: words.append(value(.pbbISID))
        case 0x86dd:
            words.append(value(.ipv6FLabel))
            for address in [fields[.ipv6Src] ?? 0, fields[.ipv6Dst] ?? 0] {
                words += [UInt64(truncatingIfNeeded: address >> 64), UInt64(truncatingIfNeeded: address)]
            }
        default: break
        }
        if type == 0x0800 || type == 0x86dd {
            let ports: (source: UInt64, destination: UInt64)? =
                switch value(.ipProto) {
                case 6: (value(.tcpSrc), value(.tcpDst))
                case 17: (value(.udpSrc), value(.udpDst))
                case 132: (value(.sctpSrc), value(.sctpDst))
                case 1 where type == 0x0800: (value(.icmpv4Type), value(.icmpv4Code))
                case 58 where type == 0x86dd: (value(.icmpv6Type), value(.icmpv6Code))
                default: nil
                }
            words.append((ports?.source ?? 0) << 24 | (ports?.destination ?? 0) << 8 | value(.ipProto))
        }
        let hash = words.reduce(UInt64(0)) { hash, word in
            let first = (hash ^ word) &* 0x9e37_79b9_7f4a_7c15
            let second = (first ^ first >> 29) &* 0xbf58_476d_1ce4_e5b9
            return second ^ second >> 32
        }
        return Int(((hash >> 32) * UInt64(total)) >> 32)
    }
}
