// Messages between VMs of a group: the buffer stays where it is, and its descriptor goes from the ring of what the sender gives back to
// the receiver's ring of messages, so that neither VM writes the other's rings. They are no packets: no rule sees them, and no port
// counts them.

import CDPDK

extension Worker {
    /// Hands a message to the VM that it is for; it sees it when that one's messages are published.
    ///
    /// - Parameter receiver: Who got the last one and has not seen it yet: what that one has is published when this one is for another.
    @inline(never)
    borrowing func pass(
        _ message: VMQueue.Returned,
        from sender: UnsafeMutablePointer<VMQueue>,
        to receiver: inout UnsafeMutablePointer<VMQueue>?
    ) {
        guard let found = queue(of: message.port, inGroupOf: sender) else {
            sender.pointee.counters.messagesUnreachable &+= 1
            return free(message.mbuf)
        }
        guard found.pointee.messages.room > 0 else {
            sender.pointee.counters.messagesFull &+= 1
            return free(message.mbuf)
        }
        if receiver != found { receiver?.pointee.publishMessages() }
        receiver = found
        found.pointee.putMessage(message, sender: state.pointee.inPort)
        sender.pointee.counters.messagesSent &+= 1
    }

    /// This worker's first queue of the VM at a port, which is attached, of the same group, and may get messages; nil: there is none such.
    @inline(__always)
    private borrowing func queue(
        of port: UInt32,
        inGroupOf sender: UnsafeMutablePointer<VMQueue>
    ) -> UnsafeMutablePointer<VMQueue>? {
        guard let slot = PortDirectory.slot(of: port, in: settings.pointee.portDirectory) else { return nil }
        let destination = Destination(rawValue: ports[slot].destination)
        guard destination.kind == 7, let queue = destination.vmQueue,
            queue.pointee.region.base == sender.pointee.region.base, queue.pointee.messages.capacity > 0
        else { return nil }
        return queue
    }
}
