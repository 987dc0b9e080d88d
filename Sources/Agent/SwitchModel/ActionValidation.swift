// Whether the switch can carry out an action list: OpenFlow 1.3.5 §6.4 and §7.2.5, with the error that each refusal has
// there.

import OpenFlow

/// Validates action lists of flow entries and of packet-outs.
struct ActionValidation {
    /// What is certain about the packet; changes with each action.
    private(set) var context: HeaderContext
    /// Whether OFPP_TABLE may be named.
    var allowsTable = false

    init(_ context: HeaderContext) { self.context = context }

    /// Validates a list that is executed in its order.
    mutating func validateList(_ actions: [Action]) throws(OpenFlowError) {
        for action in actions {
            try validate(action)
            try checkConsistency(of: action)
        }
    }

    /// Validates actions for the action set. An earlier table may have written a push-VLAN that runs before them, so
    /// that there is a tag is not asked for; all else that an action needs must be in the match.
    func validateSet(_ actions: [Action]) throws(OpenFlowError) {
        var inSet = self
        for action in actions {
            inSet.context.pushTag()
            try inSet.validate(action)
            try inSet.checkConsistency(of: action)
        }
    }

    /// What an action says by itself.
    private func validate(_ action: Action) throws(OpenFlowError) {
        switch action {
        case .output(let port, _): try validate(outputTo: port)
        case .group(let id): throw .badAction(.badOutGroup, "there is no group \(id)")
        case .setQueue(let id): throw .badAction(.badQueue, "there is no queue \(id)")
        case .pushVLAN(let etherType):
            guard SwitchCapabilities.tagTypes.contains(etherType) else {
                throw .badAction(.badArgument, "push_vlan: \(etherType) is not the Ethernet type of a VLAN tag")
            }
        case .setField(let field, let value): try validate(set: field, to: value)
        default: break
        }
        guard SwitchCapabilities.actions.contains(action.type) else {
            throw .badAction(.badType, "\(action) is not supported")
        }
    }

    /// Ports that do not exist (yet) are accepted: what is sent to them is dropped.
    private func validate(outputTo port: PortNumber) throws(OpenFlowError) {
        guard port.isStandard || SwitchCapabilities.outputPorts.contains(port) || (allowsTable && port == .table) else {
            throw .badAction(.badOutPort, "output to \(port)")
        }
    }

    private func validate(set field: OXMField, to value: UInt128) throws(OpenFlowError) {
        guard SwitchCapabilities.setFields.contains(field) else {
            throw .badAction(.badSetType, "set_field: \(field.name) can't be set")
        }
        let isValid =
            switch field {
            // OFPVID_PRESENT must be set (§7.2.5).
            case .vlanVID: value & ~0xfff == MatchField.vlanPresent
            // That would make a VLAN tag of what follows, which push_vlan is for.
            case .ethType: value <= field.allOnes && value != EtherType.vlan && value != EtherType.serviceVLAN
            default: value <= field.allOnes
            }
        guard isValid else { throw .badAction(.badSetArgument, "set_field: \(value) is no value of \(field.name)") }
    }

    /// What an action needs of the packet, and what the packet is afterwards.
    private mutating func checkConsistency(of action: Action) throws(OpenFlowError) {
        switch action {
        case .pushVLAN: context.pushTag()
        case .popVLAN:
            guard context.isTagged else { throw .badAction(.matchInconsistent, "pop_vlan: perhaps no VLAN tag") }
            context.popTag()
        case .setNWTTL, .decNWTTL:
            guard context.isIP else { throw .badAction(.matchInconsistent, "\(action): perhaps not IP") }
        case .setField(let field, let value):
            guard context.meets(field.prerequisite), field != .vlanVID || context.isTagged else {
                throw .badAction(.matchInconsistent, "set_field: perhaps no \(field.name)")
            }
            context.set(field, value)
        default: break
        }
    }
}
