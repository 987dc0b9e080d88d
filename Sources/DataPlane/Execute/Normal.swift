// Output to NORMAL (OpenFlow 1.3.5 §4.5): a learning switch with VLANs (IEEE 802.1Q). A worker tells the control side of source
// addresses at a port where it does not know them; the control side sends all workers what to know.

import CDPDK

/// An address that a worker has seen, and where.
package struct AddressSighting: BitwiseCopyable {
    package var key: AddressKey
    /// The OpenFlow port number.
    package var port: UInt32
}

/// What a learning switch looks at in a frame.
private struct FrameHead {
    /// As they lie in the packet, in the low six bytes.
    let destination: UInt64
    let source: UInt64
    let isTagged: Bool
    /// Of the outermost tag; 0 without one.
    let vlan: UInt16

    @inline(__always)
    init(_ mbuf: OpaquePointer) {
        let data = UnsafeRawPointer(cdpdk_mbuf_data(mbuf))
        let first = data.loadUnaligned(as: UInt64.self)
        destination = first & 0xffff_ffff_ffff
        source = first >> 48 | UInt64(data.loadUnaligned(fromByteOffset: 8, as: UInt32.self)) << 16
        let type = UInt16(bigEndian: data.loadUnaligned(fromByteOffset: 12, as: UInt16.self))
        isTagged =
            (type == EtherType.vlan || type == EtherType.serviceVLAN) && cdpdk_mbuf_data_length(mbuf) >= 18
        vlan = isTagged ? UInt16(bigEndian: data.loadUnaligned(fromByteOffset: 14, as: UInt16.self)) & 0xfff : 0
    }

    /// A group address, or broadcast. The bit is the lowest of the first byte.
    var isForMany: Bool { destination & 1 != 0 }
    /// 01-80-C2-00-00-00 to -0F: for protocols between neighbours, which no bridge forwards (IEEE 802.1Q §8.6.3).
    var isForNeighbours: Bool { destination & 0xf0ff_ffff_ffff == 0xc28001 }
}

extension Worker {
    /// How many addresses a worker tells of within one tick: a flood of them must not keep the control side busy.
    private static var sightingsPerTick: Int { 16 }

    /// Runs the first `count` packets of the burst as a switch without flow tables does (§6.3.2, fail standalone mode).
    @inline(never)
    borrowing func runStandalone(_ count: Int, ingress: Ingress) {
        state.pointee.now = Clock.ticks(state.pointee.stepStart)
        burst.begin()
        for packet in 0..<count where !outputNormal(packet, takes: true, ingress: ingress) {
            finish(packet: packet, ingress: ingress)
        }
    }

    /// Outputs a packet, or a copy of it, where its destination was last seen, or to all ports of its VLAN. False if it was copied
    /// only.
    @inline(never)
    borrowing func outputNormal(_ packet: Int, takes: Bool, ingress: Ingress) -> Bool {
        let frame = FrameHead(burst.mbufs[packet].unsafelyUnwrapped)
        let access = UInt16(truncatingIfNeeded: ports[ingress.slot].accessVLAN)
        let vlan = access != 0 ? access : frame.vlan
        // An access port takes frames without a VLAN only (IEEE 802.1Q §6.9.1).
        let isCarried = access != 0 ? frame.vlan == 0 : carries(ingress.slot, vlan)
        guard isCarried, !frame.isForNeighbours else {
            if let mbuf = hand(packet, takes, ingress) {
                drop(mbuf, frame.isForNeighbours ? .reservedAddress : .vlan, at: ingress.slot)
            }
            return takes
        }
        learn(frame, vlan, ingress)
        guard !frame.isForMany,
            let entry = AddressTable.find(
                AddressKey(vlan: vlan, bytes: frame.destination),
                in: settings.pointee.addresses
            )
        else {
            flood(packet, frame, vlan, ingress)
            return false
        }
        let slot = Int(entry.pointee.place >> 48)
        guard let mbuf = hand(packet, takes, ingress) else { return false }
        if slot == ingress.slot {
            drop(mbuf, .outputToIngress, at: slot)
        } else if !carries(slot, vlan) {
            drop(mbuf, .vlan, at: slot)
        } else {
            send(mbuf, frame, vlan, to: slot, ingress)
        }
        return takes
    }

