// A running `ringway run` between hosts in namespaces, and what tests do with it. LiveSwitch+Reports.swift reads its numbers.

import Foundation
import Synchronization
import Testing

final class LiveSwitch {
    /// The configuration file, as far as tests change it.
    struct Settings {
        var listen = ["ptcp:6654:127.0.0.1"]
        var controllers: [String] = []
        /// More keys of `openflow`.
        var openflow: [String] = []
        /// The value of `workers`.
        var workers = "{idle: adaptive}"
        /// `memory.size`.
        var memory = "128MiB"
        /// Hosts whose veth is a port, of the same number.
        var ports: [Int]
        /// More entries of `ports`.
        var otherPorts: [String] = []
        /// Hosts whose ports are of another trust group, by its name; nil: of none.
        var otherHosts: [Int: String?] = [:]
        /// The trust group of the hosts' ports.
        var group: String?
        /// Names of VMs in that group, which are ports 10, 11, …, and more keys of each.
        var vms: [String] = []
        var vmKeys = ""
        /// More entries of `vms`.
        var otherVMs: [String] = []
        /// Entries of `services`.
        var services: [String] = []

        func text(runDirectory: String) -> String {
            func list(_ values: [String]) -> String { "[" + values.map { "\"\($0)\"" }.joined(separator: ", ") + "]" }
            let openflow = (["listen: \(list(listen))", "controllers: \(list(controllers))"] + openflow).joined(
                separator: ", "
            )
            let ofGroup = group.map { ", group: \($0)" } ?? ""
            let vms = vms.enumerated().map { "{number: \(10 + $0), name: \($1)\(ofGroup)\(vmKeys)}" } + otherVMs
            func port(_ host: Int, _ group: String?) -> String {
                let ofGroup = group.map { ", group: \($0)" } ?? ""
                return "{number: \(host), name: h\(host), device: \"net_af_packet\(host),iface=veth\(host)\"\(ofGroup)}"
            }
            let ports =
                ports.map { port($0, group) } + otherHosts.map { port($0, $1) } + otherPorts
            return """
                datapath: {id: 0x2a, name: live}
                openflow: {\(openflow)}
                workers: \(workers)
                memory: {huge_pages: none, size: \(memory)}
                ports: [\(ports.joined(separator: ", "))]
                vms: [\(vms.joined(separator: ", "))]
                services: [\(services.joined(separator: ", "))]
                metrics: {listen: "127.0.0.1:9653"}
                run_directory: \(runDirectory)

                """
        }
    }

    /// Where `ovs-ofctl` reaches the switch.
    enum Target { case tcp, socket }

    let namespaces: Namespaces
    let directory: URL
    var settings: Settings
    private(set) var agent: Command?

    var name: String { namespaces.name }
    var runDirectory: String { directory.appendingPathComponent("run").path }
    var configurationPath: String { directory.appendingPathComponent("live.yaml").path }
    var managementSocket: String { "\(runDirectory)/live.mgmt" }
    var controlSocket: String { "\(runDirectory)/live.ctl" }

    private static let count = Atomic(0)

    /// Hosts and a directory; no agent yet.
    init(hosts: Int, settings: Settings? = nil) async throws {
        let number = Self.count.add(1, ordering: .relaxed).newValue
        namespaces = try await Namespaces(name: "\(Namespaces.prefix)\(getpid())-\(number)", hosts: hosts)
        directory = URL(fileURLWithPath: "/tmp").appendingPathComponent(namespaces.name)
        self.settings = settings ?? Settings(ports: Array(1...hosts))
        try FileManager.default.createDirectory(atPath: runDirectory, withIntermediateDirectories: true)
    }

    deinit {
        agent?.end()
        Namespaces.removeDirectory(directory.path)
    }

    /// A switch between hosts, running, with each host at the port of its number.
    static func started(hosts: Int = 2, _ change: (inout Settings) -> Void = { _ in }) async throws -> LiveSwitch {
        var settings = Settings(ports: Array(1...hosts))
        change(&settings)
        let live = try await LiveSwitch(hosts: hosts, settings: settings)
        try await live.start()
        return live
    }

    func writeConfiguration() throws {
        try settings.text(runDirectory: runDirectory).write(
            toFile: configurationPath,
            atomically: true,
            encoding: .utf8
        )
    }

    /// Starts the agent and waits until it is ready.
    func start() async throws {
        try writeConfiguration()
        let agent = try launch()
        self.agent = agent
        let isReady = try await eventually(within: .seconds(30)) {
            !agent.isRunning || agent.printed.contains("[Agent] ready")
        }
        guard isReady, agent.isRunning else {
            throw Command.Failure(description: "the agent did not start:\n\(agent.printed)")
        }
    }

