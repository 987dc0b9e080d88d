// A scenario: rules, packets, what becomes of them. One file of Fixtures/scenarios each, whose README.md is the reference of
// the format; Scenario+YAML.swift reads it, ScenarioRun.swift plays it on a switch.

import DataPlane
import Foundation
import OpenFlow
import Testing

struct Scenario: Sendable, CustomTestStringConvertible {
    /// Of the file, without `.yaml`.
    var file: String
    var name = ""
    var ports: [UInt32] = [1, 2, 3, 4]
    /// Why it can't run on a live agent; nil: it can.
    var notLive: String?
    /// Why the file can't be read; nil: it was read.
    var problem: String?
    /// Everything that happens, in order: configuration, rules, refusals, packets, at last the counters.
    var steps: [Step] = []

    var testDescription: String { "\(file): \(name)" }

    struct Step: Sendable {
        var line: Int
        var event: Event
        /// What controllers hear of entries that went by this step.
        var flowRemoved: [FlowRemovedExpectation] = []
    }

    enum Event: Sendable {
        case config(FragmentHandling)
        /// The queues of ports, which the operator gives them.
        case queues([UInt32: [UInt32]])
        /// Port-mods.
        case portConfig([UInt32: PortConfig])
        /// Flow-mods, group-mods and meter-mods that must be accepted.
        case rules([OpenFlowMessage])
        case refused(OpenFlowMessage, error: String)
        case packet([UInt8], port: UInt32, out: [Fate])
        case packetOut(PacketOutText, out: [Fate])
        /// Seconds.
        case wait(Double)
        case counters([CounterExpectation])
    }

    /// What a switch is sent.
    enum OpenFlowMessage: Sendable, Hashable {
        /// As ovs-ofctl writes flows, perhaps with a command before.
        case rule(String)
        /// As ovs-ofctl writes groups, perhaps with a command before.
        case group(String)
        /// As ovs-ofctl writes meters, perhaps with a command before.
        case meter(String)
        case packetOut(PacketOutText)
        /// The message's bytes: for what ovs-ofctl does not say.
        case raw([UInt8])
    }

    struct PacketOutText: Sendable, Hashable {
        var inPort: String
        var actions: String
        var frame: [UInt8]
    }

    /// What becomes of a packet, or of one copy of it.
    enum Fate: Sendable {
        case port(UInt32, [UInt8], queue: UInt32?)
        case controller(PacketInReason, tableID: UInt8, cookie: UInt64, metadata: UInt64, tunnelID: UInt64, [UInt8])
        case drop(DropReason)
    }

    struct FlowRemovedExpectation: Sendable {
        var rule: String
        var reason: FlowRemovedReason
        var packets: UInt64?
        var bytes: UInt64?
    }

    enum Counted: Sendable {
        case table(UInt8)
        case port(UInt32)
        case rule(String)
        case meter(UInt32)
    }

    struct CounterExpectation: Sendable {
        var line: Int
        var counted: Counted
        /// By name: lookups, matches; packets, bytes; receive_packets, …; flows, band0_packets, …
        var values: [String: UInt64]
        /// The rule must not be there.
        var gone = false
    }
}

extension Scenario {
    /// The files of Fixtures/scenarios, in the order of their names.
    static let all: [Scenario] = {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory.path)) ?? []
        return names.filter { $0.hasSuffix(".yaml") }.sorted().map { name in
            do {
                let text = try String(contentsOf: directory.appendingPathComponent(name), encoding: .utf8)
                return try Scenario(file: String(name.dropLast(5)), yaml: text)
            } catch {
                return Scenario(file: String(name.dropLast(5)), problem: "\(error)")
            }
        }
    }()

    /// Those that can run on a live agent.
    static let live = all.filter { $0.notLive == nil }

    static let directory = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Fixtures/scenarios")
}
