// Ports of VMs: who is attached to them, and the memory of trust groups that devices send from.

import DataPlane
import OpenFlow

extension PortTable {
    // MARK: Trust groups

    /// Whether a worker may still take buffers of a region, for one of its ports.
    func uses(_ region: PacketRegion) -> Bool {
        let all = Array(entries.values) + leaving.map(\.entry) + closing
        return all.contains { $0.region?.pool.mempool == region.pool.mempool }
    }

    /// Lets all devices send what lies in a new region.
    func map(_ region: PacketRegion) throws(PortError) {
        for entry in entries.values {
            do { try entry.device?.map(region) } catch {
                unmap(region)
                throw PortError(description: "port \(entry.number) (\(entry.name)): \(error)")
            }
        }
    }

    func unmap(_ region: PacketRegion) {
        for entry in entries.values { entry.device?.unmap(region) }
    }

    // MARK: VMs

    /// Adds the port of a VM, to which nobody is attached yet.
    func add(vm: VMPort) throws(PortError) -> Entry {
        let entry = Entry(
            number: PortNumber(rawValue: vm.settings.number),
            name: vm.settings.name,
            end: .vm(vm),
            slot: try nextSlot(),
            plan: planWithoutDevice(),
            region: vm.group.region,
            trunks: nil,
            scheduler: nil
        )
        try publish(entry, accessVLAN: 0, isShared: true)
        return entry
    }

    /// Lets the workers serve a VM that wants to attach, and runs `done` when they do; false if there is no memory.
    func attach(_ vm: VMPort, then done: @escaping () -> Void) -> Bool {
        guard let entry = entries[PortNumber(rawValue: vm.settings.number)],
            vm.beginAttaching(slot: entry.slot, memory: memory)
        else { return false }
        useDestination(of: entry)
        guard publishLists() else {
            detach(vm)
            return false
        }
        publisher.seal()
        publisher.whenApplied(done)
        return true
    }

    /// Lets no worker serve a VM any more, and then takes back what it had; false if there is no memory for the lists without it: then a
    /// worker may serve it yet, and it is to be tried again.
    @discardableResult
    func detach(_ vm: VMPort) -> Bool {
        guard let entry = entries[PortNumber(rawValue: vm.settings.number)] else { return true }
        vm.beginDetaching()
        useDestination(of: entry)
        let isComplete = publishLists()
        publisher.seal()
        guard isComplete else { return false }
        vm.didLeave()
        publisher.whenApplied { [memory] in vm.didDetach(memory: memory) }
        return true
    }

    /// Lets the workers take of a VM what it may say from now on.
    func adjust(_ vm: VMPort) {
        for index in workers.indices {
            for queue in vm.queues(ofWorker: index) {
                publisher.store(worker: index, queue.word(\.verdicts), vm.verdicts)
            }
        }
        publisher.seal()
    }
}
