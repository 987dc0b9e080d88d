// Whether a FLOW_MOD is acceptable in itself, before anything changes: OpenFlow 1.3.5 §6.4, in the order table, flags,
// match, instructions. What depends on the entries that are there already (overlap, room) is decided in
// FlowModExecution.

import NIOCore
import OpenFlow

extension SwitchModel {
    /// Throws the error that the specification names for the first thing that is wrong.
    ///
    /// - Parameter acceptsAnyGroup: Whether actions may name groups that there are not (yet).
    func validate(_ mod: FlowMod, acceptsAnyGroup: Bool = false) throws(OpenFlowError) {
        let isDelete = mod.command == .delete || mod.command == .deleteStrict
        guard hasTable(mod.tableID) || (isDelete && mod.tableID == TableID.all) else {
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
        try validate(mod.instructions, of: mod, acceptsAnyGroup)
        if let table = tableConfigurations?[mod.tableID] {
            try table.validate(mod.match.normalized, priority: mod.priority, mod.instructions)
        }
        guard Self.fitIntoReply(mod.instructions) else {
            throw .badAction(.tooMany, "an entry that no statistics reply has room for")
        }
    }

    /// Whether a flow-statistics reply (65,535 bytes with its headers, OpenFlow 1.3.5 §7.3.5) has room for an entry with these
    /// instructions, whatever its match is: MODIFY may give them to any. Few actions always fit: the longest has 32 bytes.
    private static func fitIntoReply(_ instructions: [Instruction]) -> Bool {
        let actions = instructions.reduce(0) { count, instruction in
            switch instruction {
            case .applyActions(let actions), .writeActions(let actions): count + actions.count
            case .gotoTable, .writeMetadata, .clearActions, .meter: count
            }
        }
        guard actions > 1_000 else { return true }
        let entry = FlowStatistics(tableID: 0, priority: 0, match: .any, instructions: instructions)
        let replies = Envelope.multipartReplies(xid: 0, .flow([entry]))
        var bytes = ByteBuffer()
        guard let reply = replies.first, (try? reply.encode(into: &bytes)) != nil else { return false }
        return bytes.readableBytes + longestMatch <= 0xffff
    }

    /// Bytes that a match of all fields with masks has more than an empty one, which is 8 with its padding.
    private static let longestMatch: Int = {
        let fields = SwitchCapabilities.matchFields.reduce(4) { $0 + 4 + $1.byteCount * ($1.isMaskable ? 2 : 1) }
        return (fields + 7) / 8 * 8 - 8
    }()

    /// A match of a flow-mod or of a statistics request.
    func validate(_ match: Match) throws(OpenFlowError) {
        let known = SwitchCapabilities.matchFieldBits
        for entry in match.fields where known & 1 << UInt64(entry.field.rawValue) == 0 {
            throw .badMatch(.badField, "\(entry.field.name) can't be matched")
        }
        try match.checkPrerequisites()
    }

    private func validate(_ instructions: [Instruction], of mod: FlowMod, _ acceptsAnyGroup: Bool) throws(OpenFlowError)
    {
        // A bit for each type.
        var seen: UInt8 = 0
        for instruction in instructions {
            guard SwitchCapabilities.instructionBits & 1 << UInt64(instruction.type.rawValue) != 0 else {
                throw .badInstruction(.unsupportedInstruction, "\(instruction) is not supported")
            }
            // 1.3 has no code for this one; Open vSwitch answers the same.
            let bit: UInt8 = 1 << UInt8(truncatingIfNeeded: instruction.type.rawValue)
            guard seen & bit == 0 else {
                throw .badInstruction(.unsupportedInstruction, "\(instruction): the second of its type")
            }
            seen |= bit
            if case .gotoTable(let next) = instruction {
                guard next > mod.tableID, next < Self.tableCount else {
                    throw .badInstruction(.badTableID, "goto_table:\(next) in table \(mod.tableID)")
                }
            }
        }
        // Apply-Actions run first, whatever the order in the message (§5.9), so the action set meets the packet that
        // they leave.
        var actions = ActionValidation(
            HeaderContext(mod.match),
            groups: acceptsAnyGroup ? nil : groups,
            queues: queueIDs
        )
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
