// Two ends of a connection, each an EmbeddedChannel, whose bytes are carried by hand: whole, byte by byte, broken, or not at all.
// That other programs understand what is said here, the live tests show.

import NIOCore
import NIOEmbedded
import TLS
import Testing

/// What a handler behind TLS sees.
private final class Observer: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private(set) var events: [String] = []
    private(set) var bytes = ByteBuffer()
    private(set) var errors: [String] = []

    func channelActive(context: ChannelHandlerContext) { events.append("active") }
    func channelInactive(context: ChannelHandlerContext) { events.append("inactive") }
    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var read = unwrapInboundIn(data)
        bytes.writeBuffer(&read)
    }
    func errorCaught(context: ChannelHandlerContext, error: any Error) { errors.append("\(error)") }
}

/// Counts what comes to the socket, flushed or not.
private final class Counter: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer
    private(set) var bytes = 0

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        bytes += unwrapOutboundIn(data).readableBytes
        context.write(data, promise: promise)
    }
}

private final class End {
    let channel = EmbeddedChannel()
    let observer = Observer()
    private(set) var peer: TLSPeer?
    private(set) var failure: String?

    init(_ files: TLSFiles, _ role: TLSRole) throws {
        let handler = TLSHandler(context: try TLSContext(files: files), role: role) { [weak self] channel, result in
            guard let self else { return }
            switch result {
            case .success(let peer):
                self.peer = peer
                try channel.pipeline.syncOperations.addHandler(observer)
            case .failure(let error): failure = error.reason
            }
        }
        try channel.pipeline.syncOperations.addHandler(handler)
    }

    deinit { _ = try? channel.finish(acceptAlreadyClosed: true) }

    func connect() throws { try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait() }

    /// What it has to send.
    func output() throws -> ByteBuffer? {
        var all: ByteBuffer?
        while var next = try channel.readOutbound(as: ByteBuffer.self) { all.setOrWriteBuffer(&next) }
        return all
    }

    func input(_ bytes: ByteBuffer) throws {
        guard channel.isActive else { return }
        channel.pipeline.fireChannelRead(bytes)
        channel.pipeline.fireChannelReadComplete()
    }
}

private struct Pair {
    let client: End
    let server: End

    init(_ pki: PKI, client: TLSFiles? = nil, server: TLSFiles? = nil) throws {
        self.client = try End(
            client ?? pki.files(of: "switch", trusting: "ours"),
            .client(serverName: "controller.example")
        )
        self.server = try End(server ?? pki.files(of: "controller", trusting: "ours"), .server)
        try self.server.connect()
        try self.client.connect()
    }

    /// Carries bytes both ways until there are none, `step` of them at a time.
    func carry(step: Int = .max) throws {
        var isMoving = true
        while isMoving {
            isMoving = false
            for (from, to) in [(client, server), (server, client)] {
                guard var bytes = try from.output() else { continue }
                isMoving = true
                while let slice = bytes.readSlice(length: min(step, bytes.readableBytes)), slice.readableBytes > 0 {
                    try to.input(slice)
                }
            }
        }
    }
}

@Suite(.timeLimit(.minutes(1)))
struct TLSHandlerTests {
    private let pki: PKI

    init() throws { pki = try PKI() }

    @Test(arguments: [Int.max, 1, 7])
    func handshakeAndDataInPieces(step: Int) throws {
        let pair = try Pair(pki)
        #expect(pair.client.observer.events.isEmpty)
        try pair.carry(step: step)
        #expect(pair.client.peer?.subject == "CN=controller,O=Ringway tests")
        #expect(pair.server.peer?.subject == "CN=switch,O=Ringway tests")
        #expect(pair.server.peer?.version == "TLSv1.3")
        for (from, to) in [(pair.client, pair.server), (pair.server, pair.client)] {
            #expect(from.observer.events == ["active"])
            // Many small writes, one that is longer than a record, and one more.
            var expected = ByteBuffer()
            for index in 0..<100 {
                from.channel.write(ByteBuffer(repeating: UInt8(index), count: 20), promise: nil)
                expected.writeRepeatingByte(UInt8(index), count: 20)
            }
            let long = ByteBuffer(bytes: (0..<50_000).map { UInt8(truncatingIfNeeded: $0 &* 31) })
            from.channel.write(long, promise: nil)
            expected.writeImmutableBuffer(long)
            let written = from.channel.writeAndFlush(ByteBuffer(string: "end"))
            expected.writeString("end")
            try pair.carry(step: step)
            try written.wait()
            #expect(to.observer.bytes == expected)
            #expect(to.observer.errors.isEmpty)
        }
    }

