// What `show addresses` tells: where output to NORMAL has seen Ethernet addresses.

import OpenFlow

/// `show addresses`: one address in a VLAN.
package struct AddressReport: Codable, Hashable, Sendable {
    /// `02:00:00:00:00:01`
    package var address: String
    /// 0: frames without a tag.
    package var vlan: UInt16
    /// The OpenFlow port number.
    package var port: UInt32
    /// Since a frame last came from it.
    package var seconds: Int

    package init(address: String, vlan: UInt16, port: UInt32, seconds: Int) {
        (self.address, self.vlan, self.port, self.seconds) = (address, vlan, port, seconds)
    }
}

/// `flush`: how many addresses were forgotten.
package struct FlushReport: Codable, Hashable, Sendable {
    package var addresses: Int

    package init(addresses: Int) { self.addresses = addresses }
}

extension SwitchModel {
    /// All learned addresses, by VLAN.
    func addressReports() -> [AddressReport] {
        addresses.map { learned, port in
            AddressReport(
                address: "\(learned.address)",
                vlan: learned.vlan,
                port: port.rawValue,
                seconds: Int(datapath.age(of: learned).nanoseconds / 1_000_000_000)
            )
        }.sorted { ($0.vlan, $0.address) < ($1.vlan, $1.address) }
    }
}
