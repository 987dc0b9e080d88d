// How the control side changes what a worker does. It prepares all memory; a delta is then one store of one word, made by
// the worker between two bursts, in order. What a store unlinks may be freed as soon as `applied` has passed its sequence.

import CDPDK

package struct Delta: BitwiseCopyable {
    /// Ascending over all workers; a worker need not see every number.
    package var sequence: UInt64
    package var operation: Operation

    package enum Operation: BitwiseCopyable {
        case store(UnsafeMutablePointer<UInt64>, UInt64)
        /// Many stores, all of them between the same two bursts.
        case stores(UnsafePointer<Store>, count: Int)
        /// A packet-out: the packet, what to do, and its ingress port: a slot, or `noSlot` and a reserved number.
        case inject(OpaquePointer, UnsafePointer<ActionProgram>, slot: UInt16, port: UInt32)
        case stop
    }

    package struct Store: BitwiseCopyable {
        package var address: UnsafeMutablePointer<UInt64>
        package var value: UInt64

        package init(address: UnsafeMutablePointer<UInt64>, value: UInt64) {
            self.address = address
            self.value = value
        }
    }

    /// The ingress of a packet-out that names no port.
    package static let noSlot = UInt16.max

    package init(sequence: UInt64, operation: Operation) {
        self.sequence = sequence
        self.operation = operation
    }
}

extension Worker {
    /// No burst waits for more than this many deltas: a store costs some nanoseconds, so it stays far below 50 µs.
    private static var deltasPerStep: Int { 64 }

    /// True if the worker shall stop.
    @inline(never)
    borrowing func applyDeltas() -> Bool {
        let start = Clock.cycles
        var last: UInt64 = 0
        var stop = false
        for _ in 0..<Self.deltasPerStep {
            guard let delta = deltas.pop() else { break }
            last = delta.sequence
            counters.pointee.deltas &+= 1
            switch delta.operation {
            case .store(let address, let value): address.pointee = value
            case .stores(let list, let count):
                for index in 0..<count { list[index].address.pointee = list[index].value }
            case .inject(let mbuf, let program, let slot, let port): inject(mbuf, program, slot: slot, port: port)
            case .stop: stop = true
            }
        }
        if settings.pointee.tableChanges != cache.pointee.seen { refreshCache() }
        publish(applied, last)
        counters.pointee.deltaCycles &+= Clock.cycles &- start
        state.pointee.notify = true
        state.pointee.stepsToSleep = Self.stepsAfterDeltas
        return stop
    }

    /// Runs a packet-out's actions on its packet (OpenFlow 1.3.5 §7.3.7).
    private borrowing func inject(
        _ mbuf: OpaquePointer,
        _ program: UnsafePointer<ActionProgram>,
        slot: UInt16,
        port: UInt32
    ) {
        counters.pointee.injected &+= 1
        // The last slot stands for "no port": it never has a destination, and no packet is received there.
        let slot = slot == Delta.noSlot ? PortSlot.limit - 1 : Int(slot)
        let ingress = Ingress(slot: slot, keyWord: UInt64(port.bigEndian), number: port)
        state.pointee.inPort = port
        burst.mbufs[0] = mbuf
        runActions(program, packet: 0, ingress: ingress)
        flush()
    }
}
