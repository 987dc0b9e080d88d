// Which asynchronous messages a controller wants.

/// OFPT_GET_ASYNC_REPLY and OFPT_SET_ASYNC (OpenFlow 1.3.5 §7.3.10 / A.3.10).
package struct AsyncConfig: Hashable, Sendable {
    /// While the controller is equal or master.
    package var equalOrMaster: AsyncMasks
    /// While the controller is slave.
    package var slave: AsyncMasks

    /// What holds until a controller says something else (OpenFlow 1.3.5 §7.3.10 / A.3.10): everything but invalid
    /// TTLs; only port changes for a slave.
    package static let initial = AsyncConfig(
        equalOrMaster: AsyncMasks(packetIn: 0b011, portStatus: 0b111, flowRemoved: 0b1111),
        slave: AsyncMasks(packetIn: 0, portStatus: 0b111, flowRemoved: 0)
    )

    package init(equalOrMaster: AsyncMasks, slave: AsyncMasks) {
        self.equalOrMaster = equalOrMaster
        self.slave = slave
    }
}

/// One bit for each reason of a message: bit n for the reason numbered n.
package struct AsyncMasks: Hashable, Sendable {
    /// By `PacketInReason`.
    package var packetIn: UInt32
    /// By `PortReason`.
    package var portStatus: UInt32
    /// By `FlowRemovedReason`.
    package var flowRemoved: UInt32

    package init(packetIn: UInt32, portStatus: UInt32, flowRemoved: UInt32) {
        self.packetIn = packetIn
        self.portStatus = portStatus
        self.flowRemoved = flowRemoved
    }
}

extension AsyncConfig {
    init(from reader: inout WireReader) throws(OpenFlowError) {
        let packetIn: (UInt32, UInt32) = try (reader.read(), reader.read())
        let portStatus: (UInt32, UInt32) = try (reader.read(), reader.read())
        let flowRemoved: (UInt32, UInt32) = try (reader.read(), reader.read())
        equalOrMaster = AsyncMasks(packetIn: packetIn.0, portStatus: portStatus.0, flowRemoved: flowRemoved.0)
        slave = AsyncMasks(packetIn: packetIn.1, portStatus: portStatus.1, flowRemoved: flowRemoved.1)
    }

    func write(to writer: inout WireWriter) {
        writer.write(equalOrMaster.packetIn)
        writer.write(slave.packetIn)
        writer.write(equalOrMaster.portStatus)
        writer.write(slave.portStatus)
        writer.write(equalOrMaster.flowRemoved)
        writer.write(slave.flowRemoved)
    }
}
