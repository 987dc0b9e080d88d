// The services of a configuration, from YAML.

import OpenFlow

extension Configuration {
    /// Reads `services`, when ports and VMs have been read.
    mutating func readServices(_ list: [YAMLValue], _ names: inout UniqueNames) {
        let others = ports.count + vms.count
        let most = Limits.ports - others
        if list.count > most, most >= 0 {
            list[most].fail(
                "there are \(others) ports and VMs, and \(list.count) services: at most \(Limits.ports) are allowed together"
            )
        }
        for element in list {
            element.mapping { mapping in
                let (number, name, replicas) = (
                    mapping.required("number"), mapping.required("name"), mapping.required("replicas")
                )
                var service = Service(number: 0, name: "", replicas: [])
                if set(&service.number, number?.number(1...Limits.portNumber)) {
                    names.take("number", number, "\(PortNumber(rawValue: service.number))")
                }
                if set(&service.name, name?.parsed(parseName)) { names.take("name", name, service.name) }
                if let replicas, let list = replicas.list { service.replicas = readReplicas(replicas, list) }
                set(&service.connections, mapping["connections"]?.number(Limits.connections))
                set(&service.idleTimeout, mapping["idle_timeout"]?.duration(Limits.connectionIdle))
                services.append(service)
            }
        }
    }

    private func readReplicas(_ value: YAMLValue, _ list: [YAMLValue]) -> [String] {
        if list.isEmpty { value.fail("the list is empty: at least one VM is wanted") }
        if list.count > Limits.replicas {
            list[Limits.replicas].fail("there are \(list.count) replicas: at most \(Limits.replicas) are allowed")
        }
        var replicas: [String] = []
        for element in list {
            guard let name = element.parsed(parseName) else { continue }
            if !vms.contains(where: { $0.name == name }) {
                element.fail("there is no such VM: the name of one of the VMs is wanted")
            } else if replicas.contains(name) {
                element.fail("\(name) is a replica already")
            }
            replicas.append(name)
        }
        return replicas
    }
}
