// Ports of services: which VMs' ports stand behind them.

import DataPlane
import OpenFlow

extension PortTable {
    /// Adds the port of a service; the VMs that are its replicas may come and go.
    package func add(service settings: Configuration.Service) throws(PortError) -> Entry {
        let slot = try nextSlot()
        guard let service = ServicePort(settings: settings, workers: workers.count, memory: memory) else {
            throw PortError(
                description:
                    "service \(settings.number) (\(settings.name)): no memory for \(settings.connections) connections"
            )
        }
        let entry = Entry(
            number: PortNumber(rawValue: settings.number),
            name: settings.name,
            end: .service(service),
            slot: slot,
            plan: planWithoutDevice(),
            region: nil,
            trunks: nil,
            scheduler: nil
        )
        try publish(entry, accessVLAN: 0, isShared: false)
        return entry
    }

    /// Gives a service other replicas. Connections of those that stay are not touched; those that come may be added by now or later.
    package func adjust(_ settings: Configuration.Service) {
        guard let service = entries[PortNumber(rawValue: settings.number)]?.service else { return }
        service.settings = settings
        publishReplicas()
        publisher.seal()
    }

    /// The services that a VM is a replica of.
    func services(of vm: VMPort) -> [Entry] {
        entries.values.filter { $0.service?.replicas.contains { $0 === vm } ?? false }
    }

    /// Lets the workers go by the replicas that there are by now. Where there is no memory for that, `letGo` tries again.
    func publishReplicas() {
        replicasAreStale = false
        for service in entries.values.compactMap(\.service) {
            let replicas = service.settings.replicas.compactMap { name in
                entries.values.first { $0.vm?.settings.name == name }
            }
            if !service.use(replicas.compactMap { entry in entry.vm.map { (entry.slot, $0) } }, publisher: publisher) {
                replicasAreStale = true
            }
        }
    }
}
