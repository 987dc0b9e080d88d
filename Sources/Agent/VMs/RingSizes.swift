// How many places the rings have that a VM shares with each worker.

import CVMRing

struct RingSizes: Equatable {
    /// Packets, empty buffers and messages that the VM may have: powers of two, or 0.
    var packets: Int
    var empty = 0
    var messages = 0

    /// Of what the VM gives back: a power of two that holds all of them.
    var given: Int {
        let all = packets + empty + messages
        return all & (all - 1) == 0 ? all : 1 << (Int.bitWidth - all.leadingZeroBitCount)
    }

    /// The rings in the order in which they lie in memory. One without places is there, but the VM is not told of it.
    var rings: [(kind: vmring_kind, capacity: Int)] {
        [(VMRING_RECEIVE, packets), (VMRING_TRANSMIT, given), (VMRING_EMPTY, empty), (VMRING_MESSAGES, messages)]
    }

    /// Where a ring lies, in bytes from the first one; with the number of rings, what they take in all.
    func offset(ofRing index: Int) -> Int {
        rings.prefix(index).reduce(0) {
            $0 + MemoryLayout<vmring_ring>.size + $1.capacity * MemoryLayout<vmring_descriptor>.stride
        }
    }
}

extension Configuration.VM {
    var ringSizes: RingSizes { RingSizes(packets: ring, empty: empty, messages: messages) }
}