    /// Hundreds of messages make a few records, not as many.
    @Test func smallWritesShareRecords() throws {
        let pair = try Pair(pki)
        try pair.carry()
        for _ in 0..<500 { pair.client.channel.write(ByteBuffer(repeating: 0, count: 10), promise: nil) }
        #expect(try pair.client.output() == nil, "nothing is sent before a flush")
        pair.client.channel.flush()
        #expect(try #require(try pair.client.output()).readableBytes < 5_000 + 50)
    }

    /// What waits to be flushed is passed on record by record, so that the channel counts it.
    @Test func muchThatIsWrittenWaitsInTheChannel() throws {
        let pair = try Pair(pki)
        try pair.carry()
        let counter = Counter()
        try pair.client.channel.pipeline.syncOperations.addHandler(counter, position: .first)
        for _ in 0..<100 { pair.client.channel.write(ByteBuffer(repeating: 0, count: 10_000), promise: nil) }
        #expect(counter.bytes > 1_000_000 - 20_000)
        pair.client.channel.flush()
        try pair.carry()
        #expect(pair.server.observer.bytes.readableBytes == 1_000_000)
    }

    @Test func closingSaysSo() throws {
        let pair = try Pair(pki)
        try pair.carry()
        pair.client.channel.write(ByteBuffer(string: "last words"), promise: nil)
        pair.client.channel.close(promise: nil)
        #expect(pair.client.observer.events == ["active", "inactive"])
        try pair.carry()
        #expect(String(buffer: pair.server.observer.bytes) == "last words")
        #expect(pair.server.observer.events == ["active", "inactive"], "the other side's close_notify closes")
        #expect(pair.server.observer.errors.isEmpty)
        #expect(throws: ChannelError.self) { try pair.server.channel.writeAndFlush(ByteBuffer(string: "x")).wait() }
    }

    @Test func aConnectionThatIsCutOff() throws {
        let pair = try Pair(pki)
        try pair.carry()
        let written = pair.client.channel.write(ByteBuffer(string: "never flushed"))
        _ = try pair.client.channel.finish(acceptAlreadyClosed: true)
        try written.wait()
        let cut = pair.server.channel.write(ByteBuffer(string: "never sent"))
        pair.server.channel.pipeline.fireChannelInactive()
        #expect(throws: ChannelError.self) { try cut.wait() }
        #expect(pair.server.observer.events == ["active", "inactive"])
    }

    @Test func oneDirectionCannotBeClosed() throws {
        let pair = try Pair(pki)
        try pair.carry()
        for mode in [CloseMode.input, .output] {
            #expect(throws: ChannelError.operationUnsupported) { try pair.client.channel.close(mode: mode).wait() }
        }
        #expect(pair.client.channel.isActive)
    }

    // MARK: Peers that are not trusted

    @Test func aClientOfAnotherAuthority() throws {
        let pair = try Pair(pki, client: pki.files(of: "stranger", trusting: "ours"))
        try pair.carry()
        #expect(pair.server.peer == nil && pair.server.observer.events.isEmpty)
        #expect(pair.server.failure?.hasPrefix("certificate verify failed: ") == true)
        #expect(!pair.server.channel.isActive)
        // To a client of TLS 1.3 the handshake is done before its certificate is looked at.
        #expect(pair.client.observer.errors == ["TLS: tlsv1 alert unknown ca"])
        #expect(!pair.client.channel.isActive)
    }

