// A packet for the controller.

import NIOCore

/// OFPT_PACKET_IN (OpenFlow 1.3.5 §7.4.1 / A.4.1).
package struct PacketIn: Hashable, Sendable {
    package var bufferID: UInt32
    /// The frame's full length in bytes; `data` may have less.
    package var totalLength: UInt16
    package var reason: PacketInReason
    /// The table whose entry sent it.
    package var tableID: UInt8
    /// Of the entry that sent it; all ones: none.
    package var cookie: UInt64
    /// What the packet comes with: `in_port`, `metadata`, `tunnel_id`.
    package var match: Match
    /// The Ethernet frame.
    package var data: ByteBuffer

    package init(
        bufferID: UInt32 = BufferID.none,
        totalLength: UInt16,
        reason: PacketInReason,
        tableID: UInt8 = 0,
        cookie: UInt64 = UInt64.max,
        match: Match,
        data: ByteBuffer
    ) {
        self.bufferID = bufferID
        self.totalLength = totalLength
        self.reason = reason
        self.tableID = tableID
        self.cookie = cookie
        self.match = match
        self.data = data
    }
}

/// `ofp_packet_in_reason`.
package enum PacketInReason: UInt8, CaseIterable, Hashable, Sendable {
    /// OFPR_NO_MATCH: the table-miss entry.
    case noMatch = 0
    /// OFPR_ACTION: an output action.
    case action = 1
    /// OFPR_INVALID_TTL.
    case invalidTTL = 2
}

extension PacketIn {
    init(from reader: inout WireReader) throws(OpenFlowError) {
        bufferID = try reader.read()
        totalLength = try reader.read()
        let rawReason: UInt8 = try reader.read()
        guard let reason = PacketInReason(rawValue: rawReason) else {
            throw .badRequest(.badType, "packet-in reason \(rawReason)")
        }
        self.reason = reason
        tableID = try reader.read()
        cookie = try reader.read()
        match = try Match(from: &reader)
        try reader.pad(2)
        data = reader.rest()
    }

    func write(to writer: inout WireWriter) {
        writer.write(bufferID)
        writer.write(totalLength)
        writer.write(reason.rawValue)
        writer.write(tableID)
        writer.write(cookie)
        match.write(to: &writer)
        writer.pad(2)
        writer.write(data)
    }
}
