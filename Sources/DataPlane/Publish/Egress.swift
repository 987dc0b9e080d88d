// The end of a packet's way: gathered by destination, flushed once per burst. A full destination drops, and the drop has a
// name.

import CDPDK

/// A packet on its way to the worker that owns a device's transmit queue.
package struct Handover: BitwiseCopyable {
    var mbuf: OpaquePointer
    var slot: Int
}

extension Worker {
    /// Outputs to a port, unless it is the ingress port.
    @inline(__always)
    borrowing func output(_ mbuf: OpaquePointer, to slot: Int, ingress: Ingress) {
        if slot == ingress.slot {
            drop(mbuf, .outputToIngress, at: slot)
        } else {
            gather(mbuf, at: slot)
        }
    }

    /// Adds a packet to what its port will send at the end of the burst.
    @inline(__always)
    borrowing func gather(_ mbuf: OpaquePointer, at slot: Int) {
        let port = ports + slot
        let count = port.pointee.count
        port.pointee.gathered[count] = mbuf
        port.pointee.count = count &+ 1
        if !port.pointee.isDirty {
            port.pointee.isDirty = true
            dirty[state.pointee.dirtyCount] = UInt16(truncatingIfNeeded: slot)
            state.pointee.dirtyCount &+= 1
        }
        if count &+ 1 == PortSlot.capacity { send(slot) }
    }

    /// Outputs the first `count` packets of the burst to one port.
    @inline(never)
    borrowing func outputBurst(_ count: Int, to slot: Int, ingress: Ingress) {
        let port = ports + slot
        let mbufs = burst.mbufs
        var i = 0
        while i < count {
            // The long way sees to it that the port is flushed, that it has room, and that nothing returns to the ingress port.
            output(mbufs[i].unsafelyUnwrapped, to: slot, ingress: ingress)
            i &+= 1
            guard slot != ingress.slot else { continue }
            let gathered = port.pointee.gathered
            var used = port.pointee.count
            while i < count, used < PortSlot.capacity - 1 {
                gathered[used] = mbufs[i]
                used &+= 1
                i &+= 1
            }
            port.pointee.count = used
        }
    }

    /// Sends all that was gathered, and frees what was dropped.
    @inline(__always)
    borrowing func flush() {
        for i in 0..<state.pointee.dirtyCount {
            let slot = Int(dirty[i])
            ports[slot].isDirty = false
            send(slot)
        }
        // Others had a part of it as well.
        if state.pointee.dirtyCount > 1 { state.pointee.fedCount = 0 }
        state.pointee.dirtyCount = 0
        if state.pointee.droppedCount > 0 { freeDropped() }
    }

    /// Hands a port's gathered packets to its destination. The slot stays in the list of dirty ones.
    @inline(never)
    borrowing func send(_ slot: Int) {
        let port = ports + slot
        let count = port.pointee.count
        guard count > 0 else { return }
        let destination = Destination(rawValue: port.pointee.destination)
        let gathered = port.pointee.gathered
        var sent = 0
        var bytes: UInt64 = 0
        switch destination.kind {
        case 1:
            for i in 0..<count { bytes &+= UInt64(cdpdk_mbuf_packet_length(gathered[i].unsafelyUnwrapped)) }
            sent = Int(cdpdk_transmit(destination.device, destination.queue, gathered, UInt16(count)))
            for i in sent..<count {
                let mbuf = gathered[i].unsafelyUnwrapped
                bytes &-= UInt64(cdpdk_mbuf_packet_length(mbuf))
                drop(mbuf, .transmitFull, at: slot)
            }
        case 6:
            // Counts as transmitted when it leaves its queue.
            enqueue(gathered, count, destination.scheduler.unsafelyUnwrapped, slot: slot)
        case 7:
            (sent, bytes) = transmit(gathered, count, among: destination.vmQueue.unsafelyUnwrapped, slot: slot)
        case 2:
            // Counts as transmitted when the owner transmits it.
            handOver(gathered, count, to: destination.owner, slot: slot)
        case 9:
            // Counts as transmitted by the replicas' ports.
            distribute(gathered, count, among: destination.service.unsafelyUnwrapped, slot: slot)
        case 3:
            if count == PortSlot.capacity {
                for i in 0..<count { drop(gathered[i].unsafelyUnwrapped, .transmitFull, at: slot) }
                break
            }
            return
        default:
            for i in 0..<count { drop(gathered[i].unsafelyUnwrapped, destination.dropReason, at: slot) }
        }
        port.pointee.counters.transmittedPackets &+= UInt64(sent)
        port.pointee.counters.transmittedBytes &+= bytes
        port.pointee.count = 0
    }

    @inline(never)
    private borrowing func handOver(
        _ gathered: UnsafeMutablePointer<OpaquePointer?>,
        _ count: Int,
        to owner: Int,
        slot: Int
    ) {
        guard owner < workerCount, let ring = handoversOut[owner] else {
            for i in 0..<count { drop(gathered[i].unsafelyUnwrapped, .noSuchPort, at: slot) }
            return
        }
        for i in 0..<count {
            let mbuf = gathered[i].unsafelyUnwrapped
            if !ring.push(Handover(mbuf: mbuf, slot: slot)) { drop(mbuf, .handoverFull, at: slot) }
        }
        if let peer = peers[owner] { cdpdk_wake(peer.pointee.sleeping, peer.pointee.wakeDescriptor) }
    }

    /// Sends what other workers handed over; true if there was anything.
    @inline(never)
    borrowing func takeHandovers() -> Bool {
        var taken = 0
        for worker in 0..<workerCount {
            guard let ring = handoversIn[worker] else { continue }
            for _ in 0..<burstSize {
                guard let packet = ring.pop() else { break }
                gather(packet.mbuf, at: packet.slot)
                taken &+= 1
            }
        }
        if taken > 0 { flush() }
        return taken > 0
    }

    @inline(__always)
    borrowing func drop(_ mbuf: OpaquePointer, _ reason: DropReason, at slot: Int) {
        countDrop(reason, at: slot)
        free(mbuf)
    }

    @inline(__always)
    borrowing func countDrop(_ reason: DropReason, at slot: Int) {
        ports[slot].counters.drops[reason.rawValue] &+= 1
    }

    /// Frees a packet at the end of the burst, together with others.
    @inline(__always)
    borrowing func free(_ mbuf: OpaquePointer) {
        dropped[state.pointee.droppedCount] = mbuf
        state.pointee.droppedCount &+= 1
        if state.pointee.droppedCount == Self.droppedCapacity { freeDropped() }
    }

    @inline(never)
    private borrowing func freeDropped() {
        cdpdk_mbuf_free_burst(dropped, UInt32(truncatingIfNeeded: state.pointee.droppedCount))
        state.pointee.droppedCount = 0
    }
}
