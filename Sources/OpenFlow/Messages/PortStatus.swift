// The notice that a port has come, gone or changed.

/// OFPT_PORT_STATUS (OpenFlow 1.3.5 §7.4.3 / A.4.3).
package struct PortStatus: Hashable, Sendable {
    package var reason: PortReason
    package var port: Port

    package init(reason: PortReason, port: Port) {
        self.reason = reason
        self.port = port
    }
}

/// `ofp_port_reason`.
package enum PortReason: UInt8, CaseIterable, Hashable, Sendable {
    /// OFPPR_ADD.
    case add = 0
    /// OFPPR_DELETE.
    case delete = 1
    /// OFPPR_MODIFY.
    case modify = 2
}

extension PortStatus {
    init(from reader: inout WireReader) throws(OpenFlowError) {
        let rawReason: UInt8 = try reader.read()
        guard let reason = PortReason(rawValue: rawReason) else {
            throw .badRequest(.badType, "port-status reason \(rawReason)")
        }
        self.reason = reason
        try reader.pad(7)
        port = try Port(from: &reader)
    }

    func write(to writer: inout WireWriter) {
        writer.write(reason.rawValue)
        writer.pad(7)
        port.write(to: &writer)
    }
}
