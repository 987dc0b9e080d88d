// What a flow entry has done with its packets. Bytes are in Instruction+Wire.swift, text in Instruction+Text.swift.

/// An instruction (OpenFlow 1.3.5 §7.2.4 / A.2.4). There is no value for an experimenter's or an unknown instruction:
/// decoding one throws.
package enum Instruction: Hashable, Sendable {
    /// OFPIT_GOTO_TABLE.
    case gotoTable(UInt8)
    /// OFPIT_WRITE_METADATA: the bits of `mask` are taken from `value`.
    case writeMetadata(value: UInt64, mask: UInt64)
    /// OFPIT_WRITE_ACTIONS: into the action set.
    case writeActions([Action])
    /// OFPIT_APPLY_ACTIONS: at once, in order.
    case applyActions([Action])
    /// OFPIT_CLEAR_ACTIONS: the action set becomes empty.
    case clearActions
    /// OFPIT_METER.
    case meter(UInt32)
}

/// `ofp_instruction_type`.
package enum InstructionType: UInt16, CaseIterable, Hashable, Sendable {
    case gotoTable = 1, writeMetadata, writeActions, applyActions, clearActions, meter
    case experimenter = 0xffff
}
