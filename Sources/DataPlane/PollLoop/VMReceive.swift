// Packets that VMs give back: by the verdict they are dropped, or come in by the VM's port like any other.

import CDPDK
import CVMRing

extension Worker {
    /// Takes packets from all VMs' queues of this worker; true if there were any.
    @inline(__always)
    package borrowing func receiveFromVMs() -> Bool {
        let list = settings.pointee.vmQueues
        let queues: UnsafePointer<UnsafeMutablePointer<VMQueue>> = PointerList.elements(list)
        var worked = false
        for i in 0..<list.load(as: Int.self) where receive(from: queues[i]) { worked = true }
        return worked
    }

    /// Takes a burst from one queue and runs it to its end.
    @inline(never)
    private borrowing func receive(from queue: UnsafeMutablePointer<VMQueue>) -> Bool {
        if queue.pointee.feeds.queue != 0, isHeldBack(&queue.pointee.feeds) { return false }
        counters.pointee.polls &+= 1
        let isSound = queue.pointee.isBroken == 0
        if isSound, queue.pointee.wantsEmpty { handOutEmpty(to: queue) }
        let available = isSound ? queue.pointee.available(limit: burstSize) : 0
        guard available > 0 else {
            counters.pointee.emptyPolls &+= 1
            return false
        }
        let ingress = ingress(slot: Int(queue.pointee.slot))
        state.pointee.inPort = ingress.number
        state.pointee.fedCount = 0
        var (goOn, outs) = (0, 0)
        var receiver: UnsafeMutablePointer<VMQueue>?
        for _ in 0..<available {
            guard let returned = queue.pointee.take() else { continue }
            let reason = queue.pointee.dropReason(returned)
            if reason == nil, UInt32(returned.verdict) == VMRING_NEXT.rawValue {
                cdpdk_mbuf_place(returned.mbuf, returned.offset, returned.length)
                burst.mbufs[goOn] = returned.mbuf
                goOn &+= 1
                queue.pointee.counters.made &+= returned.isPacket ? 0 : 1
            } else if reason == nil, UInt32(returned.verdict) == VMRING_MESSAGE.rawValue {
                pass(returned, from: queue, to: &receiver)
            } else if reason != nil, !returned.isPacket {
                // No packet was made of it.
                free(returned.mbuf)
            } else {
                queue.pointee.counters.made &+= returned.isPacket ? 0 : 1
                end(returned, reason, ingress)
                outs &+= reason == nil ? 1 : 0
            }
        }
        queue.pointee.publishConsumed()
        receiver?.pointee.publishMessages()
        if goOn > 0 {
            run(goOn, ingress: ingress)
        } else {
            flush()
        }
        // Some by the rules and some by their verdicts: that may be several ways.
        queue.pointee.feeds.queue = (goOn > 0) != (outs > 0) ? fedAlone(goOn &+ outs) : 0
        return true
    }

    /// What becomes of a packet that is not looked up again: it is dropped, or output to the port or the service that the VM names. (What goes on is
    /// counted where all that is received is.)
    @inline(never)
    private borrowing func end(_ returned: VMQueue.Returned, _ reason: DropReason?, _ ingress: Ingress) {
        counters.pointee.packets &+= 1
        ports[ingress.slot].counters.receivedPackets &+= 1
        ports[ingress.slot].counters.receivedBytes &+= returned.fits ? UInt64(returned.length) : 0
        if let reason = reason ?? refusal(of: ingress) ?? (returned.length < 14 ? .runt : nil) {
            drop(returned.mbuf, reason, at: ingress.slot)
        } else if let slot = PortDirectory.slot(of: returned.port, in: settings.pointee.portDirectory),
            UInt32(returned.verdict) == VMRING_OUT.rawValue || isService(slot)
        {
            cdpdk_mbuf_place(returned.mbuf, returned.offset, returned.length)
            output(returned.mbuf, to: slot, ingress: ingress)
        } else {
            drop(returned.mbuf, .noSuchPort, at: ingress.slot)
        }
    }

    /// Whether a port is a service's, or closed, and then it takes no packets anyway.
    private borrowing func isService(_ slot: Int) -> Bool {
        let destination = Destination(rawValue: ports[slot].destination)
        return destination.isService || destination.isClosed
    }
}

extension VMQueue {
    /// Why a packet that came back goes no further; nil: it does.
    @inline(__always)
    fileprivate mutating func dropReason(_ returned: Returned) -> DropReason? {
        guard returned.fits else {
            counters.badPlaces &+= 1
            return .vmViolation
        }
        guard returned.verdict < 32, verdicts & 1 << UInt64(returned.verdict) != 0 else {
            counters.badVerdicts &+= 1
            return .vmViolation
        }
        return UInt32(returned.verdict) == VMRING_DROP.rawValue ? .verdict : nil
    }
}

/// The VM's queue that all of a source's last burst went to; the control side sees to it that none is named that is gone. While
/// that one has no room, the source is left alone: to receive what is then dropped costs more than half of the throughput.
package struct FedQueue: BitwiseCopyable, Sendable {
    /// The address of a `VMQueue` of the same worker; 0: not all of the burst was output to one.
    package var queue: UInt64 = 0
    /// Since when the source has been left alone, in cycles of the time stamp counter; 0: it has not.
    var since: UInt64 = 0

    /// After so many cycles, some 100 µs, it is looked at all the same, once: what comes next may be for others.
    static let longest: UInt64 = 1 << 18
}

extension Worker {
    /// Whether a source is to be left alone in this step.
    @inline(never)
    borrowing func isHeldBack(_ fed: inout FedQueue) -> Bool {
        let now = state.pointee.stepStart
        if fed.since == 0 { fed.since = now }
        guard let queue = UnsafePointer<VMQueue>(bitPattern: UInt(fed.queue)), queue.pointee.packets.room < burstSize,
            now &- fed.since < FedQueue.longest
        else {
            fed.since = 0
            return false
        }
        // Not to sleep while something waits.
        state.pointee.stepsToSleep = max(state.pointee.stepsToSleep, 2)
        return true
    }

    /// What `FedQueue.queue` is after a burst of so many packets.
    @inline(__always)
    borrowing func fedAlone(_ count: Int) -> UInt64 { state.pointee.fedCount == count ? state.pointee.fed : 0 }
}
