// What the workers have counted of a port, added up.

import DataPlane
import OpenFlow

extension PortTable {
    /// One port's counters, added up over the workers.
    package func counters(_ number: PortNumber) -> PortCounters? {
        entries[number].map { counters(ofSlot: Int($0.slot)) }
    }

    /// What has gone through a port's queues; nothing if it has none.
    func queueCounters(_ number: PortNumber) -> [QueueCounters] { entries[number]?.scheduler?.counters ?? [] }

    /// The same for the slot that stands for no port: packet-outs without an ingress port.
    package var countersWithoutPort: PortCounters { counters(ofSlot: PortSlot.limit - 1) }

    private func counters(ofSlot slot: Int) -> PortCounters {
        var sum = PortCounters()
        for worker in workers {
            let counters = (worker.pointee.ports + slot).pointee.counters
            sum.receivedPackets &+= counters.receivedPackets
            sum.receivedBytes &+= counters.receivedBytes
            sum.transmittedPackets &+= counters.transmittedPackets
            sum.transmittedBytes &+= counters.transmittedBytes
            for reason in DropReason.allCases { sum.drops[reason.rawValue] &+= counters.drops[reason.rawValue] }
        }
        return sum
    }

    func statistics(_ number: PortNumber) -> PortStatistics? {
        guard let entry = entries[number], let counters = counters(number) else { return nil }
        let device = entry.device?.deviceCounters
        // What goes to a service counts for the sum of all ports where it leaves, at its replicas.
        let service = entry.service?.counters
        // Nobody counts these, so they are all ones.
        let unknown = UInt64.max
        return PortStatistics(
            number: number,
            receivedPackets: counters.receivedPackets,
            transmittedPackets: service?.packets ?? counters.transmittedPackets,
            receivedBytes: counters.receivedBytes,
            transmittedBytes: service?.bytes ?? counters.transmittedBytes,
            receiveDropped: device.map { $0.receiveMissed &+ $0.noBuffer } ?? unknown,
            transmitDropped: counters.drops[DropReason.transmitFull.rawValue]
                &+ counters.drops[DropReason.handoverFull.rawValue]
                &+ counters.drops[DropReason.queueFull.rawValue]
                &+ counters.drops[DropReason.vmFull.rawValue],
            receiveErrors: device?.receiveErrors ?? unknown,
            transmitErrors: device?.transmitErrors ?? unknown,
            receiveFrameErrors: unknown,
            receiveOverrunErrors: unknown,
            receiveCRCErrors: unknown,
            collisions: unknown
        )
    }
}