    /// Ends the agent by a signal, and starts the next one.
    func restart(by signal: CInt) async throws {
        let agent = try #require(agent)
        agent.send(signal)
        _ = try await agent.outcome()
        try await start()
    }

    /// Starts an agent with the configuration file as it is.
    func launch() throws -> Command {
        try Command([Requirements.ringway, "run", "--config", configurationPath], namespace: namespaces.ofSwitch)
    }

    // MARK: Asking it

    /// `ovs-ofctl -O OpenFlow13 COMMAND SWITCH ARGUMENTS`; options stand before the command.
    func ofctl(
        _ command: String,
        _ arguments: String...,
        options: [String] = [],
        over target: Target = .socket
    ) async throws -> Command.Outcome {
        try await Command.run(
            ofctlWords(command, arguments, options: options, over: target),
            namespace: namespaces.ofSwitch,
            environment: ["OVS_RUNDIR": directory.path]
        )
    }

    /// The same, left running.
    func startOfctl(_ command: String, _ arguments: String..., options: [String] = [], over target: Target = .socket)
        throws -> Command
    {
        try Command(
            ofctlWords(command, arguments, options: options, over: target),
            namespace: namespaces.ofSwitch,
            environment: ["OVS_RUNDIR": directory.path]
        )
    }

    private func ofctlWords(_ command: String, _ arguments: [String], options: [String], over target: Target)
        -> [String]
    {
        let address = target == .tcp ? "tcp:127.0.0.1:6654" : "unix:\(managementSocket)"
        return ["ovs-ofctl", "-O", "OpenFlow13", "--timeout=20"] + options + [command, address] + arguments
    }

    /// Adds flows one by one; each has to be taken.
    func addFlows(_ flows: String..., sourceLocation: SourceLocation = #_sourceLocation) async throws {
        for flow in flows {
            let outcome = try await ofctl("add-flow", flow)
            #expect(outcome.status == 0, "\(flow): \(outcome)", sourceLocation: sourceLocation)
        }
    }

    /// `ringway COMMAND … --socket …`.
    func ringway(_ words: String...) async throws -> Command.Outcome {
        try await Command.run([Requirements.ringway] + words + ["--socket", controlSocket])
    }

    /// Writes a file into the switch's directory; its path.
    func file(_ name: String, _ text: String) throws -> String {
        let path = directory.appendingPathComponent(name).path
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        return path
    }

    // MARK: Traffic

    /// Pings from host to host, every 10 ms, and expects every answer, or none at all.
    func expectPing(
        _ isAnswered: Bool = true,
        from source: Int,
        to destination: Int,
        count: Int = 5,
        _ why: String = "",
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let outcome = try await startPing(from: source, to: destination, count: count, wait: isAnswered ? 3 : 1)
            .outcome()
        let answers = Self.answers(outcome)
        guard answers != (isAnswered ? count : 0) else { return }
        let text = "\(answers) answers from \(source) to \(destination): \(why)\n\(outcome)"
        Issue.record("\(text)\(try await packets())", sourceLocation: sourceLocation)
    }

    /// Where packets have gone.
    func packets() async throws -> String {
        var text = ""
        for what in ["ports", "vms", "drops", "tables"] { text += try await ringway("show", what).description }
        return text + (try await Command.run(["ip", "-s", "link"], namespace: namespaces.ofSwitch).output)
    }

    /// Pings that go on meanwhile: `count` of them, a hundred a second. They tell of each answer, or of their number at the end.
    func startPing(
        from source: Int,
        to destination: Int,
        count: Int,
        wait: Int = 3,
        tellsOfEach: Bool = false
    ) throws -> Command {
        try Command(
            ["ping", "-n"] + (tellsOfEach ? [] : ["-q"])
                + ["-c", "\(count)", "-i", "0.01", "-W", "\(wait)", "10.88.0.\(destination)"],
            namespace: namespaces.ofHost(source)
        )
    }

    /// How many answers `ping` got, by its summary; 0 without a summary.
    static func answers(_ outcome: Command.Outcome) -> Int {
        for line in outcome.lines where line.contains("packets transmitted") {
            let words = line.split(separator: ",")
            if words.count > 1 { return Int(words[1].split(separator: " ")[0]) ?? 0 }
        }
        return 0
    }

    /// The agent's memory, in KiB.
    var residentMemory: Int {
        guard let pid = agent?.pid, let status = try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
        else { return 0 }
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
        return line.flatMap { Int($0.split(whereSeparator: \.isWhitespace)[1]) } ?? 0
    }
}
