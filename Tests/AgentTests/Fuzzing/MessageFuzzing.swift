// One message of any kind: it is refused with an error that can be sent, or it says the same when it is encoded and decoded again.

import NIOCore
import OpenFlow

enum MessageFuzzing {
    static var seeds: [[UInt8]] { get throws { try FuzzTarget.openFlowFixtures().map(\.bytes) } }

    static func run(_ input: UnsafeBufferPointer<UInt8>) throws {
        guard input.count >= MessageHeader.byteCount, input.count <= Int(UInt16.max) else { return }
        var bytes = ByteBuffer(bytes: input)
        // The length is right, so that there is more to do than to refuse it.
        bytes.setInteger(UInt16(input.count), at: 2)
        let envelope: Envelope
        do throws(OpenFlowError) {
            envelope = try Envelope(decoding: bytes)
        } catch {
            return try check(error, of: bytes)
        }
        describe(envelope.message)
        _ = try decoded(encoded(envelope), as: envelope)
    }

    /// A refusal is itself a message.
    static func check(_ error: OpenFlowError, of bytes: ByteBuffer) throws {
        guard !error.name.isEmpty else { throw FuzzFailure("an error without a name") }
        let refused = RefusedMessage(xid: 1, error: error, offender: bytes)
        _ = try decoded(encoded(refused.reply), as: refused.reply)
    }

    static func encoded(_ envelope: Envelope) throws -> ByteBuffer {
        var buffer = ByteBuffer()
        do throws(OpenFlowError) {
            try envelope.encode(into: &buffer)
        } catch {
            throw FuzzFailure("\(envelope) can't be encoded: \(error)")
        }
        return buffer
    }

    static func decoded(_ bytes: ByteBuffer, as expected: Envelope) throws -> Envelope {
        do throws(OpenFlowError) {
            let again = try Envelope(decoding: bytes)
            guard again == expected else { throw OpenFlowError.badRequest(.badType, "it became \(again)") }
            return again
        } catch {
            throw FuzzFailure("\(expected) as \(Array(bytes.readableBytesView)): \(error)")
        }
    }

    /// What logs and traces say of it.
    private static func describe(_ message: Message) {
        switch message {
        case .flowMod(let flowMod):
            _ = flowMod.description
            try? flowMod.match.checkPrerequisites()
            _ = flowMod.match.normalized.covers(flowMod.match)
        case .packetIn(let packetIn): _ = packetIn.description
        case .packetOut(let packetOut): _ = packetOut.description
        case .flowRemoved(let flowRemoved): _ = flowRemoved.description
        case .multipartReply(.flow(let list), _): for entry in list { _ = entry.description }
        default: break
        }
    }
}
