// The command that changes a port.

/// OFPT_PORT_MOD (OpenFlow 1.3.5 §7.3.4.3 / A.3.4.3).
package struct PortMod: Hashable, Sendable {
    package var number: PortNumber
    /// Must be the port's own.
    package var hardwareAddress: EthernetAddress
    package var config: PortConfig
    /// The bits of `config` that change.
    package var mask: PortConfig
    /// Empty: no change.
    package var advertise: PortFeatures

    package init(
        number: PortNumber,
        hardwareAddress: EthernetAddress,
        config: PortConfig,
        mask: PortConfig,
        advertise: PortFeatures = []
    ) {
        self.number = number
        self.hardwareAddress = hardwareAddress
        self.config = config
        self.mask = mask
        self.advertise = advertise
    }
}

extension PortMod {
    /// Throws OFPPMFC_BAD_CONFIG and OFPPMFC_BAD_ADVERTISE for bits that 1.3 does not have.
    init(from reader: inout WireReader) throws(OpenFlowError) {
        number = try reader.readPort()
        try reader.pad(4)
        hardwareAddress = try reader.readEthernetAddress()
        try reader.pad(2)
        config = try PortConfig(rawValue: reader.read())
        mask = try PortConfig(rawValue: reader.read())
        advertise = try PortFeatures(rawValue: reader.read())
        try reader.pad(4)
        guard mask.isSubset(of: [.portDown, .noReceive, .noForward, .noPacketIn]) else {
            throw .portModFailed(.badConfig, "port-mod mask \(Text.hex(mask.rawValue))")
        }
        guard advertise.rawValue <= 0xffff else {
            throw .portModFailed(.badAdvertise, "port-mod advertise \(Text.hex(advertise.rawValue))")
        }
    }

    func write(to writer: inout WireWriter) {
        writer.write(number)
        writer.pad(4)
        writer.write(hardwareAddress)
        writer.pad(2)
        writer.write(config.rawValue)
        writer.write(mask.rawValue)
        writer.write(advertise.rawValue)
        writer.pad(4)
    }
}
