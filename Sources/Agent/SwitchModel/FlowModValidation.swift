// Whether a FLOW_MOD is acceptable in itself, before anything changes: OpenFlow 1.3.5 §6.4, in the order table, flags,
// match, instructions. What depends on the entries that are there already (overlap, room) is decided in
// FlowModExecution.

import OpenFlow

extension SwitchModel {
    /// Throws the error that the specification names for the first thing that is wrong.
    func validate(_ mod: FlowMod) throws(OpenFlowError) {
        let isDelete = mod.command == .delete || mod.command == .deleteStrict
        guard mod.tableID < Self.tableCount || (isDelete && mod.tableID == TableID.all) else {
            throw .flowModFailed(.badTableID, "table \(mod.tableID)")
        }
        guard mod.flags.subtracting(.known).isEmpty else {
            throw .flowModFailed(.badFlags, "flags \(mod.flags.rawValue)")
        }
        try validate(mod.match)
        if isDelete { return }
        guard mod.bufferID == BufferID.none else {
            throw .badRequest(.bufferUnknown, "buffer \(mod.bufferID); packets are not buffered")
        }
        try validate(mod.instructions, of: mod)
        guard MultipartPieces.fits(FlowStatistics(largestWith: mod.instructions)) else {
            throw .badAction(.tooMany, "an entry that no statistics reply has room for")
        }
    }

    /// A match of a flow-mod or of a statistics request.
    func validate(_ match: Match) throws(OpenFlowError) {
        for entry in match.fields where !SwitchCapabilities.matchFields.contains(entry.field) {
            throw .badMatch(.badField, "\(entry.field.name) can't be matched")
        }
        try match.checkPrerequisites()
    }

    private func validate(_ instructions: [Instruction], of mod: FlowMod) throws(OpenFlowError) {
        var seen: Set<InstructionType> = []
        for instruction in instructions {
            guard SwitchCapabilities.instructions.contains(instruction.type) else {
                throw .badInstruction(.unsupportedInstruction, "\(instruction) is not supported")
            }
            // 1.3 has no code for this one; Open vSwitch answers the same.
            guard seen.insert(instruction.type).inserted else {
                throw .badInstruction(.unsupportedInstruction, "\(instruction): the second of its type")
            }
            if case .gotoTable(let next) = instruction {
                guard next > mod.tableID, next < Self.tableCount else {
                    throw .badInstruction(.badTableID, "goto_table:\(next) in table \(mod.tableID)")
                }
            }
        }
        // Apply-Actions run first, whatever the order in the message (§5.9), so the action set meets the packet that
        // they leave.
        var actions = ActionValidation(HeaderContext(mod.match))
        for case .applyActions(let list) in instructions { try actions.validateList(list) }
        for case .writeActions(let list) in instructions { try actions.validateSet(list) }
    }
}

extension FlowModFlags {
    /// All flags of OpenFlow 1.3.
    fileprivate static let known: FlowModFlags = [
        .sendFlowRemoved, .checkOverlap, .resetCounts, .noPacketCounts, .noByteCounts,
    ]
}

extension FlowStatistics {
    /// The largest that an entry's statistics can be with these instructions: a modify gives them to entries whose
    /// match says more than its own.
    fileprivate init(largestWith instructions: [Instruction]) {
        self.init(tableID: 0, priority: 0, match: Self.largestMatch, instructions: instructions)
    }

    private static let largestMatch = Match(
        SwitchCapabilities.matchFields.map { MatchField($0, 0, mask: $0.isMaskable ? 1 : nil) }
    )
}
