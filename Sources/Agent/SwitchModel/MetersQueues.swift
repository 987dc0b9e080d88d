// Meters and queues, of which this version has none: their tables have room for nothing. So a controller that
// starts by deleting all of them goes on, and one that adds one hears that there is no room.

import OpenFlow

extension SwitchModel {
    /// OFPT_METER_MOD (OpenFlow 1.3.5 §6.6).
    ///
    /// Throws errors of type METER_MOD_FAILED: INVALID_METER, OUT_OF_METERS, UNKNOWN_METER. Deleting what is not there
    /// is no error.
    package func execute(_ mod: MeterMod) throws(OpenFlowError) {
        guard (1...MeterID.max).contains(mod.meterID) || (mod.command == .delete && mod.meterID == MeterID.all) else {
            throw .meterModFailed(.invalidMeter, "meter \(mod.meterID)")
        }
        switch mod.command {
        case .add: throw .meterModFailed(.outOfMeters, "meters are not supported")
        case .modify: throw .meterModFailed(.unknownMeter, "meter \(mod.meterID)")
        case .delete: break
        }
    }

    /// OFPT_QUEUE_GET_CONFIG_REQUEST (OpenFlow 1.3.5 §7.3.6).
    ///
    /// Throws `QUEUE_OP_FAILED/BAD_PORT` for a port that is not there.
    package func queueConfig(ofPort number: PortNumber) throws(OpenFlowError) -> QueueConfig {
        try checkQueuePort(number)
        return QueueConfig(port: number, queues: [])
    }

    /// OFPMP_QUEUE: nothing of all queues, BAD_QUEUE for a particular one.
    func queueStatistics(_ request: QueueStatisticsRequest) throws(OpenFlowError) -> [QueueStatistics] {
        try checkQueuePort(request.port)
        guard request.queueID == QueueID.all else {
            throw .queueOpFailed(.badQueue, "port \(request.port) has no queue \(request.queueID)")
        }
        return []
    }

    /// OFPMP_METER and OFPMP_METER_CONFIG: nothing of all meters, UNKNOWN_METER for a particular one.
    func meters<Answer>(_ id: UInt32) throws(OpenFlowError) -> [Answer] {
        guard id == MeterID.all else { throw .meterModFailed(.unknownMeter, "meter \(id)") }
        return []
    }

    private func checkQueuePort(_ number: PortNumber) throws(OpenFlowError) {
        guard number == .any || ports[number] != nil else { throw .queueOpFailed(.badPort, "port \(number)") }
    }
}
