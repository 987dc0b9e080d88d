// `show queues`.

import OpenFlow

/// One queue of a port.
package struct QueueReport: Codable, Hashable, Sendable {
    package var port: UInt32
    package var name: String
    /// nil: the default queue of a port that has no queue 0.
    package var queue: UInt32?
    /// In bits a second; nil: not guaranteed anything, not limited.
    package var minRate: UInt64?
    package var maxRate: UInt64?
    package var transmitPackets: UInt64
    package var transmitBytes: UInt64
    /// Packets that it had no room for.
    package var dropped: UInt64
    /// Packets in it.
    package var waiting: UInt64

    package init(port: UInt32, name: String, queue: UInt32?, packets: UInt64, bytes: UInt64, dropped: UInt64) {
        (self.port, self.name, self.queue) = (port, name, queue)
        (transmitPackets, transmitBytes, self.dropped, waiting) = (packets, bytes, dropped, 0)
    }
}

extension SwitchModel {
    /// All queues, by port and id, the default queue last.
    func queueReports() -> [QueueReport] {
        ports.values.sorted { $0.port.number < $1.port.number }.flatMap { port in
            datapath.counters(ofQueuesOf: port.port.number).map { counters in
                var report = QueueReport(
                    port: port.port.number.rawValue,
                    name: port.port.name,
                    queue: counters.id,
                    packets: counters.packets,
                    bytes: counters.bytes,
                    dropped: counters.overruns
                )
                report.waiting = counters.waiting
                let queues = portQueues[port.port.number]
                let configured = queues?.queues.first { $0.id == counters.id }
                report.minRate = configured?.minimum
                report.maxRate = configured?.maximum ?? queues?.rate
                return report
            }
        }
    }
}
