// One client of the metrics server. Requests are answered one at a time; a client that is slow or silent is cut off.

import NIOCore
import NIOHTTP1

final class MetricsConnection: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let server: MetricsServer
    private var head: HTTPRequestHead?
    private var bodyBytes = 0
    private var timer: Scheduled<Void>?

    init(server: MetricsServer) { self.server = server }

    func handlerAdded(context: ChannelHandlerContext) {
        server.connections += 1
        wait(context)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        server.connections -= 1
        timer?.cancel()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): (self.head, bodyBytes) = (head, 0)
        case .body(let bytes):
            bodyBytes += bytes.readableBytes
            guard let head, bodyBytes > server.limits.body else { return }
            self.head = nil
            respond(context, to: head, .payloadTooLarge, "The request's body is too large.\n", thenClose: true)
        case .end:
            guard let head else { return }
            self.head = nil
            respond(context, to: head)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // The error handler before this one has answered 400 by now.
        if let event = event as? ChannelEvent, event == .inputClosed { context.close(promise: nil) }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func respond(_ context: ChannelHandlerContext, to head: HTTPRequestHead) {
        let path = head.uri.prefix { $0 != "?" && $0 != "#" }
        if server.connections > server.limits.connections {
            respond(context, to: head, .serviceUnavailable, "There are too many connections.\n", thenClose: true)
        } else if path != "/metrics" {
            respond(context, to: head, .notFound, "Metrics are at /metrics.\n")
        } else if head.method != .GET && head.method != .HEAD {
            respond(
                context,
                to: head,
                .methodNotAllowed,
                "GET and HEAD are answered here.\n",
                extra: [("Allow", "GET, HEAD")]
            )
        } else {
            respond(
                context,
                to: head,
                .ok,
                server.snapshot().prometheusText,
                type: "text/plain; version=0.0.4; charset=utf-8"
            )
        }
    }

    private func respond(
        _ context: ChannelHandlerContext,
        to head: HTTPRequestHead,
        _ status: HTTPResponseStatus,
        _ text: String,
        type: String = "text/plain; charset=utf-8",
        extra: [(String, String)] = [],
        thenClose: Bool = false
    ) {
        let close = thenClose || !head.isKeepAlive
        var headers = HTTPHeaders([("Content-Type", type), ("Content-Length", "\(text.utf8.count)")] + extra)
        if close {
            headers.add(name: "Connection", value: "close")
        } else if head.version == .http1_0 {
            headers.add(name: "Connection", value: "keep-alive")
        }
        wait(context)
        context.write(
            wrapOutboundOut(.head(HTTPResponseHead(version: head.version, status: status, headers: headers))),
            promise: nil
        )
        if head.method != .HEAD {
            context.write(
                wrapOutboundOut(.body(.byteBuffer(context.channel.allocator.buffer(string: text)))),
                promise: nil
            )
        }
        context.writeAndFlush(wrapOutboundOut(.end(nil))).assumeIsolated().whenComplete { result in
            if case .failure = result { return context.close(promise: nil) }
            if close { context.close(promise: nil) } else { self.wait(context) }
        }
    }

    /// Gives the client its time anew: for its next request, or for reading the answer.
    private func wait(_ context: ChannelHandlerContext) {
        timer?.cancel()
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: server.limits.patience) {
            context.close(promise: nil)
        }
    }
}
