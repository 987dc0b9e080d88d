// What `ringway show services` and `/metrics` tell of services.

import OpenFlow

extension Agent {
    func serviceReports() -> [ServiceReport] {
        let entries = datapath.ports.entries.values.sorted { $0.number < $1.number }
        let slots = datapath.ports.slots
        return entries.compactMap { entry in
            guard let service = entry.service else { return nil }
            let (counters, connections) = (service.counters, service.connections)
            var report = ServiceReport(number: entry.number.rawValue, name: entry.name)
            (report.packets, report.bytes) = (counters.packets, counters.bytes)
            (report.connections, report.moved) = (counters.connections, counters.moved)
            report.unremembered = counters.unremembered
            report.replicas = service.replicas.map { vm in
                let slot = slots[PortNumber(rawValue: vm.settings.number)]
                return ServiceReport.Replica(
                    number: vm.settings.number,
                    name: vm.settings.name,
                    state: vm.state.rawValue,
                    lent: vm.lent,
                    connections: slot.flatMap { connections[Int($0)] } ?? 0
                )
            }
            return report
        }
    }
}
