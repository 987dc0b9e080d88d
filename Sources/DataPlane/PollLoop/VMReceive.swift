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
        let available = queue.pointee.isBroken == 0 ? queue.pointee.available(limit: burstSize) : 0
        guard available > 0 else {
            counters.pointee.emptyPolls &+= 1
            return false
        }
        let slot = Int(queue.pointee.slot)
        var goOn = 0
        for _ in 0..<available {
            guard let returned = queue.pointee.take() else { continue }
            if let reason = queue.pointee.dropReason(returned) {
                // What goes on is counted where all that is received is.
                counters.pointee.packets &+= 1
                ports[slot].counters.receivedPackets &+= 1
                ports[slot].counters.receivedBytes &+= UInt64(returned.length)
                drop(returned.mbuf, reason, at: slot)
            } else {
                cdpdk_mbuf_place(returned.mbuf, returned.offset, returned.length)
                burst.mbufs[goOn] = returned.mbuf
                goOn &+= 1
            }
        }
        queue.pointee.publishConsumed()
        if goOn > 0 {
            run(goOn, ingress: ingress(slot: slot))
            queue.pointee.feeds.queue = fedAlone(goOn)
        } else if state.pointee.droppedCount > 0 {
            flush()
        }
        return true
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
        guard returned.verdict < 32, verdicts & 1 << UInt32(returned.verdict) != 0 else {
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
        guard let queue = UnsafePointer<VMQueue>(bitPattern: UInt(fed.queue)), queue.pointee.room < burstSize,
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