    /// To all ports of the VLAN but the ingress port and those that controllers have closed.
    private borrowing func flood(_ packet: Int, _ frame: FrameHead, _ vlan: UInt16, _ ingress: Ingress) {
        let list = settings.pointee.floodPorts
        let slots = (list + SlotList.slotsOffset).assumingMemoryBound(to: UInt16.self)
        for i in 0..<list.load(as: Int.self) {
            let slot = Int(slots[i])
            if slot == ingress.slot || !carries(slot, vlan) { continue }
            if Destination(rawValue: ports[slot].destination).isClosed { continue }
            if let copy = hand(packet, false, ingress) { send(copy, frame, vlan, to: slot, ingress) }
        }
    }

    /// Whether a port belongs to a VLAN.
    @inline(__always)
    private borrowing func carries(_ slot: Int, _ vlan: UInt16) -> Bool {
        let port = ports + slot
        if port.pointee.accessVLAN != 0 { return port.pointee.accessVLAN == UInt64(vlan) }
        guard let trunks = UnsafePointer<UInt64>(bitPattern: UInt(port.pointee.trunks)) else { return true }
        return VLANBitmap.contains(trunks, vlan)
    }

    /// Sends a packet to a port of its VLAN: to an access port without tag; to a trunk with one, unless it has come by a trunk
    /// without one.
    private borrowing func send(
        _ mbuf: OpaquePointer,
        _ frame: FrameHead,
        _ vlan: UInt16,
        to slot: Int,
        _ ingress: Ingress
    ) {
        var hasRoom = true
        if ports[slot].accessVLAN != 0 {
            if frame.isTagged { _ = PacketEdit.removeTag(mbuf) }
        } else if frame.vlan != vlan {
            hasRoom = frame.isTagged || addTag(mbuf)
            if hasRoom { setTag(mbuf, vlan) }
        }
        if hasRoom { gather(mbuf, at: slot) } else { drop(mbuf, .noBuffer, at: ingress.slot) }
    }

    /// Makes room for a tag, which is VLAN 0 until `setTag`.
    private borrowing func addTag(_ mbuf: OpaquePointer) -> Bool {
        guard let start = cdpdk_mbuf_prepend(mbuf, 4) else { return false }
        let data = UnsafeMutableRawPointer(start)
        data.copyMemory(from: start + 4, byteCount: 12)
        data.storeBytes(of: EtherType.vlan.bigEndian, toByteOffset: 12, as: UInt16.self)
        data.storeBytes(of: 0, toByteOffset: 14, as: UInt16.self)
        return true
    }

    /// Sets the VLAN of the outermost tag; its priority stays.
    private borrowing func setTag(_ mbuf: OpaquePointer, _ vlan: UInt16) {
        let tag = UnsafeMutableRawPointer(cdpdk_mbuf_data(mbuf)) + 14
        let priority = UInt16(bigEndian: tag.loadUnaligned(as: UInt16.self)) & 0xf000
        tag.storeBytes(of: (priority | vlan).bigEndian, as: UInt16.self)
    }

    /// Notes that the source was seen, or tells the control side that it is not known to be here. Group addresses are no sources, and
    /// what a controller sends without a port comes from nowhere.
    private borrowing func learn(_ frame: FrameHead, _ vlan: UInt16, _ ingress: Ingress) {
        guard counts, frame.source & 1 == 0, frame.source != 0, ingress.slot != PortSlot.limit &- 1 else { return }
        let key = AddressKey(vlan: vlan, bytes: frame.source)
        let now = state.pointee.now
        if let entry = AddressTable.find(key, in: settings.pointee.addresses),
            entry.pointee.place >> 48 == UInt64(ingress.slot)
        {
            entry.pointee.place = UInt64(ingress.slot) << 48 | UInt64(now)
            return
        }
        if state.pointee.sightingsTick != now {
            (state.pointee.sightingsTick, state.pointee.sightings) = (now, 0)
        }
        guard state.pointee.sightings < Self.sightingsPerTick else { return }
        state.pointee.sightings &+= 1
        if sightings.push(AddressSighting(key: key, port: ingress.number)) { state.pointee.notify = true }
    }
}
