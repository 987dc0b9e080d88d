// A configured port in OpenFlow's words.

import DataPlane
import OpenFlow

extension PortTable.Entry {
    /// What OFPMP_PORT_DESC says of it (OpenFlow 1.3.5 §7.2.1).
    var described: Port {
        // OpenFlow counts in kbit/s.
        let speed = device.linkSpeed.map { $0 &* 1000 } ?? 0
        return Port(
            number: number,
            hardwareAddress: EthernetAddress(rawValue: device.hardwareAddress),
            name: name,
            state: device.linkIsUp ? .live : .linkDown,
            currentSpeed: speed,
            maxSpeed: speed
        )
    }
}
