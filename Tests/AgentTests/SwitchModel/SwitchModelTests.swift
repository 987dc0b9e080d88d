// The model's other messages: features, settings, ports, packet-outs, and those about what this version does not have.

import Agent
import NIOCore
import OpenFlow
import Testing

@Suite(.timeLimit(.minutes(1)))
struct SwitchModelTests {
    let fixture = SwitchModelFixture()

    /// The error that `body` throws.
    private func refusal(_ body: () throws(OpenFlowError) -> Void) -> OpenFlowError? {
        do {
            try body()
            return nil
        } catch {
            return error
        }
    }

    private func packetOut(
        _ actions: [Action],
        in port: PortNumber = 1,
        buffer: UInt32 = BufferID.none,
        _ frame: [UInt8] = Self.udpFrame
    ) -> OpenFlowError? {
        refusal { () throws(OpenFlowError) in
            try fixture.model.execute(
                PacketOut(bufferID: buffer, inPort: port, actions: actions, data: ByteBuffer(bytes: frame))
            )
        }
    }

    /// Ethernet, IPv4, UDP, by hand.
    static let udpFrame: [UInt8] = [
        2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0x66, 0xcf, 10, 0, 0, 1, 10, 0, 0,
        2, 0, 1, 0, 2, 0, 8,
        0, 0,
    ]

