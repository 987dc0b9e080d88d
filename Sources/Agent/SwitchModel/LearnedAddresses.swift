// Where output to NORMAL has seen Ethernet addresses (OpenFlow 1.3.5 §4.5): learned from the data path's sightings, forgotten when
// they have not been seen for a while (IEEE 802.1Q §8.8.3) or their port goes.

import NIOCore
import OpenFlow

/// An address in a VLAN.
package struct LearnedAddress: Hashable, Sendable {
    /// 0 to 4095; 0: frames without a tag.
    package let vlan: UInt16
    package let address: EthernetAddress

    package init(vlan: UInt16, address: EthernetAddress) { (self.vlan, self.address) = (vlan, address) }
}

/// Which VLANs a port belongs to when output to NORMAL chooses it; to output by its number they mean nothing.
package enum PortVLANs: Hashable, Sendable {
    /// One, whose frames have no tag there; 1 to 4094.
    case access(UInt16)
    /// These, whose frames have a tag there; 0 stands for frames without.
    case trunk(Set<UInt16>)
    /// All, as a trunk.
    case all

    /// Whether the port belongs to a VLAN.
    package func contains(_ vlan: UInt16) -> Bool {
        switch self {
        case .access(let own): own == vlan
        case .trunk(let vlans): vlans.contains(vlan)
        case .all: true
        }
    }
}

extension Port {
    /// Whether there is a link, and controllers have not set the port down.
    var isUp: Bool { !config.contains(.portDown) && !state.contains(.linkDown) }
}

extension SwitchModel {
    /// Learns that an address was seen at a port. Nothing is learned while `addressLimit` addresses are known, nor if the data
    /// path has no memory: packets to what is not known go to all ports of the VLAN.
    package func learn(_ address: LearnedAddress, at port: PortNumber) {
        guard let description = ports[port]?.port, description.isUp, addresses[address] != port else { return }
        guard addresses[address] != nil || addresses.count < addressLimit else { return }
        if datapath.learn(address, at: port) { addresses[address] = port }
    }

    /// Forgets what was seen at a port, or at all of them.
    package func forgetAddresses(of port: PortNumber? = nil) {
        let gone = addresses.filter { port == nil || $0.value == port }.map(\.key)
        for address in gone { addresses[address] = nil }
        if !gone.isEmpty { datapath.forget(gone) }
    }

    /// Forgets what has not been seen for `addressAgeing`.
    package func expireAddresses() {
        let gone = addresses.keys.filter { datapath.age(of: $0) > addressAgeing }
        for address in gone { addresses[address] = nil }
        if !gone.isEmpty { datapath.forget(gone) }
    }

    /// The VLANs of a port.
    package func vlans(of port: PortNumber) -> PortVLANs { portVLANs[port] ?? .all }
}
