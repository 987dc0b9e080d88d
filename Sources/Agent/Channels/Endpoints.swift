// Where OpenFlow connections come from: addresses we listen at, and controllers that we connect to and, when they are lost,
// connect to again. All on the agent's event loop.

import Glibc
import Logging
import NIOCore
import NIOPosix
import OpenFlow
import TLS

final class Endpoints {
    private let group: any EventLoopGroup
    private let loop: any EventLoop
    private let requests: SwitchRequests
    private let log: Logger
    /// The settings for connections to come.
    private(set) var settings: Configuration.OpenFlow
    /// What TLS connections are made with, if `openflow.tls` is there.
    private var certificates: Certificates?

    private var listeners: [ListenAddress: Channel] = [:]
    private var controllers: [ControllerAddress: ControllerLink] = [:]
    /// Connections that came in over TCP, and over Unix sockets: these have a limit of their own, so that nobody on the network can
    /// lock out who administers the machine.
    private var accepted = (tcp: 0, unix: 0)

    init(
        group: any EventLoopGroup,
        loop: any EventLoop,
        requests: SwitchRequests,
        settings: Configuration.OpenFlow,
        log: Logger
    ) {
        self.group = group
        self.loop = loop
        self.requests = requests
        self.settings = settings
        self.log = log
    }

    /// Puts other settings in force for connections to come, and reads the files of `openflow.tls` again. Whether these have changed
    /// since they were last read. Throws what is wrong with them, and then the settings stay as they were.
    func use(_ new: Configuration.OpenFlow) throws(TLSFiles.Failure) -> Bool {
        let old = certificates
        if let files = new.tls { certificates = try Certificates(files: files, log: log) } else { certificates = nil }
        settings = new
        guard let old, let certificates else { return false }
        return certificates.stamp != old.stamp
    }

    // MARK: Listening

