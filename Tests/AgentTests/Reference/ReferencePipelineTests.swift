// A packet's way by OpenFlow 1.3.5 §5: entries and frames by hand, what leaves where, byte by byte.

import Agent
import NIOCore
import OpenFlow
import Testing

@Suite(.timeLimit(.minutes(1)))
struct ReferencePipelineTests {
    let fixture = SwitchModelFixture()
    let frame = PacketEditTests.udp

    private func receive(_ frame: [UInt8]? = nil, from port: PortNumber = 1) -> ReferencePipeline {
        ReferencePipeline.receive(frame ?? self.frame, inPort: port, by: fixture.model)
    }

    /// The ports that frames left by, the controller as CONTROLLER.
    private func ports(_ result: ReferencePipeline) -> [PortNumber] {
        result.outputs.map { output in
            if case .port(let port) = output.destination { port } else { .controller }
        }
    }

    private func drops(_ result: ReferencePipeline) -> [PipelineStep.DropReason] {
        result.steps.compactMap { step in
            if case .drop(let reason) = step { reason } else { nil }
        }
    }

    @Test func theHighestPriorityWins() throws {
        try fixture.add(1, [], .output(1))
        try fixture.add(3, .ipv4Dst(0x0a00_0002), .output(2))
        try fixture.add(2, .ipv4Dst(0x0a00_0000, mask: 0xff00_0000), .output(3))
        try fixture.add(4, .ipv4Dst(0x0a00_0003), .output(3))
        #expect(receive().outputs == [PipelineOutput(destination: .port(2), frame: frame)])
    }

    @Test func withoutAnEntryThePacketIsDropped() throws {
        #expect(drops(receive()) == [.noMatch])
        try fixture.add(7, .ipv4, [.writeActions([.to(2)]), .gotoTable(1)])
        #expect(drops(receive()) == [.noMatch], "the action set goes with it")
        try fixture.add(table: 1, 7, .ipv6)
        #expect(receive().outputs.isEmpty)
    }

    @Test func emptyInstructionsDrop() throws {
        try fixture.add(7)
        #expect(drops(receive()) == [.noOutput])
        try fixture.add(8, .ipv4, [.applyActions([.decNWTTL])])
        #expect(drops(receive()) == [.noOutput])
    }

    @Test func shortFramesAreNoPackets() throws {
        try fixture.add(0, [], .output(2))
        #expect(drops(receive(Array(frame[..<13]))) == [.notEthernet])
        #expect(ports(receive(Array(frame[..<14]))) == [2])
    }

    @Test func aFieldThatIsNotThereReadsAsZero() throws {
        try fixture.add(7, .udp + [MatchField(.udpDst, 0)], .output(2))
        try fixture.add(6, .udp, .output(3))
        #expect(ports(receive()) == [3])
        var later = frame
        later[21] = 1
        #expect(ports(receive(later)) == [2])
    }

    @Test func vlanMatches() throws {
        try fixture.add(3, [MatchField(.vlanVID, 0x1005)], .output(1))
        try fixture.add(2, .tagged, .output(2))
        try fixture.add(1, .untagged, .output(3))
        let tagged = { (id: UInt8) in Array(self.frame[..<12]) + [0x81, 0, 0, id] + Array(self.frame[12...]) }
        #expect(ports(receive(from: 9)) == [3])
        #expect(ports(receive(tagged(5), from: 9)) == [1])
        #expect(ports(receive(tagged(6), from: 9)) == [2])
        #expect(ports(receive(tagged(0), from: 9)) == [2])
    }

