// A refusal on the wire. OpenFlowError is the value that the code throws; this is the message that carries it.

import NIOCore

/// OFPT_ERROR (OpenFlow 1.3.5 §7.4.4 / A.4.4).
package struct ErrorMessage: Hashable, Sendable {
    /// `ofp_error_type`, kept as a number: a peer may send one that we don't know.
    package var type: UInt16
    package var code: UInt16
    /// Of OFPET_EXPERIMENTER (0xffff) only: whose error it is, and `code` is its `exp_type`.
    package var experimenter: UInt32?
    /// The offending message, at least its first 64 bytes; text for OFPET_HELLO_FAILED.
    package var data: ByteBuffer

    package init(type: UInt16, code: UInt16, experimenter: UInt32? = nil, data: ByteBuffer) {
        self.type = type
        self.code = code
        self.experimenter = experimenter
        self.data = data
    }
}

extension ErrorMessage {
    /// How much of the offending message goes back with the error, as the specification demands at least.
    package static let offenderLength = 64

    /// The answer to a message that was refused.
    ///
    /// - Parameter offender: The refused message from its header on; the first 64 bytes are taken.
    package init(_ error: OpenFlowError, offender: ByteBuffer) {
        var offender = offender
        let length = min(offender.readableBytes, Self.offenderLength)
        self.init(
            type: error.type,
            code: error.code,
            experimenter: error.experimenter,
            data: offender.readSlice(length: length) ?? ByteBuffer()
        )
    }

    /// Type and code as a value that has names.
    package var error: OpenFlowError {
        OpenFlowError(type: type, code: code, experimenter: experimenter, reason: "")
    }

    /// OFPET_EXPERIMENTER.
    private static let experimenterType: UInt16 = 0xffff

    init(from reader: inout WireReader) throws(OpenFlowError) {
        type = try reader.read()
        code = try reader.read()
        experimenter = try type == Self.experimenterType ? reader.read() : nil
        data = reader.rest()
    }

    func write(to writer: inout WireWriter) {
        writer.write(type)
        writer.write(code)
        if let experimenter { writer.write(experimenter) }
        writer.write(data)
    }
}

extension Envelope {
    /// The OFPT_ERROR that refuses this message, with the message's id and its first 64 bytes.
    package func refusal(_ error: OpenFlowError) -> Envelope {
        var bytes = ByteBuffer()
        // A message that came in fits into a message. For one that doesn't, the error goes without its bytes.
        try? encode(into: &bytes)
        return Envelope(xid: xid, message: .error(ErrorMessage(error, offender: bytes)))
    }
}
