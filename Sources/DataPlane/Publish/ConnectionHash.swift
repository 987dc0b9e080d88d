// What tells connections apart, of packets on their way out.

import CDPDK

extension Worker {
    /// See `FlowHash.connection`. Of the packet as it is by now: actions may have changed it since it was looked up.
    @inline(__always)
    borrowing func connectionHash(_ mbuf: OpaquePointer, seed: UInt64) -> UInt64 {
        let key = burst.keyWords(Burst.spare)
        let layout = burst.layouts + Burst.spare
        var data = UnsafePointer(cdpdk_mbuf_data(mbuf))
        var length = Int(cdpdk_mbuf_data_length(mbuf))
        if cdpdk_mbuf_is_elsewhere(mbuf) { (data, length) = burst.headers.copy(data, length) }
        if !Parser.parsePlain(data, length: length, port: 0, key, layout) {
            Parser.parse(data, length: length, depth: .full, into: key, layout)
        }
        return FlowHash.connection(key, isFragment: layout.pointee.isFragment, seed: seed)
    }
}
