// The answers of a multipart exchange. The questions are in MultipartRequest.swift, the parts of both beside them.

/// OFPT_MULTIPART_REPLY without its flags (OpenFlow 1.3.5 §7.3.5 / A.3.5). What has a list may come in several
/// messages.
package enum MultipartReply: Hashable, Sendable {
    case description(SwitchDescription)
    case flow([FlowStatistics])
    case aggregate(AggregateStatistics)
    case table([TableStatistics])
    case portStatistics([PortStatistics])
    case queue([QueueStatistics])
    case group([GroupStatistics])
    case groupDescription([GroupDescription])
    case groupFeatures(GroupFeatures)
    case meter([MeterStatistics])
    case meterConfig([MeterConfig])
    case meterFeatures(MeterFeatures)
    case tableFeatures([TableFeatures])
    case portDescription([Port])
    case experimenter(Experimenter)
    /// ONFMP_FLOW_MONITOR. On the wire an experimenter's reply.
    case flowMonitor([FlowUpdate])
}

extension MultipartReply {
    /// The type, the flags, and the body.
    static func read(from reader: inout WireReader) throws(OpenFlowError) -> (MultipartReply, more: Bool) {
        let (type, more) = try reader.readMultipartHeader()
        let reply: MultipartReply
        switch type {
        case .description: reply = try .description(SwitchDescription(from: &reader))
        case .flow: reply = try .flow(reader.readElements())
        case .aggregate: reply = try .aggregate(AggregateStatistics(from: &reader))
        case .table: reply = try .table(reader.readElements())
        case .portStatistics: reply = try .portStatistics(reader.readElements())
        case .queue: reply = try .queue(reader.readElements())
        case .group: reply = try .group(reader.readElements())
        case .groupDescription: reply = try .groupDescription(reader.readElements())
        case .groupFeatures: reply = try .groupFeatures(GroupFeatures(from: &reader))
        case .meter: reply = try .meter(reader.readElements())
        case .meterConfig: reply = try .meterConfig(reader.readElements())
        case .meterFeatures: reply = try .meterFeatures(MeterFeatures(from: &reader))
        case .tableFeatures: reply = try .tableFeatures(reader.readElements())
        case .portDescription: reply = try .portDescription(reader.readElements())
        case .experimenter:
            let message = try Experimenter(from: &reader)
            if var updates = message.bodyOfFlowMonitor {
                reply = try .flowMonitor(updates.readElements())
            } else {
                reply = .experimenter(message)
            }
        }
        return (reply, more)
    }

    func write(more: Bool, to writer: inout WireWriter) {
        writer.writeMultipartHeader(type, more: more)
        switch self {
        case .description(let description): description.write(to: &writer)
        case .flow(let list): writer.write(list)
        case .aggregate(let statistics): statistics.write(to: &writer)
        case .table(let list): writer.write(list)
        case .portStatistics(let list): writer.write(list)
        case .queue(let list): writer.write(list)
        case .group(let list): writer.write(list)
        case .groupDescription(let list): writer.write(list)
        case .groupFeatures(let features): features.write(to: &writer)
        case .meter(let list): writer.write(list)
        case .meterConfig(let list): writer.write(list)
        case .meterFeatures(let features): features.write(to: &writer)
        case .tableFeatures(let list): writer.write(list)
        case .portDescription(let list): writer.write(list)
        case .experimenter(let experimenter): experimenter.write(to: &writer)
        case .flowMonitor(let updates):
            writer.write(ONF.experimenter)
            writer.write(ONF.flowMonitor)
            writer.write(updates)
        }
    }

    /// The reply's type on the wire.
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
