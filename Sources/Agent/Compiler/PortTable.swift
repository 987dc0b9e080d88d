// The configured ports: a device, a VM or a service, a slot in each worker's port table, a queue plan. Adding and removing them goes
// through deltas like everything else, so that the packets of other ports notice nothing.

import DataPlane
import OpenFlow

package final class PortTable {
    package struct Entry {
        package let number: PortNumber
        package let name: String
        package let end: End
        package let slot: UInt16
        package let plan: QueuePlan
        /// What it receives into, or hands to its VM; nil: the agent's own packets.
        let region: PacketRegion?
        /// The `VLANBitmap` of a trunk that does not carry all VLANs.
        let trunks: UnsafeMutableRawPointer?
        /// Of a port with a rate or queues.
        let scheduler: SchedulerBlock?

        /// What is at the port's other end.
        package enum End {
            case device(EthernetDevice)
            case vm(VMPort)
            case service(ServicePort)
        }

        package var device: EthernetDevice? {
            if case .device(let device) = end { device } else { nil }
        }

        package var vm: VMPort? {
            if case .vm(let vm) = end { vm } else { nil }
        }

        package var service: ServicePort? {
            if case .service(let service) = end { service } else { nil }
        }

        /// Where a worker's packets for this port go.
        fileprivate func destination(worker: Int) -> Destination {
            switch end {
            case .vm(let vm): return vm.destination(worker: worker)
            case .service(let service): return service.destination(worker: worker)
            case .device(let device):
                if let scheduler, plan.transmit == .owner(worker) { return .scheduler(scheduler.block) }
                return plan.destination(worker: worker, device: device.id)
            }
        }
    }

    package private(set) var entries: [PortNumber: Entry] = [:]
    /// What controllers have set of ports.
    private var configs: [PortNumber: PortConfig] = [:]
    let workers: [UnsafeMutablePointer<Worker>]
    private let pool: PacketPool
    let publisher: Publisher
    let memory: TableMemory
    private var load: QueuePlan.Load
    /// Slots that may be used (again). The last slot stands for no port at all.
    private var freeSlots: [UInt16] = (0..<UInt16(PortSlot.limit - 1)).reversed()
    /// Ports that were removed and that a worker may still use, with what is to be done when none does.
    private(set) var leaving: [(entry: Entry, done: () -> Void)] = []
    /// Those of them that a worker may only use until it works by what was sent.
    private(set) var closing: [Entry] = []
    /// Whether some worker does not go by the present replicas of a service.
    var replicasAreStale = false
    /// What `publishLists` has sent last, by worker.
    private var lists: [[(block: UnsafeMutableRawPointer, bytes: Int)]]

    init(workers: [UnsafeMutablePointer<Worker>], pool: PacketPool, publisher: Publisher, memory: TableMemory) {
        self.workers = workers
        self.pool = pool
        self.publisher = publisher
        self.memory = memory
        load = QueuePlan.Load(workers: workers.count)
        lists = Array(repeating: [], count: workers.count)
    }

    package struct PortError: Error, CustomStringConvertible {
        package let description: String
    }

    /// The slot of each port number.
    var slots: [PortNumber: UInt16] { entries.mapValues(\.slot) }

    /// The worker that polls a port's first receive queue.
    func worker(polling number: PortNumber) -> Int? { entries[number]?.plan.receive.first }

    // MARK: Adding and removing

    /// Opens the device and lets the workers poll it. What it receives lies in `region`, if there is one, what it sends in any of the
    /// `regions`.
    package func add(
        number: PortNumber,
        name: String,
        devargs: String,
        receiveQueues: Int,
        byHand: [Int: Int],
        mtu: Int? = nil,
        vlans: PortVLANs = .all,
        egress: EgressQueues = EgressQueues(),
        region: PacketRegion? = nil,
        regions: [PacketRegion] = []
    ) throws(PortError) -> Entry {
        let slot = try nextSlot()
        let device: EthernetDevice
        do {
            device = try EthernetDevice.open(
                devargs: devargs,
                receiveQueues: receiveQueues,
                transmitQueues: workers.count,
                mtu: mtu,
                pool: pool,
                region: region,
                regions: regions
            )
        } catch {
            throw PortError(description: "port \(number) (\(name)): \(error)")
        }
        let plan = QueuePlan(
            receiveQueues: device.receiveQueues,
            transmitQueues: device.transmitQueues,
            byHand: byHand,
            schedules: !egress.isEmpty,
            load: &load
        )
        func refuse(_ what: String) -> PortError {
            plan.leave(&load)
            device.close()
            return PortError(description: "port \(number) (\(name)): no memory for \(what)")
        }
        var trunks: UnsafeMutableRawPointer?
        var access: UInt16 = 0
        switch vlans {
        case .all: break
        case .access(let vlan): access = vlan
        case .trunk(let vlans):
            trunks = memory.allocate(VLANBitmap.size, reserve: true)
            guard let trunks else { throw refuse("the list of VLANs") }
            VLANBitmap.initialize(trunks, vlans)
        }
        let scheduler =
            egress.isEmpty ? nil : SchedulerBlock(egress, device: device, slot: slot, memory: memory)
        guard egress.isEmpty || scheduler != nil else {
            if let trunks { memory.deallocate(trunks, VLANBitmap.size) }
            throw refuse("the queues")
        }
        let entry = Entry(
            number: number,
            name: name,
            end: .device(device),
            slot: slot,
            plan: plan,
            region: region,
            trunks: trunks,
            scheduler: scheduler
        )
        try publish(entry, accessVLAN: access, isShared: region != nil)
        return entry
    }

    /// Each worker sends by itself.
    func planWithoutDevice() -> QueuePlan {
        QueuePlan(receiveQueues: 0, transmitQueues: workers.count, load: &load)
    }

    func nextSlot() throws(PortError) -> UInt16 {
        guard let slot = freeSlots.last else { throw PortError(description: "more than \(PortSlot.limit - 1) ports") }
        return slot
    }

    func publish(_ entry: Entry, accessVLAN: UInt16, isShared: Bool) throws(PortError) {
        freeSlots.removeLast()
        entries[entry.number] = entry
        for (index, worker) in workers.enumerated() {
            let port = worker.pointee.ports + Int(entry.slot)
            port.pointee.counters = PortCounters()
            publisher.store(worker: index, port.word(\.number), UInt64(entry.number.rawValue))
            publisher.store(worker: index, port.word(\.accessVLAN), UInt64(accessVLAN))
            publisher.store(worker: index, port.word(\.trunks), UInt64(UInt(bitPattern: entry.trunks)))
            publisher.store(worker: index, port.word(\.isShared), isShared ? 1 : 0)
        }
        configure(entry.number, [])
        guard publishLists() else {
            remove(entry.number) {}
            throw PortError(description: "port \(entry.number) (\(entry.name)): no memory for the list of queues")
        }
        publisher.seal()
    }

    /// Lets no worker use the port any more, then closes its device, or takes back what its VM had, and runs `done`. Where there is no memory for the lists without it,
    /// that is with the next change for which there is.
    package func remove(_ number: PortNumber, done: @escaping () -> Void) {
        guard let entry = entries.removeValue(forKey: number) else { return }
        configs[number] = nil
        entry.plan.leave(&load)
        for (index, worker) in workers.enumerated() {
            let port = worker.pointee.ports + Int(entry.slot)
            publisher.store(worker: index, port.word(\.destination), Destination.none.rawValue)
            publisher.store(worker: index, port.word(\.accessVLAN), 0)
            publisher.store(worker: index, port.word(\.trunks), 0)
        }
        if let trunks = entry.trunks { publisher.retire(trunks, VLANBitmap.size) }
        leaving.append((entry, done))
        letGo()
    }

    /// Tries to let the workers leave the ports that were removed, and go by the replicas that there are.
    package func letGo() {
        if replicasAreStale {
            publishReplicas()
            publisher.seal()
        }
        guard !leaving.isEmpty else { return }
        let isComplete = publishLists()
        publisher.seal()
        // A slot that a service's replicas still name must not become another port's.
        guard isComplete, !replicasAreStale else { return }
        closing += leaving.map(\.entry)
        for (entry, done) in leaving {
            publisher.whenApplied { [self] in
                closing.removeAll { $0.slot == entry.slot }
                if let scheduler = entry.scheduler {
                    scheduler.empty()
                    memory.deallocate(scheduler.block, scheduler.bytes)
                }
                entry.device?.close()
                entry.vm?.didDetach(memory: memory)
                entry.service?.free()
                freeSlots.append(entry.slot)
                done()
            }
        }
        leaving = []
    }

    /// Lets the workers keep to what controllers have set of a port. No memory is needed, so it can't fail.
    func configure(_ number: PortNumber, _ config: PortConfig) {
        guard let entry = entries[number] else { return }
        configs[number] = config
        for (index, worker) in workers.enumerated() {
            let port = worker.pointee.ports + Int(entry.slot)
            publisher.store(worker: index, port.word(\.config), UInt64(config.rawValue))
        }
        useDestination(of: entry)
    }

    /// Lets the workers send a port's packets where they are to go by now.
    func useDestination(of entry: Entry) {
        let config = configs[entry.number] ?? []
        for (index, worker) in workers.enumerated() {
            let destination: Destination =
                if config.contains(.portDown) {
                    .portDown
                } else if config.contains(.noForward) {
                    .noForward
                } else {
                    entry.destination(worker: index)
                }
            let port = worker.pointee.ports + Int(entry.slot)
            publisher.store(worker: index, port.word(\.destination), destination.rawValue)
        }
    }

    /// When the workers have stopped: frees the packets that still wait, and closes the devices.
    package func close() {
        for entry in Array(entries.values) + leaving.map(\.entry) + closing {
            entry.scheduler?.empty()
            entry.device?.close()
        }
    }

    /// Sends each worker its list of queues, its list of ports for ALL, the schedulers that it empties, the VMs that it serves, the
    /// directory of ports, and the replicas of services. False if there is no memory for those of all workers: who gets no new ones keeps the former.
    func publishLists() -> Bool {
        let sorted = entries.values.sorted { $0.number < $1.number }
        let flooded = sorted.filter { $0.service == nil }
        var complete = true
        publishReplicas()
        for (index, worker) in workers.enumerated() {
            let queues = sorted.flatMap { entry in
                guard let device = entry.device else { return [ReceiveQueue]() }
                return entry.plan.receive.enumerated().filter { $0.element == index }.map {
                    ReceiveQueue(
                        device: device.id,
                        queue: UInt16($0.offset),
                        slot: entry.slot,
                        descriptor: device.receiveDescriptor(ofQueue: $0.offset)
                    )
                }
            }
            let schedulers = sorted.filter { $0.plan.transmit == .owner(index) }.compactMap { $0.scheduler?.block }
            let vmQueues = sorted.flatMap { $0.vm?.served(byWorker: index) ?? [] }
            let sizes = [
                ReceivePlan.size(count: queues.count), SlotList.size(count: flooded.count),
                PointerList.size(count: schedulers.count), PointerList.size(count: vmQueues.count),
                PortDirectory.size(count: sorted.count),
            ]
            guard let blocks = memory.allocate(sizes) else {
                complete = false
                continue
            }
            ReceivePlan.initialize(blocks[0], queues, wake: worker.pointee.wakeDescriptor)
            SlotList.initialize(blocks[1], flooded.map(\.slot))
            PointerList.initialize(blocks[2], schedulers)
            PointerList.initialize(blocks[3], vmQueues.map { UnsafeMutableRawPointer($0) })
            PortDirectory.initialize(blocks[4], sorted.map { ($0.number.rawValue, $0.slot) })
            let settings = worker.pointee.settings
            let words = [
                settings.word(\.receivePlan), settings.word(\.floodPorts), settings.word(\.schedulers),
                settings.word(\.vmQueues), settings.word(\.portDirectory),
            ]
            for (word, block) in zip(words, blocks) {
                publisher.store(worker: index, word, UInt64(UInt(bitPattern: block)))
            }
            // What a VM has fed up to now may be going.
            for queue in vmQueues {
                publisher.store(worker: index, queue.word(\.feeds.queue), 0)
            }
            for old in lists[index] { publisher.retire(old.block, old.bytes) }
            lists[index] = Array(zip(blocks, sizes))
        }
        return complete
    }
}
