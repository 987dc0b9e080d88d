// The queues of ports: configured by the operator, asked about by controllers (OpenFlow 1.3.5 §7.2.2, §7.3.5.8, §7.3.6).

import DataPlane
import NIOCore
import OpenFlow

extension SwitchModel {
    /// Says which queues a port has, and its rate.
    package func setQueues(_ queues: EgressQueues, of port: PortNumber) {
        portQueues[port] = queues.isEmpty ? nil : queues
        queueIDs = Set(portQueues.values.flatMap(\.queues).map(\.id)).union([Self.defaultQueue])
    }

    /// The queue of packets for which no action has said one; every port has it.
    static let defaultQueue: UInt32 = 0

    /// OFPT_QUEUE_GET_CONFIG_REQUEST.
    ///
    /// Throws `QUEUE_OP_FAILED/BAD_PORT` for a port that is not there.
    package func queueConfig(ofPort number: PortNumber) throws(OpenFlowError) -> QueueConfig {
        let queues = try queuePorts(number).flatMap { port in
            (portQueues[port.port.number]?.queues ?? []).map { queue in
                PacketQueue(
                    queueID: queue.id,
                    port: port.port.number,
                    properties: properties(of: queue, at: port.port)
                )
            }
        }
        return QueueConfig(port: number, queues: queues)
    }

    /// OFPMP_QUEUE.
    ///
    /// Throws `QUEUE_OP_FAILED/BAD_PORT`, or `BAD_QUEUE` for a queue that none of these ports has.
    func queueStatistics(_ request: QueueStatisticsRequest) throws(OpenFlowError) -> [QueueStatistics] {
        let time = now()
        let statistics = try queuePorts(request.port).flatMap { port in
            let duration = WireDuration(from: port.added, to: time)
            return datapath.counters(ofQueuesOf: port.port.number).compactMap { queue -> QueueStatistics? in
                guard let id = queue.id, request.queueID == QueueID.all || request.queueID == id else { return nil }
                return QueueStatistics(
                    port: port.port.number,
                    queueID: id,
                    transmittedBytes: queue.bytes,
                    transmittedPackets: queue.packets,
                    transmitErrors: queue.overruns,
                    durationSeconds: duration.seconds,
                    durationNanoseconds: duration.nanoseconds
                )
            }
        }
        guard request.queueID == QueueID.all || !statistics.isEmpty else {
            throw .queueOpFailed(.badQueue, "port \(request.port) has no queue \(request.queueID)")
        }
        return statistics
    }

    /// The port of that number, or all, by number.
    private func queuePorts(_ number: PortNumber) throws(OpenFlowError) -> [SwitchPort] {
        if number == .any { return ports.values.sorted { $0.port.number < $1.port.number } }
        guard let port = ports[number] else { throw .queueOpFailed(.badPort, "port \(number)") }
        return [port]
    }

    /// Rates in tenths of a percent of the port's rate, or else of its link's speed; what has no measure is left out.
    private func properties(of queue: PortScheduler.QueueRates, at port: Port) -> [QueueProperty] {
        let speed = portQueues[port.number]?.rate ?? UInt64(port.currentSpeed) * 1000
        func tenths(_ rate: UInt64?) -> UInt16? {
            guard let rate, speed > 0 else { return nil }
            return UInt16(min(1000, max(1, (Double(rate) * 1000 / Double(speed)).rounded())))
        }
        return [tenths(queue.minimum).map(QueueProperty.minRate), tenths(queue.maximum).map(QueueProperty.maxRate)]
            .compactMap { $0 }
    }
}
