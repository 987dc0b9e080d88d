// Turns rules, groups and packet-outs into OpenFlow messages by the real ovs-ofctl, which talks to a small server here that says yes to
// everything and keeps what it was sent. All of a test run's rules are recorded at once, by one process.

import Foundation
import NIOCore
import OpenFlow

/// A message as ovs-ofctl sent it.
struct RecordedMessage: Sendable {
    var bytes: [UInt8]
    /// What our codec makes of it: the message, or its refusal.
    var frame: InboundFrame

    init(bytes: [UInt8]) {
        var buffer = ByteBuffer(bytes: bytes)
        var framer = MessageFramer()
        self.bytes = bytes
        frame =
            framer.next(from: &buffer)
            ?? .broken(RefusedMessage(xid: 0, error: .badRequest(.badLength), offender: ByteBuffer()))
    }

    var message: Message? { if case .message(let envelope) = frame { envelope.message } else { nil } }

    var flowMod: FlowMod? { if case .flowMod(let mod)? = message { mod } else { nil } }

    /// The codec's refusal.
    var refusal: OpenFlowError? {
        switch frame {
        case .message: nil
        case .refused(let refused), .broken(let refused): refused.error
        }
    }
}

/// What ovs-ofctl makes of all scenarios' rules, groups and packet-outs.
struct RecordedRules: Sendable {
    private var messages: [Scenario.OpenFlowMessage: RecordedMessage] = [:]

    static let shared = Result { try RecordedRules(of: Scenario.all) }

    subscript(_ message: Scenario.OpenFlowMessage) -> RecordedMessage {
        get throws {
            if case .raw(let bytes) = message { return RecordedMessage(bytes: bytes) }
            guard let recorded = messages[message] else {
                throw ScenarioError("ovs-ofctl was not asked for \(message)")
            }
            return recorded
        }
    }

    private init(of scenarios: [Scenario]) throws {
        guard let ovsOfctl = ToolProcess.ovsOfctl else { throw ScenarioError("there is no ovs-ofctl") }
        var rules: [String] = []
        var groups: [String] = []
        var meters: Set<String> = []
        var packetOuts: Set<Scenario.PacketOutText> = []
        var origins: [Scenario.OpenFlowMessage: String] = [:]
        for scenario in scenarios {
            for step in scenario.steps {
                for message in step.event.messages
                where origins.updateValue("\(scenario.file):\(step.line)", forKey: message) == nil {
                    switch message {
                    case .rule(let text): rules.append(text)
                    case .group(let text): groups.append(text)
                    case .meter(let text): meters.insert(text)
                    case .packetOut(let text): packetOuts.insert(text)
                    case .raw: break
                    }
                }
            }
        }
        let server = try RecordingServer()
        defer { server.stop() }
        let target = "unix:\(server.path)"
        func record(_ command: String, _ messages: [Scenario.OpenFlowMessage], _ texts: [String]) throws {
            let file = try TemporaryFolder.shared.file(command)
            try texts.joined(separator: "\n").write(to: file, atomically: true, encoding: .utf8)
            let result = try ToolProcess.run(ovsOfctl, ["-O", "OpenFlow13", "--no-names", command, target, file.path])
            let recorded = server.take()
            guard result.status == 0, recorded.count == messages.count else {
                // It names the line of the file.
                let line = result.output.split(separator: ":").dropFirst().compactMap { Int($0) }.first ?? 0
                let message = messages.indices.contains(line - 1) ? messages[line - 1] : nil
                let place = message.map { "\(origins[$0] ?? "?"): \($0)" } ?? "?"
                throw ScenarioError("\(place): \(result.output) (\(recorded.count) of \(messages.count))")
            }
            for (message, bytes) in zip(messages, recorded) { self.messages[message] = RecordedMessage(bytes: bytes) }
        }
        try record("add-flows", rules.map { .rule($0) }, rules)
        try record("add-groups", groups.map { .group($0) }, groups)
        for text in meters {
            let result = try MeterCommand(text).run(target: target)
            guard result.status == 0, let bytes = server.take().last else {
                throw ScenarioError("\(text): \(result.output)")
            }
            messages[.meter(text)] = RecordedMessage(bytes: bytes)
        }
        for packetOut in packetOuts {
            let hex = packetOut.frame.map { String(format: "%02x", $0) }.joined()
            let result = try ToolProcess.run(
                ovsOfctl,
                ["-O", "OpenFlow13", "--no-names", "packet-out", target, packetOut.inPort, packetOut.actions, hex]
            )
            guard result.status == 0, let bytes = server.take().last else {
                throw ScenarioError("packet-out \(packetOut.inPort) \(packetOut.actions): \(result.output)")
            }
            messages[.packetOut(packetOut)] = RecordedMessage(bytes: bytes)
        }
    }
}

