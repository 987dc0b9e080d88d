// All VMs' ports: made from the configuration, looked after every few milliseconds.

import DataPlane
import Logging
import NIOCore
import OpenFlow

/// What lies behind the ports whose other side is a VM.
package final class VMPorts {
    package private(set) var groups: [String: TrustGroup] = [:]
    package private(set) var ports: [VMPort] = []
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

    /// Makes the regions of all groups that the configuration names.
    package func makeGroups(_ configuration: Configuration, isHuge: Bool) throws {
        let workers = configuration.workers.cores.count
        for name in configuration.groupNames {
            let group = try TrustGroup(
                name: name,
                folder: configuration.regionFolder,
                buffers: configuration.buffers(ofGroup: name),
                rings: Dictionary(
                    configuration.vms.filter { $0.group == name }.map { ($0.name, $0.ringSizes) },
                    uniquingKeysWith: { first, _ in first }
                ),
                workers: workers,
                isHuge: isHuge
            )
            groups[name] = group
            log.info(
                "trust group",
                metadata: [
                    "group": "\(name)", "packet buffers": "\(group.region.count)",
                    "memory": "\(group.isHuge ? "huge" : "ordinary") pages",
                ]
            )
        }
    }

    /// Where the ports of a group receive.
    func region(ofGroup name: String) throws -> PacketRegion {
        guard let group = groups[name] else {
            throw PortTable.PortError(description: "there is no memory of the group \(name)")
        }
        return group.region
    }

    /// Makes a VM's port, to which nobody is attached yet.
    package func add(_ vm: Configuration.VM) throws -> PortTable.Entry {
        guard let group = groups[vm.group] else {
            throw PortTable.PortError(description: "vm \(vm.number) (\(vm.name)): there is no group \(vm.group)")
        }
        let workers = datapath.workers.count
        let port = try VMPort(
            settings: vm,
            group: group,
            workers: workers,
            firstOwner: UInt16(1 + ports.count * workers)
        )
        let entry = try datapath.ports.add(vm: port)
        ports.append(port)
        return entry
    }

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
            port.didAttach(at: now)
            log.info("vm attached", metadata: ["vm": "\(port.settings.name)", "port": "\(number)"])
            changed(number)
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
        changed(number)
    }

    private func changed(_ number: PortNumber) {
        if let entry = datapath.ports.entries[number] { onChange(entry) }
    }

    /// When the workers have stopped and the devices are closed.
    package func close() {
        for port in ports { port.close() }
        for group in groups.values { group.close() }
    }
}
