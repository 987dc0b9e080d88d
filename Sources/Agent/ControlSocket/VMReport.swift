// `show vms`.

/// One VM's port and who is attached to it.
package struct VMReport: Codable, Hashable, Sendable {
    /// The OpenFlow port number.
    package var number: UInt32
    package var name: String
    /// The trust group.
    package var group: String
    /// detached, attaching, attached, detaching.
    package var state: String
    /// How often something has attached.
    package var attachments = 0
    /// Why the last attachment ended; nil: none has.
    package var lastEnd: String?
    /// Queues with each worker.
    package var queues = 1
    /// Packets that it may have in hand, for each worker and queue.
    package var ring: Int
    /// Empty buffers and messages that it may have besides, for each worker and queue.
    package var empty = 0
    package var messages = 0
    /// Buffers that it has, in rings and in hand.
    package var lent: UInt64 = 0
    /// Packets handed to it, and given back by it, whatever their verdict.
    package var transmitPackets: UInt64 = 0
    package var receivePackets: UInt64 = 0
    /// Packets that came from other memory than the group's, and were copied.
    package var copied: UInt64 = 0
    /// How often a sleeping process was woken.
    package var wakes: UInt64 = 0
    /// Buffers that were taken back from attachments that ended.
    package var reclaimed = 0
    /// Descriptors that named no buffer of the VM's, packets that did not lie within their buffers, verdicts that it may not give.
    package var foreignBuffers: UInt64 = 0
    package var badPlaces: UInt64 = 0
    package var badVerdicts: UInt64 = 0
    /// Packets that it made, which came in by its port.
    package var made: UInt64 = 0
    /// Messages that it has sent and got; those that it sent to one that had no room, and to none of its group.
    package var messagesSent: UInt64 = 0
    package var messagesReceived: UInt64 = 0
    package var messagesFull: UInt64 = 0
    package var messagesUnreachable: UInt64 = 0

    package init(number: UInt32, name: String, group: String, state: String, ring: Int) {
        (self.number, self.name, self.group, self.state, self.ring) = (number, name, group, state, ring)
    }

    package var violations: UInt64 { foreignBuffers + badPlaces + badVerdicts }
}

/// The packet buffers of a trust group.
package struct BufferReport: Codable, Hashable, Sendable {
    package var group: String
    package var buffers: Int
    /// Nobody has them.
    package var free: Int
    /// VMs have them.
    package var lent: Int

    package init(group: String, buffers: Int, free: Int, lent: Int) {
        (self.group, self.buffers, self.free, self.lent) = (group, buffers, free, lent)
    }
}
