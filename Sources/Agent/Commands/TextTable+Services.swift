// `ringway show services` for people: a line for each replica.

extension TextTable {
    package init(services: [ServiceReport]) {
        self.init([
            ">PORT", "NAME", ">PACKETS", ">MOVED", ">UNREMEMBERED", ">REPLICA", "NAME", "STATE", ">IN HAND",
            ">CONNECTIONS",
        ])
        for service in services {
            var first = [
                "\(service.number)", service.name, "\(service.packets)", "\(service.moved)", "\(service.unremembered)",
            ]
            for replica in service.replicas {
                add(
                    first + [
                        "\(replica.number)", replica.name, replica.state, "\(replica.lent)", "\(replica.connections)",
                    ]
                )
                first = first.map { _ in "" }
            }
            if service.replicas.isEmpty { add(first + ["-", "-", "-", "-", "-"]) }
        }
    }
}
