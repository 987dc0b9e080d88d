// Cuts the byte stream of a connection into messages and decodes them. MessageSerializer.swift is the other direction.

import NIOCore

/// A decoder for `ByteToMessageHandler`. One message that is refused does not disturb those after it.
///
/// A length below that of a header, or above `maxLength`, breaks the stream: one `.broken` comes out, as soon as the bytes
/// are there that the answer quotes, and all further bytes are dropped.
package struct MessageFramer: ByteToMessageDecoder {
    package typealias InboundOut = InboundFrame

    private let maxLength: Int
    private var isBroken = false

    /// - Parameter maxLength: The most bytes that a message may have with its header; 8…65535.
    package init(maxLength: Int = 65535) {
        self.maxLength = maxLength
    }

    /// Takes the next message off `buffer`; nil if it isn't there yet.
    package mutating func next(from buffer: inout ByteBuffer) -> InboundFrame? {
        if isBroken {
            buffer.moveReaderIndex(to: buffer.writerIndex)
            return nil
        }
        guard let length = buffer.getInteger(at: buffer.readerIndex + 2, as: UInt16.self).map(Int.init),
            buffer.readableBytes >= 4
        else { return nil }
        guard length >= MessageHeader.byteCount, length <= maxLength else {
            // As many as the answer quotes, so that it does not depend on how the bytes have come.
            let quoted = min(max(length, MessageHeader.byteCount), ErrorMessage.offenderLength)
            guard let bytes = buffer.readSlice(length: quoted) else { return nil }
            isBroken = true
            return .broken(Self.refusal(of: bytes, .badRequest(.badLength, "message length \(length)")))
        }
        guard let bytes = buffer.readSlice(length: length) else { return nil }
        do throws(OpenFlowError) {
            return try .message(Envelope(decoding: bytes))
        } catch {
            return .refused(Self.refusal(of: bytes, error))
        }
    }

    package mutating func decode(context: ChannelHandlerContext, buffer: inout ByteBuffer) -> DecodingState {
        // All of them at once: NIO would do for each what it does for a read.
        while let frame = next(from: &buffer) { context.fireChannelRead(Self.wrapInboundOut(frame)) }
        return .needMoreData
    }

    /// What is left when the connection ends is an unfinished message: it is dropped, and no error of the pipeline.
    package mutating func decodeLast(
        context: ChannelHandlerContext,
        buffer: inout ByteBuffer,
        seenEOF: Bool
    ) -> DecodingState {
        let state = decode(context: context, buffer: &buffer)
        buffer.moveReaderIndex(to: buffer.writerIndex)
        return state
    }

    /// The first bytes are copied, so that the error does not keep all that was read with them.
    private static func refusal(of bytes: ByteBuffer, _ error: OpenFlowError) -> RefusedMessage {
        let xid = bytes.getInteger(at: bytes.readerIndex + 4, as: UInt32.self) ?? 0
        let offender = ByteBuffer(bytes: bytes.readableBytesView.prefix(ErrorMessage.offenderLength))
        return RefusedMessage(xid: xid, error: error, offender: offender)
    }
}
