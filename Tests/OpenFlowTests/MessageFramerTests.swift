// The stream of a connection, cut in every way, and bytes that make no sense.

import NIOCore
import NIOEmbedded
import OpenFlow
import Testing

@Suite(.timeLimit(.minutes(5)))
struct MessageFramerTests {
    private let stream = Fixture.accepted.flatMap(\.bytes)
    private let expected = Fixture.accepted.compactMap { try? Envelope(decoding: $0.buffer) }.map(InboundFrame.message)

    private func frames(of chunks: [ArraySlice<UInt8>], maxLength: Int = 65535) throws -> [InboundFrame] {
        let channel = EmbeddedChannel(handler: ByteToMessageHandler(MessageFramer(maxLength: maxLength)))
        var frames: [InboundFrame] = []
        for chunk in chunks {
            try channel.writeInbound(ByteBuffer(bytes: chunk))
            while let frame = try channel.readInbound(as: InboundFrame.self) { frames.append(frame) }
        }
        _ = try channel.finish()
        return frames
    }

    @Test func inOnePiece() throws {
        #expect(expected.count == Fixture.accepted.count)
        #expect(try frames(of: [stream[...]]) == expected)
    }

    @Test func byteByByte() throws {
        #expect(try frames(of: stream.indices.map { stream[$0...$0] }) == expected)
    }

    @Test func splitAtEveryPosition() throws {
        for index in stream.indices {
            var framer = MessageFramer()
            var buffer = ByteBuffer(bytes: stream[..<index])
            var count = 0
            while framer.next(from: &buffer) != nil { count += 1 }
            buffer.writeBytes(stream[index...])
            while let frame = framer.next(from: &buffer) {
                // What comes out is compared where the cut is; before and after it nothing has changed.
                if frame != expected[count] { Issue.record("split at \(index), message \(count)") }
                count += 1
            }
            if count != expected.count { Issue.record("split at \(index): \(count) messages") }
        }
    }

    @Test func inRandomPieces() throws {
        let seed = SeededGenerator.freshSeed(for: "inRandomPieces")
        var random = SeededGenerator(seed: seed)
        for _ in 0..<20 {
            var chunks: [ArraySlice<UInt8>] = []
            var start = 0
            while start < stream.count {
                let end = min(stream.count, start + Int.random(in: 1...500, using: &random))
                chunks.append(stream[start..<end])
                start = end
            }
            #expect(try frames(of: chunks) == expected, "seed \(seed)")
        }
    }

    @Test func aRefusedMessageDoesNotDisturbTheNext() throws {
        let echo = try Envelope(xid: 9, message: .echoRequest(ByteBuffer())).encoded()
        for fixture in Fixture.rejected {
            let frames = try frames(of: [(fixture.bytes + echo)[...]])
            try #require(frames.count == 2, "\(fixture.name)")
            guard case .refused(let refused) = frames[0] else {
                Issue.record("\(fixture.name): \(frames[0])")
                continue
            }
            #expect(refused.error.name == fixture.error)
            #expect(refused.xid == 5)
            #expect(Array(refused.offender.readableBytesView) == Array(fixture.bytes.prefix(64)))
            #expect(frames[1] == .message(Envelope(xid: 9, message: .echoRequest(ByteBuffer()))))
            guard case .error(let error) = refused.reply.message else {
                Issue.record("\(fixture.name): \(refused.reply)")
                continue
            }
            #expect(refused.reply.xid == 5)
            #expect(error.error == refused.error)
            #expect(error.data == refused.offender)
        }
    }

    @Test(arguments: 0..<8)
    func aLengthBelowTheHeadersBreaksTheStream(_ length: Int) throws {
        let echo = try Envelope(xid: 9, message: .echoRequest(ByteBuffer())).encoded()
        let broken: [UInt8] = [4, 2, 0, UInt8(length), 0, 0, 0, 7]
        let frames = try frames(of: [(echo + broken + echo)[...], echo[...]])
        try #require(frames.count == 2)
        guard case .broken(let refused) = frames[1] else {
            Issue.record("\(frames[1])")
            return
        }
        #expect(refused.error == .badRequest(.badLength))
        #expect(refused.xid == 7)
    }

    /// What the answer quotes has to be there, and no more.
    @Test func aLengthAboveTheLimitBreaksTheStreamBeforeItsBytesAreThere() throws {
        let bytes: [UInt8] = [4, 2, 1, 0, 0, 0, 0, 7] + [UInt8](repeating: 3, count: 56)
        #expect(try frames(of: [bytes.dropLast()], maxLength: 255).isEmpty)
        let frames = try frames(of: bytes.indices.map { bytes[$0...$0] } + [[1, 2, 3]], maxLength: 255)
        try #require(frames.count == 1)
        guard case .broken(let refused) = frames[0] else {
            Issue.record("\(frames[0])")
            return
        }
        #expect(refused.error == .badRequest(.badLength))
        #expect(refused.xid == 7)
        #expect(Array(refused.offender.readableBytesView) == bytes)
    }

