// The small numbers of the protocol that have reserved values: ports, groups, tables, buffers, meters, queues.
// Every message file builds on these.

/// A port number, `ofp_port_no` (OpenFlow 1.3.5 §7.2.1 / A.2.1): 1…`max` for ports of the switch, above it the
/// reserved ones.
package struct PortNumber: RawRepresentable, Hashable, Sendable, Comparable, ExpressibleByIntegerLiteral {
    package var rawValue: UInt32

    package init(rawValue: UInt32) { self.rawValue = rawValue }
    package init(integerLiteral value: UInt32) { rawValue = value }

    /// OFPP_MAX: the highest number that a physical or logical port may have.
    package static let max: PortNumber = 0xffff_ff00
    /// OFPP_IN_PORT: the port that the packet came in by. Output to it must be said explicitly.
    package static let inPort: PortNumber = 0xffff_fff8
    /// OFPP_TABLE: submit to the first flow table; only in a packet-out.
    package static let table: PortNumber = 0xffff_fff9
    /// OFPP_NORMAL: forward as a traditional learning switch does.
    package static let normal: PortNumber = 0xffff_fffa
    /// OFPP_FLOOD: all ports of the VLAN except the ingress port and those that are blocked.
    package static let flood: PortNumber = 0xffff_fffb
    /// OFPP_ALL: all standard ports except the ingress port.
    package static let all: PortNumber = 0xffff_fffc
    /// OFPP_CONTROLLER: to the controller as a packet-in; as ingress port, a packet that a controller made.
    package static let controller: PortNumber = 0xffff_fffd
    /// OFPP_LOCAL: the switch's own network stack.
    package static let local: PortNumber = 0xffff_fffe
    /// OFPP_ANY: no port in particular, in requests and filters only.
    package static let any: PortNumber = 0xffff_ffff

    /// Whether this can be the number of a physical or logical port: 1…OFPP_MAX.
    package var isStandard: Bool { rawValue >= 1 && self <= .max || self == .local }

    package static func < (left: PortNumber, right: PortNumber) -> Bool { left.rawValue < right.rawValue }
}

extension PortNumber: CustomStringConvertible {
    /// The number, or for a reserved port its name as `ovs-ofctl` writes it: `7`, `CONTROLLER`.
    package var description: String {
        switch self {
        case .inPort: "IN_PORT"
        case .table: "TABLE"
        case .normal: "NORMAL"
        case .flood: "FLOOD"
        case .all: "ALL"
        case .controller: "CONTROLLER"
        case .local: "LOCAL"
        case .any: "ANY"
        default: String(rawValue)
        }
    }
}

/// A group's number, `ofp_group` (OpenFlow 1.3.5 §7.3.4.2 / A.3.4.2).
package struct GroupID: RawRepresentable, Hashable, Sendable, Comparable, ExpressibleByIntegerLiteral {
    package var rawValue: UInt32

    package init(rawValue: UInt32) { self.rawValue = rawValue }
    package init(integerLiteral value: UInt32) { rawValue = value }

    /// OFPG_MAX: the highest number that a group may have.
    package static let max: GroupID = 0xffff_ff00
    /// OFPG_ALL: all groups, in delete commands and statistics requests.
    package static let all: GroupID = 0xffff_fffc
    /// OFPG_ANY: no group in particular, in requests and filters only.
    package static let any: GroupID = 0xffff_ffff

    package static func < (left: GroupID, right: GroupID) -> Bool { left.rawValue < right.rawValue }
}

extension GroupID: CustomStringConvertible {
    package var description: String {
        switch self {
        case .all: "all"
        case .any: "any"
        default: String(rawValue)
        }
    }
}

/// Table numbers with a meaning, `ofp_table` (OpenFlow 1.3.5 §7.3.3 / A.3.3). Tables themselves are plain `UInt8`s.
package enum TableID {
    /// OFPTT_MAX: the highest number that a table may have.
    package static let max: UInt8 = 0xfe
    /// OFPTT_ALL: all tables, in delete commands and statistics requests.
    package static let all: UInt8 = 0xff
}

/// Buffer numbers with a meaning (OpenFlow 1.3.5 §7.3.7 / A.3.7). Buffers themselves are plain `UInt32`s.
package enum BufferID {
    /// OFP_NO_BUFFER: the packet is not buffered, its data is in the message.
    package static let none: UInt32 = 0xffff_ffff
}

/// Values of an output action's `max_len` with a meaning, `ofp_controller_max_len` (OpenFlow 1.3.5 §7.2.5 / A.2.5).
package enum ControllerMaxLength {
    /// OFPCML_MAX: the most bytes of a buffered packet that can be asked for.
    package static let max: UInt16 = 0xffe5
    /// OFPCML_NO_BUFFER: don't buffer, send the whole packet.
    package static let noBuffer: UInt16 = 0xffff
}

/// Meter numbers with a meaning, `ofp_meter` (OpenFlow 1.3.5 §7.3.4.4 / A.3.4.4). Meters themselves are plain
/// `UInt32`s.
package enum MeterID {
    /// OFPM_MAX: the highest number that a flow meter may have.
    package static let max: UInt32 = 0xffff_0000
    /// OFPM_SLOWPATH: the virtual meter of the slow path.
    package static let slowPath: UInt32 = 0xffff_fffd
    /// OFPM_CONTROLLER: the virtual meter of the connection to the controller.
    package static let controller: UInt32 = 0xffff_fffe
    /// OFPM_ALL: all meters, in delete commands and statistics requests.
    package static let all: UInt32 = 0xffff_ffff
}

/// Queue numbers with a meaning (OpenFlow 1.3.5 §7.3.5.8 / A.3.5.8). Queues themselves are plain `UInt32`s.
package enum QueueID {
    /// OFPQ_ALL: all queues of a port, in statistics requests.
    package static let all: UInt32 = 0xffff_ffff
}

/// The version of the protocol that this module speaks, as in the first byte of each message.
package enum ProtocolVersion {
    /// OFP_VERSION of OpenFlow 1.3.x: 0x04.
    package static let openFlow13: UInt8 = 0x04
}
