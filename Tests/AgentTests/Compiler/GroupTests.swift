// Groups: what GROUP_MOD refuses, and what compiled tables and reference do with packets.

import Agent
import DataPlane
import NIOCore
import OpenFlow
import Testing

@Suite("Groups in the compiled tables", .timeLimit(.minutes(2)), .serialized)
struct GroupTests {
    let lab: InProcessSwitch
    init() throws { lab = try InProcessSwitch() }

    private func add(_ id: GroupID, _ type: GroupType, _ buckets: [Bucket], _ command: GroupModCommand = .add) throws {
        try lab.execute(GroupMod(command: command, type: type, groupID: id, buckets: buckets))
    }

    private func refusal(_ mod: GroupMod) -> OpenFlowError? {
        do throws(OpenFlowError) { try lab.model.execute(mod) } catch { return error }
        return nil
    }

    private func refusal(_ id: GroupID, _ type: GroupType, _ buckets: [Bucket]) -> OpenFlowError? {
        refusal(GroupMod(command: .add, type: type, groupID: id, buckets: buckets))
    }

    private func out(_ port: PortNumber, weight: UInt16 = 0, watch: PortNumber = .any) -> Bucket {
        Bucket(weight: weight, watchPort: watch, actions: [.output(port, maxLength: 0)])
    }

    private func all(to id: GroupID) throws {
        try lab.execute(FlowMod(instructions: [.applyActions([.group(id)])]))
    }

    /// The ports that a packet with these UDP ports leaves by; both halves agree about them and the bytes.
    private func ports(_ source: UInt16, _ destination: UInt16 = 9, from port: UInt32 = 1) throws -> [UInt32] {
        let frame = PacketBuilder.frame(
            try FlowSyntax.packet(
                "udp,nw_src=10.0.0.1,nw_dst=10.0.0.2,tp_src=\(source),tp_dst=\(destination),nw_ttl=9"
            )
        )
        let reference = ReferencePipeline.receive(frame, inPort: PortNumber(rawValue: port), by: lab.model)
        let outcome = try #require(lab.receive(frame, port: port))
        #expect(lab.departures(outcome) == lab.departures(reference))
        return outcome.outputs.map(\.port).sorted()
    }

    private func statistics(_ id: GroupID) throws -> GroupStatistics? {
        guard case .group(let list) = try lab.model.answer(.group(id)) else { return nil }
        return list.first
    }

    @Test func refusals() throws {
        try add(1, .all, [out(2)])
        try add(2, .all, [Bucket(actions: [.group(1)])])
        #expect(refusal(1, .all, []) == .groupModFailed(.groupExists))
        #expect(refusal(.all, .all, []) == .groupModFailed(.invalidGroup))
        #expect(refusal(3, .indirect, []) == .groupModFailed(.invalidGroup))
        #expect(refusal(3, .all, [out(1, weight: 1)]) == .groupModFailed(.invalidGroup))
        #expect(refusal(3, .fastFailover, [out(1)]) == .groupModFailed(.badWatch))
        #expect(refusal(3, .select, [out(1, watch: .controller)]) == .groupModFailed(.badWatch))
        #expect(refusal(3, .all, [Bucket(watchGroup: 9, actions: [])]) == .groupModFailed(.badWatch))
        #expect(refusal(3, .all, [Bucket(actions: [.group(3)])]) == .groupModFailed(.loop))
        #expect(refusal(3, .all, [Bucket(actions: [.group(9)])]) == .badAction(.badOutGroup))
        #expect(refusal(3, .all, [out(0)]) == .badAction(.badOutPort))
        let loop = GroupMod(command: .modify, groupID: 1, buckets: [Bucket(actions: [.group(2)])])
        #expect(refusal(loop) == .groupModFailed(.loop))
        #expect(refusal(GroupMod(command: .modify, groupID: 9)) == .groupModFailed(.unknownGroup))
        #expect(refusal(GroupMod(command: .delete, groupID: .any)) == .groupModFailed(.invalidGroup))
        #expect(refusal(GroupMod(command: .delete, groupID: 1)) == .groupModFailed(.chainedGroup))
        #expect(refusal(GroupMod(command: .delete, groupID: 9)) == nil)
        for id in 3...8 {
            try add(GroupID(rawValue: UInt32(id)), .all, [Bucket(actions: [.group(GroupID(rawValue: UInt32(id - 1)))])])
        }
        #expect(refusal(9, .all, [Bucket(actions: [.group(8)])]) == .groupModFailed(.chainingUnsupported))
        #expect(refusal(GroupMod(command: .delete, groupID: .all)) == nil)
        #expect(lab.model.groups.isEmpty)
    }

    @Test func limits() throws {
        (lab.model.groupLimit, lab.model.bucketLimit) = (3, 4)
        try add(1, .all, [out(2), out(3), out(4)])
        #expect(refusal(2, .all, [out(1), out(2), out(3), out(4), out(1)]) == .groupModFailed(.outOfBuckets))
        // With those of group 1 it would have 5.
        #expect(refusal(2, .all, [Bucket(actions: [.group(1)]), out(4)]) == .groupModFailed(.outOfBuckets))
        try add(2, .all, [Bucket(actions: [.group(1)])])
        let longer = GroupMod(command: .modify, groupID: 1, buckets: [out(1), out(2), out(3), out(4)])
        #expect(refusal(longer) == .groupModFailed(.outOfBuckets), "group 2 would have 5")
        try add(3, .all, [out(1), out(2), out(3), out(4)])
        #expect(refusal(4, .all, [out(1)]) == .groupModFailed(.outOfGroups))
        #expect(refusal(GroupMod(command: .delete, groupID: 3)) == nil)
        try add(4, .all, [])
    }

