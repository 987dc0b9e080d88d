// Plays a scenario on a switch and compares what the switch does with what the scenario says. What a switch is, is behind
// ScenarioSwitch: the model with the reference interpreter, the compiled tables in this process, or an agent.

import DataPlane
import OpenFlow
import Testing

/// One copy of a packet that left: where, and its bytes. In words, so that a difference can be read.
struct SentFrame: Hashable, CustomStringConvertible {
    /// `port 2`, `port 2 queue 1`, `controller no_match table=0 cookie=0x0 metadata=0x0 tunnel=0x0 in_port=1`.
    var destination: String
    var bytes: [UInt8]

    init(port: UInt32, _ bytes: [UInt8], queue: UInt32? = nil) {
        (destination, self.bytes) = ("port \(port)" + (queue.map { " queue \($0)" } ?? ""), bytes)
    }

    init(
        packetIn reason: PacketInReason,
        tableID: UInt8,
        cookie: UInt64,
        metadata: UInt64,
        tunnelID: UInt64,
        inPort: UInt32,
        _ bytes: [UInt8]
    ) {
        let words = [
            "controller \(reason) table=\(tableID) cookie=0x\(String(cookie, radix: 16))",
            "metadata=0x\(String(metadata, radix: 16)) tunnel=0x\(String(tunnelID, radix: 16))",
            "in_port=\(PortNumber(rawValue: inPort))",
        ]
        (destination, self.bytes) = (words.joined(separator: " "), bytes)
    }

    var description: String { "\(destination): \(bytes.hex)" }
}

/// What became of one packet.
struct Observation: Equatable, CustomStringConvertible {
    var sent: [SentFrame] = []
    var drops: [DropReason] = []

    /// In an order for comparing: that at each destination stays, that among destinations means nothing.
    var sorted: Observation {
        let sent = sent.enumerated().sorted {
            ($0.element.destination, $0.offset) < ($1.element.destination, $1.offset)
        }
        return Observation(sent: sent.map(\.element), drops: drops.sorted { $0.rawValue < $1.rawValue })
    }

    /// How many fates there are: the packet's own and those of its copies.
    var count: Int { sent.count + drops.count }

    var description: String {
        let lines = sent.map(\.description) + drops.map { "dropped: \($0.name)" }
        return lines.isEmpty ? "  nothing" : lines.map { "  \($0)" }.joined(separator: "\n")
    }
}

/// No packet vanishes: received + injected + copies = sent + to the controller + dropped.
struct PacketBalance: Equatable, CustomStringConvertible {
    var received: UInt64 = 0
    var injected: UInt64 = 0
    var copies: UInt64 = 0
    var sent: UInt64 = 0
    var toController: UInt64 = 0
    var dropped: UInt64 = 0

    var isEven: Bool { received &+ injected &+ copies == sent &+ toController &+ dropped }

    var description: String {
        "received \(received) + injected \(injected) + copies \(copies) = sent \(sent) + to the controller \(toController) + dropped \(dropped)"
    }
}

/// A switch with empty tables and counters at 0 when a scenario begins.
protocol ScenarioSwitch: AnyObject {
    func configure(_ handling: FragmentHandling) throws
    /// Gives ports queues.
    func configure(queues: [UInt32: [UInt32]]) throws
    /// Sets what controllers set of a port, by a port-mod.
    func configure(_ port: UInt32, _ config: PortConfig) throws
    /// Carries out flow-mods, group-mods and meter-mods, which must be accepted.
    func execute(_ rules: [(origin: Scenario.OpenFlowMessage, message: RecordedMessage)]) throws
    /// The error that a message is refused with; nil: it was accepted.
    func refusal(of message: RecordedMessage) throws -> OpenFlowError?
    /// Runs one packet. `expected` only says how many fates to wait for.
    func receive(_ frame: [UInt8], port: UInt32, expected: Observation) throws -> Observation
    func packetOut(_ packetOut: RecordedMessage, expected: Observation) throws -> Observation
    func wait(seconds: Double) throws
    /// What controllers were told since the last call. `count` only says how many to wait for.
    func takeFlowRemoved(count: Int) throws -> [FlowRemoved]
    func counters(ofTable tableID: UInt8) throws -> (lookups: UInt64, matches: UInt64)
    func counters(ofPort port: UInt32) throws -> PortStatistics
    /// All flow entries.
    func flows() throws -> [FlowStatistics]
    /// All meters.
    func meters() throws -> [MeterStatistics]
    /// Over the whole scenario, when everything is quiet; what else is to be so then is asserted here.
    func finish() throws -> PacketBalance
}

struct ScenarioRun {
    let scenario: Scenario
    let rules: RecordedRules
    let target: any ScenarioSwitch

    static func play(_ scenario: Scenario, on target: some ScenarioSwitch) throws {
        if let problem = scenario.problem { throw ScenarioError("\(scenario.file).yaml: \(problem)") }
        let run = ScenarioRun(scenario: scenario, rules: try RecordedRules.shared.get(), target: target)
        for step in scenario.steps { try run.play(step) }
        let balance = try target.finish()
        #expect(balance.isEven, "\(scenario.file).yaml: \(balance)")
    }

