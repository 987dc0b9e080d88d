// Groups and queues, of which this version has none: their tables have room for nothing. So a controller that
// starts by deleting all groups goes on, and one that adds one hears that there is no room.

import OpenFlow

extension SwitchModel {
    /// OFPT_GROUP_MOD (OpenFlow 1.3.5 §6.5).
    ///
    /// Throws errors of type GROUP_MOD_FAILED: INVALID_GROUP, OUT_OF_GROUPS, UNKNOWN_GROUP. Deleting what is not there
    /// is no error.
    package func execute(_ mod: GroupMod) throws(OpenFlowError) {
        guard mod.groupID <= .max || (mod.command == .delete && mod.groupID == .all) else {
            throw .groupModFailed(.invalidGroup, "group \(mod.groupID)")
        }
        switch mod.command {
        case .add: throw .groupModFailed(.outOfGroups, "groups are not supported")
        case .modify: throw .groupModFailed(.unknownGroup, "group \(mod.groupID)")
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

    private func checkQueuePort(_ number: PortNumber) throws(OpenFlowError) {
        guard number == .any || ports[number] != nil else { throw .queueOpFailed(.badPort, "port \(number)") }
    }
}
