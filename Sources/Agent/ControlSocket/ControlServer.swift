// Listens at the control socket. ControlConnection.swift speaks with one peer; what the requests do is up to the
// ControlRequestHandler. All of it lives on one event loop.

import Foundation
import NIOCore
import NIOPosix

/// The control socket while it is open.
package final class ControlServer {
    /// What peers may ask for at once and how patient the server is with them. The initial values are the documented ones.
    package struct Limits: Sendable {
        package var connections = 32
        /// Bytes of one request.
        package var request = 64 << 10
        /// How long a peer may take for its next request, and then for reading the answer.
        package var patience: TimeAmount = .seconds(60)

        package init() {}
    }

    package let path: String
    let handler: any ControlRequestHandler
    let limits: Limits
    /// Connections open now.
    package internal(set) var connections = 0
    private var channel: (any Channel)?

    private init(path: String, handler: any ControlRequestHandler, limits: Limits) {
        (self.path, self.handler, self.limits) = (path, handler, limits)
    }

    /// Opens the socket at `path`, mode 0600, in place of one that an agent left behind. Fails with `UnixListener.ListenError` if
    /// another agent listens there. Called on the event loop, which also calls the handler.
    package static func start(
        path: String,
        on eventLoop: any EventLoop,
        handler: any ControlRequestHandler,
        limits: Limits = Limits()
    ) -> EventLoopFuture<ControlServer> {
        let descriptor: CInt
        do throws(UnixListener.ListenError) {
            descriptor = try UnixListener.open(path: path)
        } catch {
            return eventLoop.makeFailedFuture(error)
        }
        let server = NIOLoopBound(ControlServer(path: path, handler: handler, limits: limits), eventLoop: eventLoop)
        return ServerBootstrap(group: eventLoop, childGroup: eventLoop)
            .childChannelOption(.autoRead, value: false)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(ControlConnection(server: server.value))
                }
            }
            .withBoundSocket(descriptor)
            .map { channel in
                server.value.channel = channel
                return server.value
            }
    }

    /// Stops listening and removes the socket's file. Connections that are open stay until their peers close them.
    package func close() -> EventLoopFuture<Void>? {
        guard let channel else { return nil }
        self.channel = nil
        unsafe unlink(path)
        return channel.close()
    }
}