    @Test func eachBucketOfAllHasThePacketAsItCame() throws {
        try add(
            1,
            .all,
            [
                Bucket(actions: [.output(2, maxLength: 0), .setField(.udpDst, 7), .pushVLAN(0x8100)]),
                Bucket(actions: [.decNWTTL, .output(3, maxLength: 0)]), out(4), Bucket(actions: []),
            ]
        )
        try lab.execute(
            FlowMod(
                match: Match([MatchField(.ethType, 0x0800)]),
                instructions: [.applyActions([.setNWTTL(5), .group(1), .output(2, maxLength: 0)])]
            )
        )
        #expect(try ports(1) == [2, 2, 3, 4])
        let group = try #require(try statistics(1))
        #expect(
            group.packetCount == 1 && group.referenceCount == 1 && group.buckets.map(\.packetCount) == [1, 1, 1, 1]
        )
    }

    @Test func actionSetPrefersTheGroup() throws {
        try add(1, .indirect, [out(3)])
        try lab.execute(FlowMod(instructions: [.writeActions([.output(2, maxLength: 0), .group(1)])]))
        #expect(try ports(1) == [3])
        try lab.execute(FlowMod(instructions: [.writeActions([.output(2, maxLength: 0)]), .gotoTable(1)]))
        try lab.execute(FlowMod(tableID: 1, instructions: [.writeActions([.group(1)])]))
        #expect(try ports(1) == [3])
        try add(1, .indirect, [out(4)], .modify)
        #expect(try ports(1) == [4])
    }

    @Test func selectSharesByWeightAndSticks() throws {
        try add(1, .select, [out(2, weight: 1), out(3, weight: 3), out(4, weight: 0)])
        try all(to: 1)
        var count: [UInt32: Int] = [:]
        for flow in 0..<8_000 {
            let (source, destination) = (UInt16.random(in: 1 ... .max), UInt16(flow))
            let port = try ports(source, destination)
            if flow % 50 == 0 { #expect(try ports(source, destination) == port) }
            for port in port { count[port, default: 0] += 1 }
        }
        #expect(count[4] == nil && abs((count[2] ?? 0) - 2_040) < 240, "\(count)")
    }

    @Test func failoverFollowsTheLinks() throws {
        try add(1, .fastFailover, [out(2, watch: 2), out(3, watch: 3)])
        try add(2, .select, [Bucket(weight: 1, watchGroup: 1, actions: [.group(1)])])
        try all(to: 2)
        #expect(try ports(1) == [2])
        lab.setLink(2, up: false)
        #expect(try ports(1) == [3])
        lab.setLink(3, up: false)
        #expect(try ports(1) == [])
        lab.setLink(2, up: true)
        #expect(try ports(1) == [2])
        try lab.model.configure(2, .portDown)
        lab.setLink(3, up: true)
        #expect(try ports(1) == [3])
    }

    @Test func deletionTakesTheFlows() throws {
        var removed: [FlowRemovedReason] = []
        lab.model.onFlowRemoved = { removed.append($0.reason) }
        try add(1, .all, [out(2)])
        try lab.execute(FlowMod(flags: [.sendFlowRemoved], instructions: [.writeActions([.group(1)])]))
        #expect(try ports(1) == [2])
        #expect(refusal(GroupMod(command: .delete, groupID: 1)) == nil)
        lab.settle()
        #expect(removed == [.groupDelete] && lab.model.flowCount == 0)
        #expect(try ports(1) == [])
        try add(1, .all, [out(3)])
        try all(to: 1)
        #expect(try ports(1) == [3])
        #expect(try statistics(1)?.packetCount == 1)
    }

    @Test func bundlesHaveAllOrNothing() throws {
        let group = Message.groupMod(GroupMod(command: .add, groupID: 1, buckets: [out(2)]))
        let flow = Message.flowMod(FlowMod(instructions: [.applyActions([.group(1)])]))
        let wrong = Message.groupMod(GroupMod(command: .modify, groupID: 7))
        #expect(throws: BundleFailure.self) {
            try lab.model.execute(bundle: [group, flow, wrong], atomically: true)
        }
        #expect(lab.model.groups.isEmpty && lab.model.flowCount == 0)
        try lab.model.execute(bundle: [group, flow], atomically: true)
        lab.settle()
        #expect(try ports(1) == [2])
    }

    @Test func packetOutThroughAGroup() throws {
        try add(1, .all, [out(2), out(3)])
        let frame = [UInt8](repeating: 0, count: 60)
        let outcome = try lab.packetOut(frame, inPort: .controller, actions: [.group(1)])
        #expect(outcome.outputs.map(\.port).sorted() == [2, 3])
    }
}
