// One packet in the hands of an action: its bytes, where its headers begin, its key. Besides, the actions that move the
// start of the packet: push and pop of VLAN tags.

import CDPDK

struct PacketEdit {
    let mbuf: OpaquePointer
    let layout: UnsafeMutablePointer<PacketLayout>
    /// The key's words.
    let key: UnsafeMutablePointer<UInt64>

    @inline(__always)
    var data: UnsafeMutableRawPointer { UnsafeMutableRawPointer(cdpdk_mbuf_data(mbuf)) }

    /// Two bytes at `offset`, in host byte order.
    @inline(__always)
    func load16(_ offset: Int) -> UInt16 { UInt16(bigEndian: (data + offset).loadUnaligned(as: UInt16.self)) }

    @inline(__always)
    func store16(_ offset: Int, _ value: UInt16) { (data + offset).storeBytes(of: value.bigEndian, as: UInt16.self) }

    /// Looks at the headers anew, after an action that moved them or changed what they mean.
    @inline(never)
    func reparse() {
        Parser.parse(cdpdk_mbuf_data(mbuf), length: Int(cdpdk_mbuf_data_length(mbuf)), depth: .full, into: key, layout)
    }

    /// Pushes an outermost tag with the VLAN id and priority of the one that was outermost, else 0 (OpenFlow 1.3.5 §5.12.1).
    /// False if the buffer has no room for it.
    func pushVLAN(etherType: UInt16) -> Bool {
        let tci = layout.pointee.vlanTagged ? load16(14) : 0
        guard let start = cdpdk_mbuf_prepend(mbuf, 4) else { return false }
        UnsafeMutableRawPointer(start).copyMemory(from: start + 4, byteCount: 12)
        store16(12, etherType)
        store16(14, tci)
        reparse()
        return true
    }

    /// Pops the outermost tag, if there is one.
    func popVLAN() {
        guard layout.pointee.vlanTagged else { return }
        let start = UnsafeMutableRawPointer(data)
        (start + 4).copyMemory(from: start, byteCount: 12)
        guard cdpdk_mbuf_remove(mbuf, 4) != nil else { return }
        reparse()
    }
}
