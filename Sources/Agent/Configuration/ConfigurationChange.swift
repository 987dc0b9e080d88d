// What `ringway reload` has to do: the difference of two configurations. Ports, VMs, services,
// listeners, controllers and the channels'
// settings change while the switch forwards on; what would need another start is refused, and then nothing changes.

/// What changes from one configuration to another. Everything that is in no list stays untouched.
package struct ConfigurationChange: Equatable, Sendable {
    package var ports = ListChange<Configuration.Port>()
    package var vms = ListChange<Configuration.VM>()
    /// VMs that stay attached: only `verdicts`, `heartbeat` or `violations` differ. By the new configuration.
    package var adjustedVMs: [Configuration.VM] = []
    package var services = ListChange<Configuration.Service>()
    /// Services whose connections stay where they are: only `replicas` differs. By the new configuration.
    package var adjustedServices: [Configuration.Service] = []
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

    /// Nothing at all differs.
    package var isEmpty: Bool { self == ConfigurationChange() }
}

/// The difference of two lists whose elements are known by a key, such as the port number. The order does not count.
package struct ListChange<Element: Equatable & Sendable>: Equatable, Sendable {
    package var added: [Element] = []
    /// By the old list.
    package var removed: [Element] = []
    /// The key stays, something else differs: the old one is removed and the new one added.
    package var changed: [Pair] = []

    /// One element before and after.
    package struct Pair: Equatable, Sendable {
        package var old: Element
        package var new: Element

        package init(old: Element, new: Element) { (self.old, self.new) = (old, new) }
    }

    package init() {}

    package init<Key: Hashable>(from old: [Element], to new: [Element], by key: (Element) -> Key) {
        let oldByKey = Dictionary(old.map { (key($0), $0) }) { first, _ in first }
        let newByKey = Dictionary(new.map { (key($0), $0) }) { first, _ in first }
        added = new.filter { oldByKey[key($0)] == nil }
        removed = old.filter { newByKey[key($0)] == nil }
        changed = old.compactMap { old in
            guard let new = newByKey[key(old)], new != old else { return nil }
            return Pair(old: old, new: new)
        }
    }

    /// What has to be removed, and then what has to be added.
    package var leaving: [Element] { removed + changed.map(\.old) }
    package var coming: [Element] { added + changed.map(\.new) }
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
    /// What has to change for `new` to be in force. Throws all that cannot change at run time, besides what trust groups have no room
    /// for (`VMPorts.makeGroups`).
    package func change(to new: Configuration) throws(ReloadRefusal) -> ConfigurationChange {
        try refuseWhatCannotChange(to: new)
        var change = ConfigurationChange()
        change.ports = ListChange(from: ports, to: new.ports, by: \.number)
        change.vms = ListChange(from: vms, to: new.vms, by: \.number)
        change.adjustedVMs = change.vms.changed.filter { $0.old.canBecome($0.new) }.map(\.new)
        change.vms.changed.removeAll { $0.old.canBecome($0.new) }
        change.services = ListChange(from: services, to: new.services, by: \.number)
        change.adjustedServices = change.services.changed.filter { $0.old.canBecome($0.new) }.map(\.new)
        change.services.changed.removeAll { $0.old.canBecome($0.new) }
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
        // A port's queues are given out when it is added: they can change only with the port.
        for port in ports where new.ports.contains(port) {
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
}

extension Configuration.VM {
    /// Whether the other one differs by no more than what can change while a function is attached.
    fileprivate func canBecome(_ other: Configuration.VM) -> Bool {
        var same = self
        (same.verdicts, same.heartbeat, same.violations) = (other.verdicts, other.heartbeat, other.violations)
        return same == other
    }
}

extension Configuration.Service {
    /// Whether the other one differs by no more than its replicas.
    fileprivate func canBecome(_ other: Configuration.Service) -> Bool {
        var same = self
        same.replicas = other.replicas
        return same == other
    }
}

extension Configuration.OpenFlow {
    /// All but the addresses.
    fileprivate var settings: Configuration.OpenFlow {
        var settings = self
        (settings.listen, settings.controllers) = ([], [])
        return settings
    }
}
