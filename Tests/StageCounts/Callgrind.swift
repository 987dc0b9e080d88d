// Runs this program under callgrind and reads what it has counted (the format: callgrind-format in valgrind's manual).

import Foundation

enum Callgrind {
    /// A profile for each scenario, in their order.
    static func profiles() throws -> [Profile] {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("ringway-stages-\(getpid())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        _ = try Tool.output(
            of: [
                "valgrind", "--quiet", "--tool=callgrind", "--instr-atstart=no", "--compress-strings=no",
                "--compress-pos=no", "--callgrind-out-file=\(folder.path)/profile",
                try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"), "--under-callgrind",
            ],
            // The control side's sets and dictionaries, too, are the same each time.
            environment: ["SWIFT_DETERMINISTIC_HASHING": "1"]
        )
        let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        let profiles = try files.map { try Profile(String(contentsOf: $0, encoding: .utf8)) }
        return try Scenario.all.map { scenario in
            guard let profile = profiles.first(where: { $0.name == scenario.name }) else {
                throw StageCountError(description: "callgrind has counted nothing of \(scenario.name)")
            }
            return profile
        }
    }
}

/// What callgrind has counted in one scenario.
struct Profile {
    /// Calls of one function by another, all of them together.
    private struct Call {
        let caller: Substring
        let callee: Substring
        /// Instructions, with those of what the callee calls.
        let cost: Int
    }

    /// The scenario's; empty for what is not one of a scenario.
    private(set) var name = ""
    private var calls: [Call] = []
    /// Instructions of functions themselves.
    private var own: [Substring: Int] = [:]

    init(_ text: String) throws {
        let trigger = "desc: Trigger: Client Request: "
        var function: Substring = ""
        var callee: Substring = ""
        var isCall = false
        for line in text.split(separator: "\n") {
            if line.hasPrefix(trigger) {
                name = String(line.dropFirst(trigger.count))
            } else if line.hasPrefix("fn=") {
                function = line.dropFirst(3)
            } else if line.hasPrefix("cfn=") {
                callee = line.dropFirst(4)
            } else if line.hasPrefix("calls=") {
                isCall = true
            } else if let first = line.utf8.first, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) {
                guard let cost = line.split(separator: " ").last.flatMap({ Int($0) }) else { continue }
                if isCall {
                    calls.append(Call(caller: function, callee: callee, cost: cost))
                    isCall = false
                } else {
                    own[function, default: 0] += cost
                }
            }
        }
    }

    /// `Worker.poll()`.
    private static let root = "$s9DataPlane6WorkerV4pollyyF"
    /// What ends a round (`Countdown`), and is no part of a packet's path.
    private static let foreign = ["rte_eth_call_rx_callbacks", "$s9DataPlane6WorkerV11applyDeltas"]

    /// Instructions per packet, by stage. Those without a function of their own in this scenario are left out.
    func stages(packets: Int) throws -> [(stage: Stage, instructions: Double)] {
        func cost(_ isCounted: (Call) -> Bool) -> Int { calls.filter(isCounted).reduce(0) { $0 + $1.cost } }
        let foreign = cost { call in call.caller == Self.root && Self.foreign.contains { call.callee.hasPrefix($0) } }
        let total = cost { $0.callee == Self.root } - foreign
        guard total > 0, foreign > 0, own[Substring(Self.root)] != nil else {
            throw StageCountError(description: "\(name): the poll loop is not among what was counted")
        }
        var counts: [Stage: Int] = [.total: total]
        for stage in [Stage.admit, .parse, .lookup, .flush] {
            counts[stage] = cost { Stage($0.callee) == stage && Stage($0.caller) != stage }
        }
        // The loop itself, and the driver's function, which is not Ringway's.
        counts[.receive] =
            own[Substring(Self.root), default: 0]
            + cost { call in call.caller == Self.root && !call.callee.hasPrefix("$s") }
            - cost { call in
                call.caller == Self.root && call.callee == "rte_eth_call_rx_callbacks"
            }
        counts[.execute] = total - counts.reduce(0) { $0 + ($1.key == .total ? 0 : $1.value) }
        return Stage.allCases.compactMap { stage in
            counts[stage].flatMap { $0 > 0 ? (stage, Double($0) / Double(packets)) : nil }
        }
    }
}

/// The stages of a packet's path, as far as functions tell them apart.
enum Stage: String, CaseIterable {
    case total, receive, admit, parse, lookup
    /// With what is inlined into it: the lookups of the forms linear and direct index.
    case execute
    case flush

    /// What this function, by its mangled name, belongs to; nil: to the one that calls it.
    init?(_ function: Substring) {
        let prefix = "$s9DataPlane"
        guard function.hasPrefix(prefix) else { return nil }
        let name = function.dropFirst(prefix.count)
        let isLookup = ["10PrefixTrieV", "10TupleSpaceV", "14MergedSubtableV", "8SubtableV", "9FlowCacheO4find"]
            .contains { name.hasPrefix($0) }
        if isLookup {
            self = .lookup
        } else if name.hasPrefix("6WorkerV5admit") {
            self = .admit
        } else if name.hasPrefix("6WorkerV5parse") {
            self = .parse
        } else if name.hasPrefix("6WorkerV4send") || name.hasPrefix("6WorkerV11freeDropped") {
            self = .flush
        } else {
            return nil
        }
    }
}