    /// The bytes of a message decide what is answered, not how they have come.
    @Test func theAnswerToABrokenStreamQuotesTheHeader() throws {
        let bytes: [UInt8] = [4, 2, 0, 3, 0, 0, 0, 7, 9, 9]
        for count in 1...bytes.count {
            let chunks = [bytes[..<count]] + bytes[count...].indices.map { bytes[$0...$0] }
            guard case .broken(let refused)? = try frames(of: chunks).first else {
                Issue.record("first \(count) bytes together")
                continue
            }
            #expect(refused.xid == 7 && Array(refused.offender.readableBytesView) == Array(bytes.prefix(8)))
        }
    }

    /// A peer that is killed in the middle of a message is no error.
    @Test func anUnfinishedMessageIsDroppedWhenTheConnectionEnds() throws {
        let echo = try Envelope(xid: 9, message: .echoRequest(ByteBuffer())).encoded()
        #expect(try frames(of: [(echo + echo.dropLast())[...]]).count == 1)
    }

    @Test func serializerWritesWhatTheFramerReads() throws {
        let channel = EmbeddedChannel(handler: MessageToByteHandler(MessageSerializer()))
        for frame in expected {
            guard case .message(let envelope) = frame else { continue }
            try channel.writeOutbound(envelope)
        }
        var bytes: [UInt8] = []
        while var buffer = try channel.readOutbound(as: ByteBuffer.self) {
            bytes += buffer.readBytes(length: buffer.readableBytes) ?? []
        }
        #expect(bytes == stream)
    }

    @Test func serializerRefusesWhatIsTooLong() throws {
        let channel = EmbeddedChannel(handler: MessageToByteHandler(MessageSerializer()))
        let tooLong = Envelope(xid: 1, message: .echoReply(ByteBuffer(repeating: 0, count: 65528)))
        #expect(throws: OpenFlowError.badRequest(.badLength)) { try channel.writeOutbound(tooLong) }
        #expect(try channel.readOutbound(as: ByteBuffer.self) == nil)
        let longest = Envelope(xid: 1, message: .echoReply(ByteBuffer(repeating: 0, count: 65527)))
        #expect(try longest.encoded().count == 65535)
    }

    /// Frames of random bytes with a plausible header: whatever decodes says the same when it is encoded and decoded
    /// again.
    @Test func randomBytesNeverCrash() throws {
        let seed = SeededGenerator.freshSeed(for: "randomBytesNeverCrash")
        var random = SeededGenerator(seed: seed)
        for _ in 0..<1_000_000 {
            let length = Int.random(in: 8...96, using: &random)
            var bytes = ByteBuffer()
            bytes.writeMultipleIntegers(
                UInt8(4),
                UInt8.random(in: 0...30, using: &random),
                UInt16(length),
                UInt32(1)
            )
            while bytes.readableBytes < length {
                // Mostly small numbers, so that lengths and types are often possible ones.
                let word = random.next()
                bytes.writeInteger(UInt8(truncatingIfNeeded: word & 3 == 0 ? word >> 8 : word >> 8 & 0x19))
            }
            guard check(bytes, seed) else { return }
        }
    }

    /// Real messages with a few bytes changed, cut or lengthened.
    @Test func mutatedMessagesNeverCrash() throws {
        let seed = SeededGenerator.freshSeed(for: "mutatedMessagesNeverCrash")
        var random = SeededGenerator(seed: seed)
        let originals = (Fixture.accepted + Fixture.rejected).map(\.bytes)
        for _ in 0..<300_000 {
            var bytes = originals.randomElement(using: &random) ?? []
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let index = Int.random(in: 4..<bytes.count, using: &random)
                bytes[index] =
                    [0, 1, 0xff, bytes[index] ^ 1 << (random.next() & 7), UInt8(truncatingIfNeeded: random.next())]
                    .randomElement(using: &random) ?? 0
            }
            if random.next() & 3 == 0 {
                bytes = Array(bytes.prefix(Int.random(in: 8...bytes.count, using: &random)))
                bytes[2] = UInt8(bytes.count >> 8)
                bytes[3] = UInt8(bytes.count & 0xff)
            }
            guard check(ByteBuffer(bytes: bytes), seed) else { return }
        }
    }

    /// Whether the bytes are refused, or mean the same after another round trip. Reports it if not.
    private func check(_ bytes: ByteBuffer, _ seed: UInt64) -> Bool {
        guard let envelope = try? Envelope(decoding: bytes) else { return true }
        _ = envelope.message.texts
        do {
            let again = try Envelope(decoding: ByteBuffer(bytes: envelope.encoded()))
            if again == envelope { return true }
            Issue.record("seed \(seed): \(envelope) became \(again)")
        } catch {
            Issue.record("seed \(seed): \(envelope): \(error)")
        }
        return false
    }
}
