// Multipart 5, OFPMP_QUEUE: counters of queues.

/// `ofp_queue_stats_request` (OpenFlow 1.3.5 §7.3.5.8 / A.3.5.8).
package struct QueueStatisticsRequest: Hashable, Sendable {
    /// `.any`: all ports.
    package var port: PortNumber
    /// `QueueID.all`: all queues.
    package var queueID: UInt32

    package init(port: PortNumber = .any, queueID: UInt32 = QueueID.all) {
        self.port = port
        self.queueID = queueID
    }
}

/// `ofp_queue_stats`.
package struct QueueStatistics: Hashable, Sendable {
    package var port: PortNumber
    package var queueID: UInt32
    package var transmittedBytes: UInt64
    package var transmittedPackets: UInt64
    /// Packets dropped because the queue was full.
    package var transmitErrors: UInt64
    package var durationSeconds: UInt32
    package var durationNanoseconds: UInt32

    package init(
        port: PortNumber,
        queueID: UInt32,
        transmittedBytes: UInt64 = 0,
        transmittedPackets: UInt64 = 0,
        transmitErrors: UInt64 = 0,
        durationSeconds: UInt32 = 0,
        durationNanoseconds: UInt32 = 0
    ) {
        self.port = port
        self.queueID = queueID
        self.transmittedBytes = transmittedBytes
        self.transmittedPackets = transmittedPackets
        self.transmitErrors = transmitErrors
        self.durationSeconds = durationSeconds
        self.durationNanoseconds = durationNanoseconds
    }
}

extension QueueStatisticsRequest {
    init(from reader: inout WireReader) throws(OpenFlowError) {
        port = try reader.readPort()
        queueID = try reader.read()
    }

    func write(to writer: inout WireWriter) {
        writer.write(port)
        writer.write(queueID)
    }
}

extension QueueStatistics: MultipartElement {
    init(from reader: inout WireReader) throws(OpenFlowError) {
        port = try reader.readPort()
        queueID = try reader.read()
        transmittedBytes = try reader.read()
        transmittedPackets = try reader.read()
        transmitErrors = try reader.read()
        durationSeconds = try reader.read()
        durationNanoseconds = try reader.read()
    }

    func write(to writer: inout WireWriter) {
        writer.write(port)
        writer.write(queueID)
        writer.write(transmittedBytes)
        writer.write(transmittedPackets)
        writer.write(transmitErrors)
        writer.write(durationSeconds)
        writer.write(durationNanoseconds)
    }
}
