// Queues, of which this version has none.

import OpenFlow

extension SwitchModel {
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
