// What is done to a packet. Bytes are in Action+Wire.swift, text in Action+Text.swift.

/// An action (OpenFlow 1.3.5 §7.2.5 / A.2.5). There is no value for an experimenter's or an unknown action: decoding
/// one throws.
package enum Action: Hashable, Sendable {
    /// OFPAT_OUTPUT. `maxLength` bytes at most go into a packet-in when the port is the controller (see
    /// `ControllerMaxLength`).
    case output(PortNumber, maxLength: UInt16)
    /// OFPAT_COPY_TTL_OUT: from the next-to-outermost header with a TTL to the outermost.
    case copyTTLOut
    /// OFPAT_COPY_TTL_IN: from the outermost header with a TTL to the next-to-outermost.
    case copyTTLIn
    /// OFPAT_SET_MPLS_TTL.
    case setMPLSTTL(UInt8)
    /// OFPAT_DEC_MPLS_TTL.
    case decMPLSTTL
    /// OFPAT_PUSH_VLAN with the new tag's Ethernet type: 0x8100 or 0x88a8.
    case pushVLAN(UInt16)
    /// OFPAT_POP_VLAN.
    case popVLAN
    /// OFPAT_PUSH_MPLS with the new Ethernet type: 0x8847 or 0x8848.
    case pushMPLS(UInt16)
    /// OFPAT_POP_MPLS with the Ethernet type of what is below the shim.
    case popMPLS(UInt16)
    /// OFPAT_SET_QUEUE: the queue for the outputs that follow.
    case setQueue(UInt32)
    /// OFPAT_GROUP.
    case group(GroupID)
    /// OFPAT_SET_NW_TTL: the TTL of IPv4, the hop limit of IPv6.
    case setNWTTL(UInt8)
    /// OFPAT_DEC_NW_TTL.
    case decNWTTL
    /// OFPAT_SET_FIELD: a right-aligned value in host order, as in `MatchField`.
    case setField(OXMField, UInt128)
    /// OFPAT_PUSH_PBB with the new Ethernet type: 0x88e7.
    case pushPBB(UInt16)
    /// OFPAT_POP_PBB.
    case popPBB
}

/// `ofp_action_type`.
package enum ActionType: UInt16, CaseIterable, Hashable, Sendable {
    case output = 0
    case copyTTLOut = 11, copyTTLIn
    case setMPLSTTL = 15, decMPLSTTL, pushVLAN, popVLAN, pushMPLS, popMPLS, setQueue, group, setNWTTL, decNWTTL
    case setField, pushPBB, popPBB
    case experimenter = 0xffff
}
