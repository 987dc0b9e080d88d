// A service's port: a number that stands for all replicas of a network function. Each worker has a `Service` of its own, which says
// where its packets go.

import DataPlane
import OpenFlow

package final class ServicePort {
    package var settings: Configuration.Service
    /// By worker.
    private let services: [UnsafeMutablePointer<Service>]
    private let lines: [UnsafeMutableRawPointer]
    private let memory: TableMemory
    private let linesSize: Int
    /// What the workers go by: the replicas' slots, and a `ReplicaList` of them for each worker.
    private var slots: [UInt16] = []
    private var lists: [UnsafeMutableRawPointer]
    /// Those of them that there are.
    package private(set) var replicas: [VMPort] = []

    /// Makes a service without replicas for each worker; nil if there is no memory.
    init?(settings: Configuration.Service, workers: Int, memory: TableMemory) {
        (self.settings, self.memory) = (settings, memory)
        linesSize = Service.linesSize(connections: settings.connections)
        let sizes = [Service.size, linesSize, ReplicaList.size(count: 0)]
        guard let blocks = memory.allocate((0..<workers).flatMap { _ in sizes }) else { return nil }
        let idle = UInt64(settings.idleTimeout.nanoseconds) / 1_000_000 &* (Clock.cyclesPerSecond / 1000)
        let seed = UInt64.random(in: 0 ... .max)
        services = (0..<workers).map { blocks[3 * $0].assumingMemoryBound(to: Service.self) }
        lines = (0..<workers).map { blocks[3 * $0 + 1] }
        lists = (0..<workers).map { blocks[3 * $0 + 2] }
        for worker in 0..<workers {
            ReplicaList.initialize(lists[worker], [])
            Service.initialize(
                blocks[3 * worker],
                lines: lines[worker],
                connections: settings.connections,
                idle: idle,
                seed: seed,
                replicas: lists[worker]
            )
        }
    }

    /// Where a worker's packets for this port go.
    func destination(worker: Int) -> Destination { .service(services[worker]) }

    /// Whether there is a replica to which packets can be sent.
    var isUp: Bool { replicas.contains { $0.state == .attached } }

    /// Lets the workers go by these replicas, in these slots; false if there is no memory for that.
    func use(_ replicas: [(slot: UInt16, vm: VMPort)], publisher: Publisher) -> Bool {
        self.replicas = replicas.map(\.vm)
        let slots = replicas.map(\.slot)
        guard slots != self.slots else { return true }
        let size = ReplicaList.size(count: slots.count)
        guard let blocks = memory.allocate(services.map { _ in size }) else { return false }
        for (worker, list) in blocks.enumerated() {
            ReplicaList.initialize(list, slots)
            publisher.store(worker: worker, services[worker].word(\.replicas), UInt64(UInt(bitPattern: list)))
            publisher.retire(lists[worker], ReplicaList.size(count: self.slots.count))
        }
        (self.slots, lists) = (slots, blocks)
        return true
    }

    /// When no worker uses it any more.
    func free() {
        for worker in services.indices {
            memory.deallocate(services[worker], Service.size)
            memory.deallocate(lines[worker], linesSize)
            memory.deallocate(lists[worker], ReplicaList.size(count: slots.count))
        }
    }

    /// What all workers have counted.
    package var counters: ServiceCounters { services.reduce(into: ServiceCounters()) { $0 += $1.pointee.counters } }

    /// How many connections the workers remember by now, by the slot of the replica's port.
    package var connections: [Int: Int] {
        let now = Clock.cycles
        return services.reduce(into: [:]) { $0.merge($1.pointee.connectionCounts(at: now)) { $0 + $1 } }
    }
}
