// The packets that a worker has in hand, and what is known of each. All arrays have `burstSize` elements, by packet, and some
// more for the copies that groups work on; keys and layouts have one more, for packets that are looked at on their way out.

import CDPDK

package struct Burst {
    package let mbufs: UnsafeMutablePointer<OpaquePointer?>
    /// Bytes of each, so that counting them does not touch the packets' buffers again.
    let lengths: UnsafeMutablePointer<UInt32>
    package let keys: UnsafeMutablePointer<FlowKey>
    let layouts: UnsafeMutablePointer<PacketLayout>
    /// The table where the packet goes on; `ActionProgram.noTable` where its way has ended.
    let nextTable: UnsafeMutablePointer<UInt8>
    /// How often it has been output already (a copy each).
    let copies: UnsafeMutablePointer<UInt16>
    /// Its action set: the programs whose Write-Actions make it up, in the order they were met. A pipeline has at most 254
    /// tables and goes forward only, so there is room for all.
    let setCount: UnsafeMutablePointer<UInt8>
    let set: UnsafeMutablePointer<UnsafePointer<ActionProgram>?>

    /// The packets of the present table, unless it is the first one, and the entries that the lookup found for the packets of
    /// the present table, in that order.
    let list: UnsafeMutablePointer<UInt8>
    /// The cached paths of the packets, or those that are being recorded of them; and the tables of the latter so far, as in a
    /// `TableSequence`.
    let paths: UnsafeMutablePointer<UnsafeMutableRawPointer?>
    let sequences: UnsafeMutablePointer<UInt64>
    let found: UnsafeMutablePointer<FlowRecordPointer?>
    let headers = PrivateHeaders()
    /// Of packets gathered for a VM's port: the queue of each, and those of one queue.
    let chosenQueues: UnsafeMutablePointer<UInt8>
    let picked: UnsafeMutablePointer<OpaquePointer?>

    private static let places = burstSize + Worker.groupDepth
    /// The key and the layout that belong to no packet in hand.
    static let spare = places

    init() {
        let places = Self.places
        mbufs = zeroed(places)
        lengths = zeroed(places)
        keys = zeroed(places + 1)
        layouts = zeroed(places + 1)
        nextTable = zeroed(places)
        copies = zeroed(places)
        setCount = zeroed(places)
        set = zeroed(burstSize * Worker.tableCount)
        list = zeroed(burstSize)
        paths = zeroed(burstSize)
        sequences = zeroed(burstSize)
        found = zeroed(burstSize)
        chosenQueues = zeroed(PortSlot.capacity)
        picked = zeroed(PortSlot.capacity)
        nextTable.update(repeating: ActionProgram.noTable, count: burstSize)
    }

    /// Makes all places ready for the first table. Whole arrays, however many packets there are: with a constant length they
    /// are a few vector stores.
    @inline(__always)
    func begin() {
        nextTable.update(repeating: ActionProgram.noTable, count: burstSize)
        setCount.update(repeating: 0, count: burstSize)
        copies.update(repeating: 0, count: burstSize)
    }

    /// The lowest table that any packet goes on to; `ActionProgram.noTable` if none does.
    @inline(__always)
    var lowestNextTable: UInt8 { cdpdk_lowest_byte(nextTable) }

    /// Lists the packets that go on to `table`, which none of them does then any more; returns how many there are.
    @inline(__always)
    func takeNext(_ table: UInt8) -> Int {
        // With all bits set they are `ActionProgram.noTable`.
        var places = cdpdk_take_bytes(nextTable, table)
        var listed = 0
        while places != 0 {
            list[listed] = UInt8(truncatingIfNeeded: places.trailingZeroBitCount)
            places &= places &- 1
            listed &+= 1
        }
        return listed
    }

    @inline(__always)
    func keyWords(_ packet: Int) -> UnsafeMutablePointer<UInt64> {
        UnsafeMutableRawPointer(keys + packet).assumingMemoryBound(to: UInt64.self)
    }

    @inline(__always)
    func edit(_ packet: Int) -> PacketEdit {
        edit(packet, mbufs[packet].unsafelyUnwrapped)
    }

    /// Of a packet's copy, which has the same layout.
    @inline(__always)
    func edit(_ packet: Int, _ mbuf: OpaquePointer) -> PacketEdit {
        PacketEdit(mbuf: mbuf, layout: layouts + packet, key: keyWords(packet), headers: headers)
    }
}

/// Which packets of a burst visit a table. The loops over them are compiled for each kind, so that the first table, which all
/// packets visit and where none has an action set yet, needs neither a list nor a look at the sets.
package protocol PacketList {
    static var isFirstTable: Bool { get }
    /// The place in the burst of the `i`th of them.
    subscript(i: Int) -> Int { get }
}

/// All packets in hand, in the first table.
struct EveryPacket: PacketList {
    @inline(__always)
    static var isFirstTable: Bool { true }

    @inline(__always)
    subscript(i: Int) -> Int { i }
}

/// Those that `places` names.
struct ListedPackets: PacketList {
    let places: UnsafePointer<UInt8>

    @inline(__always)
    static var isFirstTable: Bool { false }

    @inline(__always)
    subscript(i: Int) -> Int { Int(places[i]) }
}

/// The port that a burst came in by.
package struct Ingress {
    var slot: Int
    /// In the form of the flow key's first word: the port number in network byte order, in the low bytes.
    var keyWord: UInt64
    /// For a packet-in without a slot: packet-outs may name CONTROLLER as their port.
    var number: UInt32
}
