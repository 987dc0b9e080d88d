// What comes out of a byte stream: messages, and what was refused instead. MessageFramer.swift makes them.

import NIOCore

/// One message's worth of a controller's bytes.
package enum InboundFrame: Hashable, Sendable {
    case message(Envelope)
    /// The message can't be accepted: answer it; the stream goes on.
    indirect case refused(RefusedMessage)
    /// Where the next message starts is unknown: answer and close. Nothing comes after it.
    indirect case broken(RefusedMessage)
}

/// A message that could not be decoded, with what it takes to answer it.
package struct RefusedMessage: Hashable, Sendable {
    package var xid: UInt32
    package var error: OpenFlowError
    /// The message's first 64 bytes, or all of it.
    package var offender: ByteBuffer

    package init(xid: UInt32, error: OpenFlowError, offender: ByteBuffer) {
        self.xid = xid
        self.error = error
        self.offender = offender
    }

    /// The OFPT_ERROR to send.
    package var reply: Envelope { Envelope(xid: xid, message: .error(ErrorMessage(error, offender: offender))) }
}
