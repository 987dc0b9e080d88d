// Turns messages into the bytes of a connection. MessageFramer.swift is the other direction.

import NIOCore

/// An encoder for `MessageToByteHandler`. Throws for a message of more than 65535 bytes, and then NIO's handler sends
/// nothing any more: it is an error of whoever made the message (`Envelope.multipartReplies` keeps to the limit).
package struct MessageSerializer: MessageToByteEncoder, Sendable {
    package typealias OutboundIn = Envelope

    package init() {}

    package func encode(data: Envelope, out: inout ByteBuffer) throws {
        try data.encode(into: &out)
    }
}
