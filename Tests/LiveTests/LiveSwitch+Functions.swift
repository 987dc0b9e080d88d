// Network functions of a running switch, as processes.

import Foundation
import Testing

extension LiveSwitch {
    /// A switch between two hosts, with functions of these names in the hosts' trust group, and rules by which packets of either
    /// host go through all of them, in that order, to the other one. No function runs yet.
    ///
    /// - Parameter laterGroups: Trust groups that come by reload.
    static func startedWithFunctions(
        _ names: [String],
        laterGroups: [String] = [],
        _ change: (inout Settings) -> Void = { _ in }
    ) async throws -> LiveSwitch {
        var settings = Settings(ports: [1, 2])
        (settings.group, settings.vms) = ("tenant", names)
        change(&settings)
        let live = try await LiveSwitch(hosts: 2 + settings.otherHosts.count, settings: settings)
        for group in ["tenant"] + laterGroups + Set(settings.otherHosts.values.compactMap { $0 }) {
            try await live.mountRegions(ofGroup: group)
        }
        try await live.start()
        try await live.addChain()
        return live
    }

    func regionFolder(ofGroup group: String = "tenant") -> String { "\(runDirectory)/live.vms/\(group)" }

    /// The agent has a mount namespace of its own, whose mounts a function outside does not see.
    func mountRegions(ofGroup group: String) async throws {
        let folder = regionFolder(ofGroup: group)
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let outcome = try await Command.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tests", folder])
        try #require(outcome.status == 0, "\(outcome)")
    }

    /// Each host's packets go from function to function; behind the last, their source says which way.
    func addChain() async throws {
        let last = 9 + settings.vms.count
        try await addFlows("in_port=1,actions=output:10", "in_port=2,actions=output:10")
        for number in 10..<last { try await addFlows("in_port=\(number),actions=output:\(number + 1)") }
        try await addFlows(
            "in_port=\(last),dl_src=02:00:00:00:00:01,actions=output:2",
            "in_port=\(last),dl_src=02:00:00:00:00:02,actions=output:1"
        )
    }

    func functionWords(_ vm: String, _ function: String, _ arguments: [String]) -> [String] {
        [Requirements.ringway, "nf", "run", function, "--config", configurationPath, "--vm", vm, "--"] + arguments
    }

    /// Starts a function by `ringway nf run`, and waits until it is attached.
    func startFunction(
        _ vm: String,
        _ function: String = "simple-forward",
        _ arguments: String...
    ) async throws -> Command {
        let command = try Command(functionWords(vm, function, arguments))
        let isAttached = try await eventually { try await self.vm(vm).text("state") == "attached" }
        #expect(isAttached, "\(command.printed)\n\(agent?.printed ?? "")")
        return command
    }

    /// Builds a function in C; its path.
    func compile(_ source: String) async throws -> String {
        let program = "\(directory.path)/\(URL(fileURLWithPath: source).deletingPathExtension().lastPathComponent)"
        let outcome = try await Command.run([
            "gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-I", Requirements.vmringFolder, "-o", program, source,
        ])
        #expect(outcome.status == 0, "\(outcome)")
        return program
    }

    /// The row of `ringway show vms`.
    func vm(_ name: String) async throws -> Row {
        try #require(try await show("vms").first { $0.text("name") == name })
    }

    /// The buffers of a group, by who has them.
    func buffers(ofGroup group: String = "tenant") async throws -> (all: Int, free: Int, lent: Int) {
        let metrics = try await metrics()
        func count(_ state: String) -> Int {
            Int(metrics["ringway_group_buffers{group=\"\(group)\",state=\"\(state)\"}"] ?? -1)
        }
        let (free, lent) = (count("free"), count("lent"))
        return (free + lent + count("in_flight"), free, lent)
    }
}
