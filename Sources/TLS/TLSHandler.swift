// TLS between a socket and the handlers of what is spoken over it.
//
//   ┌─────────┐ active ┌─────────────┐ handshake done ┌──────┐ close, failure, ┌────────┐
//   │ waiting │ ─────▶ │ handshaking │ ─────────────▶ │ open │ ──────────────▶ │ closed │
//   └─────────┘        └─────────────┘                └──────┘  peer is gone   └────────┘
//                             │ refused, broken off, 10 s are over                ▲
//                             └───────────────────────────────────────────────────┘

import NIOCore

/// The first handler of a channel over a TCP socket. The handlers behind it see a channel like any other, which becomes active when the
/// handshake is done: they are to be added by `onHandshake`.
///
/// When the other side says that no more comes, the channel is closed, after what has come in has been worked on: as it is without TLS.
/// So it is after any failure, which goes through the pipeline as an error first. Closing sends what was written and flushed, as far as
/// the socket takes it, and a close_notify, and does not wait for the other side's. One direction alone cannot be closed.
package final class TLSHandler: ChannelDuplexHandler {
    package typealias InboundIn = ByteBuffer
    package typealias InboundOut = ByteBuffer
    package typealias OutboundIn = ByteBuffer
    package typealias OutboundOut = ByteBuffer

    /// Called once: when the handshake is done, or the channel is closed before. If it throws, the channel is closed.
    package typealias OnHandshake = (Channel, Result<TLSPeer, TLSError>) throws -> Void

    /// How long a handshake may take. Long enough for a controller that all its switches come back to at once.
    package static let handshakeTimeout = TimeAmount.seconds(10)

    /// The most plaintext that a record has (RFC 8446 §5.1): so much is gathered, up to a flush, before it is encrypted.
    private static let longestRecord = 16_384

    private enum Stage { case waiting, handshaking, open, closed }

    private var stage = Stage.waiting
    private var connection: TLSConnection
    private var onHandshake: OnHandshake?
    private var timeout: Scheduled<Void>?
    /// Why the handshake has come to nothing, if this side knows.
    private var failure: TLSError?
    /// The other side has said that no more comes.
    private var isEnded = false

    /// Written, but not encrypted yet.
    private var plaintext = ByteBuffer()
    private var promises: [EventLoopPromise<Void>] = []

    package init(context: TLSContext, role: TLSRole, onHandshake: @escaping OnHandshake) {
        connection = TLSConnection(context: context, role: role)
        self.onHandshake = onHandshake
    }

    // MARK: The channel's life

    package func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { start(context) }
    }

    package func channelActive(context: ChannelHandlerContext) { start(context) }

    private func start(_ context: ChannelHandlerContext) {
        guard stage == .waiting else { return }
        stage = .handshaking
        timeout = context.eventLoop.assumeIsolated().scheduleTask(in: Self.handshakeTimeout) { [weak self] in
            guard let self, stage == .handshaking else { return }
            let limit = Self.handshakeTimeout.nanoseconds / 1_000_000_000
            fail(TLSError(reason: "the handshake was not done within \(limit) s"), context)
        }
        advance(context)
    }

    /// The handshake is done.
    private func open(_ context: ChannelHandlerContext) {
        stage = .open
        timeout?.cancel()
        guard let onHandshake else { return }
        self.onHandshake = nil
        do {
            try onHandshake(context.channel, .success(connection.peer))
        } catch {
            context.fireErrorCaught(error)
            context.close(promise: nil)
            return
        }
        context.fireChannelActive()
        encrypt(context)
        context.flush()
    }

    package func channelInactive(context: ChannelHandlerContext) {
        let wasOpen = onHandshake == nil
        stage = .closed
        timeout?.cancel()
        failPromises(ChannelError.ioOnClosedChannel)
        if let onHandshake {
            self.onHandshake = nil
            // It has a reason to be told, and nothing to do that could fail.
            try? onHandshake(context.channel, .failure(failure ?? TLSError(reason: "closed during the handshake")))
        }
        if wasOpen { context.fireChannelInactive() }
    }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if stage == .handshaking { failure = failure ?? TLSError(reason: "\(error)") }
        context.fireErrorCaught(error)
    }

    private func fail(_ error: TLSError, _ context: ChannelHandlerContext) {
        let wasOpen = stage == .open
        failure = failure ?? error
        stage = .closed
        // The alert that tells the other side.
        sendOutput(context)
        if wasOpen { context.fireErrorCaught(error) }
        context.close(promise: nil)
    }

    // MARK: In

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard stage == .handshaking || stage == .open, !isEnded else { return }
        connection.receive(unwrapInboundIn(data))
        advance(context)
    }

    package func channelReadComplete(context: ChannelHandlerContext) {
        context.fireChannelReadComplete()
        if isEnded { close(context: context, mode: .all, promise: nil) }
    }

    /// Does what can be done with what has come in.
    private func advance(_ context: ChannelHandlerContext) {
        do throws(TLSError) {
            if stage == .handshaking {
                let isDone = try connection.handshake()
                sendOutput(context)
                guard isDone else { return }
                open(context)
            }
        } catch {
            fail(error, context)
            return
        }
        if stage == .open { read(context) }
    }

    /// Decrypts what has come in: as one piece, which is no longer than what came.
    private func read(_ context: ChannelHandlerContext) {
        var bytes = ByteBuffer()
        var failure: TLSError?
        do throws(TLSError) {
            reading: while true {
                switch try connection.read(into: &bytes) {
                case .something: continue
                case .nothing: break reading
                case .end:
                    isEnded = true
                    break reading
                }
            }
        } catch {
            failure = error
        }
        // Alerts, and answers to a change of keys.
        if failure == nil { sendOutput(context) }
        if bytes.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(bytes)) }
        if let failure, stage == .open { fail(failure, context) }
    }

    // MARK: Out

    package func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard stage != .closed else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        var bytes = unwrapOutboundIn(data)
        plaintext.writeBuffer(&bytes)
        if let promise { promises.append(promise) }
        // So that the channel knows how much waits, and says when it is too much.
        if stage == .open, plaintext.readableBytes >= Self.longestRecord { encrypt(context) }
    }

    package func flush(context: ChannelHandlerContext) {
        if stage == .open { encrypt(context) }
        context.flush()
    }

    /// Encrypts what was written.
    private func encrypt(_ context: ChannelHandlerContext) {
        guard plaintext.readableBytes > 0 || !promises.isEmpty else { return }
        if plaintext.readableBytes > 0 {
            do throws(TLSError) {
                try connection.write(plaintext)
            } catch {
                fail(error, context)
                failPromises(error)
                return
            }
        }
        if plaintext.capacity > 4 * Self.longestRecord { plaintext = ByteBuffer() } else { plaintext.clear() }
        let promise = promises.first
        for other in promises.dropFirst() { promise?.futureResult.cascade(to: other) }
        promises.removeAll(keepingCapacity: true)
        context.write(wrapOutboundOut(connection.takeOutput() ?? ByteBuffer()), promise: promise)
    }

    private func sendOutput(_ context: ChannelHandlerContext) {
        guard let bytes = connection.takeOutput() else { return }
        context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
    }

    private func failPromises(_ error: any Error) {
        let failed = promises
        promises.removeAll()
        for promise in failed { promise.fail(error) }
    }

    package func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        guard mode == .all else {
            promise?.fail(ChannelError.operationUnsupported)
            return
        }
        if stage == .open { encrypt(context) }
        // Encrypting may have failed.
        if stage == .open {
            stage = .closed
            connection.shutDown()
            sendOutput(context)
        }
        context.close(promise: promise)
    }
}
