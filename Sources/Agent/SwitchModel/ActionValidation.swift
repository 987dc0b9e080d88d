// Whether the switch can carry out an action list: OpenFlow 1.3.5 §6.4 and §7.2.5, with the error that each refusal has
// there.

import OpenFlow

/// Validates action lists of flow entries and of packet-outs.
struct ActionValidation {
    /// What is certain about the packet; changes with each action.
    private(set) var context: HeaderContext
    /// Whether OFPP_TABLE may be named.
    var allowsTable = false

    /// The groups that may be named; nil: any.
    private let groups: [GroupID: Group]?

    /// The queues that may be named.
    private let queues: Set<UInt32>

    init(_ context: HeaderContext, groups: [GroupID: Group]?, queues: Set<UInt32>) {
        (self.context, self.groups, self.queues) = (context, groups, queues)
    }

    /// Validates the action set of a bucket, of whose packets nothing is known.
    func validateBucket(_ actions: [Action]) throws(OpenFlowError) {
        for action in actions { try validate(action) }
    }

    /// Validates a list that is executed in its order.
    mutating func validateList(_ actions: [Action]) throws(OpenFlowError) {
        for action in actions {
            try validate(action)
            try checkConsistency(of: action)
        }
    }

    /// Validates actions for the action set, in the order in which it runs them (§5.10). An earlier table may have
    /// written a push that runs before them, so what a push gives (a VLAN tag, an MPLS shim, a PBB header) is not asked
    /// for; all else that an action needs must be in the match.
    func validateSet(_ actions: [Action]) throws(OpenFlowError) {
        var inSet = self
        for action in actions.sorted(by: ActionSet.runsBefore) {
            inSet.context.assumePush(for: action)
            try inSet.validate(action)
            try inSet.checkConsistency(of: action)
        }
    }

    /// What an action says by itself.
    private func validate(_ action: Action) throws(OpenFlowError) {
        switch action {
        case .output(let port, _): try validate(outputTo: port)
        case .group(let id):
            guard groups.map({ $0[id] != nil }) ?? true else {
                throw .badAction(.badOutGroup, "there is no group \(id)")
            }
        case .setQueue(let id):
            guard queues.contains(id) else { throw .badAction(.badQueue, "no port has a queue \(id)") }
        case .pushVLAN(let etherType):
            guard SwitchCapabilities.tagTypes.contains(etherType) else {
                throw .badAction(.badArgument, "push_vlan: \(etherType) is not the Ethernet type of a VLAN tag")
            }
        case .pushMPLS(let etherType):
            guard SwitchCapabilities.shimTypes.contains(etherType) else {
                throw .badAction(.badArgument, "push_mpls: \(etherType) is not an Ethernet type of MPLS")
            }
        case .pushPBB(let etherType):
            guard SwitchCapabilities.backboneTypes.contains(etherType) else {
                throw .badAction(.badArgument, "push_pbb: \(etherType) is not the Ethernet type of PBB")
            }
        case .popMPLS(let etherType):
            // That would make a VLAN tag of what follows, behind which no tag may be.
            guard !SwitchCapabilities.tagTypes.contains(etherType) else {
                throw .badAction(.badArgument, "pop_mpls: \(etherType) is the Ethernet type of a VLAN tag")
            }
        case .setField(let field, let value): try validate(set: field, to: value)
        default: break
        }
        guard SwitchCapabilities.actionBits & 1 << UInt64(action.type.rawValue) != 0 else {
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
        case .pushMPLS(let etherType): context.setEthType(etherType)
        case .popMPLS(let etherType):
            guard context.isMPLS else { throw .badAction(.matchInconsistent, "pop_mpls: perhaps no MPLS shim") }
            context.setEthType(etherType)
        case .pushPBB: context.pushPBB()
        case .popPBB:
            guard context.isPBB else { throw .badAction(.matchInconsistent, "pop_pbb: perhaps no PBB header") }
            context.popPBB()
        case .setMPLSTTL, .decMPLSTTL:
            guard context.isMPLS else { throw .badAction(.matchInconsistent, "\(action): perhaps not MPLS") }
        case .copyTTLIn, .copyTTLOut:
            guard context.isMPLS || context.isIP else {
                throw .badAction(.matchInconsistent, "\(action): perhaps neither MPLS nor IP")
            }
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

extension HeaderContext {
    /// An action of an action set may rely on a push that an earlier table has written.
    fileprivate mutating func assumePush(for action: Action) {
        switch action {
        case .popVLAN, .setField(.vlanVID, _), .setField(.vlanPCP, _): pushTag()
        case .copyTTLOut:
            if !isMPLS && !isIP { setEthType(0x8847) }
        case .setMPLSTTL, .decMPLSTTL, .setField(.mplsLabel, _), .setField(.mplsTC, _),
            .setField(.mplsBOS, _):
            if !isMPLS { setEthType(0x8847) }
        case .setField(.pbbISID, _):
            if !isPBB { pushPBB() }
        default: break
        }
    }
}