    private func play(_ step: Scenario.Step) throws {
        let place = "\(scenario.file).yaml:\(step.line)"
        switch step.event {
        case .config(let handling): try target.configure(handling)
        case .queues(let queues): try target.configure(queues: queues)
        case .portConfig(let ports):
            for (port, config) in ports.sorted(by: { $0.key < $1.key }) { try target.configure(port, config) }
        case .rules(let messages): try target.execute(try messages.map { ($0, try rules[$0]) })
        case .refused(let message, let error): try checkRefusal(of: message, error, place)
        case .packet(let frame, let port, let out):
            let expected = Observation(out, inPort: port).sorted
            compare(
                try target.receive(frame, port: port, expected: expected),
                expected,
                place,
                "in_port \(port): \(frame.hex)"
            )
        case .packetOut(let text, let out):
            let recorded = try rules[.packetOut(text)]
            guard case .packetOut(let packetOut)? = recorded.message else {
                throw ScenarioError("\(place): the packet-out is refused by the codec")
            }
            let expected = Observation(out, inPort: packetOut.inPort.rawValue).sorted
            compare(try target.packetOut(recorded, expected: expected), expected, place, "packet-out \(text.actions)")
        case .wait(let seconds): try target.wait(seconds: seconds)
        case .counters(let list): for expectation in list { try check(expectation) }
        }
        try checkFlowRemoved(step.flowRemoved, place)
    }

    private func compare(_ actual: Observation, _ expected: Observation, _ place: String, _ packet: String) {
        guard actual.sorted != expected else { return }
        Issue.record("\(place): \(packet)\nexpected:\n\(expected)\nhappened:\n\(actual.sorted)")
    }

    /// The message is refused with this error, and has changed nothing.
    private func checkRefusal(of message: Scenario.OpenFlowMessage, _ error: String, _ place: String) throws {
        let before = try flowTexts()
        let refusal = try target.refusal(of: try rules[message])?.name ?? "accepted"
        #expect(refusal == error, "\(place): \(message)")
        #expect(try flowTexts() == before, "\(place): the refused message changed flows")
    }

    /// All flow entries, but for how long they have been there.
    private func flowTexts() throws -> [String] {
        try target.flows().map { flow in
            var flow = flow
            (flow.durationSeconds, flow.durationNanoseconds) = (0, 0)
            return "\(flow)"
        }.sorted()
    }

    private func checkFlowRemoved(_ expected: [Scenario.FlowRemovedExpectation], _ place: String) throws {
        var actual = try target.takeFlowRemoved(count: expected.count)
        for expectation in expected {
            let rule = try flowMod(expectation.rule, place)
            let index = actual.firstIndex {
                $0.tableID == rule.tableID && $0.priority == rule.priority
                    && $0.match.normalized == rule.match.normalized
            }
            guard let index else {
                Issue.record("\(place): no flow-removed for \(expectation.rule)")
                continue
            }
            let message = actual.remove(at: index)
            #expect(message.reason == expectation.reason, "\(place): \(expectation.rule)")
            #expect(message.cookie == rule.cookie, "\(place): \(expectation.rule)")
            if let packets = expectation.packets {
                #expect(message.packetCount == packets, "\(place): packets of \(expectation.rule)")
            }
            if let bytes = expectation.bytes {
                #expect(message.byteCount == bytes, "\(place): bytes of \(expectation.rule)")
            }
        }
        #expect(actual.isEmpty, "\(place): flow-removed that the scenario does not say: \(actual)")
    }

    private func check(_ expectation: Scenario.CounterExpectation) throws {
        let place = "\(scenario.file).yaml:\(expectation.line)"
        var actual: [String: UInt64] = [:]
        switch expectation.counted {
        case .table(let number):
            let counters = try target.counters(ofTable: number)
            actual = ["lookups": counters.lookups, "matches": counters.matches]
        case .port(let number):
            let counters = try target.counters(ofPort: number)
            actual = [
                "receive_packets": counters.receivedPackets, "receive_bytes": counters.receivedBytes,
                "transmit_packets": counters.transmittedPackets, "transmit_bytes": counters.transmittedBytes,
            ]
        case .meter(let id):
            let meter = try target.meters().first { $0.meterID == id }
            #expect((meter == nil) == expectation.gone, "\(place): whether meter \(id) is there")
            if let meter {
                actual = [
                    "flows": UInt64(meter.flowCount), "packets": meter.packetInCount, "bytes": meter.byteInCount,
                ]
                for (index, band) in meter.bands.enumerated() {
                    actual["band\(index)_packets"] = band.packetCount
                    actual["band\(index)_bytes"] = band.byteCount
                }
            }
        case .rule(let text):
            let rule = try flowMod(text, place)
            let flow = try target.flows().first {
                $0.tableID == rule.tableID && $0.priority == rule.priority
                    && $0.match.normalized == rule.match.normalized
            }
            #expect((flow == nil) == expectation.gone, "\(place): whether \(text) is there")
            if let flow { actual = ["packets": flow.packetCount, "bytes": flow.byteCount] }
        }
        for (name, value) in expectation.values {
            #expect(actual[name] == value, "\(place): \(expectation.counted) \(name)")
        }
    }

    private func flowMod(_ text: String, _ place: String) throws -> FlowMod {
        guard let mod = try rules[.rule(text)].flowMod else { throw ScenarioError("\(place): \(text) is no flow-mod") }
        return mod
    }
}

extension Observation {
    /// What a scenario says of a packet.
    init(_ fates: [Scenario.Fate], inPort: UInt32) {
        for fate in fates {
            switch fate {
            case .port(let port, let bytes, let queue): sent.append(SentFrame(port: port, bytes, queue: queue))
            case .controller(let reason, let tableID, let cookie, let metadata, let tunnelID, let bytes):
                sent.append(
                    SentFrame(
                        packetIn: reason,
                        tableID: tableID,
                        cookie: cookie,
                        metadata: metadata,
                        tunnelID: tunnelID,
                        inPort: inPort,
                        bytes
                    )
                )
            case .drop(let reason): drops.append(reason)
            }
        }
    }
}

extension Sequence<UInt8> {
    /// Two digits a byte.
    var hex: String {
        reduce(into: "") { $0 += ($1 < 16 ? "0" : "") + String($1, radix: 16) }
    }
}
