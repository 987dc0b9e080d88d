// Multipart 0, OFPMP_DESC: who made the switch.

/// `ofp_desc` (OpenFlow 1.3.5 §7.3.5.1 / A.3.5.1). On the wire each text is UTF-8 with a zero at its end: cut to 255
/// bytes, `serialNumber` to 31.
package struct SwitchDescription: Hashable, Sendable {
    package var manufacturer: String
    package var hardware: String
    package var software: String
    package var serialNumber: String
    package var datapath: String

    package init(
        manufacturer: String,
        hardware: String,
        software: String,
        serialNumber: String,
        datapath: String
    ) {
        self.manufacturer = manufacturer
        self.hardware = hardware
        self.software = software
        self.serialNumber = serialNumber
        self.datapath = datapath
    }
}

extension SwitchDescription {
    /// DESC_STR_LEN and SERIAL_NUM_LEN.
    private static let textLength = 256, serialNumberLength = 32

    init(from reader: inout WireReader) throws(OpenFlowError) {
        manufacturer = try reader.readText(byteCount: Self.textLength)
        hardware = try reader.readText(byteCount: Self.textLength)
        software = try reader.readText(byteCount: Self.textLength)
        serialNumber = try reader.readText(byteCount: Self.serialNumberLength)
        datapath = try reader.readText(byteCount: Self.textLength)
    }

    func write(to writer: inout WireWriter) {
        writer.write(manufacturer, byteCount: Self.textLength)
        writer.write(hardware, byteCount: Self.textLength)
        writer.write(software, byteCount: Self.textLength)
        writer.write(serialNumber, byteCount: Self.serialNumberLength)
        writer.write(datapath, byteCount: Self.textLength)
    }
}
