// A packet of the controller, and what to do with it.

import NIOCore

/// OFPT_PACKET_OUT (OpenFlow 1.3.5 §7.3.7 / A.3.7).
package struct PacketOut: Hashable, Sendable {
    package var bufferID: UInt32
    /// A standard port, or OFPP_CONTROLLER.
    package var inPort: PortNumber
    /// None: the packet is dropped.
    package var actions: [Action]
    /// The Ethernet frame, if it is not buffered.
    package var data: ByteBuffer

    package init(
        bufferID: UInt32 = BufferID.none,
        inPort: PortNumber = .controller,
        actions: [Action],
        data: ByteBuffer
    ) {
        self.bufferID = bufferID
        self.inPort = inPort
        self.actions = actions
        self.data = data
    }
}

extension PacketOut {
    init(from reader: inout WireReader) throws(OpenFlowError) {
        bufferID = try reader.read()
        inPort = try reader.readPort()
        let actionsLength: UInt16 = try reader.read()
        try reader.pad(6)
        guard Int(actionsLength) <= reader.remaining else {
            throw .badRequest(.badLength, "packet-out: actions_len \(actionsLength), \(reader.remaining) bytes left")
        }
        var list = try reader.slice(Int(actionsLength), scope: .action)
        actions = try list.readActions()
        data = reader.rest()
    }

    func write(to writer: inout WireWriter) {
        writer.write(bufferID)
        writer.write(inPort)
        // actions_len counts the actions alone: neither itself nor the padding between it and them.
        writer.lengthPrefixed(after: -8) { writer in
            writer.pad(6)
            writer.write(actions)
        }
        writer.write(data)
    }
}
