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
    /// Adds a port (reason ADD), or describes one anew that is there (reason MODIFY; nothing if nothing changed).
    package func setPort(_ port: Port) {
        let old = ports[port.number]
        guard old?.port != port else { return }
        ports[port.number] = SwitchPort(port: port, added: old?.added ?? now())
        if old?.port.isLive ?? false != port.isLive { livenessChanged() }
        onPortStatus(PortStatus(reason: old == nil ? .add : .modify, port: port))
    }

    /// Removes a port, if it is there. Entries that name it stay, and drop what they would send there.
    package func removePort(_ number: PortNumber) {
        guard let old = ports.removeValue(forKey: number) else { return }
        livenessChanged()
        onPortStatus(PortStatus(reason: .delete, port: old.port))
    }

    /// All ports, by number.
    package var portDescriptions: [Port] {
        ports.values.map(\.port).sorted { $0.number < $1.number }
    }

    /// OFPT_PORT_MOD (OpenFlow 1.3.5 §7.3.4.3). What the data path cannot change is refused; a message that changes
    /// nothing is accepted.
    ///
    /// Throws errors of type PORT_MOD_FAILED: BAD_PORT, BAD_HW_ADDR, BAD_CONFIG, BAD_ADVERTISE.
    package func execute(_ mod: PortMod) throws(OpenFlowError) {
        guard var port = ports[mod.number]?.port else { throw .portModFailed(.badPort, "port \(mod.number)") }
        guard mod.hardwareAddress == port.hardwareAddress else {
            throw .portModFailed(.badHardwareAddress, "port \(mod.number) has \(port.hardwareAddress)")
        }
        let config = port.config.subtracting(mod.mask).union(mod.config.intersection(mod.mask))
        guard config.symmetricDifference(port.config).isSubset(of: SwitchCapabilities.portConfig) else {
            throw .portModFailed(.badConfig, "config \(mod.config.rawValue) of \(mod.mask.rawValue)")
        }
        guard mod.advertise.isEmpty || mod.advertise == port.advertised else {
            throw .portModFailed(.badAdvertise, "advertise \(mod.advertise.rawValue)")
        }
        port.config = config
        setPort(port)
    }
}