    @Test func appliedActionsRunInOrder() throws {
        try fixture.add(7, .ipv4, [.applyActions([.to(2), .decNWTTL, .to(3), .setField(.ethDst, 1), .to(2)])])
        let first = frame
        var second = frame
        (second[22], second[24]) = (63, 0x67)
        let third = [0, 0, 0, 0, 0, 1] + second[6...]
        #expect(
            receive().outputs == [
                PipelineOutput(destination: .port(2), frame: first),
                PipelineOutput(destination: .port(3), frame: second),
                PipelineOutput(destination: .port(2), frame: third),
            ]
        )
    }

    @Test func theActionSetRunsAtTheEndInItsOrder() throws {
        // Written in an order that would do something else.
        try fixture.add(
            7,
            .ipv4,
            [
                .writeActions([
                    .to(2), .setField(.vlanVID, 0x1005), .setNWTTL(9), .decNWTTL, .pushVLAN(0x8100),
                    .setField(.ipv4Dst, 0x0a00_0002),
                ])
            ]
        )
        var ip = Array(frame[14...])
        (ip[8], ip[10], ip[11]) = (9, 0x9d, 0xcd)
        #expect(
            receive().outputs == [
                PipelineOutput(destination: .port(2), frame: frame[..<12] + [0x81, 0, 0, 5, 8, 0] + ip)
            ]
        )
    }

    @Test func theActionSetIsMergedAndCleared() throws {
        try fixture.add(7, [], [.writeActions([.to(2), .setField(.ethDst, 1), .setField(.ethSrc, 1)]), .gotoTable(1)])
        try fixture.add(table: 1, 7, [], [.writeActions([.to(3), .setField(.ethDst, 2)])])
        #expect(
            receive().outputs == [
                PipelineOutput(destination: .port(3), frame: [0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 1] + frame[12...])
            ]
        )
        // Clear comes before write, whatever the order in the message.
        try fixture.add(table: 1, 7, [], [.writeActions([.to(3)]), .clearActions])
        #expect(receive().outputs == [PipelineOutput(destination: .port(3), frame: frame)])
        try fixture.add(table: 1, 7, [], [.clearActions])
        #expect(drops(receive()) == [.noOutput])
    }

    @Test func changedHeadersAreMatchedInTheNextTable() throws {
        try fixture.add(
            7,
            .ipv4,
            [.applyActions([.setField(.ipv4Dst, 0x0b00_0001), .pushVLAN(0x8100)]), .gotoTable(253)]
        )
        try fixture.add(table: 253, 7, .tagged + .ipv4Dst(0x0b00_0001), .output(2))
        #expect(ports(receive()) == [2])
    }

    @Test func writtenActionsChangeNothingBeforeTheEnd() throws {
        try fixture.add(7, .ipv4, [.writeActions([.setField(.ipv4Dst, 0x0b00_0001), .to(3)]), .gotoTable(1)])
        try fixture.add(table: 1, 7, .ipv4Dst(0x0a00_0002), .output(2))
        #expect(ports(receive()) == [2, 3])
    }

    @Test func metadata() throws {
        try fixture.add(7, [], [.writeMetadata(value: 0xff, mask: 0x0f), .gotoTable(1)])
        try fixture.add(
            table: 1,
            7,
            [MatchField(.metadata, 0x0f)],
            [.writeMetadata(value: 0x30, mask: 0xf0), .gotoTable(2)]
        )
        try fixture.add(table: 2, 7, [MatchField(.metadata, 0x3f, mask: 0xff)], .output(.controller), cookie: 8)
        #expect(
            receive().outputs == [
                PipelineOutput(
                    destination: .controller(.action, tableID: 2, cookie: 8, metadata: 0x3f, maxLength: 0),
                    frame: frame
                )
            ]
        )
    }

    @Test func packetInReasons() throws {
        let send = Action.output(.controller, maxLength: 128)
        func reason() -> PipelineOutput.Destination? { receive().outputs.first?.destination }
        try fixture.add(0, [], [.applyActions([send])], cookie: 1)
        #expect(reason() == .controller(.noMatch, tableID: 0, cookie: 1, metadata: 0, maxLength: 128))
        try fixture.add(1, [], [.applyActions([send])], cookie: 2)
        #expect(reason() == .controller(.action, tableID: 0, cookie: 2, metadata: 0, maxLength: 128))
        // In an action set: why the entry that wrote it did, named by the entry that matched last.
        try fixture.add(1, [], [.writeActions([send]), .gotoTable(4)], cookie: 2)
        try fixture.add(table: 4, 0, [], [], cookie: 3)
        #expect(reason() == .controller(.action, tableID: 4, cookie: 3, metadata: 0, maxLength: 128))
    }

    @Test func reservedPorts() throws {
        try fixture.add(7, .inPort(1), [.applyActions([.to(.all)])])
        #expect(ports(receive()) == [2, 3])
        try fixture.add(7, .inPort(1), [.applyActions([.to(.inPort), .to(1), .to(2), .to(9)])])
        #expect(ports(receive()) == [1, 2])
        #expect(drops(receive()) == [.ingressPort, .noSuchPort(9)])
    }

    @Test func aTTLThatMayNotGoLowerEndsThePacket() throws {
        try fixture.add(7, .ipv4, [.applyActions([.to(3), .decNWTTL, .to(2)]), .writeActions([.to(2)])], cookie: 5)
        for ttl in [0, 1] as [UInt8] {
            var expiring = frame
            expiring[22] = ttl
            #expect(
                receive(expiring).outputs == [
                    PipelineOutput(destination: .port(3), frame: expiring),
                    PipelineOutput(
                        destination: .controller(.invalidTTL, tableID: 0, cookie: 5, metadata: 0, maxLength: 0xffff),
                        frame: expiring
                    ),
                ]
            )
        }
        #expect(ports(receive()) == [3, 2, 2])
    }

    @Test func fragmentsGoAsConfigured() throws {
        try fixture.add(0, [], .output(2))
        var fragment = frame
        fragment[20] = 0x20
        #expect(ports(receive(fragment)) == [2])
        try fixture.model.setConfig(SwitchConfig(fragmentHandling: .drop))
        #expect(drops(receive(fragment)) == [.fragment])
        #expect(ports(receive()) == [2])
    }

    @Test func packetOut() throws {
        try fixture.add(7, .inPort(3), .output(2))
        func out(_ actions: [Action], from port: PortNumber = .controller) -> ReferencePipeline {
            ReferencePipeline.packetOut(frame, inPort: port, actions: actions, by: fixture.model)
        }
        #expect(ports(out([.to(1), .to(.all)])) == [1, 1, 2, 3])
        #expect(ports(out([.to(.all), .to(.inPort)], from: 3)) == [1, 2, 3])
        #expect(drops(out([])) == [.noOutput])
        #expect(drops(out([.to(.table)])) == [.noMatch])
        // A copy goes through the tables, the list goes on with the packet.
        let result = out([.to(.table), .setField(.ethDst, 1), .to(1)], from: 3)
        #expect(
            result.outputs == [
                PipelineOutput(destination: .port(2), frame: frame),
                PipelineOutput(destination: .port(1), frame: [0, 0, 0, 0, 0, 1] + frame[6...]),
            ]
        )
        #expect(
            out([.output(.controller, maxLength: 7)]).outputs.map(\.destination)
                == [.controller(.action, tableID: 0, cookie: .max, metadata: 0, maxLength: 7)]
        )
    }

    @Test func stepsTellTheWay() throws {
        try fixture.add(7, .ipv4, [.applyActions([.decNWTTL]), .writeActions([.to(2)]), .gotoTable(1)])
        try fixture.add(table: 1, 0, [], [])
        let lines = receive().steps.map(\.description)
        #expect(lines.count == 5)
        #expect(lines[0].hasPrefix("table 0: ") && lines[0].contains("ip") && lines[0].contains("goto_table:1"))
        #expect(lines[1] == "    dec_ttl")
        #expect(lines[2].hasPrefix("table 1: "))
        #expect(lines[3] == "action set: output:2")
        #expect(lines[4] == "    output:2")
        #expect(receive([1]).steps.map(\.description) == ["    drop: fewer than 14 bytes are no Ethernet frame"])
    }
}