/// A meter's line: what ovs-ofctl adds, or modifies or deletes if it says so before.
struct MeterCommand {
    private let command: String
    private let meter: String

    init(_ text: String) {
        let words = text.split(separator: " ", maxSplits: 1).map(String.init)
        switch (words.first, words.count) {
        case ("add", 2): (command, meter) = ("add-meter", words[1])
        case ("modify", 2): (command, meter) = ("mod-meter", words[1])
        case ("delete", 2): (command, meter) = ("del-meter", words[1])
        default: (command, meter) = ("add-meter", text)
        }
    }

    func run(target: String) throws -> (status: Int32, output: String) {
        let result = try ToolProcess.run(
            ToolProcess.ovsOfctl ?? "",
            ["-O", "OpenFlow13", "--no-names", command, target, meter]
        )
        return (result.status, result.output)
    }
}

extension Scenario.Event {
    /// The messages that ovs-ofctl is asked for.
    var messages: [Scenario.OpenFlowMessage] {
        switch self {
        case .rules(let messages): messages
        case .refused(let message, _): [message]
        case .packetOut(let text, _): [.packetOut(text)]
        case .config, .queues, .portConfig, .packet, .wait, .counters: []
        }
    }
}

/// Answers hello, features, echo and barrier; keeps flow-mods, group-mods, meter-mods and packet-outs.
private final class RecordingServer: Sendable {
    let path: String
    private let listener: CInt
    private let recorded = Locked<[[UInt8]]>([])
    private let stopped = Locked(false)
    private let ended = DispatchSemaphore(value: 0)

    init() throws {
        path = try TemporaryFolder.shared.file("recorder").path
        listener = try OpenFlowSocket.listen(path: path)
        Thread.detachNewThread { [self] in
            while !stopped.withLock({ $0 }) {
                if let connection = OpenFlowSocket.accept(listener, milliseconds: 20) { serve(connection) }
            }
            close(listener)
            ended.signal()
        }
    }

    func stop() {
        stopped.withLock { $0 = true }
        ended.wait()
        unlink(path)
    }

    /// What came since the last call.
    func take() -> [[UInt8]] {
        recorded.withLock { list in
            defer { list = [] }
            return list
        }
    }

    private func serve(_ connection: OpenFlowSocket) {
        try? connection.send(Envelope(xid: 0, message: .hello(Hello())))
        while let (bytes, frame) = connection.receive(milliseconds: 10_000) {
            // By the type in the header: what our codec refuses is recorded, too.
            switch MessageType(rawValue: bytes[1]) {
            case .flowMod, .groupMod, .packetOut, .meterMod: recorded.withLock { $0.append(bytes) }
            default: break
            }
            guard case .message(let envelope) = frame else { continue }
            let reply: Message? =
                switch envelope.message {
                case .barrierRequest: .barrierReply
                case .echoRequest(let data): .echoReply(data)
                case .featuresRequest:
                    .featuresReply(
                        Features(datapathID: 1, bufferCount: 0, tableCount: 254, auxiliaryID: 0, capabilities: [])
                    )
                case .getConfigRequest: .getConfigReply(SwitchConfig())
                default: nil
                }
            if let reply { try? connection.send(Envelope(xid: envelope.xid, message: reply)) }
        }
    }
}