    @Test func aServerOfAnotherAuthority() throws {
        let pair = try Pair(pki, server: pki.files(of: "stranger", trusting: "ours"))
        try pair.carry()
        #expect(pair.client.peer == nil)
        #expect(pair.client.failure?.hasPrefix("certificate verify failed: ") == true)
        #expect(pair.server.peer == nil && pair.server.failure == "tlsv1 alert unknown ca")
    }

    // MARK: Peers that are slow or broken

    @Test func aHandshakeThatStalls() throws {
        for sendsHello in [false, true] {
            let pair = try Pair(pki)
            if sendsHello { try pair.server.input(try #require(try pair.client.output())) }
            pair.server.channel.embeddedEventLoop.advanceTime(by: .seconds(9))
            #expect(pair.server.channel.isActive)
            pair.server.channel.embeddedEventLoop.advanceTime(by: .seconds(1))
            #expect(!pair.server.channel.isActive)
            #expect(pair.server.failure == "the handshake was not done within 10 s")
        }
    }

    @Test func noTimeoutWhenTheHandshakeIsDone() throws {
        let pair = try Pair(pki)
        try pair.carry()
        pair.server.channel.embeddedEventLoop.advanceTime(by: .seconds(100))
        #expect(pair.server.channel.isActive)
    }

    @Test func closedDuringTheHandshake() throws {
        let pair = try Pair(pki)
        pair.client.channel.close(promise: nil)
        #expect(pair.client.failure == "closed during the handshake" && pair.client.observer.events.isEmpty)
    }

    @Test func plainBytes() throws {
        for text in ["GET / HTTP/1.1\r\n\r\n", "\u{4}\u{0}\u{0}\u{8}\u{0}\u{0}\u{0}\u{1}"] {
            let pair = try Pair(pki)
            try pair.server.input(ByteBuffer(string: text))
            #expect(pair.server.failure != nil && !pair.server.channel.isActive, "\(text)")
        }
    }

    /// One byte of the handshake, or of a record behind it, is another one: the connection ends, and no wrong byte comes out.
    @Test func everyByteMatters() throws {
        for position in stride(from: 0, to: 1_000, by: 3) {
            let pair = try Pair(pki)
            var hello = try #require(try pair.client.output())
            guard position < hello.readableBytes else {
                try pair.server.input(hello)
                try pair.carry()
                pair.client.channel.writeAndFlush(ByteBuffer(string: "a message"), promise: nil)
                var record = try #require(try pair.client.output())
                Self.flip(&record, position)
                try pair.server.input(record)
                #expect(pair.server.observer.bytes.readableBytes == 0)
                // A length that has grown is waited for.
                #expect(!pair.server.channel.isActive || (3...4).contains(position % record.writerIndex))
                continue
            }
            Self.flip(&hello, position)
            try pair.server.input(hello)
            try pair.carry()
            #expect(pair.server.observer.bytes.readableBytes == 0)
            #expect(pair.client.peer == nil || pair.server.peer != nil || !pair.server.channel.isActive)
        }
    }

    private static func flip(_ bytes: inout ByteBuffer, _ position: Int) {
        let index = bytes.readerIndex + position % bytes.readableBytes
        bytes.setInteger((bytes.getInteger(at: index, as: UInt8.self) ?? 0) ^ 0x55, at: index)
    }

    @Test func randomBytes() throws {
        for _ in 0..<200 {
            let pair = try Pair(pki)
            var bytes = ByteBuffer(bytes: (0..<Int.random(in: 1...2_000)).map { _ in UInt8.random(in: .min ... .max) })
            // Half of them look like a handshake at the beginning.
            if Bool.random() { bytes.setBytes([0x16, 3, 1], at: 0) }
            try pair.server.input(bytes)
            #expect(pair.server.peer == nil)
        }
    }
}
