// What the scenarios must cover, taken from the switch's own lists: whoever adds an action, a field, a reason or an error code
// adds a scenario, or says here why there is none.

import Agent
import DataPlane
import OpenFlow
import Testing

@Suite(
    "Scenarios cover",
    .timeLimit(.minutes(1)),
    .enabled(if: ToolProcess.ovsOfctl != nil, "there is no ovs-ofctl (Debian: openvswitch-switch)")
)
struct ScenarioCoverageTests {
    private let accepted: [Message]
    private let refused: [Message]
    private let fates: [Scenario.Fate]
    private let errors: Set<String>

    init() throws {
        let rules = try RecordedRules.shared.get()
        var (accepted, refused, fates, errors): ([Message], [Message], [Scenario.Fate], Set<String>) = ([], [], [], [])
        for step in Scenario.all.flatMap(\.steps) {
            let messages = try step.event.messages.compactMap { try rules[$0].message }
            switch step.event {
            case .refused(_, let error):
                refused += messages
                errors.insert(error)
            case .packet(_, _, let out), .packetOut(_, let out):
                accepted += messages
                fates += out
            case .rules, .config, .queues, .portConfig, .wait, .counters: accepted += messages
            }
        }
        (self.accepted, self.refused, self.fates, self.errors) = (accepted, refused, fates, errors)
    }

