// Packets for the controllers: from a worker to the control side through a ring of its own. When the ring is full the
// packet is dropped and counted; a flood of packet-ins never slows a worker down.

import CDPDK

package struct PacketInRecord: BitwiseCopyable {
    /// The packet; whoever takes the record frees it.
    package var mbuf: OpaquePointer
    /// The flow entry's `FlowRecord.id`; `noRecord` for a packet-out's actions.
    package var record: UInt32
    package var inPort: UInt32
    /// In host byte order.
    package var metadata: UInt64
    package var tunnelID: UInt64
    package var table: UInt8
    /// OFPR_*.
    package var reason: UInt8

    package static let noRecord = UInt32.max
    package static let noMatch: UInt8 = 0
    package static let invalidTTL: UInt8 = 2
}

extension Worker {
    @inline(never)
    borrowing func packetIn(
        _ mbuf: OpaquePointer,
        _ packet: Int,
        reason: UInt8,
        table: UInt8,
        record: FlowRecordPointer?,
        ingress: Ingress
    ) {
        if reason == PacketInRecord.noMatch && ports[ingress.slot].config & PortSlot.noPacketIn != 0 {
            drop(mbuf, .noPacketIn, at: ingress.slot)
            return
        }
        let element = PacketInRecord(
            mbuf: mbuf,
            record: record?.pointee.id ?? PacketInRecord.noRecord,
            inPort: ingress.number,
            metadata: UInt64(bigEndian: burst.keyWords(packet)[FlowKey.Word.metadata]),
            tunnelID: UInt64(bigEndian: burst.keyWords(packet)[FlowKey.Word.tunnel]),
            table: table,
            reason: reason
        )
        guard packetIns.push(element) else {
            drop(mbuf, .packetInFull, at: ingress.slot)
            return
        }
        counters.pointee.packetIns[min(Int(reason), 2)] &+= 1
        state.pointee.notify = true
    }
}
