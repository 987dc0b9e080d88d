// What is counted: tables, and packets that hit them. All of it from fixed seeds. Where there is a benchmark of the same shape
// (Benchmarks/benchmark), sizes and shares are as there.

import Agent
import DataPlane
import OpenFlow

struct Scenario: Sendable {
    /// Rules, and the packets of a round.
    struct Content {
        var flows: [FlowMod]
        var groups: [GroupMod] = []
        var meters: [MeterMod] = []
        var packets: [PacketDescription]
    }

    static let packetCount = 512

    /// As in Fixtures/thresholds.
    let name: String
    /// How table 0 has to be looked up, or the scenario is not the one that is meant.
    let form: LookupForm
    var usesFlowCache = false
    /// How many packets come out for one that goes in.
    var copies = 1
    let content: @Sendable () -> Content

    static let all = [
        Scenario(name: "in_port", form: .directIndex) {
            Content(flows: [.rule(100, [.init(.inPort, 1)])], packets: udp(packetCount))
        },
        Scenario(name: "direct_index", form: .directIndex) { addressesOfOneField(count: 64) },
        Scenario(name: "linear_12", form: .linear) { exact(12) },
        Scenario(name: "exact_1000", form: .hash) { exact(1000) },
        Scenario(name: "exact_100000", form: .hash) { exact(100_000) },
        Scenario(name: "ipv4_prefixes", form: .longestPrefix) { prefixes(.ipv4) },
        Scenario(name: "ipv6_prefixes", form: .longestPrefix) { prefixes(.ipv6) },
        Scenario(name: "masked_1000", form: .tupleSpace) { masked() },
        Scenario(name: "masked_1000_cached", form: .tupleSpace, usesFlowCache: true) { masked() },
        Scenario(name: "six_tables", form: .hash) { sixTables() },
        Scenario(name: "six_tables_cached", form: .hash, usesFlowCache: true) { sixTables() },
        Scenario(name: "set_field_push_vlan", form: .hash) {
            exact(
                1000,
                instructions: [
                    .applyActions([
                        .setField(.ethDst, 0x0200_0000_00fe), .setField(.ipv4Dst, 0x0a63_0001), .pushVLAN(0x8100),
                        .setField(.vlanVID, MatchField.vlanPresent | 100), .output(2, maxLength: 0),
                    ])
                ]
            )
        },
        Scenario(name: "group_select", form: .hash) {
            var content = exact(1000, instructions: [.applyActions([.group(GroupID(rawValue: 1))])])
            let buckets = (2...4).map { port in
                Bucket(weight: 1, actions: [.output(PortNumber(rawValue: port), maxLength: 0)])
            }
            content.groups = [GroupMod(command: .add, type: .select, groupID: GroupID(rawValue: 1), buckets: buckets)]
            return content
        },
        Scenario(name: "meter", form: .hash) {
            var content = exact(1000, instructions: [.meter(1)] + .output(2))
            // Nothing reaches this rate, so that time does not decide about packets.
            content.meters = [
                MeterMod(
                    command: .add,
                    flags: .kilobitsPerSecond,
                    meterID: 1,
                    bands: [.drop(rate: .max, burst: 0)]
                )
            ]
            return content
        },
        Scenario(name: "three_outputs", form: .hash, copies: 3) {
            exact(1000, instructions: [.applyActions((2...4).map { .output(PortNumber(rawValue: $0), maxLength: 0) })])
        },
    ]
}

extension FlowMod {
    static func rule(
        _ priority: UInt16,
        table: UInt8 = 0,
        _ match: [MatchField],
        _ instructions: [Instruction] = .output(2)
    ) -> FlowMod {
        FlowMod(tableID: table, priority: priority, match: Match(match), instructions: instructions)
    }
}

extension [Instruction] {
    static func output(_ port: PortNumber) -> Self { [.applyActions([.output(port, maxLength: 0)])] }
}

/// SplitMix64 (Steele, Lea, Flood 2014).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
