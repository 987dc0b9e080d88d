// A match as the data plane compares it: value and mask of a flow key. Prerequisites need no words of their own, because a
// valid match states them as fields.

import DataPlane
import OpenFlow

extension OXMField {
    /// Where the field lies in a flow key, its most significant part first; empty if another one stands for it.
    package var keyFields: [KeyField] {
        switch self {
        case .inPort: [.inPort]
        case .metadata: [.metadata]
        case .ethDst: [.ethDst]
        case .ethSrc: [.ethSrc]
        case .ethType: [.ethType]
        case .vlanVID: [.vlanVID]
        case .vlanPCP: [.vlanPCP]
        case .ipDSCP: [.ipDSCP]
        case .ipECN: [.ipECN]
        case .ipProto: [.ipProto]
        case .ipv4Src, .arpSPA: [.ipv4Src]
        case .ipv4Dst, .arpTPA: [.ipv4Dst]
        case .tcpSrc, .udpSrc, .sctpSrc, .icmpv4Type, .icmpv6Type: [.l4Src]
        case .tcpDst, .udpDst, .sctpDst, .icmpv4Code, .icmpv6Code: [.l4Dst]
        case .arpOp: [.arpOp]
        case .arpSHA: [.arpSHA]
        case .arpTHA: [.arpTHA]
        case .ipv6Src: [.ipv6SrcHigh, .ipv6SrcLow]
        case .ipv6Dst: [.ipv6DstHigh, .ipv6DstLow]
        case .ipv6FLabel: [.ipv6FLabel]
        case .ipv6NDTarget: [.ndTargetHigh, .ndTargetLow]
        case .ipv6NDSLL, .ipv6NDTLL: [.ndLinkLayer]
        case .mplsLabel: [.mplsLabel]
        case .mplsTC: [.mplsTC]
        case .mplsBOS: [.mplsBOS]
        case .pbbISID: [.pbbISID]
        case .tunnelID: [.tunnelID]
        case .ipv6ExtHdr: [.ipv6ExtHdr]
        // The same as in_port, which is in the match: see `compile`.
        case .inPhyPort: []
        }
    }
}

/// The same for the compiler, which asks for each field of each flow entry: without a list to make.
private struct KeyPlace {
    let high: KeyField?
    let low: KeyField?

    /// By the number of the field.
    static let all = OXMField.allCases.map { field in
        let places = field.keyFields
        return KeyPlace(high: places.count > 1 ? places.first : nil, low: places.last)
    }
}

extension FlowKey {
    /// Sets the bits of a field that the value has set.
    fileprivate mutating func add(_ value: UInt64, at field: KeyField) {
        words[field.word] |= ((value & field.allOnes) << UInt64(field.shift)).bigEndian
    }

    /// Whether all words are the same.
    func isSame(as other: FlowKey) -> Bool {
        var differences: UInt64 = 0
        for word in 0..<FlowKey.wordCount { differences |= words[word] ^ other.words[word] }
        return differences == 0
    }

    /// Adds the bits of another mask.
    mutating func formUnion(_ mask: FlowKey) {
        for word in 0..<FlowKey.wordCount { words[word] |= mask.words[word] }
    }

    /// Whether a mask has all bits of another one.
    func includes(_ mask: FlowKey) -> Bool {
        (0..<FlowKey.wordCount).allSatisfy { words[$0] & mask.words[$0] == mask.words[$0] }
    }

    /// The value and the mask of a match.
    package static func compile(_ match: Match) -> (value: FlowKey, mask: FlowKey) {
        var value = FlowKey()
        var mask = FlowKey()
        for entry in match.fields {
            let bits = entry.significantMask
            let place = KeyPlace.all[Int(entry.field.rawValue)]
            if let low = place.low {
                mask.add(UInt64(truncatingIfNeeded: bits), at: low)
                value.add(UInt64(truncatingIfNeeded: entry.value & bits), at: low)
            }
            if let high = place.high {
                mask.add(UInt64(truncatingIfNeeded: bits >> 64), at: high)
                value.add(UInt64(truncatingIfNeeded: (entry.value & bits) >> 64), at: high)
            }
        }
        // All ports are physical ones: where the two differ, nothing matches.
        if let physical = match[.inPhyPort], physical.value != match[.inPort]?.value {
            (mask[.never], value[.never]) = (1, 1)
        }
        return (value, mask)
    }

    /// How deep a packet must be parsed to be compared under this mask.
    package var depth: ParseDepth {
        var depth = ParseDepth.port
        for word in 0..<FlowKey.wordCount where words[word] != 0 {
            switch word {
            case FlowKey.Word.metadata, FlowKey.Word.tunnel: break
            case FlowKey.Word.port:
                if UInt64(bigEndian: words[word]) & 0xffff_ffff != 0 { depth = max(depth, .ethernet) }
            case FlowKey.Word.ethDst, FlowKey.Word.ethSrc: depth = max(depth, .ethernet)
            case FlowKey.Word.ipv4, FlowKey.Word.l4: depth = max(depth, .transport)
            default: depth = .full
            }
        }
        return depth
    }
}