    /// Listens at an address.
    func listen(at address: ListenAddress) -> EventLoopFuture<Void> {
        let bound = NIOLoopBound(self, eventLoop: loop)
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            // With a shorter queue the kernel drops the last step of some of many connections at once: their peers take them
            // for open, and nobody ever closes them.
            .serverChannelOption(.backlog, value: 1024)
            .childChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in bound.value.accept(channel, at: address) }
        let channel: EventLoopFuture<any Channel>
        switch address {
        case .tcp(let host, let port), .tls(let host, let port):
            channel = bootstrap.childChannelOption(.tcpOption(.tcp_nodelay), value: 1).bind(host: host, port: port)
        case .unix(let path):
            // A socket that another agent listens at is left to it.
            do throws(UnixListener.ListenError) {
                channel = bootstrap.withBoundSocket(try UnixListener.open(path: path))
            } catch {
                return loop.makeFailedFuture(error)
            }
        }
        return channel.flatMapErrorThrowing { error in
            throw Agent.StartError(description: "openflow.listen \(address): \(reason(of: error))")
        }.map { channel in
            let endpoints = bound.value
            endpoints.listeners[address] = channel
            endpoints.log.info("listening", metadata: ["at": "\(address)"])
        }
    }

    /// Stops listening; connections that are open stay.
    func stopListening(at address: ListenAddress) {
        guard let channel = listeners.removeValue(forKey: address) else { return }
        channel.close(promise: nil)
        if case .unix(let path) = address { unlink(path) }
    }

    private func accept(_ channel: Channel, at address: ListenAddress) -> EventLoopFuture<Void> {
        let isUnix = if case .unix = address { true } else { false }
        guard (isUnix ? accepted.unix : accepted.tcp) < settings.maxConnections else {
            log.warning("refused a connection: openflow.max_connections are open", metadata: ["at": "\(address)"])
            return channel.eventLoop.makeCompletedFuture {
                let handlers = channel.pipeline.syncOperations
                try handlers.addHandler(MessageToByteHandler(MessageSerializer()))
                try handlers.addHandler(RefusedConnection())
            }
        }
        count(isUnix, +1)
        let peer =
            channel.remoteAddress.flatMap { remote in remote.ipAddress.map { "\($0):\(remote.port ?? 0)" } } ?? "unix"
        // Tools may be silent for a minute.
        let probe = isUnix ? .seconds(60) : settings.inactivityProbe
        let closed = channel.closeFuture.assumeIsolated()
        closed.whenComplete { [weak self] _ in self?.count(isUnix, -1) }
        return addHandlers(
            to: channel,
            tls: address.needsTLS ? .server : nil,
            endpoint: "\(address)",
            peer: peer,
            probe: probe
        ) { _, _ in }
    }

    private func count(_ isUnix: Bool, _ change: Int) {
        if isUnix { accepted.unix += change } else { accepted.tcp += change }
    }

    /// The handlers of one connection: those of OpenFlow at once, or when the TLS handshake is done.
    fileprivate func addHandlers(
        to channel: Channel,
        tls role: TLSRole?,
        endpoint: String,
        peer: String,
        probe: TimeAmount?,
        auxiliaryID: UInt8 = 0,
        main: ControllerSession? = nil,
        onOpen: @escaping (ControllerSession) -> Void = { _ in },
        onEnd: @escaping (_ wasActive: Bool, _ reason: String?) -> Void
    ) -> EventLoopFuture<Void> {
        func addOpenFlow(_ channel: Channel, certificate: String? = nil) throws {
            let handlers = channel.pipeline.syncOperations
            try handlers.addHandler(ByteToMessageHandler(MessageFramer(maxLength: settings.maxMessage)))
            try handlers.addHandler(MessageToByteHandler(MessageSerializer()))
            try handlers.addHandler(
                OpenFlowHandler(
                    endpoint: endpoint,
                    peer: peer,
                    certificate: certificate,
                    requests: requests,
                    inactivityProbe: probe,
                    packetInLimit: settings.packetInRate.map { [burst = settings.packetInBurst] in
                        TokenBucket(rate: $0, burst: burst)
                    },
                    log: log,
                    auxiliaryID: auxiliaryID,
                    main: main,
                    onOpen: onOpen,
                    onEnd: onEnd
                )
            )
        }
        return channel.eventLoop.makeCompletedFuture {
            guard let role else { return try addOpenFlow(channel) }
            guard let context = certificates?.current() else {
                throw Agent.StartError(description: "openflow.tls is not there")
            }
            let log = log
            let handler = TLSHandler(context: context, role: role) { channel, result in
                switch result {
                case .success(let other):
                    log.info(
                        "TLS",
                        metadata: [
                            "peer": "\(peer)", "certificate": "\(other.subject)", "version": "\(other.version)",
                            "cipher": "\(other.cipher)",
                        ]
                    )
                    try addOpenFlow(channel, certificate: other.subject)
                case .failure(let error):
                    log.info("no TLS handshake", metadata: ["peer": "\(peer)", "reason": "\(error.reason)"])
                    onEnd(false, "\(error)")
                }
            }
            try channel.pipeline.syncOperations.addHandler(handler)
        }
    }

    // MARK: Controllers

    /// Connects to a controller, and again whenever the connection is lost.
    func connect(to address: ControllerAddress) {
        let link = ControllerLink(address: address)
        controllers[address] = link
        attempt(link)
    }

    /// Leaves a controller.
    func disconnect(from address: ControllerAddress) {
        guard let link = controllers.removeValue(forKey: address) else { return }
        leave(link)
    }

    private func leave(_ link: ControllerLink) {
        link.isWanted = false
        link.retry?.cancel()
        link.channel?.close(promise: nil)
        leaveAuxiliaries(of: link)
    }

    /// Connects `openflow.auxiliary_connections` more times to a controller that knows by now who its main connection is with, so
    /// that it can tell what they belong to (OpenFlow 1.3.5 §6.3.8).
    private func connectAuxiliaries(of link: ControllerLink, _ main: ControllerSession) {
        guard link.isWanted, link.auxiliaries.isEmpty, settings.auxiliaryConnections > 0 else { return }
        link.auxiliaries = (1...UInt8(settings.auxiliaryConnections)).map { id in
            ControllerLink(address: link.address, auxiliaryID: id, main: main)
        }
        for auxiliary in link.auxiliaries { attempt(auxiliary) }
    }

    /// Auxiliary connections end with the main one.
    private func leaveAuxiliaries(of link: ControllerLink) {
        let auxiliaries = link.auxiliaries
        link.auxiliaries = []
        for auxiliary in auxiliaries { leave(auxiliary) }
    }

    /// A controller's connection that is not up, and why.
    struct Unreached {
        enum State: String {
            /// To the other side's socket.
            case connecting
            /// TLS, or the version of OpenFlow.
            case negotiating
            /// It is tried again after a pause.
            case backoff
        }

        let address: ControllerAddress
        let state: State
        let since: NIODeadline
        let lastError: String?
    }

    /// Controllers that are wanted but not connected at the moment.
    var unreached: [Unreached] {
        controllers.values.filter { link in !requests.sessions.all.contains { $0.endpoint == "\(link.address)" } }.map {
            Unreached(
                address: $0.address,
                state: $0.channel != nil ? .negotiating : $0.isConnecting ? .connecting : .backoff,
                since: $0.stateSince,
                lastError: $0.lastError
            )
        }
    }

    /// Why the connection to a controller was last lost.
    func lastError(_ endpoint: String) -> String? {
        controllers.values.first { "\($0.address)" == endpoint }?.lastError
    }

    /// Ends everything.
    func closeAll() {
        for address in listeners.keys { stopListening(at: address) }
        for address in controllers.keys { disconnect(from: address) }
        for session in requests.sessions.all { session.close() }
    }

    private func attempt(_ link: ControllerLink) {
        link.isConnecting = true
        link.stateSince = .now()
        let bound = NIOLoopBound((endpoints: self, link: link), eventLoop: loop)
        ClientBootstrap(group: group)
            .connectTimeout(.seconds(5))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                let (endpoints, link) = bound.value
                return endpoints.addHandlers(
                    to: channel,
                    tls: link.address.needsTLS ? .client(serverName: link.address.hostName) : nil,
                    endpoint: link.auxiliaryID == 0 ? "\(link.address)" : "\(link.address)/\(link.auxiliaryID)",
                    peer: "\(link.address)",
                    probe: endpoints.settings.inactivityProbe,
                    auxiliaryID: link.auxiliaryID,
                    main: link.main,
                    onOpen: { session in
                        guard link.main == nil else { return }
                        session.onIdentified = { [unowned session] in
                            let (endpoints, link) = bound.value
                            endpoints.connectAuxiliaries(of: link, session)
                        }
                    }
                ) { wasActive, reason in
                    let (endpoints, link) = bound.value
                    link.channel = nil
                    endpoints.leaveAuxiliaries(of: link)
                    if wasActive { link.backoff = ControllerLink.firstBackoff }
                    endpoints.retry(link, reason ?? "closed by the peer")
                }
            }
            .connect(host: link.address.host, port: link.address.port)
            .whenComplete { result in
                let (endpoints, link) = bound.value
                link.isConnecting = false
                switch result {
                case .success(let channel):
                    link.channel = channel
                    if !link.isWanted { channel.close(promise: nil) }
                case .failure(let error):
                    endpoints.log.debug(
                        "not reached",
                        metadata: ["controller": "\(link.address)", "error": "\(error)"]
                    )
                    endpoints.retry(link, "\(error)")
                }
            }
    }

    /// Tries again after a pause that doubles up to `max_backoff`.
    private func retry(_ link: ControllerLink, _ reason: String) {
        guard link.isWanted else { return }
        link.lastError = reason
        link.stateSince = .now()
        let bound = NIOLoopBound((endpoints: self, link: link), eventLoop: loop)
        link.retry?.cancel()
        link.retry = loop.scheduleTask(in: link.backoff) {
            let (endpoints, link) = bound.value
            if link.isWanted { endpoints.attempt(link) }
        }
        link.backoff = min(.nanoseconds(link.backoff.nanoseconds * 2), settings.maxBackoff)
    }
}

