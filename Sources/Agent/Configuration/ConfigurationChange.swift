// What `ringway reload` has to do: the difference of two configurations. Ports, listeners, controllers and the channels'
// settings change while the switch forwards on; what would need another start is refused, and then nothing changes.

/// What changes from one configuration to another. Everything that is in neither list stays untouched.
package struct ConfigurationChange: Equatable, Sendable {
    package var addedPorts: [Configuration.Port] = []
    /// By the old configuration.
    package var removedPorts: [Configuration.Port] = []
    /// The port number stays, all else may differ: the old one is removed and the new one added.
    package var changedPorts: [PortChange] = []
    package var addedListeners: [ListenAddress] = []
    package var removedListeners: [ListenAddress] = []
    package var addedControllers: [ControllerAddress] = []
    package var removedControllers: [ControllerAddress] = []
    /// Metrics are to be served elsewhere, or no more, or now.
    package var metricsChanged = false
    /// The channels' settings (probes, back-off, limits), or the description, differ: the new configuration's are in force from now on.
    package var settingsChanged = false
    /// The files of `openflow.tls` have other contents, or are others: new connections are made with them.
    package var certificatesRenewed = false

    package init() {}

    /// One port before and after.
    package struct PortChange: Equatable, Sendable {
        package var old: Configuration.Port
        package var new: Configuration.Port

        package init(old: Configuration.Port, new: Configuration.Port) {
            (self.old, self.new) = (old, new)
        }
    }

    /// Nothing at all differs.
    package var isEmpty: Bool { self == ConfigurationChange() }
}

/// A new configuration asks for what the running agent cannot change.
package struct ReloadRefusal: Error, Hashable, Sendable, CustomStringConvertible {
    /// Each names a key, and what would change.
    package var reasons: [String]

    package init(reasons: [String]) { self.reasons = reasons }

    package var description: String {
        "nothing was changed, because the agent would have to be started anew:\n"
            + reasons.map { "  \($0)" }.joined(separator: "\n")
    }
}

extension Configuration {
    /// What has to change for `new` to be in force. Throws all that cannot change at run time.
    package func change(to new: Configuration) throws(ReloadRefusal) -> ConfigurationChange {
        try refuseWhatCannotChange(to: new)
        var change = ConfigurationChange()
        let (oldPorts, newPorts) = (portsByNumber, new.portsByNumber)
        change.addedPorts = new.ports.filter { oldPorts[$0.number] == nil }
        change.removedPorts = ports.filter { newPorts[$0.number] == nil }
        change.changedPorts = ports.compactMap { old in
            guard let port = newPorts[old.number] else { return nil }
            return port == old ? nil : ConfigurationChange.PortChange(old: old, new: port)
        }
        change.addedListeners = new.openflow.listen.filter { !openflow.listen.contains($0) }
        change.removedListeners = openflow.listen.filter { !new.openflow.listen.contains($0) }
        change.addedControllers = new.openflow.controllers.filter { !openflow.controllers.contains($0) }
        change.removedControllers = openflow.controllers.filter { !new.openflow.controllers.contains($0) }
        change.metricsChanged = metrics != new.metrics
        change.settingsChanged =
            datapath != new.datapath || openflow.settings != new.openflow.settings
        return change
    }

    private func refuseWhatCannotChange(to new: Configuration) throws(ReloadRefusal) {
        var reasons: [String] = []
        func compare<Value: Equatable>(
            _ key: String,
            _ old: Value,
            _ new: Value,
            _ text: (Value) -> String = { "\($0)" }
        ) {
            if old != new { reasons.append("\(key): \(text(old)) cannot become \(text(new)) at run time") }
        }
        compare("datapath.id", datapath.id, new.datapath.id)
        compare("datapath.name", datapath.name, new.datapath.name)
        compare("workers.cores", workers.cores, new.workers.cores)
        compare("workers.idle", workers.idle, new.workers.idle, \.rawValue)
        compare("workers.flow_cache", workers.flowCache, new.workers.flowCache, \.rawValue)
        compare("memory.huge_pages", memory.hugePages, new.memory.hugePages, \.rawValue)
        compare("memory.size", memory.size, new.memory.size, sizeText)
        compare("run_directory", runDirectory, new.runDirectory)
        compare("vms", vms, new.vms) { $0.isEmpty ? "none" : $0.map(\.name).joined(separator: ", ") }
        compare("services", services, new.services) { $0.isEmpty ? "none" : $0.map(\.name).joined(separator: ", ") }
        for group in new.groupNames where !groupNames.contains(group) {
            reasons.append("group \(group): its memory cannot be made at run time")
        }
        let newPorts = new.portsByNumber
        // A port's queues are given out when it is added: they can change only with the port.
        for port in ports where newPorts[port.number] == port {
            compare(
                "workers.queues.\(port.name)",
                workers.queues[port.name] ?? [:],
                new.workers.queues[port.name] ?? [:]
            ) { queues in
                "{\(queues.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }.joined(separator: ", "))}"
            }
        }
        guard reasons.isEmpty else { throw ReloadRefusal(reasons: reasons) }
    }

    private var portsByNumber: [UInt32: Port] { Dictionary(ports.map { ($0.number, $0) }) { first, _ in first } }
}

extension Configuration.OpenFlow {
    /// All but the addresses.
    fileprivate var settings: Configuration.OpenFlow {
        var settings = self
        (settings.listen, settings.controllers) = ([], [])
        return settings
    }
}
