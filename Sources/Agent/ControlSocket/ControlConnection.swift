// One peer of the control socket: takes its requests line by line, one at a time, and answers each before it reads the next.
// A peer that is slow, silent or talks nonsense costs a connection for a minute, and nothing else.

import NIOCore
import NIOFoundationCompat

final class ControlConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let server: ControlServer
    private var received = ByteBuffer()
    /// A request is with the handler, or its answer on the way to the peer: nothing is read meanwhile.
    private var isAnswering = false
    private var inputHasEnded = false
    private var timer: Scheduled<Void>?

    init(server: ControlServer) { self.server = server }

    func channelActive(context: ChannelHandlerContext) {
        server.connections += 1
        guard server.connections <= server.limits.connections else {
            answer(
                .failure("there are \(server.limits.connections) connections already"),
                context: context,
                thenClose: true
            )
            return
        }
        wait(context)
        context.read()
    }

    func channelInactive(context: ChannelHandlerContext) {
        server.connections -= 1
        timer?.cancel()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        received.writeImmutableBuffer(unwrapInboundIn(data))
    }

    func channelReadComplete(context: ChannelHandlerContext) { proceed(context) }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard let event = event as? ChannelEvent, event == .inputClosed else { return }
        inputHasEnded = true
        proceed(context)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    /// Takes the next request, or waits for it.
    private func proceed(_ context: ChannelHandlerContext) {
        while !isAnswering, let line = nextLine() {
            let text = line.readableBytesView
            guard !text.allSatisfy({ $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\r") || $0 == UInt8(ascii: "\t") })
            else { continue }
            guard text.count <= server.limits.request else { return refuseLength(context) }
            do throws(ControlRequest.Refusal) {
                let request = try ControlRequest(parsing: text)
                isAnswering = true
                timer?.cancel()
                server.handler.handle(request) { reply in self.answer(reply, context: context) }
            } catch {
                answer(.failure(error.description), context: context)
            }
        }
        if isAnswering { return }
        if received.readableBytes > server.limits.request { return refuseLength(context) }
        if inputHasEnded { return context.close(promise: nil) }
        context.read()
    }

    /// The next line without its end; at the end of the input what is left.
    private func nextLine() -> ByteBuffer? {
        let view = received.readableBytesView
        if let end = view.firstIndex(of: UInt8(ascii: "\n")) {
            let line = received.readSlice(length: end - view.startIndex)
            received.moveReaderIndex(forwardBy: 1)
            received.discardReadBytes()
            return line
        }
        guard inputHasEnded, received.readableBytes > 0 else { return nil }
        return received.readSlice(length: received.readableBytes)
    }

    private func refuseLength(_ context: ChannelHandlerContext) {
        answer(.failure("the request has more than \(server.limits.request) bytes"), context: context, thenClose: true)
    }

    private func answer(_ reply: ControlReply, context: ChannelHandlerContext, thenClose: Bool = false) {
        guard context.channel.isActive else { return }
        isAnswering = true
        var line = context.channel.allocator.buffer(capacity: 512)
        line.writeData(reply.line)
        line.writeInteger(UInt8(ascii: "\n"))
        wait(context)
        context.writeAndFlush(wrapOutboundOut(line)).assumeIsolated().whenComplete { result in
            if case .failure = result { return context.close(promise: nil) }
            if thenClose { return context.close(promise: nil) }
            self.isAnswering = false
            self.wait(context)
            self.proceed(context)
        }
    }

    /// Gives the peer its time anew.
    private func wait(_ context: ChannelHandlerContext) {
        timer?.cancel()
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: server.limits.patience) {
            context.close(promise: nil)
        }
    }
}
