// A running agent for scenarios: the real executable with AF_PACKET ports on veth pairs, and an OpenFlow connection of the
// test's own. One agent serves all scenarios of a suite; LiveSwitch.swift is one scenario's view of it.

import Agent
import Foundation
import OpenFlow
import Testing

/// Not shared: the suites are serialized.
final class LiveAgent: @unchecked Sendable {
    @TaskLocal static var current: LiveAgent?

    static let portCount = 4
    let ports: PortsProcess
    let connection: OpenFlowSocket
    private let directory: URL
    private let log: URL
    /// What came unasked for.
    private var packetIns: [PacketIn] = []
    private var flowRemoved: [FlowRemoved] = []

    var managementSocket: String { directory.path + "/live.mgmt" }
    private var controlSocket: String { directory.path + "/live.ctl" }

    // MARK: Whether it can run here

    /// The executable: as the environment says, else the one beside the tests.
    static let executable: String? = {
        let environment = ProcessInfo.processInfo.environment
        let products = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
        let candidates: [String?] = [
            environment["RINGWAY_BINARY"], environment["RINGWAY"], products.appendingPathComponent("ringway").path,
        ]
        return candidates.compactMap(\.self).first { FileManager.default.isExecutableFile(atPath: $0) }
    }()

    /// Why there can be no live agent here; nil: there can.
    static let obstacle: String? = {
        if geteuid() != 0 { return "needs root" }
        for tool in ["ovs-ofctl", "python3", "ip", "unshare", "taskset"] where ToolProcess.find(tool) == nil {
            return "there is no \(tool)"
        }
        if executable == nil { return "there is no ringway executable beside the tests" }
        let result = try? ToolProcess.run(
            ToolProcess.find("unshare") ?? "",
            ["--net", "ip", "link", "add", "type", "veth"]
        )
        return result?.status == 0 ? nil : "no veth pair can be made in a network namespace"
    }()

