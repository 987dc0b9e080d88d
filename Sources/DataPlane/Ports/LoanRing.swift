// A ring by which buffers are lent to a VM: packets, empty buffers or messages. The VM may write whatever it likes there, so this side
// goes by its own position and count alone.

import CVMRing

/// What buffers are lent for.
package enum LoanKind: UInt32 {
    /// Packets that were output to the VM's port.
    case packet
    /// Empty buffers, for packets that the VM makes.
    case empty
    /// What another VM of the group has sent.
    case message
}

/// One worker's end of it.
package struct LoanRing {
    /// Buffers that the VM may have by it, in the ring or in hand: as many as it has places, so there is always room for what may be
    /// produced, whatever the VM says of what it has consumed. 0: nothing is lent so.
    let capacity: UInt64
    /// What stands in the region's table of owners while a buffer is lent so.
    private let mark: UInt32
    private let parts: vmring_parts
    /// This side's position.
    private var produced: UInt64 = 0
    /// Buffers that the VM has.
    private(set) var lent: UInt64 = 0

    /// - Parameters:
    ///   - parts: A ring of `capacity` places, 0 or a power of two, with all positions at 0.
    ///   - owner: Of the buffers that are lent; not 0.
    init(_ kind: LoanKind, parts: vmring_parts, capacity: Int, owner: UInt16) {
        (self.parts, self.capacity) = (parts, UInt64(capacity))
        mark = kind.rawValue << 16 | UInt32(owner)
    }

    /// What a word of the table of owners says.
    @inline(__always)
    static func owner(_ mark: UInt32) -> UInt16 { UInt16(truncatingIfNeeded: mark) }

    /// How many more buffers the VM may have.
    @inline(__always)
    var room: Int { Int(truncatingIfNeeded: capacity &- lent) }

    /// Hands a buffer of the region over to the VM, in the next place of the ring. There is room.
    @inline(__always)
    mutating func lend(_ index: Int, of region: PacketRegion, offset: UInt16, length: UInt16, port: UInt32) {
        region.owners[index] = mark
        vmring_write(
            parts.descriptors + Int(truncatingIfNeeded: produced & (capacity &- 1)),
            vmring_place(UInt32(truncatingIfNeeded: index), offset, length),
            UInt64(port)
        )
        produced &+= 1
        lent &+= 1
    }

    /// Lets the VM see what was put there.
    @inline(__always)
    func publishProduced() { publish(parts.produced, produced) }

    /// A buffer has come back.
    @inline(__always)
    mutating func takeBack() { lent &-= 1 }
}