/// The connection to one controller, while it is up and while it is not.
private final class ControllerLink {
    static let firstBackoff = TimeAmount.seconds(1)

    let address: ControllerAddress
    /// 0: the main connection.
    let auxiliaryID: UInt8
    /// Of an auxiliary connection, the open main one.
    let main: ControllerSession?
    var auxiliaries: [ControllerLink] = []
    var isWanted = true
    var channel: Channel?
    var backoff = firstBackoff
    var retry: Scheduled<Void>?

    var isConnecting = false
    var stateSince = NIODeadline.now()
    var lastError: String?

    init(address: ControllerAddress, auxiliaryID: UInt8 = 0, main: ControllerSession? = nil) {
        self.address = address
        self.auxiliaryID = auxiliaryID
        self.main = main
    }
}

/// The handler of a connection for which there is no room: says so and closes.
private final class RefusedConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = Envelope

    func channelActive(context: ChannelHandlerContext) {
        let error = ErrorMessage(.helloFailed(.permissionError), offender: ByteBuffer(string: "too many connections"))
        context.write(wrapOutboundOut(Envelope(xid: 0, message: .hello(Hello()))), promise: nil)
        context.writeAndFlush(wrapOutboundOut(Envelope(xid: 0, message: .error(error)))).assumeIsolated().whenComplete {
            _ in
            context.close(promise: nil)
        }
    }

    /// What it says meanwhile does not matter.
    func channelRead(context: ChannelHandlerContext, data: NIOAny) {}
}
