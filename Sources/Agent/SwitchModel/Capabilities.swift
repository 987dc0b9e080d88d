// What this version can do, in one place: validation refuses what is not in it, the table-features reply announces what
// is. Supporting one more field or action on the control side is one more word here.

import OpenFlow

/// The fields, actions and instructions that the data plane carries out.
package enum SwitchCapabilities {
    /// Fields that a match may have: all. Those that may have a mask there may have any.
    package static let matchFields = Set(OXMField.allCases)

    // The same as bits by number, for what is asked for each message.
    static let matchFieldBits = bits(matchFields.map { Int($0.rawValue) })
    static let actionBits = bits(actions.map { Int($0.rawValue) })
    static let instructionBits = bits(instructions.map { Int($0.rawValue) })

    private static func bits(_ numbers: [Int]) -> UInt64 { numbers.reduce(0) { $0 | 1 << UInt64($1) } }

    /// Fields that a set-field action may set: what can be matched, but the packet's way (OpenFlow 1.3.5 §7.2.5 /
    /// A.2.5).
    package static let setFields: Set<OXMField> = matchFields.filter(\.isSettable)

    /// Actions, applied or written. The others are refused with BAD_ACTION/BAD_TYPE, or with a code of their own.
    package static let actions: Set<ActionType> = [
        .output, .copyTTLOut, .copyTTLIn, .setMPLSTTL, .decMPLSTTL, .pushVLAN, .popVLAN, .pushMPLS, .popMPLS,
        .setNWTTL, .decNWTTL, .setField, .pushPBB, .popPBB, .group, .setQueue,
    ]

    /// Instructions. The others are refused with BAD_INSTRUCTION/UNSUP_INST.
    package static let instructions: Set<InstructionType> = [
        .gotoTable, .writeMetadata, .writeActions, .applyActions, .clearActions, .meter,
    ]

    /// Reserved ports that a flow entry may output to. A packet-out may name OFPP_TABLE besides.
    package static let outputPorts: Set<PortNumber> = [.inPort, .all, .flood, .normal, .controller, .local]

    /// Ethernet types of a VLAN tag to push.
    package static let tagTypes: Set<UInt16> = [0x8100, 0x88a8]

    /// Ethernet types of an MPLS shim to push.
    package static let shimTypes: Set<UInt16> = [0x8847, 0x8848]

    /// Ethernet types of a PBB header to push.
    package static let backboneTypes: Set<UInt16> = [0x88e7]

    /// Port settings that PORT_MOD may change.
    package static let portConfig: PortConfig = [.portDown, .noReceive, .noForward, .noPacketIn]

    /// What happens to IP fragments.
    package static let fragmentHandling: Set<FragmentHandling> = [.normal, .drop]

    /// What the features reply says.
    package static let features: Capabilities = [
        .flowStatistics, .tableStatistics, .portStatistics, .groupStatistics, .queueStatistics,
    ]
}
