// What a worker counts. Counters lie next to what they count, are written with plain stores by their worker alone, and are
// added up over the workers when somebody asks.
//
// No packet vanishes. At any quiet moment:
//   received + injected + copies = transmitted + to the controller + dropped (by reason) + in flight

/// Why a packet was dropped; the names are those of `ringway_drops_total{reason}` and `ringway show drops`.
package enum DropReason: Int, CaseIterable, Sendable {
    /// No entry of the table matched, not even a table-miss entry (OpenFlow 1.3.5 §5.4).
    case tableMiss
    /// The rules output it nowhere: an empty action set, a list without an output.
    case noOutput
    /// Output to the port it came in by, without saying IN_PORT.
    case outputToIngress
    /// Output to a port number that no port has.
    case noSuchPort
    /// The device took no more packets.
    case transmitFull
    /// The worker that owns the device's transmit queue was too far behind.
    case handoverFull
    /// The port's queue was full: more came for longer than its rate lets out.
    case queueFull
    /// Too many packet-ins were waiting.
    case packetInFull
    /// No buffer for a copy, or no room for a tag.
    case noBuffer
    /// Shorter than an Ethernet header.
    case runt
    /// A fragment, while OFPC_FRAG_DROP is set.
    case fragment
    /// Came in by a port set to OFPPC_PORT_DOWN, or output to one.
    case portDown
    /// Came in by a port set to OFPPC_NO_RECV.
    case noReceive
    /// Output to a port set to OFPPC_NO_FWD.
    case noForward
    /// A table miss for the controller, of a port set to OFPPC_NO_PACKET_IN.
    case noPacketIn
    /// Above the rate of a meter's drop band (OpenFlow 1.3.5 §5.7).
    case meter
    /// Output to NORMAL, of a VLAN that the port where it came in, or should have gone out, does not carry.
    case vlan
    /// Output to NORMAL, for an address that no bridge forwards to (IEEE 802.1Q §8.6.3).
    case reservedAddress
    /// Output to a VM that has as many packets in hand as it may have.
    case vmFull
    /// Output to a VM that is not attached.
    case vmDetached
    /// What a network function wanted: its verdict was to drop.
    case verdict
    /// A VM gave it back by a descriptor that says what it may not say.
    case vmViolation

    package var name: String {
        switch self {
        case .tableMiss: "table_miss"
        case .noOutput: "no_output"
        case .outputToIngress: "output_to_ingress"
        case .noSuchPort: "no_such_port"
        case .transmitFull: "transmit_full"
        case .handoverFull: "handover_full"
        case .queueFull: "queue_full"
        case .packetInFull: "packet_in_full"
        case .noBuffer: "no_buffer"
        case .runt: "runt"
        case .fragment: "fragment"
        case .portDown: "port_down"
        case .noReceive: "no_receive"
        case .noForward: "no_forward"
        case .noPacketIn: "no_packet_in"
        case .meter: "meter"
        case .vlan: "vlan"
        case .reservedAddress: "reserved_address"
        case .vmFull: "vm_full"
        case .vmDetached: "vm_detached"
        case .verdict: "verdict"
        case .vmViolation: "vm_violation"
        }
    }
}

/// One worker's counters of one port slot. Drops count at the port where the packet came in, but for those of a full, closed
/// or missing destination, which count at the port where it should have gone out.
package struct PortCounters {
    package var receivedPackets: UInt64 = 0
    package var receivedBytes: UInt64 = 0
    package var transmittedPackets: UInt64 = 0
    package var transmittedBytes: UInt64 = 0
    package var drops = InlineArray<24, UInt64>(repeating: 0)
    /// Cycles of the time stamp counter spent on what was received, of each `WorkerCounters.timedBursts`-th burst.
    package var timedCycles: UInt64 = 0

    package init() {}
}

/// One worker's counters of itself.
package struct WorkerCounters {
    /// Packets received from ports.
    package var packets: UInt64 = 0
    /// Bursts of at least one packet.
    package var bursts: UInt64 = 0
    package var polls: UInt64 = 0
    package var emptyPolls: UInt64 = 0
    /// Cycles of the time stamp counter spent on bursts with packets and on deltas.
    package var busyCycles: UInt64 = 0
    /// Packets that came by packet-out.
    package var injected: UInt64 = 0
    package var copies: UInt64 = 0
    /// Packets whose path was looked for in the flow cache, and those whose path was there.
    package var cacheLookups: UInt64 = 0
    package var cacheHits: UInt64 = 0
    /// Packets handed to the control side, by OFPR_* reason.
    package var packetIns = InlineArray<3, UInt64>(repeating: 0)
    package var deltas: UInt64 = 0
    /// Cycles spent on deltas.
    package var deltaCycles: UInt64 = 0
    package var sleeps: UInt64 = 0
    /// Steps of the loop in which there was something to do, by their length: below 2^`shortestStep` cycles, below twice as many,
    /// and so on; the last has all longer ones. Packets that come in a step wait for its end.
    package var steps = InlineArray<16, UInt64>(repeating: 0)
    /// In cycles.
    package var longestStep: UInt64 = 0

    package static let stepBuckets = 16
    package static let shortestStep = 10
    /// Of this many bursts the cycles of one are counted in detail.
    package static let timedBursts: UInt64 = 64
}
