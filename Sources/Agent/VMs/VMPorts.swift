// All VMs' ports: made from the configuration and by its changes, looked after every few milliseconds.

import DataPlane
import Logging
import NIOCore
import OpenFlow

/// What lies behind the ports whose other side is a VM.
package final class VMPorts {
    package private(set) var groups: [String: TrustGroup] = [:]
    package private(set) var ports: [VMPort] = []
    /// Removed, but workers may still use them.
    private var leaving: [VMPort] = []
    /// Groups that are closed, except that functions have files of theirs open.
    private var leftGroups: [TrustGroup] = []
    /// Groups that ports or VMs of the configuration are in.
    private var groupNames: [String] = []
    private let datapath: CompiledDatapath
    private let log: Logger
    /// A port has come up or gone down.
    package var onChange: (PortTable.Entry) -> Void = { _ in }

    /// How often the VMs' words are looked at: an end is noticed, and an attachment answered, as soon as this.
    static let interval = TimeAmount.milliseconds(10)

    package init(datapath: CompiledDatapath, log: Logger) {
        self.datapath = datapath
        self.log = log
    }

    // MARK: Trust groups

    /// Makes the regions of the groups that the configuration names and that there are not yet. Throws, and has changed nothing, if one
    /// cannot be made, or if one that is there has no room for what the configuration wants of it.
    package func makeGroups(_ configuration: Configuration, isHuge: Bool) throws {
        let names = configuration.groupNames
        let refusals = names.compactMap { groups[$0]?.refusal(of: configuration) }
        guard refusals.isEmpty else { throw ReloadRefusal(reasons: refusals) }
        var made: [TrustGroup] = []
        do {
            for name in names where groups[name] == nil {
                made.append(try makeGroup(name, configuration, isHuge: isHuge))
            }
        } catch {
            made.forEach(close)
            throw error
        }
        groupNames = names
    }

    private func makeGroup(_ name: String, _ configuration: Configuration, isHuge: Bool) throws -> TrustGroup {
        for group in leftGroups where group.name == name { group.close() }
        leftGroups.removeAll { $0.name == name }
        let bytes = configuration.buffers(ofGroup: name) * PacketRegion.bytesBesides
        guard datapath.memory.take(bytes) else {
            throw TrustGroup.GroupError(
                description: "group \(name): \(sizeText(bytes)) of memory.size are needed, and tables leave less"
            )
        }
        let group: TrustGroup
        do { group = try TrustGroup(name: name, of: configuration, isHuge: isHuge) } catch {
            datapath.memory.giveBack(bytes)
            throw error
        }
        groups[name] = group
        do { try datapath.ports.map(group.region) } catch {
            close(group)
            throw TrustGroup.GroupError(description: "group \(name): \(error)")
        }
        log.info(
            "trust group",
            metadata: [
                "group": "\(name)", "packet buffers": "\(group.region.count)",
                "memory": "\(group.isHuge ? "huge" : "ordinary") pages",
            ]
        )
        return group
    }

    /// Gives back what is not needed any more, as far as nobody uses it: groups that no port and no VM is in, files. To be called from
    /// time to time.
    ///
    /// - Parameter groupNames: Those of the configuration by now.
    package func letGo(groupNames: [String]) {
        self.groupNames = groupNames
        for group in groups.values {
            group.removeLeftFiles()
            guard isUnused(group) else { continue }
            // A worker may be just about to have given the last buffer back.
            datapath.publisher.afterThisBurst { [self] in
                guard isUnused(group) else { return }
                close(group)
                log.info("trust group closed", metadata: ["group": "\(group.name)"])
            }
        }
        removeLeftGroups()
    }

    /// Whether nobody takes buffers of the group, and nobody has one.
    private func isUnused(_ group: TrustGroup) -> Bool {
        groups[group.name] === group && !groupNames.contains(group.name) && !datapath.ports.uses(group.region)
            && group.region.isWhole
    }

    private func close(_ group: TrustGroup) {
        groups[group.name] = nil
        datapath.ports.unmap(group.region)
        group.giveUpPackets()
        datapath.memory.giveBack(group.bytesBesides)
        leftGroups.append(group)
        removeLeftGroups()
    }

    private func removeLeftGroups() {
        leftGroups.removeAll { $0.remove() }
    }

    /// Where the ports of a group receive.
    func region(ofGroup name: String) throws -> PacketRegion {
        guard let group = groups[name] else {
            throw PortTable.PortError(description: "there is no memory of the group \(name)")
        }
        return group.region
    }

    // MARK: VMs

    /// Makes a VM's port, to which nobody is attached yet.
    package func add(_ vm: Configuration.VM) throws -> PortTable.Entry {
        guard let group = groups[vm.group] else {
            throw PortTable.PortError(description: "vm \(vm.number) (\(vm.name)): there is no group \(vm.group)")
        }
        let port = try VMPort(settings: vm, group: group, owners: freeOwners(of: vm))
        do {
            let entry = try datapath.ports.add(vm: port)
            ports.append(port)
            return entry
        } catch {
            port.giveUpRings()
            throw error
        }
    }

    /// The lowest that nobody has, one for each worker and queue.
    private func freeOwners(of vm: Configuration.VM) throws -> [UInt16] {
        let (taken, count) = (Set((ports + leaving).flatMap(\.owners)), datapath.workers.count * vm.queues)
        let free = Array((1...UInt16.max).lazy.filter { !taken.contains($0) }.prefix(count))
        guard free.count == count else {
            throw PortTable.PortError(
                description: "vm \(vm.number) (\(vm.name)): all VMs together have more than \(UInt16.max) queues"
            )
        }
        return free
    }

    /// Removes a VM's port, and runs `done` when no worker uses it any more and what the VM had in hand is back.
    package func remove(_ vm: Configuration.VM, done: @escaping () -> Void) {
        guard let index = ports.firstIndex(where: { $0.settings.number == vm.number }) else { return done() }
        let port = ports.remove(at: index)
        leaving.append(port)
        port.end(.removed)
        port.beginDetaching()
        datapath.ports.remove(PortNumber(rawValue: vm.number)) { [self] in
            port.giveUpRings()
            leaving.removeAll { $0 === port }
            done()
        }
    }

    /// Changes what can change while a VM is attached.
    package func adjust(_ vm: Configuration.VM, at now: NIODeadline = .now()) {
        guard let port = ports.first(where: { $0.settings.number == vm.number }) else { return }
        port.adjust(to: vm, at: now)
        datapath.ports.adjust(port)
    }

    // MARK: Attaching and detaching

    /// Looks at all VMs' words, and does what they ask for.
    package func look(at now: NIODeadline = .now()) {
        for port in ports {
            switch port.look(at: now) {
            case .wantsToAttach: attach(port, at: now)
            case .ended(let end): detach(port, end)
            case .mustLeave: datapath.ports.detach(port)
            case nil: break
            }
        }
    }

    private func attach(_ port: VMPort, at now: NIODeadline) {
        let number = PortNumber(rawValue: port.settings.number)
        let isAttaching = datapath.ports.attach(port) { [self] in
            guard port.didAttach(at: now) else { return }
            log.info("vm attached", metadata: ["vm": "\(port.settings.name)", "port": "\(number)"])
            changed(port)
        }
        if !isAttaching {
            port.didNotAttach(at: now)
            log.error("vm not attached: no memory for its queues", metadata: ["vm": "\(port.settings.name)"])
        }
    }

    private func detach(_ port: VMPort, _ end: VMPort.End) {
        let number = PortNumber(rawValue: port.settings.number)
        port.end(end)
        log.info(
            "vm detached",
            metadata: ["vm": "\(port.settings.name)", "port": "\(number)", "reason": "\(end.rawValue)"]
        )
        datapath.ports.detach(port)
        changed(port)
    }

    private func changed(_ port: VMPort) {
        if let entry = datapath.ports.entries[PortNumber(rawValue: port.settings.number)] { onChange(entry) }
        for service in datapath.ports.services(of: port) { onChange(service) }
    }

    /// When the workers have stopped and the devices are closed.
    package func close() {
        for port in ports + leaving { port.close() }
        for group in groups.values { group.closeForNextAgent() }
        for group in leftGroups { group.close() }
    }
}
