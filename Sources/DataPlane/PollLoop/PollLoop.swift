// The packet's path: receive a burst, parse, look up table by table, execute, gather by destination, flush. Each step is
// a function of the file named after it. Between two bursts the worker takes deltas from the control side.

import CDPDK

extension Worker {
    /// Polls until a delta says stop.
    @inline(never)
    package borrowing func poll() {
        state.pointee.stepStart = Clock.cycles
        while true {
            var worked = false
            if !deltas.isEmpty {
                if applyDeltas() { return }
                worked = true
            }
            let plan = UnsafeMutableRawPointer(mutating: settings.pointee.receivePlan)
            let queues = (plan + ReceivePlan.queuesOffset).assumingMemoryBound(to: ReceiveQueue.self)
            for i in 0..<plan.load(as: Int.self) {
                if receive(from: queues + i) { worked = true }
            }
            if settings.pointee.vmQueues.load(as: Int.self) > 0, receiveFromVMs() { worked = true }
            if workerCount > 1, takeHandovers() { worked = true }
            if settings.pointee.schedulers.load(as: Int.self) > 0, sendQueued() { worked = true }
            endStep(worked: worked)
        }
    }

    /// Receives a burst from one queue of a device and runs it to its end.
    @inline(__always)
    private borrowing func receive(from queue: UnsafeMutablePointer<ReceiveQueue>) -> Bool {
        if queue.pointee.feeds.queue != 0, isHeldBack(&queue.pointee.feeds) { return false }
        let received = cdpdk_receive(queue.pointee.device, queue.pointee.queue, burst.mbufs, UInt16(burstSize))
        counters.pointee.polls &+= 1
        guard received > 0 else {
            counters.pointee.emptyPolls &+= 1
            return false
        }
        run(Int(received), ingress: ingress(slot: Int(queue.pointee.slot)))
        queue.pointee.feeds.queue = fedAlone(Int(received))
        return true
    }

    /// Runs the first `received` packets of the burst to their end.
    @inline(__always)
    borrowing func run(_ received: Int, ingress: Ingress) {
        counters.pointee.bursts &+= 1
        counters.pointee.packets &+= UInt64(received)
        let isTimed = counters.pointee.bursts % WorkerCounters.timedBursts == 0
        state.pointee.isTimed = isTimed
        state.pointee.inPort = ingress.number
        state.pointee.fedCount = 0
        let start = isTimed ? Clock.cycles : 0
        let count = admit(received, ingress: ingress)
        if count > 0 {
            if settings.pointee.standalone == 0 {
                runPipeline(count, ingress: ingress)
            } else {
                runStandalone(count, ingress: ingress)
            }
        }
        flush()
        if isTimed {
            ports[ingress.slot].counters.timedCycles &+= Clock.cycles &- start
            state.pointee.isTimed = false
        }
    }

    /// Counts what was received, and sees to it that only Ethernet frames go on, and none that came by a closed port. Returns
    /// how many do.
    @inline(never)
    private borrowing func admit(_ received: Int, ingress: Ingress) -> Int {
        let mbufs = burst.mbufs
        let lengths = burst.lengths
        var bytes: UInt64 = 0
        var shortest = UInt32.max
        var flags: UInt64 = 0
        for i in 0..<received {
            let mbuf = mbufs[i].unsafelyUnwrapped
            cdpdk_prefetch(cdpdk_mbuf_data(mbuf))
            let length = cdpdk_mbuf_packet_length(mbuf)
            bytes &+= UInt64(length)
            lengths[i] = length
            shortest = min(shortest, cdpdk_mbuf_data_length(mbuf))
            flags |= cdpdk_mbuf_flags(mbuf)
        }
        var admitted = received
        if shortest < 14 || cdpdk_vlan_stripped(flags) || cdpdk_has_queue(flags) {
            admitted = sort(received, bytes: &bytes, ingress: ingress)
        }
        ports[ingress.slot].counters.receivedPackets &+= UInt64(received)
        ports[ingress.slot].counters.receivedBytes &+= bytes
        if let reason = refusal(of: ingress) {
            for i in 0..<admitted { drop(mbufs[i].unsafelyUnwrapped, reason, at: ingress.slot) }
            return 0
        }
        return admitted
    }

    /// Sorts out what is no Ethernet frame; puts back VLAN tags that a driver took out, and forgets by which queue a packet left
    /// another port.
    @inline(never)
    private borrowing func sort(_ received: Int, bytes: inout UInt64, ingress: Ingress) -> Int {
        bytes = 0
        var admitted = 0
        for i in 0..<received {
            let mbuf = burst.mbufs[i].unsafelyUnwrapped
            cdpdk_mbuf_clear_queue(mbuf)
            let hasRoom = !cdpdk_vlan_stripped(cdpdk_mbuf_flags(mbuf)) || restoreTag(mbuf)
            let length = cdpdk_mbuf_packet_length(mbuf)
            bytes &+= UInt64(length)
            if cdpdk_mbuf_data_length(mbuf) < 14 || !hasRoom {
                drop(mbuf, hasRoom ? .runt : .noBuffer, at: ingress.slot)
                continue
            }
            burst.mbufs[admitted] = mbuf
            burst.lengths[admitted] = length
            admitted &+= 1
        }
        return admitted
    }

    /// Why nothing is received by a port, if controllers have set that. Its queues are polled all the same: packets that
    /// waited there would come in, too late, when the port opens again.
    @inline(__always)
    borrowing func refusal(of ingress: Ingress) -> DropReason? {
        let config = ports[ingress.slot].config
        guard config & (PortSlot.portDown | PortSlot.noReceive) != 0 else { return nil }
        return config & PortSlot.portDown != 0 ? .portDown : .noReceive
    }

    @inline(__always)
    package borrowing func ingress(slot: Int) -> Ingress {
        let number = UInt32(truncatingIfNeeded: ports[slot].number)
        return Ingress(slot: slot, keyWord: UInt64(number.bigEndian), number: number)
    }

    /// A driver that strips tags (AF_PACKET does) leaves the tag's contents beside the packet.
    @inline(never)
    private borrowing func restoreTag(_ mbuf: OpaquePointer) -> Bool {
        let tci = cdpdk_mbuf_vlan_tci(mbuf)
        guard let start = cdpdk_mbuf_prepend(mbuf, 4) else { return false }
        let data = UnsafeMutableRawPointer(start)
        data.copyMemory(from: start + 4, byteCount: 12)
        data.storeBytes(of: EtherType.vlan.bigEndian, toByteOffset: 12, as: UInt16.self)
        data.storeBytes(of: tci.bigEndian, toByteOffset: 14, as: UInt16.self)
        cdpdk_mbuf_clear_flags(mbuf)
        return true
    }
}
