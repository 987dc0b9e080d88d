// Which worker polls which receive queue, and whose transmit queue takes a worker's packets. A pure function of the ports
// and the workers, shown by `ringway show ports`.

/// One port's queues.
package struct QueuePlan: Equatable, Sendable {
    /// The worker that polls each receive queue.
    package var receive: [Int]
    package var transmit: Transmit

    package enum Transmit: Equatable, Sendable {
        /// Worker i sends by queue i.
        case queuePerWorker
        /// The device has fewer queues than there are workers, or the port's packets wait in queues of its own: one worker sends, the
        /// others hand their packets over to it.
        case owner(Int)
    }

    /// How many of a device's queues each worker has to poll already.
    package struct Load: Sendable {
        var queues: [Int]
        package init(workers: Int) { queues = Array(repeating: 0, count: workers) }
    }

    /// Gives each receive queue that `byHand` does not name to the worker that has the fewest so far, and counts all in `load`.
    ///
    /// - Parameter schedules: Whether the port has a rate or queues, so that one worker has to send for all.
    package init(
        receiveQueues: Int,
        transmitQueues: Int,
        byHand: [Int: Int] = [:],
        schedules: Bool = false,
        load: inout Load
    ) {
        receive = []
        for queue in 0..<receiveQueues {
            let fewest = load.queues.indices.min { load.queues[$0] < load.queues[$1] } ?? 0
            let worker = byHand[queue].map { min($0, load.queues.count - 1) } ?? fewest
            receive.append(worker)
            load.queues[worker] += 1
        }
        transmit =
            transmitQueues >= load.queues.count && !schedules ? .queuePerWorker : .owner(receive.first ?? 0)
    }

    /// Takes the plan's queues out of the load again.
    package func leave(_ load: inout Load) {
        for worker in receive { load.queues[worker] -= 1 }
    }

    /// Where a worker's packets for this port go.
    package func destination(worker: Int, device: UInt16) -> Destination {
        switch transmit {
        case .queuePerWorker: .device(device, queue: UInt16(worker))
        case .owner(let owner): owner == worker ? .device(device, queue: 0) : .worker(owner)
        }
    }
}
