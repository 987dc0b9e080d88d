// The questions of a multipart exchange. The answers are in MultipartReply.swift, the parts of both beside them.

/// `ofp_multipart_type` (OpenFlow 1.3.5 §7.3.5 / A.3.5).
package enum MultipartType: UInt16, CaseIterable, Hashable, Sendable {
    case description = 0, flow, aggregate, table, portStatistics, queue, group, groupDescription, groupFeatures
    case meter, meterConfig, meterFeatures, tableFeatures, portDescription
    case experimenter = 0xffff
}

/// OFPT_MULTIPART_REQUEST without its flags (OpenFlow 1.3.5 §7.3.5 / A.3.5).
package enum MultipartRequest: Hashable, Sendable {
    case description
    case flow(FlowStatisticsRequest)
    case aggregate(FlowStatisticsRequest)
    case table
    /// `.any`: all ports.
    case portStatistics(PortNumber)
    case queue(QueueStatisticsRequest)
    /// `.all`: all groups.
    case group(GroupID)
    case groupDescription
    case groupFeatures
    /// `MeterID.all`: all meters.
    case meter(UInt32)
    /// `MeterID.all`: all meters.
    case meterConfig(UInt32)
    case meterFeatures
    /// Without tables it asks, with tables it sets.
    case tableFeatures([TableFeatures])
    case portDescription
    case experimenter(Experimenter)
    /// ONFMP_FLOW_MONITOR. On the wire an experimenter's request.
    case flowMonitor([FlowMonitor])
}

extension MultipartRequest {
    /// OFPMPF_REQ_MORE.
    static let moreFlag: UInt16 = 1

    /// The type, the flags, and the body.
    ///
    /// Throws OFPBRC_BAD_MULTIPART for an unknown type, and what the body's parts throw.
    static func read(from reader: inout WireReader) throws(OpenFlowError) -> (MultipartRequest, more: Bool) {
        let (type, more) = try reader.readMultipartHeader()
        let request: MultipartRequest
        switch type {
        case .description: request = .description
        case .flow: request = try .flow(FlowStatisticsRequest(from: &reader))
        case .aggregate: request = try .aggregate(FlowStatisticsRequest(from: &reader))
        case .table: request = .table
        case .portStatistics:
            request = try .portStatistics(reader.readPort())
            try reader.pad(4)
        case .queue: request = try .queue(QueueStatisticsRequest(from: &reader))
        case .group:
            request = try .group(reader.readGroup())
            try reader.pad(4)
        case .groupDescription: request = .groupDescription
        case .groupFeatures: request = .groupFeatures
        case .meter:
            request = try .meter(reader.read())
            try reader.pad(4)
        case .meterConfig:
            request = try .meterConfig(reader.read())
            try reader.pad(4)
        case .meterFeatures: request = .meterFeatures
        case .tableFeatures: request = try .tableFeatures(reader.readElements())
        case .portDescription: request = .portDescription
        case .experimenter:
            let message = try Experimenter(from: &reader)
            if var monitors = message.bodyOfFlowMonitor {
                request = try .flowMonitor(monitors.readElements())
            } else {
                request = .experimenter(message)
            }
        }
        return (request, more)
    }

    func write(more: Bool, to writer: inout WireWriter) {
        writer.writeMultipartHeader(type, more: more)
        switch self {
        case .description, .table, .groupDescription, .groupFeatures, .meterFeatures, .portDescription:
            break
        case .flow(let request), .aggregate(let request):
            request.write(to: &writer)
        case .portStatistics(let port):
            writer.write(port)
            writer.pad(4)
        case .queue(let request):
            request.write(to: &writer)
        case .group(let group):
            writer.write(group)
            writer.pad(4)
        case .meter(let meter), .meterConfig(let meter):
            writer.write(meter)
            writer.pad(4)
        case .tableFeatures(let tables):
            writer.write(tables)
        case .experimenter(let experimenter):
            experimenter.write(to: &writer)
        case .flowMonitor(let monitors):
            writer.write(ONF.experimenter)
            writer.write(ONF.flowMonitor)
            writer.write(monitors)
        }
    }

    /// The request's type on the wire.
    package var type: MultipartType {
        switch self {
        case .description: .description
        case .flow: .flow
        case .aggregate: .aggregate
        case .table: .table
        case .portStatistics: .portStatistics
        case .queue: .queue
        case .group: .group
        case .groupDescription: .groupDescription
        case .groupFeatures: .groupFeatures
        case .meter: .meter
        case .meterConfig: .meterConfig
        case .meterFeatures: .meterFeatures
        case .tableFeatures: .tableFeatures
        case .portDescription: .portDescription
        case .experimenter, .flowMonitor: .experimenter
        }
    }
}

// Request and reply have one header: the type, the flags with one bit in use, and padding.
extension WireReader {
    mutating func readMultipartHeader() throws(OpenFlowError) -> (type: MultipartType, more: Bool) {
        let rawType: UInt16 = try read()
        let flags: UInt16 = try read()
        try pad(4)
        guard let type = MultipartType(rawValue: rawType) else {
            throw .badRequest(.badMultipart, "multipart type \(rawType)")
        }
        return (type, flags & MultipartRequest.moreFlag != 0)
    }
}

extension WireWriter {
    mutating func writeMultipartHeader(_ type: MultipartType, more: Bool) {
        write(type.rawValue)
        write(more ? MultipartRequest.moreFlag : 0)
        pad(4)
    }
}
