// Ports with queues: packets wait in the port's scheduler, and its worker sends in each step of its loop what may leave.

import CDPDK

extension Worker {
    /// How many bursts of a port leave in one step: a port must not keep the others waiting.
    private static var burstsPerStep: Int { 8 }

    /// Puts a port's gathered packets into its queues.
    @inline(never)
    borrowing func enqueue(
        _ gathered: UnsafeMutablePointer<OpaquePointer?>,
        _ count: Int,
        _ scheduler: UnsafeMutablePointer<PortScheduler>,
        slot: Int
    ) {
        for i in 0..<count {
            let mbuf = gathered[i].unsafelyUnwrapped
            let length = cdpdk_mbuf_packet_length(mbuf)
            if !scheduler.enqueue(mbuf, length: length, queue: cdpdk_mbuf_queue(mbuf)) {
                drop(mbuf, .queueFull, at: slot)
            }
        }
    }

    /// Sends what may leave the queues at the time of this step; true if there was anything.
    @inline(never)
    package borrowing func sendQueued() -> Bool {
        let list = settings.pointee.schedulers
        let schedulers: UnsafePointer<UnsafeMutablePointer<PortScheduler>> = PointerList.elements(list)
        var worked = false
        var waits = false
        for i in 0..<list.load(as: Int.self) where schedulers[i].pointee.count > 0 {
            if sendQueued(schedulers[i]) { worked = true }
            if schedulers[i].pointee.count > 0 { waits = true }
        }
        // Not to sleep past the moment at which the next one may leave.
        if waits { state.pointee.stepsToSleep = max(state.pointee.stepsToSleep, 2) }
        if state.pointee.droppedCount > 0 { flush() }
        return worked
    }

    private borrowing func sendQueued(_ scheduler: UnsafeMutablePointer<PortScheduler>) -> Bool {
        let slot = Int(scheduler.pointee.slot)
        let port = ports + slot
        let closed = port.pointee.config & (PortSlot.portDown | PortSlot.noForward)
        if closed != 0 {
            while let mbuf = scheduler.discard() {
                drop(mbuf, closed & PortSlot.portDown != 0 ? .portDown : .noForward, at: slot)
            }
            return true
        }
        var worked = false
        for _ in 0..<Self.burstsPerStep {
            let taken = scheduler.take(at: state.pointee.stepStart, into: burst.mbufs)
            guard taken > 0 else { break }
            let sent = Int(
                cdpdk_transmit(
                    scheduler.pointee.device,
                    scheduler.pointee.transmitQueue,
                    burst.mbufs,
                    UInt16(truncatingIfNeeded: taken)
                )
            )
            // What the device does not take stays where it was.
            let bytes = scheduler.settle(sent: sent, of: taken)
            port.pointee.counters.transmittedPackets &+= UInt64(sent)
            port.pointee.counters.transmittedBytes &+= bytes
            if sent > 0 { worked = true }
            if sent < taken || taken < PortScheduler.burst { break }
        }
        return worked
    }
}