    @Test("a file for each of them, each read without a mistake")
    func files() {
        #expect(Scenario.all.count > 50)
        for scenario in Scenario.all { #expect(scenario.problem == nil, "\(scenario.file).yaml") }
        #expect(Scenario.live.count * 10 >= Scenario.all.count * 9, "few enough that can't run on a live agent")
    }

    @Test("every action: applied and written, or refused")
    func actions() {
        let applied = Set(accepted.flatMap(\.appliedActions).map(\.type))
        let written = Set(accepted.flatMap(\.writtenActions).map(\.type))
        let refused = Set(refused.flatMap { $0.appliedActions + $0.writtenActions }.map(\.type))
        for type in ActionType.allCases where type != .experimenter {
            if SwitchCapabilities.actions.contains(type) {
                #expect(applied.contains(type), "applied")
                #expect(written.contains(type), "written")
            } else {
                #expect(refused.contains(type), "refused")
            }
        }
        // An experimenter's action never becomes a value: its scenario is that of the error code.
    }

    @Test("every instruction: accepted or refused")
    func instructions() {
        let (accepted, refused) = (accepted.instructionTypes, refused.instructionTypes)
        for type in InstructionType.allCases where type != .experimenter {
            #expect((SwitchCapabilities.instructions.contains(type) ? accepted : refused).contains(type))
        }
    }

    @Test("output to every reserved port: accepted or refused")
    func reservedPorts() {
        func ports(_ messages: [Message]) -> Set<PortNumber> {
            Set(
                messages.flatMap { $0.appliedActions + $0.writtenActions }.compactMap { action in
                    if case .output(let port, _) = action { port } else { nil }
                }
            )
        }
        let (accepted, refused) = (ports(accepted), ports(refused))
        for port in [.inPort, .table, .normal, .flood, .all, .controller, .local, .any] as [PortNumber] {
            let isSupported = SwitchCapabilities.outputPorts.contains(port) || port == .table
            #expect((isSupported ? accepted : refused).contains(port))
        }
        #expect(refused.contains(.table), "in a flow entry")
    }

    @Test("set-field on every field that can be set")
    func setFields() {
        let set = Set(
            accepted.flatMap { $0.appliedActions + $0.writtenActions }.compactMap { action in
                if case .setField(let field, _) = action { field } else { nil }
            }
        )
        #expect(set == SwitchCapabilities.setFields)
    }

    @Test("a match on every field, and under a mask where that can be")
    func matchFields() {
        let entries = accepted.compactMap(\.flowMod).flatMap(\.match.fields)
        for field in SwitchCapabilities.matchFields {
            #expect(entries.contains { $0.field == field && $0.significantMask == field.allOnes }, "exactly")
            if field.isMaskable {
                #expect(entries.contains { $0.field == field && $0.significantMask != field.allOnes }, "masked")
            }
        }
    }

    @Test("every command and flag of a flow-mod")
    func commands() {
        let mods = accepted.compactMap(\.flowMod)
        for command in FlowModCommand.allCases { #expect(mods.contains { $0.command == command }, "\(command)") }
        for flag in [.sendFlowRemoved, .checkOverlap, .resetCounts, .noPacketCounts, .noByteCounts] as [FlowModFlags] {
            #expect(mods.contains { $0.flags.contains(flag) }, "\(flag)")
        }
    }

    @Test("every type of group and command of a group-mod")
    func groups() {
        let mods = accepted.compactMap { if case .groupMod(let mod) = $0 { mod } else { nil } }
        for type in GroupType.allCases { #expect(mods.contains { $0.type == type && !$0.buckets.isEmpty }, "\(type)") }
        for command in GroupModCommand.allCases { #expect(mods.contains { $0.command == command }, "\(command)") }
    }

    @Test("every reason of a drop that a rule can cause")
    func drops() {
        let exceptions: [DropReason: String] = [
            .transmitFull: "a device that takes no more: an overload, which no rule makes",
            .handoverFull: "a worker that is behind: an overload",
            .queueFull: "more than a queue's rate lets out: an overload",
            .packetInFull: "more packet-ins than the control side takes: an overload",
            .noBuffer: "no packet buffer left: an overload",
            .vlan: "ports that carry some VLANs only: NormalTests",
            .vmFull: "a function that is too slow: VMQueueTests",
            .vmDetached: "a function that is not there: FunctionTests",
            .verdict: "what a function says: VMQueueTests",
            .vmViolation: "what a function does: VMQueueTests",
        ]
        let reasons = fates.compactMap { if case .drop(let reason) = $0 { reason } else { nil } }
        for reason in DropReason.allCases {
            #expect(reasons.contains(reason) || exceptions[reason] != nil, "\(reason.name)")
        }
    }

    @Test("every reason of a packet-in and of a flow-removed")
    func reasons() {
        let packetIns = fates.compactMap { if case .controller(let reason, _, _, _, _, _) = $0 { reason } else { nil } }
        for reason in PacketInReason.allCases { #expect(packetIns.contains(reason)) }
        let removals = Scenario.all.flatMap(\.steps).flatMap(\.flowRemoved).map(\.reason)
        for reason in FlowRemovedReason.allCases { #expect(removals.contains(reason)) }
    }

    @Test("every error code that a flow-mod, a meter-mod or a packet-out can be refused with")
    func errorCodes() {
        let codes =
            BadRequestCode.allCases.map { OpenFlowError.badRequest($0) } + BadActionCode.allCases.map { .badAction($0) }
            + BadInstructionCode.allCases.map { .badInstruction($0) } + BadMatchCode.allCases.map { .badMatch($0) }
            + FlowModFailedCode.allCases.map { .flowModFailed($0) }
            + MeterModFailedCode.allCases.map { .meterModFailed($0) }
        for code in codes {
            #expect(errors.contains(code.name) != (Self.otherwise[code] != nil), "\(code.name)")
        }
    }

    /// The codes that no scenario has, and why.
    private static let otherwise: [OpenFlowError: String] = [
        .badRequest(.badVersion): otherMessages, .badRequest(.badType): otherMessages,
        .badRequest(.badMultipart): otherMessages, .badRequest(.badExperimenter): otherMessages,
        .badRequest(.badExperimenterType): never, .badRequest(.permissionError): never,
        .badRequest(.bufferEmpty): never,
        .badRequest(.badTableID): otherMessages,
        .badRequest(.isSlave): "depends on the connection's role, not on the message",
        .badRequest(.multipartBufferOverflow): otherMessages,
        .badAction(.badExperimenterType): never, .badAction(.permissionError): never,
        .badAction(.unsupportedOrder): never,
        .badAction(.badTag): never,
        .badInstruction(.unsupportedMetadata): never, .badInstruction(.unsupportedMetadataMask): never,
        .badInstruction(.badExperimenterType): never, .badInstruction(.permissionError): never,
        .badMatch(.badTag): never, .badMatch(.badDatalinkAddressMask): never, .badMatch(.badNetworkAddressMask): never,
        .badMatch(.permissionError): never,
        .flowModFailed(.unknown): never, .flowModFailed(.permissionError): never, .flowModFailed(.badTimeout): never,
        .flowModFailed(.tableFull): depends, .meterModFailed(.outOfMeters): depends,
        .meterModFailed(.unknown): never, .meterModFailed(.badBurst): never, .meterModFailed(.badBandValue): never,
    ]
    private static let depends =
        "depends on memory and configuration: the tests of the model and the compiler have it"
    private static let otherMessages = "for other messages"
    private static let never = "this switch has no such limit"
}

extension Message {
    fileprivate var flowMod: FlowMod? { if case .flowMod(let mod) = self { mod } else { nil } }

    fileprivate var appliedActions: [Action] {
        if case .packetOut(let packetOut) = self { return packetOut.actions }
        return (flowMod?.instructions ?? []).flatMap {
            if case .applyActions(let list) = $0 { list } else { [Action]() }
        }
    }

    fileprivate var writtenActions: [Action] {
        (flowMod?.instructions ?? []).flatMap { if case .writeActions(let list) = $0 { list } else { [Action]() } }
    }
}

extension [Message] {
    fileprivate var instructionTypes: Set<InstructionType> {
        Set(compactMap(\.flowMod).flatMap(\.instructions).map(\.type))
    }
}
