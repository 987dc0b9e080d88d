// Multipart 4, OFPMP_PORT_STATS: counters of ports.

/// `ofp_port_stats` (OpenFlow 1.3.5 §7.3.5.6 / A.3.5.6). A counter that the switch does not have is all ones.
package struct PortStatistics: Hashable, Sendable {
    package var number: PortNumber
    package var receivedPackets: UInt64
    package var transmittedPackets: UInt64
    package var receivedBytes: UInt64
    package var transmittedBytes: UInt64
    package var receiveDropped: UInt64
    package var transmitDropped: UInt64
    package var receiveErrors: UInt64
    package var transmitErrors: UInt64
    package var receiveFrameErrors: UInt64
    package var receiveOverrunErrors: UInt64
    package var receiveCRCErrors: UInt64
    package var collisions: UInt64
    /// How long the port has been configured.
    package var durationSeconds: UInt32
    /// What `durationSeconds` leaves of it.
    package var durationNanoseconds: UInt32

    package init(
        number: PortNumber,
        receivedPackets: UInt64 = 0,
        transmittedPackets: UInt64 = 0,
        receivedBytes: UInt64 = 0,
        transmittedBytes: UInt64 = 0,
        receiveDropped: UInt64 = 0,
        transmitDropped: UInt64 = 0,
        receiveErrors: UInt64 = 0,
        transmitErrors: UInt64 = 0,
        receiveFrameErrors: UInt64 = 0,
        receiveOverrunErrors: UInt64 = 0,
        receiveCRCErrors: UInt64 = 0,
        collisions: UInt64 = 0,
        durationSeconds: UInt32 = 0,
        durationNanoseconds: UInt32 = 0
    ) {
        self.number = number
        self.receivedPackets = receivedPackets
        self.transmittedPackets = transmittedPackets
        self.receivedBytes = receivedBytes
        self.transmittedBytes = transmittedBytes
        self.receiveDropped = receiveDropped
        self.transmitDropped = transmitDropped
        self.receiveErrors = receiveErrors
        self.transmitErrors = transmitErrors
        self.receiveFrameErrors = receiveFrameErrors
        self.receiveOverrunErrors = receiveOverrunErrors
        self.receiveCRCErrors = receiveCRCErrors
        self.collisions = collisions
        self.durationSeconds = durationSeconds
        self.durationNanoseconds = durationNanoseconds
    }
}

extension PortStatistics: MultipartElement {
    init(from reader: inout WireReader) throws(OpenFlowError) {
        number = try reader.readPort()
        try reader.pad(4)
        receivedPackets = try reader.read()
        transmittedPackets = try reader.read()
        receivedBytes = try reader.read()
        transmittedBytes = try reader.read()
        receiveDropped = try reader.read()
        transmitDropped = try reader.read()
        receiveErrors = try reader.read()
        transmitErrors = try reader.read()
        receiveFrameErrors = try reader.read()
        receiveOverrunErrors = try reader.read()
        receiveCRCErrors = try reader.read()
        collisions = try reader.read()
        durationSeconds = try reader.read()
        durationNanoseconds = try reader.read()
    }

    func write(to writer: inout WireWriter) {
        writer.write(number)
        writer.pad(4)
        writer.write(receivedPackets)
        writer.write(transmittedPackets)
        writer.write(receivedBytes)
        writer.write(transmittedBytes)
        writer.write(receiveDropped)
        writer.write(transmitDropped)
        writer.write(receiveErrors)
        writer.write(transmitErrors)
        writer.write(receiveFrameErrors)
        writer.write(receiveOverrunErrors)
        writer.write(receiveCRCErrors)
        writer.write(collisions)
        writer.write(durationSeconds)
        writer.write(durationNanoseconds)
    }
}
