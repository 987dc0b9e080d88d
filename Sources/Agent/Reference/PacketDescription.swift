// A packet in words: what FlowSyntax reads and PacketBuilder makes bytes of.

import OpenFlow

/// The fields of one packet, in the form of `MatchField.value`. What is not said gets a default when the packet is
/// built.
package struct PacketDescription: Hashable, Sendable {
    /// Without `in_port` and `metadata`, which are no part of the packet.
    package var fields: [OXMField: UInt128]
    /// Where it comes in, if that is said.
    package var inPort: PortNumber?
    /// TTL of IPv4 and MPLS, hop limit of IPv6.
    package var ttl: UInt8
    /// What follows the last header that is built.
    package var payload: [UInt8]

    package init(
        fields: [OXMField: UInt128] = [:],
        inPort: PortNumber? = nil,
        ttl: UInt8 = 64,
        payload: [UInt8] = []
    ) {
        self.fields = fields
        self.inPort = inPort
        self.ttl = ttl
        self.payload = payload
    }

    /// The fields that can be built into a packet: all but those of its way.
    static let buildable = SwitchCapabilities.matchFields.subtracting([.inPort, .inPhyPort, .metadata, .tunnelID])

    /// Adds what a field needs to be there: tcp_dst makes it a TCP packet, an IPv4 one if nothing else is said.
    /// False if the packet is described as something else.
    mutating func fulfil(_ prerequisite: Prerequisite) -> Bool {
        switch prerequisite {
        case .none: true
        case .vlanTag: require(.vlanVID, MatchField.vlanPresent) || fields[.vlanVID]! & MatchField.vlanPresent != 0
        case .etherType(let first, let second):
            require(.ethType, UInt128(first)) || fields[.ethType] == second.map { UInt128($0) }
        case .ipProto(let number, let version):
            fulfil(version.map { .etherType($0) } ?? .etherType(0x0800, or: 0x86dd))
                && require(.ipProto, UInt128(number))
        case .icmpv6Type(let first, let second):
            fulfil(.ipProto(58, over: 0x86dd))
                && (require(.icmpv6Type, UInt128(first)) || fields[.icmpv6Type] == second.map { UInt128($0) })
        case .inPort: false
        }
    }

    /// Gives a field a value if it has none; false if it has another one.
    private mutating func require(_ field: OXMField, _ value: UInt128) -> Bool {
        if fields[field] == nil { fields[field] = value }
        return fields[field] == value
    }
}
