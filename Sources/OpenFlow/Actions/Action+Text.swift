// Actions as `ovs-ofctl` writes them: `set_field:10.0.0.1->ip_dst,output:2`.

extension Action: CustomStringConvertible {
    package var description: String {
        switch self {
        case .output(.controller, let maxLength): "CONTROLLER:\(maxLength)"
        case .output(let port, _) where port > .max: port.description
        case .output(let port, _): "output:\(port)"
        case .copyTTLOut: "copy_ttl_out"
        case .copyTTLIn: "copy_ttl_in"
        case .setMPLSTTL(let ttl): "set_mpls_ttl(\(ttl))"
        case .decMPLSTTL: "dec_mpls_ttl"
        case .pushVLAN(let etherType): "push_vlan:\(Text.hex(etherType, digits: 4))"
        case .popVLAN: "pop_vlan"
        case .pushMPLS(let etherType): "push_mpls:\(Text.hex(etherType, digits: 4))"
        case .popMPLS(let etherType): "pop_mpls:\(Text.hex(etherType, digits: 4))"
        case .setQueue(let queue): "set_queue:\(queue)"
        case .group(let group): "group:\(group)"
        case .setNWTTL(let ttl): "mod_nw_ttl:\(ttl)"
        case .decNWTTL: "dec_ttl"
        case .setField(let field, let value): "set_field:\(Self.text(value, of: field))->\(Self.name(of: field))"
        case .pushPBB(let etherType): "push_pbb:\(Text.hex(etherType, digits: 4))"
        case .popPBB: "pop_pbb"
        }
    }

    /// Actions with commas between them; `drop` for none.
    static func list(_ actions: [Action]) -> String {
        actions.isEmpty ? "drop" : actions.map(\.description).joined(separator: ",")
    }

    private static func text(_ value: UInt128, of field: OXMField) -> String {
        field == .ipv6FLabel ? Text.hex(value) : MatchField.text(value, of: field)
    }

    /// The name of a field that is set: another one than in a match for some.
    private static func name(of field: OXMField) -> String {
        switch field {
        case .ethDst, .ethSrc, .ethType, .vlanVID, .vlanPCP, .ipDSCP, .icmpv6Type, .icmpv6Code,
            .tcpSrc, .tcpDst, .udpSrc, .udpDst, .sctpSrc, .sctpDst:
            field.name
        case .ipv4Src: "ip_src"
        case .ipv4Dst: "ip_dst"
        default: field.ovsName
        }
    }
}
