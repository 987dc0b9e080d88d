// Which controller may change the switch.

/// OFPT_ROLE_REQUEST and OFPT_ROLE_REPLY, which have one layout (OpenFlow 1.3.5 §7.3.9 / A.3.9).
package struct RoleRequest: Hashable, Sendable {
    package var role: ControllerRole
    /// The controllers' own count of elections of a master.
    package var generationID: UInt64

    package init(role: ControllerRole, generationID: UInt64 = 0) {
        self.role = role
        self.generationID = generationID
    }
}

/// `ofp_controller_role`.
package enum ControllerRole: UInt32, CaseIterable, Hashable, Sendable {
    /// OFPCR_ROLE_NOCHANGE: only asks.
    case noChange = 0
    /// OFPCR_ROLE_EQUAL: full access.
    case equal = 1
    /// OFPCR_ROLE_MASTER: full access, one controller at most.
    case master = 2
    /// OFPCR_ROLE_SLAVE: reads only.
    case slave = 3
}

extension RoleRequest {
    /// Throws OFPET_ROLE_REQUEST_FAILED/OFPRRFC_BAD_ROLE.
    init(from reader: inout WireReader) throws(OpenFlowError) {
        let rawRole: UInt32 = try reader.read()
        guard let role = ControllerRole(rawValue: rawRole) else {
            throw .roleRequestFailed(.badRole, "role \(rawRole)")
        }
        self.role = role
        try reader.pad(4)
        generationID = try reader.read()
    }

    func write(to writer: inout WireWriter) {
        writer.write(role.rawValue)
        writer.pad(4)
        writer.write(generationID)
    }
}
