// What the reference pipeline reports: where a packet went, and how it came to that.

import OpenFlow

/// One copy of a packet that left the pipeline.
package struct PipelineOutput: Hashable, Sendable {
    /// Where it went.
    package enum Destination: Hashable, Sendable {
        /// A port of the switch.
        case port(PortNumber)
        /// The controllers, as a packet-in: why, from which table, by whose cookie (all ones: no flow entry, a
        /// packet-out), with which metadata, and how many bytes of it at most.
        case controller(PacketInReason, tableID: UInt8, cookie: UInt64, metadata: UInt64, maxLength: UInt16)
    }

    package var destination: Destination
    /// The Ethernet frame.
    package var frame: [UInt8]
    /// What a packet-in says of the tunnel, besides its metadata.
    package var tunnelID: UInt64 = 0
    /// By which queue of the port it goes, as actions have said; nil: they have said nothing.
    package var queue: UInt32?

    package init(destination: Destination, frame: [UInt8]) {
        self.destination = destination
        self.frame = frame
    }

    /// A packet-in that an entry caused; nil: a packet-out, which has no table and no cookie.
    init(packetIn reason: PacketInReason, by entry: FlowEntry?, metadata: UInt64, maxLength: UInt16, frame: [UInt8]) {
        let (tableID, cookie) = (entry?.tableID ?? 0, entry?.cookie ?? .max)
        destination = .controller(reason, tableID: tableID, cookie: cookie, metadata: metadata, maxLength: maxLength)
        self.frame = frame
    }
}

/// One thing that happened to a packet.
package enum PipelineStep {
    /// It was looked up in a table, and this entry was found.
    case table(UInt8, FlowEntry?)
    /// A meter measured it.
    case meter(UInt32)
    /// An action was executed on it.
    case action(Action)
    /// Its action set was executed, which the actions that follow are.
    case actionSet([Action])
    /// A copy of it went through a bucket of a group: its index, from 0.
    case bucket(GroupID, Int)
    /// It, or one copy of it, was dropped.
    case drop(DropReason)

    /// Why a packet, or one copy of it, went nowhere.
    package enum DropReason: Hashable, Sendable {
        /// Fewer than 14 bytes.
        case notEthernet
        /// A fragment, under OFPC_FRAG_DROP.
        case fragment
        /// No entry in the table, not even one for a table miss.
        case noMatch
        /// No action sent it anywhere.
        case noOutput
        /// Output to the port that it came in by.
        case ingressPort
        /// Output to a port that the switch does not have.
        case noSuchPort(PortNumber)
        /// Came in by, or output to, a port set to OFPPC_PORT_DOWN.
        case portDown(PortNumber)
        /// Came in by a port set to OFPPC_NO_RECV.
        case noReceive
        /// Output to a port set to OFPPC_NO_FWD.
        case noForward(PortNumber)
        /// A table miss for the controller, of a port set to OFPPC_NO_PACKET_IN.
        case noPacketIn
        /// Above the rate of a meter's drop band.
        case meter(UInt32)
        /// Output to NORMAL, of a VLAN that the port is not in.
        case vlan(PortNumber)
        /// Output to NORMAL, for an address that no bridge forwards to.
        case reservedAddress
    }
}

extension PipelineStep: CustomStringConvertible {
    /// One line of `ringway trace`, indented below its table.
    package var description: String {
        switch self {
        case .table(let id, let entry?): "table \(id): \(entry)"
        case .table(let id, nil): "table \(id): no match"
        case .meter(let id): "    meter:\(id)"
        case .action(let action): "    \(action)"
        case .actionSet(let actions): "action set: " + actions.map(String.init(describing:)).joined(separator: ",")
        case .bucket(let id, let index): "    group \(id), bucket \(index):"
        case .drop(let reason): "    drop: \(reason)"
        }
    }
}

extension PipelineStep.DropReason: CustomStringConvertible {
    package var description: String {
        switch self {
        case .notEthernet: "fewer than 14 bytes are no Ethernet frame"
        case .fragment: "IP fragments are dropped"
        case .noMatch: "no table-miss entry"
        case .noOutput: "no output"
        case .ingressPort: "output to the ingress port, which IN_PORT is for"
        case .noSuchPort(let port): "there is no port \(port)"
        case .portDown(let port): "port \(port) is down by port-mod"
        case .noReceive: "the port receives nothing, by port-mod"
        case .noForward(let port): "nothing is sent to port \(port), by port-mod"
        case .noPacketIn: "the port's table misses do not go to the controller, by port-mod"
        case .meter(let id): "above the rate of meter \(id)"
        case .vlan(let port): "port \(port) does not carry the VLAN"
        case .reservedAddress: "for an address that no bridge forwards to"
        }
    }
}
