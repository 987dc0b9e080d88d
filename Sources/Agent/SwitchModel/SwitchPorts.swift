// The ports of the model: the agent adds, changes and removes them as devices come and go, PORT_MOD asks for changes.

import NIOCore
import OpenFlow

/// A port and how long it has been there.
package struct SwitchPort: Hashable, Sendable {
    package internal(set) var port: Port
    /// When it was added.
    package let added: NIODeadline
}

extension SwitchModel {
    /// Adds a port (reason ADD), or describes one anew that is there (reason MODIFY; nothing if nothing changed). What
    /// controllers have set of it stays.
    package func setPort(_ port: Port) {
        var port = port
        if let old = ports[port.number]?.port { port.config = old.config }
        if port.config.contains(.portDown) { port.state.remove(.live) }
        show(port)
    }

    /// Makes this what is known of the port, and tells the controllers.
    func show(_ port: Port) {
        let old = ports[port.number]
        guard old?.port != port else { return }
        ports[port.number] = SwitchPort(port: port, added: old?.added ?? now())
        if old?.port.isLive ?? false != port.isLive { livenessChanged() }
        // What was there is to be looked for elsewhere.
        if !port.isUp { forgetAddresses(of: port.number) }
        onPortStatus(PortStatus(reason: old == nil ? .add : .modify, port: port))
    }

    /// Removes a port, if it is there. Entries that name it stay, and drop what they would send there.
    package func removePort(_ number: PortNumber) {
        guard let old = ports.removeValue(forKey: number) else { return }
        portVLANs[number] = nil
        servicePorts.remove(number)
        setQueues(EgressQueues(), of: number)
        livenessChanged()
        forgetAddresses(of: number)
        onPortStatus(PortStatus(reason: .delete, port: old.port))
    }

    /// What output to ALL goes to, but for the ingress port and those that are closed, by number. A service is left out: its replicas are
    /// ports as well.
    var floodPorts: [PortNumber] { ports.keys.filter { !servicePorts.contains($0) }.sorted() }

    /// All ports, by number.
    package var portDescriptions: [Port] {
        ports.values.map(\.port).sorted { $0.number < $1.number }
    }

    /// OFPT_PORT_MOD (OpenFlow 1.3.5 §7.3.4.3).
    ///
    /// Throws errors of type PORT_MOD_FAILED: BAD_PORT, BAD_HW_ADDR, BAD_CONFIG, BAD_ADVERTISE.
    package func execute(_ mod: PortMod) throws(OpenFlowError) {
        var transaction = FlowTransaction()
        try stage(mod, in: &transaction)
        try commit(transaction)
    }

    /// Validates a port-mod, which takes effect at the transaction's end.
    func stage(_ mod: PortMod, in transaction: inout FlowTransaction) throws(OpenFlowError) {
        guard let port = ports[mod.number]?.port else { throw .portModFailed(.badPort, "port \(mod.number)") }
        guard mod.hardwareAddress == port.hardwareAddress else {
            throw .portModFailed(.badHardwareAddress, "port \(mod.number) has \(port.hardwareAddress)")
        }
        guard mod.config.intersection(mod.mask).isSubset(of: SwitchCapabilities.portConfig) else {
            throw .portModFailed(.badConfig, "config \(mod.config.rawValue) of \(mod.mask.rawValue)")
        }
        guard mod.advertise.isEmpty || mod.advertise == port.advertised else {
            throw .portModFailed(.badAdvertise, "advertise \(mod.advertise.rawValue)")
        }
        transaction.portMods.append(mod)
    }

    /// What port-mods, one after the other, make of the ports whose settings they change. A port that is down is not LIVE.
    func ports(changedBy mods: [PortMod]) -> [PortNumber: Port] {
        var changed: [PortNumber: Port] = [:]
        for mod in mods {
            guard var port = changed[mod.number] ?? ports[mod.number]?.port else { continue }
            let wasDown = port.config.contains(.portDown)
            port.config = port.config.subtracting(mod.mask).union(mod.config.intersection(mod.mask))
            let isDown = port.config.contains(.portDown)
            if isDown { port.state.remove(.live) }
            if wasDown && !isDown && !port.state.contains(.linkDown) { port.state.insert(.live) }
            changed[mod.number] = port
        }
        return changed
    }
}
