// A configured port in OpenFlow's words.

import DataPlane
import OpenFlow

extension PortTable.Entry {
    /// What OFPMP_PORT_DESC says of it (OpenFlow 1.3.5 §7.2.1).
    package var described: Port {
        // OpenFlow counts in kbit/s.
        let speed = device?.linkSpeed.map { $0 &* 1000 } ?? 0
        return Port(
            number: number,
            hardwareAddress: EthernetAddress(rawValue: device?.hardwareAddress ?? addressOfVM),
            name: name,
            state: isUp ? .live : .linkDown,
            currentSpeed: speed,
            maxSpeed: speed
        )
    }

    /// A locally administered address (IEEE 802 §8.2): the agent knows of no other that a VM may have.
    private var addressOfVM: UInt64 { 0x0252_5700_0000 | UInt64(number.rawValue & 0xff_ffff) }

    /// The device has a link, or a VM is attached, or one of a service's replicas.
    private var isUp: Bool {
        switch end {
        case .device(let device): device.linkIsUp
        case .vm(let vm): vm.state == .attached
        case .service(let service): service.isUp
        }
    }
}
