// The actions that move the start of a packet: push and pop of VLAN tags, MPLS shims and PBB headers. What a pushed header
// takes over from those that are there is said in OpenFlow 1.3.5 §5.12.1; the rest of it is 0.

import CDPDK

extension PacketEdit {
    /// The shortest Ethernet frame, without its check sequence: what pop makes shorter is padded with zeros.
    private static let shortestFrame: UInt32 = 60

    /// Push-VLAN, Push-MPLS and Push-PBB. False if the buffer has no room for it.
    @inline(never)
    func push(_ op: ActionOp) -> Bool {
        switch op {
        case .pushVLAN(let etherType): pushVLAN(etherType: etherType)
        case .pushMPLS(let etherType): pushMPLS(etherType: etherType)
        case .pushPBB(let etherType): pushPBB(etherType: etherType)
        default: true
        }
    }

    /// Pushes an outermost tag with the VLAN id and priority of the one that was outermost.
    private func pushVLAN(etherType: UInt16) -> Bool {
        let tci = layout.pointee.vlanTagged ? load16(14) : 0
        guard makeRoom(4, at: 12) else { return false }
        store16(12, etherType)
        store16(14, tci)
        reparse()
        return true
    }

    /// Pops the outermost tag, if there is one.
    @inline(never)
    func popVLAN() {
        guard layout.pointee.vlanTagged else { return }
        if Self.removeTag(mbuf) { reparse() }
    }

    /// Pops the tag of a packet that has no other. All that is behind it has come nearer by its length, and the packet is
    /// untagged. False if it has to be looked at anew: nothing has been done then.
    @inline(__always)
    func popOnlyTag() -> Bool {
        // Padding completes a header that was cut off, but for one that is wholly known already.
        let isPadded = cdpdk_mbuf_packet_length(mbuf) < Self.shortestFrame + 4
        let isWhole = !isPadded || layout.pointee.network == .ipv4 && layout.pointee.l4 > 0
        guard layout.pointee.vlanTagged, layout.pointee.l3 == 18, isWhole, Self.removeTag(mbuf) else { return false }
        layout.pointee.vlanTagged = false
        layout.pointee.l3 = 14
        if layout.pointee.l4 > 0 { layout.pointee.l4 &-= 4 }
        if layout.pointee.protoOffset > 0 { layout.pointee.protoOffset &-= 4 }
        key[FlowKey.Word.port] &= 0xffff_ffff_ffff
        return true
    }

    /// Pushes a shim behind the VLAN tags, with label, traffic class and TTL of the one that was outermost; else with the TTL
    /// of IP, as the bottom of the stack.
    private func pushMPLS(etherType: UInt16) -> Bool {
        let shim: UInt32 =
            layout.pointee.network == .mpls ? load32(l3) & ~0x100 : 0x100 | UInt32(ttl ?? 0)
        let place = l3
        guard makeRoom(4, at: place) else { return false }
        store16(place - 2, etherType)
        store32(place, shim)
        reparse()
        return true
    }

    /// Pops the outermost shim, if there is one; `etherType` is what follows.
    func popMPLS(etherType: UInt16) {
        guard layout.pointee.network == .mpls else { return }
        store16(l3 - 2, etherType)
        let start = data
        (start + 4).copyMemory(from: start, byteCount: l3)
        if Self.removeStart(mbuf, 4) { reparse() }
    }

    /// Pushes a backbone header: the addresses of the frame and an I-TAG with the priority of its VLAN tag and the service of
    /// its I-TAG.
    private func pushPBB(etherType: UInt16) -> Bool {
        let priority = layout.pointee.vlanTagged ? UInt32(load16(14) >> 13) << 29 : 0
        let service = layout.pointee.network == .pbb ? load32(l3) & 0xff_ffff : 0
        guard let start = cdpdk_mbuf_prepend(mbuf, 18) else { return false }
        UnsafeMutableRawPointer(start).copyMemory(from: start + 18, byteCount: 12)
        store16(12, etherType)
        store32(14, priority | service)
        reparse()
        return true
    }

    /// Pops the backbone header with its tags, if there is one: the customer's frame is left.
    func popPBB() {
        guard layout.pointee.network == .pbb else { return }
        if Self.removeStart(mbuf, layout.pointee.l3 + 4) { reparse() }
    }

    /// Moves the `offset` bytes before a new header `count` bytes to the front. False if there is no room.
    @inline(__always)
    private func makeRoom(_ count: UInt16, at offset: Int) -> Bool {
        guard let start = cdpdk_mbuf_prepend(mbuf, count) else { return false }
        UnsafeMutableRawPointer(start).copyMemory(from: start + Int(count), byteCount: offset)
        return true
    }

    /// Removes the tag behind the Ethernet addresses, which is there.
    @inline(__always)
    static func removeTag(_ mbuf: OpaquePointer) -> Bool {
        let start = UnsafeMutableRawPointer(cdpdk_mbuf_data(mbuf))
        // The addresses, four bytes on; all of them are read before any is written.
        let (low, high) = (start.loadUnaligned(as: UInt64.self), (start + 8).loadUnaligned(as: UInt32.self))
        (start + 4).storeBytes(of: low, as: UInt64.self)
        (start + 12).storeBytes(of: high, as: UInt32.self)
        return removeStart(mbuf, 4)
    }

    /// Removes the first `count` bytes. False if the packet has not so many.
    @inline(__always)
    private static func removeStart(_ mbuf: OpaquePointer, _ count: UInt16) -> Bool {
        guard cdpdk_mbuf_remove(mbuf, count) != nil else { return false }
        pad(mbuf)
        return true
    }

    /// Pads a frame that has become too short.
    @inline(__always)
    private static func pad(_ mbuf: OpaquePointer) {
        let length = cdpdk_mbuf_packet_length(mbuf)
        guard length < shortestFrame else { return }
        let missing = shortestFrame - length
        guard let end = cdpdk_mbuf_append(mbuf, UInt16(truncatingIfNeeded: missing)) else { return }
        let bytes = UnsafeMutableRawPointer(end)
        // As much as a tag is long.
        if missing == 4 { return bytes.storeBytes(of: 0, as: UInt32.self) }
        bytes.initializeMemory(as: UInt8.self, repeating: 0, count: Int(missing))
    }
}