    @Test func features() {
        #expect(
            fixture.model.features(auxiliaryID: 3)
                == Features(
                    datapathID: 1,
                    bufferCount: 0,
                    tableCount: 254,
                    auxiliaryID: 3,
                    capabilities: [
                        .flowStatistics, .tableStatistics, .portStatistics, .groupStatistics, .queueStatistics,
                    ]
                )
        )
    }

    @Test func config() throws {
        #expect(fixture.model.config == SwitchConfig(fragmentHandling: .normal, missSendLength: 128))
        try fixture.model.setConfig(SwitchConfig(fragmentHandling: .drop, missSendLength: 0xffff))
        #expect(fixture.model.config == SwitchConfig(fragmentHandling: .drop, missSendLength: 0xffff))
        #expect(
            refusal { () throws(OpenFlowError) in
                try fixture.model.setConfig(SwitchConfig(fragmentHandling: .reassemble))
            } == .switchConfigFailed(.badFlags)
        )
        #expect(fixture.model.config.fragmentHandling == .drop)
    }

    @Test func tableModIsAcceptedAndMeansNothing() {
        func refusal(_ table: UInt8, _ config: UInt32) -> OpenFlowError? {
            self.refusal { () throws(OpenFlowError) in
                try fixture.model.execute(TableMod(tableID: table, config: config))
            }
        }
        #expect(refusal(0, 0) == nil)
        #expect(refusal(253, 3) == nil)
        #expect(refusal(255, 1) == nil)
        #expect(refusal(254, 0) == .tableModFailed(.badTable))
        #expect(refusal(0, 4) == .tableModFailed(.badConfig))
    }

    @Test func portsComeChangeAndGo() {
        var port = SwitchModelFixture.port(7)
        fixture.model.setPort(port)
        fixture.model.setPort(port)
        port.state = .linkDown
        fixture.model.setPort(port)
        fixture.model.removePort(7)
        fixture.model.removePort(7)
        #expect(
            fixture.portStatus == [
                PortStatus(reason: .add, port: SwitchModelFixture.port(7)), PortStatus(reason: .modify, port: port),
                PortStatus(reason: .delete, port: port),
            ]
        )
        #expect(fixture.model.portDescriptions.map(\.number) == [1, 2, 3])
    }

    @Test func portMod() {
        func refusal(
            _ number: PortNumber = 1,
            _ address: UInt64 = 1,
            config: PortConfig = [],
            mask: PortConfig = [],
            advertise: PortFeatures = []
        ) -> OpenFlowError? {
            self.refusal { () throws(OpenFlowError) in
                try fixture.model.execute(
                    PortMod(
                        number: number,
                        hardwareAddress: EthernetAddress(rawValue: address),
                        config: config,
                        mask: mask,
                        advertise: advertise
                    )
                )
            }
        }
        #expect(refusal() == nil)
        #expect(refusal(mask: .portDown) == nil, "it is up already")
        #expect(refusal(config: .portDown) == nil, "the mask says that it stays as it is")
        #expect(refusal(4) == .portModFailed(.badPort))
        #expect(refusal(1, 2) == .portModFailed(.badHardwareAddress))
        #expect(refusal(config: PortConfig(rawValue: 2), mask: PortConfig(rawValue: 2)) == .portModFailed(.badConfig))
        #expect(refusal(advertise: .copper) == .portModFailed(.badAdvertise))
        #expect(fixture.portStatus.isEmpty)

        func status(_ config: PortConfig, _ state: PortState) -> PortStatus {
            var port = SwitchModelFixture.port(1)
            (port.config, port.state) = (config, state)
            return PortStatus(reason: .modify, port: port)
        }
        #expect(
            refusal(config: [.portDown, .noReceive, .noForward, .noPacketIn], mask: [.portDown, .noForward]) == nil
        )
        #expect(fixture.datapath.portSettings.last == [1: [.portDown, .noForward]])
        // The link comes up: the settings stay, and a port that is down is not live.
        var described = SwitchModelFixture.port(1)
        described.state = .live
        fixture.model.setPort(described)
        #expect(refusal(mask: .portDown) == nil)
        #expect(fixture.portStatus == [status([.portDown, .noForward], []), status(.noForward, .live)])
    }

    @Test func packetOutReachesTheDataPath() {
        let actions: [Action] = [
            .setField(.udpDst, 5), .decNWTTL, .pushVLAN(0x8100), .setField(.vlanVID, 0x1005), .to(.table), .to(2),
        ]
        #expect(packetOut(actions) == nil)
        #expect(packetOut([], in: .controller) == nil, "a drop")
        #expect(
            fixture.datapath.packetOuts == [
                PacketOut(inPort: 1, actions: actions, data: ByteBuffer(bytes: Self.udpFrame)),
                PacketOut(inPort: .controller, actions: [], data: ByteBuffer(bytes: Self.udpFrame)),
            ]
        )
    }

    @Test func packetOutIsRefused() {
        #expect(packetOut([.to(1)], buffer: 1) == .badRequest(.bufferUnknown))
        #expect(packetOut([.to(1)], in: 9) == .badRequest(.badPort))
        #expect(packetOut([.to(1)], in: .any) == .badRequest(.badPort))
        #expect(packetOut([.to(1)], in: .local) == .badRequest(.badPort))
        #expect(packetOut([.to(1)], Array(Self.udpFrame[..<13])) == .badRequest(.badPacket))
        #expect(packetOut([.to(1)], []) == .badRequest(.badPacket))
        #expect(packetOut([.to(0)]) == .badAction(.badOutPort))
        #expect(packetOut([.group(1)]) == .badAction(.badOutGroup))
        #expect(packetOut([.popVLAN]) == .badAction(.matchInconsistent), "the packet has no tag")
        #expect(packetOut([.setField(.tcpDst, 5)]) == .badAction(.matchInconsistent), "it is UDP")
        #expect(packetOut([.decNWTTL], Array(Self.udpFrame[..<14])) == nil, "eth_type says that it is IP")
        #expect(fixture.datapath.packetOuts.count == 1)
    }

    @Test func portsHaveNoQueues() throws {
        #expect(try fixture.model.queueConfig(ofPort: 1) == QueueConfig(port: 1, queues: []))
        #expect(try fixture.model.queueConfig(ofPort: .any) == QueueConfig(port: .any, queues: []))
        #expect(
            refusal { () throws(OpenFlowError) in _ = try fixture.model.queueConfig(ofPort: 9) }
                == .queueOpFailed(.badPort)
        )
    }
}
