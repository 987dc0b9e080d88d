// Serves `GET /metrics` over HTTP/1.1, on the agent's event loop. MetricsConnection.swift speaks with one client.

import NIOCore
import NIOHTTP1
import NIOPosix

/// The metrics server while it is open.
package final class MetricsServer {
    /// What clients may ask for at once and how patient the server is with them. The initial values are the documented ones.
    package struct Limits: Sendable {
        package var connections = 32
        /// How long a client may take for a whole request, and then for reading the answer.
        package var patience: TimeAmount = .seconds(10)
        /// Bytes of a request's body, which is ignored.
        package var body = 64 << 10

        package init() {}
    }

    /// Where it listens: the port too if the configuration left that open.
    package let localAddress: SocketAddress?
    let snapshot: () -> MetricsSnapshot
    let limits: Limits
    /// Connections open now.
    package internal(set) var connections = 0
    private let channel: any Channel

    private init(channel: any Channel, limits: Limits, snapshot: @escaping () -> MetricsSnapshot) {
        (self.channel, self.limits, self.snapshot, localAddress) = (channel, limits, snapshot, channel.localAddress)
    }

    /// Listens at `address`. Called on the event loop, which also calls `snapshot`, once for each scrape.
    package static func start(
        at address: HTTPAddress,
        on eventLoop: any EventLoop,
        limits: Limits = Limits(),
        snapshot: @escaping () -> MetricsSnapshot
    ) -> EventLoopFuture<MetricsServer> {
        let slot = NIOLoopBoundBox<MetricsServer?>(nil, eventLoop: eventLoop)
        let snapshot = NIOLoopBound(snapshot, eventLoop: eventLoop)
        return ServerBootstrap(group: eventLoop, childGroup: eventLoop)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.backlog, value: 64)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard let server = slot.value else { throw ChannelError.ioOnClosedChannel }
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.configureHTTPServerPipeline(withPipeliningAssistance: true, withErrorHandling: true)
                    try pipeline.addHandler(MetricsConnection(server: server))
                }
            }
            .bind(host: address.host, port: address.port)
            .map { channel in
                let server = MetricsServer(channel: channel, limits: limits, snapshot: snapshot.value)
                slot.value = server
                return server
            }
    }

    /// Stops listening. Connections that are open end when their answers are sent, or their time is over.
    package func close() -> EventLoopFuture<Void> { channel.close() }
}
