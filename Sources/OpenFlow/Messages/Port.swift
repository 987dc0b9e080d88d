// A port as it is described to the controller. Port-status messages and the port-description reply carry it.

/// `ofp_port` (OpenFlow 1.3.5 §7.2.1 / A.2.1).
package struct Port: Hashable, Sendable {
    package var number: PortNumber
    package var hardwareAddress: EthernetAddress
    /// At most 15 bytes of UTF-8 go on the wire.
    package var name: String
    /// What the controller has set.
    package var config: PortConfig
    /// What the switch observes.
    package var state: PortState
    package var current: PortFeatures
    package var advertised: PortFeatures
    package var supported: PortFeatures
    /// What the other end advertises.
    package var peer: PortFeatures
    /// kbit/s.
    package var currentSpeed: UInt32
    /// kbit/s.
    package var maxSpeed: UInt32

    package init(
        number: PortNumber,
        hardwareAddress: EthernetAddress,
        name: String,
        config: PortConfig = [],
        state: PortState = [],
        current: PortFeatures = [],
        advertised: PortFeatures = [],
        supported: PortFeatures = [],
        peer: PortFeatures = [],
        currentSpeed: UInt32 = 0,
        maxSpeed: UInt32 = 0
    ) {
        self.number = number
        self.hardwareAddress = hardwareAddress
        self.name = name
        self.config = config
        self.state = state
        self.current = current
        self.advertised = advertised
        self.supported = supported
        self.peer = peer
        self.currentSpeed = currentSpeed
        self.maxSpeed = maxSpeed
    }
}

/// `ofp_port_config`.
package struct PortConfig: OptionSet, Hashable, Sendable {
    package var rawValue: UInt32

    package init(rawValue: UInt32) { self.rawValue = rawValue }

    /// OFPPC_PORT_DOWN: administratively down.
    package static let portDown = Self(rawValue: 1 << 0)
    /// OFPPC_NO_RECV: drop all packets received.
    package static let noReceive = Self(rawValue: 1 << 2)
    /// OFPPC_NO_FWD: drop packets forwarded to the port.
    package static let noForward = Self(rawValue: 1 << 5)
    /// OFPPC_NO_PACKET_IN: no packet-in messages for the port.
    package static let noPacketIn = Self(rawValue: 1 << 6)
}

/// `ofp_port_state`.
package struct PortState: OptionSet, Hashable, Sendable {
    package var rawValue: UInt32

    package init(rawValue: UInt32) { self.rawValue = rawValue }

    /// OFPPS_LINK_DOWN.
    package static let linkDown = Self(rawValue: 1 << 0)
    /// OFPPS_BLOCKED.
    package static let blocked = Self(rawValue: 1 << 1)
    /// OFPPS_LIVE: live for fast failover groups.
    package static let live = Self(rawValue: 1 << 2)
}

/// `ofp_port_features`.
package struct PortFeatures: OptionSet, Hashable, Sendable {
    package var rawValue: UInt32

    package init(rawValue: UInt32) { self.rawValue = rawValue }

    package static let halfDuplex10M = Self(rawValue: 1 << 0)
    package static let fullDuplex10M = Self(rawValue: 1 << 1)
    package static let halfDuplex100M = Self(rawValue: 1 << 2)
    package static let fullDuplex100M = Self(rawValue: 1 << 3)
    package static let halfDuplex1G = Self(rawValue: 1 << 4)
    package static let fullDuplex1G = Self(rawValue: 1 << 5)
    package static let fullDuplex10G = Self(rawValue: 1 << 6)
    package static let fullDuplex40G = Self(rawValue: 1 << 7)
    package static let fullDuplex100G = Self(rawValue: 1 << 8)
    package static let fullDuplex1T = Self(rawValue: 1 << 9)
    package static let otherSpeed = Self(rawValue: 1 << 10)
    package static let copper = Self(rawValue: 1 << 11)
    package static let fiber = Self(rawValue: 1 << 12)
    package static let autonegotiation = Self(rawValue: 1 << 13)
    package static let pause = Self(rawValue: 1 << 14)
    package static let asymmetricPause = Self(rawValue: 1 << 15)
}

extension Port: MultipartElement {
    /// OFP_MAX_PORT_NAME_LEN.
    private static let nameLength = 16

    init(from reader: inout WireReader) throws(OpenFlowError) {
        number = try reader.readPort()
        try reader.pad(4)
        hardwareAddress = try reader.readEthernetAddress()
        try reader.pad(2)
        name = try reader.readText(byteCount: Self.nameLength)
        config = try PortConfig(rawValue: reader.read())
        state = try PortState(rawValue: reader.read())
        current = try PortFeatures(rawValue: reader.read())
        advertised = try PortFeatures(rawValue: reader.read())
        supported = try PortFeatures(rawValue: reader.read())
        peer = try PortFeatures(rawValue: reader.read())
        currentSpeed = try reader.read()
        maxSpeed = try reader.read()
    }

    func write(to writer: inout WireWriter) {
        writer.write(number)
        writer.pad(4)
        writer.write(hardwareAddress)
        writer.pad(2)
        writer.write(name, byteCount: Self.nameLength)
        writer.write(config.rawValue)
        writer.write(state.rawValue)
        writer.write(current.rawValue)
        writer.write(advertised.rawValue)
        writer.write(supported.rawValue)
        writer.write(peer.rawValue)
        writer.write(currentSpeed)
        writer.write(maxSpeed)
    }
}
