// OpenFlow 1.3.5 §5 over the switch model, as literally as code can be: the oracle of the tests, half of `ringway trace`.
// Nothing here is fast. PacketFields reads a frame, PacketEdit changes it, ActionSet keeps what waits for the end.

import OpenFlow

/// What the switch does with one packet, by its flow entries and nothing else.
package struct ReferencePipeline {
    /// What left, in order.
    package private(set) var outputs: [PipelineOutput] = []
    /// What happened, in order.
    package private(set) var steps: [PipelineStep] = []
    /// How many bytes the packet had at each of the steps that are lookups.
    package private(set) var lookupLengths: [Int] = []

    /// Addresses seen where the model does not know them.
    package private(set) var sightings: [LearnedAddress] = []

    private let model: SwitchModel
    /// nil: no packet is above any rate.
    private let meters: ReferenceMeters?
    private let inPort: PortNumber
    private var frame: [UInt8]
    private var metadata: UInt64 = 0
    /// 0 for what comes in by a physical port; Set-Field may change it.
    private var tunnelID: UInt64 = 0
    /// Of the ports that it is output to from now on.
    private var queue: UInt32?
    private var actionSet = ActionSet()
    /// The entry that matched last, which a packet-in names.
    private var rule: FlowEntry?
    private var packetInReason = PacketInReason.action
    /// How many copies of the packet were sent somewhere, or dropped on the way there.
    private var copies = 0
    private var isAlive = true

    /// A frame that comes in by a port.
    ///
    /// - Parameter meters: The state of the model's meters; nil: no packet is above any rate.
    package static func receive(
        _ frame: [UInt8],
        inPort: PortNumber,
        by model: SwitchModel,
        meters: ReferenceMeters? = nil
    ) -> Self {
        var packet = Self(model: model, meters: meters, inPort: inPort, frame: frame)
        if PacketFields(frame) == nil {
            packet.drop(.notEthernet)
        } else if packet.config(of: inPort).contains(.portDown) {
            packet.drop(.portDown(inPort))
        } else if packet.config(of: inPort).contains(.noReceive) {
            packet.drop(.noReceive)
        } else if model.isStandalone {
            packet.outputNormal()
            packet.finish()
        } else {
            packet.runTables()
        }
        return packet
    }

    /// A frame that a controller sends (§7.3.7), the message being valid.
    package static func packetOut(
        _ frame: [UInt8],
        inPort: PortNumber,
        actions: [Action],
        by model: SwitchModel,
        meters: ReferenceMeters? = nil
    ) -> Self {
        var packet = Self(model: model, meters: meters, inPort: inPort, frame: frame)
        packet.execute(actions)
        packet.finish()
        return packet
    }

    /// §5.1: from table to table, and the action set at the end.
    private mutating func runTables() {
        guard let fields = PacketFields(frame) else { return drop(.notEthernet) }
        if fields.isFragment && model.config.fragmentHandling == .drop { return drop(.fragment) }
        var tableID: UInt8? = 0
        while let id = tableID {
            rule = lookUp(in: id)
            steps.append(.table(id, rule))
            lookupLengths.append(frame.count)
            guard let rule else { return drop(.noMatch) }
            tableID = execute(rule)
            guard isAlive else { return }
        }
        let actions = actionSet.inOrder
        if !actions.isEmpty { steps.append(.actionSet(actions)) }
        packetInReason = actionSet.packetInReason
        execute(actions)
        finish()
    }

    /// §5.10: without an output the packet is dropped.
    private mutating func finish() {
        if isAlive && copies == 0 { drop(.noOutput) }
    }

    /// §5.3: of the entries that the packet fits, the one with the highest priority. Which of several is not defined.
    private func lookUp(in tableID: UInt8) -> FlowEntry? {
        var fields = PacketFields(frame)?.values ?? [:]
        fields[.inPort] = UInt128(inPort.rawValue)
        fields[.inPhyPort] = UInt128(inPort.rawValue)
        fields[.metadata] = UInt128(metadata)
        fields[.tunnelID] = UInt128(tunnelID)
        return model.tables[Int(tableID)].entries
            .filter {
                $0.normalizedMatch.fields.allSatisfy { (fields[$0.field] ?? 0) & $0.significantMask == $0.value }
            }
            .max { $0.priority < $1.priority }
    }

    /// §5.9: in the order of the specification, whatever their order in the entry. Returns the table to go to.
    private mutating func execute(_ rule: FlowEntry) -> UInt8? {
        packetInReason = rule.packetInReason
        for case .meter(let id) in rule.instructions {
            steps.append(.meter(id))
            guard let meter = model.meters[id], let meters else { continue }
            guard meters.meter(&frame, by: meter) else {
                drop(.meter(id))
                isAlive = false
                return nil
            }
        }
        for case .applyActions(let actions) in rule.instructions { execute(actions) }
        for case .clearActions in rule.instructions { actionSet.clear() }
        for case .writeActions(let actions) in rule.instructions { actionSet.write(actions, of: rule) }
        for case .writeMetadata(let value, let mask) in rule.instructions { metadata = metadata & ~mask | value & mask }
        for case .gotoTable(let id) in rule.instructions { return id }
        return nil
    }

    /// §5.12: one after the other, until one ends the packet.
    private mutating func execute(_ actions: [Action]) {
        for action in actions where isAlive {
            steps.append(.action(action))
            switch action {
            case .output(let port, let maxLength): output(to: port, maxLength: maxLength)
            case .pushVLAN(let etherType): frame.pushVLAN(etherType)
            case .popVLAN: frame.popVLAN()
            case .setNWTTL(let ttl): frame.setTTL(ttl)
            case .pushMPLS(let etherType): frame.pushMPLS(etherType)
            case .popMPLS(let etherType): frame.popMPLS(etherType)
            case .pushPBB(let etherType): frame.pushPBB(etherType)
            case .popPBB: frame.popPBB()
            case .copyTTLIn: frame.copyTTLIn()
            case .copyTTLOut: frame.copyTTLOut()
            case .decNWTTL: decrement(frame.ttl) { $0.setTTL($1) }
            case .setMPLSTTL(let ttl): frame.setMPLSTTL(ttl)
            case .decMPLSTTL: decrement(frame.mplsTTL) { $0.setMPLSTTL($1) }
            case .setField(.tunnelID, let value): tunnelID = UInt64(truncatingIfNeeded: value)
            case .setField(let field, let value): frame.set(field, to: value)
            case .group(let id): runGroup(id)
            case .setQueue(let id): queue = id
            }
        }
    }

    /// §5.6: each bucket has a copy of the packet as it came, and runs as an action set.
    private mutating func runGroup(_ id: GroupID) {
        guard let group = model.groups[id] else { return }
        let choice = model.choice(of: group)
        var chosen = choice.buckets
        if !choice.takesAll, let share = GroupSelection.share(of: frame, choice.buckets.reduce(0) { $0 + $1.weight }) {
            var rest = share
            chosen = choice.buckets.filter { bucket in
                defer { rest -= bucket.weight }
                return rest >= 0 && rest < bucket.weight
            }
        }
        for bucket in chosen {
            var copy = self
            (copy.outputs, copy.steps, copy.copies, copy.packetInReason) = ([], [], 0, .action)
            (copy.lookupLengths, copy.sightings) = ([], [])
            var set = ActionSet()
            set.write(group.buckets[bucket.index].actions)
            copy.steps.append(.bucket(id, bucket.index))
            copy.execute(set.inOrder)
            copy.finish()
            copies += 1
            outputs += copy.outputs
            steps += copy.steps
            sightings += copy.sightings
        }
    }

    /// A TTL that may not go lower ends the packet, and the controllers hear of it.
    private mutating func decrement(_ ttl: UInt8?, _ set: (inout [UInt8], UInt8) -> Void) {
        guard let ttl else { return }
        if ttl > 1 { return set(&frame, ttl - 1) }
        sendToController(.invalidTTL, maxLength: ControllerMaxLength.noBuffer)
        isAlive = false
    }

    /// §4.5: a port of the switch, or a reserved one.
    private mutating func output(to port: PortNumber, maxLength: UInt16) {
        switch port {
        case .controller: sendToController(packetInReason, maxLength: maxLength)
        case .inPort: send(to: inPort)
        case .normal: outputNormal()
        case .all, .flood:
            for port in model.floodPorts
            where port != inPort && config(of: port).isDisjoint(with: [.portDown, .noForward]) { send(to: port) }
        case .table: submitToTables()
        case inPort: drop(.ingressPort)
        default: send(to: port)
        }
    }

    /// §4.5, as a learning switch with VLANs (IEEE 802.1Q) does it.
    private mutating func outputNormal() {
        guard let fields = PacketFields(frame)?.values, let destination = fields[.ethDst], let source = fields[.ethSrc]
        else { return drop(.notEthernet) }
        let tag = frame.isTagged ? (UInt16(frame[14]) << 8 | UInt16(frame[15])) & 0xfff : 0
        var vlan = tag
        // 01-80-C2-00-00-00 to -0F (IEEE 802.1Q §8.6.3).
        if destination >> 4 == 0x0180_c200_000 { return drop(.reservedAddress) }
        switch model.vlans(of: inPort) {
        case .all: break
        case .trunk(let vlans): if !vlans.contains(tag) { return drop(.vlan(inPort)) }
        case .access(let own):
            // Frames without a VLAN only (IEEE 802.1Q §6.9.1).
            if tag != 0 { return drop(.vlan(inPort)) }
            vlan = own
        }
        let seen = LearnedAddress(vlan: vlan, address: EthernetAddress(rawValue: UInt64(source)))
        if source >> 40 & 1 == 0, source != 0, model.ports[inPort] != nil, model.addresses[seen] != inPort {
            sightings.append(seen)
        }
        let wanted = LearnedAddress(vlan: vlan, address: EthernetAddress(rawValue: UInt64(destination)))
        let received = frame
        defer { frame = received }
        if destination >> 40 & 1 == 0, let port = model.addresses[wanted] {
            guard port != inPort else { return drop(.ingressPort) }
            guard model.vlans(of: port).contains(vlan) else { return drop(.vlan(port)) }
            frame = received.fitted(to: model.vlans(of: port), vlan: vlan)
            return send(to: port)
        }
        for port in model.floodPorts
        where port != inPort && model.vlans(of: port).contains(vlan)
            && config(of: port).isDisjoint(with: [.portDown, .noForward])
        {
            frame = received.fitted(to: model.vlans(of: port), vlan: vlan)
            send(to: port)
        }
    }

    private mutating func send(to port: PortNumber) {
        guard model.ports[port] != nil else { return drop(.noSuchPort(port)) }
        guard !config(of: port).contains(.portDown) else { return drop(.portDown(port)) }
        guard !config(of: port).contains(.noForward) else { return drop(.noForward(port)) }
        copies += 1
        var output = PipelineOutput(destination: .port(port), frame: frame)
        output.queue = queue
        outputs.append(output)
    }

    /// §7.2.1: what controllers have set of a port.
    private func config(of port: PortNumber) -> PortConfig { model.ports[port]?.port.config ?? [] }

    private mutating func sendToController(_ reason: PacketInReason, maxLength: UInt16) {
        guard reason != .noMatch || !config(of: inPort).contains(.noPacketIn) else { return drop(.noPacketIn) }
        var frame = frame
        if let meter = model.meters[MeterID.controller], let meters, !meters.meter(&frame, by: meter) {
            return drop(.meter(meter.id))
        }
        copies += 1
        var output = PipelineOutput(
            packetIn: reason,
            by: rule,
            metadata: metadata,
            maxLength: maxLength,
            frame: frame
        )
        output.tunnelID = tunnelID
        outputs.append(output)
    }

    /// OFPP_TABLE: a copy goes through the tables, the rest of the list goes on with the packet as it is.
    private mutating func submitToTables() {
        copies += 1
        var copy = Self(model: model, meters: meters, inPort: inPort, frame: frame)
        copy.queue = queue
        copy.runTables()
        outputs += copy.outputs
        steps += copy.steps
        lookupLengths += copy.lookupLengths
        sightings += copy.sightings
    }

    private mutating func drop(_ reason: PipelineStep.DropReason) {
        copies += 1
        steps.append(.drop(reason))
    }
}
