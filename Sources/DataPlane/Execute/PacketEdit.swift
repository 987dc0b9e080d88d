// One packet in the hands of an action: its bytes, where its headers begin, its key.

import CDPDK

struct PacketEdit {
    let mbuf: OpaquePointer
    let layout: UnsafeMutablePointer<PacketLayout>
    /// The key's words.
    let key: UnsafeMutablePointer<UInt64>
    let headers: PrivateHeaders

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
        guard !cdpdk_mbuf_is_elsewhere(mbuf) else { return reparseCopy() }
        Parser.parse(cdpdk_mbuf_data(mbuf), length: Int(cdpdk_mbuf_data_length(mbuf)), depth: .full, into: key, layout)
    }

    @inline(never)
    private func reparseCopy() {
        let (data, length) = headers.copy(cdpdk_mbuf_data(mbuf), length)
        Parser.parse(data, length: length, depth: .full, into: key, layout)
    }

    /// Four bytes at `offset`, in host byte order.
    @inline(__always)
    func load32(_ offset: Int) -> UInt32 { UInt32(bigEndian: (data + offset).loadUnaligned(as: UInt32.self)) }

    @inline(__always)
    func store32(_ offset: Int, _ value: UInt32) { (data + offset).storeBytes(of: value.bigEndian, as: UInt32.self) }

    @inline(__always)
    func load8(_ offset: Int) -> UInt8 { (data + offset).load(as: UInt8.self) }

    @inline(__always)
    func store8(_ offset: Int, _ value: UInt8) { (data + offset).storeBytes(of: value, as: UInt8.self) }

    @inline(__always)
    var l3: Int { Int(layout.pointee.l3) }

    /// How many bytes may be read.
    @inline(__always)
    var length: Int { Int(cdpdk_mbuf_data_length(mbuf)) }
}