    static let processors = Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))

    // MARK: Starting and stopping

    init(workers: Int) throws {
        directory = try TemporaryFolder.shared.file("agent")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        log = directory.appendingPathComponent("log")
        ports = try PortsProcess(portCount: Self.portCount, log: log)
        do {
            connection = try Self.start(workers: workers, directory, ports)
        } catch {
            ports.stop()
            throw ScenarioError("\(error)\n\((try? String(contentsOf: log, encoding: .utf8)) ?? "")")
        }
        let all = AsyncMasks(packetIn: 0b111, portStatus: 0, flowRemoved: 0b1111)
        _ = try ask(.setAsync(AsyncConfig(equalOrMaster: all, slave: all)))
    }

    private static func start(workers: Int, _ directory: URL, _ ports: PortsProcess) throws -> OpenFlowSocket {
        let devices = (1...portCount).map {
            "  - {number: \($0), name: p\($0), device: \"net_af_packet\($0),iface=s\($0)\"}"
        }
        let configuration = """
            datapath: {id: 1, name: live}
            openflow: {listen: [], inactivity_probe: 0}
            workers: {cores: [\((processors - workers..<processors).map(String.init).joined(separator: ", "))], idle: adaptive}
            memory: {huge_pages: none, size: 256MiB}
            ports:
            \(devices.joined(separator: "\n"))
            metrics: {listen: "127.0.0.1:9653"}
            run_directory: \(directory.path)
            """
        let file = directory.appendingPathComponent("live.yaml")
        try configuration.write(to: file, atomically: true, encoding: .utf8)
        let words = try JSONEncoder().encode([executable ?? "", "run", "--config", file.path])
        _ = try ports.ask("start \(String(decoding: words, as: UTF8.self))")
        let connection = try OpenFlowSocket.connect(path: directory.path + "/live.mgmt", seconds: 30)
        try connection.send(Envelope(xid: 1, message: .hello(Hello())))
        guard case .message(let hello)? = connection.receive(milliseconds: 10_000)?.frame, case .hello = hello.message
        else {
            throw ScenarioError("the agent says no hello")
        }
        return connection
    }

    func stop() { ports.stop() }

    /// Whether the agent still runs; its log if not.
    func checkAlive() throws {
        guard try ports.ask("alive") != "running" else { return }
        throw ScenarioError("the agent has ended:\n\((try? String(contentsOf: log, encoding: .utf8)) ?? "")")
    }

    // MARK: OpenFlow

    /// Sends a message with a barrier behind it; the answers to the message.
    func ask(_ message: Message) throws -> [Message] {
        let xid = connection.takeXID()
        try connection.send(Envelope(xid: xid, message: message))
        return try answers(to: xid)
    }

    /// The same with a message's bytes, which get an id of ours.
    func ask(bytes: [UInt8]) throws -> [Message] {
        let xid = connection.takeXID()
        var bytes = bytes
        bytes.replaceSubrange(
            4..<8,
            with: [UInt8(xid >> 24 & 0xff), UInt8(xid >> 16 & 0xff), UInt8(xid >> 8 & 0xff), UInt8(xid & 0xff)]
        )
        try connection.send(bytes: bytes)
        return try answers(to: xid)
    }

    private func answers(to xid: UInt32) throws -> [Message] {
        let barrier = connection.takeXID()
        try connection.send(Envelope(xid: barrier, message: .barrierRequest))
        var answers: [Message] = []
        while let envelope = try next(milliseconds: 10_000) {
            if envelope.xid == barrier { return answers }
            if envelope.xid == xid { answers.append(envelope.message) }
        }
        throw ScenarioError("no barrier reply within 10 s")
    }

    private func next(milliseconds: Int32) throws -> Envelope? {
        while let (_, frame) = connection.receive(milliseconds: milliseconds) {
            guard case .message(let envelope) = frame else { throw ScenarioError("the agent sent \(frame)") }
            switch envelope.message {
            case .packetIn(let packetIn): packetIns.append(packetIn)
            case .flowRemoved(let message): flowRemoved.append(message)
            case .echoRequest(let data): try connection.send(Envelope(xid: envelope.xid, message: .echoReply(data)))
            default: return envelope
            }
        }
        return nil
    }

    func takePacketIns() throws -> [PacketIn] {
        _ = try next(milliseconds: 0)
        defer { packetIns = [] }
        return packetIns
    }

    func takeFlowRemoved() throws -> [FlowRemoved] {
        _ = try next(milliseconds: 0)
        defer { flowRemoved = [] }
        return flowRemoved
    }

    // MARK: What it tells of itself

    /// Forgets what output to NORMAL has learned.
    func flush() throws {
        let line = try ControlClient.ask(.flush, path: controlSocket, seconds: 10)
        _ = try ControlClient.result(FlushReport.self, of: line)
    }

    func show<Report: Decodable>(_ subject: ShowSubject, _: Report.Type) throws -> [Report] {
        let line = try ControlClient.ask(.show(subject), path: controlSocket, seconds: 10)
        return try ControlClient.result([Report].self, of: line)
    }

    /// The series of `/metrics`, by name and labels as they stand there.
    func metrics() throws -> [String: Double] {
        let answer = try ports.ask("get http://127.0.0.1:9653/metrics")
        let text = try JSONDecoder().decode([String].self, from: Data("[\(answer)]".utf8))[0]
        var series: [String: Double] = [:]
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            guard let space = line.lastIndex(of: " ") else { continue }
            series[String(line[..<space])] = Double(line[line.index(after: space)...])
        }
        return series
    }
}

/// Runs a suite with an agent, which is started before its first test and stopped after its last.
struct LiveAgentTrait: SuiteTrait, TestScoping {
    let workers: Int

    func provideScope(
        for test: Test,
        testCase: Test.Case?,
        performing function: @Sendable () async throws -> Void
    ) async throws {
        let agent = try LiveAgent(workers: workers)
        defer { agent.stop() }
        try await LiveAgent.$current.withValue(agent) { try await function() }
    }
}

extension Trait where Self == LiveAgentTrait {
    static func liveAgent(workers: Int) -> Self { Self(workers: workers) }
}
