// What the switch model asks of whatever forwards by it. The compiler with its workers is one such thing, the reference
// interpreter another.

import NIOCore
import OpenFlow

/// A change of the flow tables.
package enum FlowChange {
    case add(FlowEntry)
    /// The entry's instructions (or cookie) are new; what is compiled of its match, and its counters, stay.
    case modify(FlowEntry)
    case remove(FlowEntry)

    /// The entry that it is about.
    package var entry: FlowEntry {
        switch self {
        case .add(let entry), .modify(let entry), .remove(let entry): entry
        }
    }
}

/// What has gone through one flow entry since it was added.
package struct FlowCounters: Hashable, Sendable {
    package var packets: UInt64
    package var bytes: UInt64
    /// When a packet last hit; nil: never.
    package var lastUsed: NIODeadline?

    package init(packets: UInt64 = 0, bytes: UInt64 = 0, lastUsed: NIODeadline? = nil) {
        self.packets = packets
        self.bytes = bytes
        self.lastUsed = lastUsed
    }
}

/// The forwarding side, called on the model's event loop only.
package protocol Datapath: AnyObject {
    /// Makes the changes take effect, in order, all or nothing. Removals come behind everything else. Returns before the
    /// workers forward by them.
    ///
    /// Throws `FLOW_MOD_FAILED/TABLE_FULL` or `METER_MOD_FAILED/OUT_OF_METERS` when memory does not suffice; then nothing has
    /// changed.
    ///
    /// - Parameter groups: Groups that are new, different or gone; each is there before the first flow entry that names it, and
    ///   until the last one has gone.
    /// - Parameter atomically: Each packet goes by all of them or by none.
    func apply(_ changes: [FlowChange], groups: [GroupChange], atomically: Bool) throws(OpenFlowError)

    /// Settings of ports that are to take effect with the changes of the next `apply`: if that throws, they don't.
    func configure(ports: [PortNumber: PortConfig])

    /// Meters that change with the changes of the next `apply`: if that throws, they don't. New ones are there before the first flow
    /// entry that refers to them, removed ones until the last one has gone.
    func configure(meters: [MeterChange])

    /// Runs `body` when every worker forwards by everything applied before this call: at once, if so already.
    func whenApplied(_ body: @escaping () -> Void)

    /// The counters of an entry. Those of a removed one are final when its removal's `whenApplied` runs, and valid
    /// until that has returned.
    func counters(of flow: FlowEntry) -> FlowCounters

    /// Packets looked up in the table, and those of them that hit an entry.
    func counters(ofTable tableID: UInt8) -> (lookups: UInt64, matches: UInt64)

    /// What has gone through the group and its buckets; nothing if there is no such group.
    func counters(ofGroup id: GroupID) -> GroupCounters

    /// What has come to the meter and its bands; nothing if there is no such meter.
    func counters(ofMeter id: UInt32) -> MeterCounters

    /// The port's counters; nil: no such port. The model fills in the duration.
    func counters(ofPort port: PortNumber) -> PortStatistics?

    /// What has gone through the port's queues; nothing if it has none.
    func counters(ofQueuesOf port: PortNumber) -> [QueueCounters]

    /// Lets output to NORMAL send what is for the address to the port from now on. False if there is no memory; then nothing has changed.
    func learn(_ address: LearnedAddress, at port: PortNumber) -> Bool

    /// Lets output to NORMAL send what is for the addresses to all ports of their VLAN.
    func forget(_ addresses: [LearnedAddress])

    /// How long no packet has come from a learned address.
    func age(of address: LearnedAddress) -> TimeAmount

    /// Outputs all packets to NORMAL, or those only whose flow entries say so.
    func setStandalone(_ standalone: Bool)

    /// Sends a packet through the actions, which the model has validated.
    func packetOut(inPort: PortNumber, actions: [Action], data: ByteBuffer) throws(OpenFlowError)
}
