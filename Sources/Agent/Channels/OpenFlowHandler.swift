// The NIO handler of one OpenFlow connection: carries out what the connection's state machine says, and hands the messages
// of one read to the session as a batch.

import Logging
import NIOCore
import OpenFlow

final class OpenFlowHandler: ChannelInboundHandler {
    typealias InboundIn = InboundFrame
    typealias OutboundOut = Envelope

    private let endpoint: String
    private let peer: String
    private let certificate: String?
    private let requests: SwitchRequests
    private let packetInLimit: TokenBucket?
    private let log: Logger
    private var machine: ConnectionStateMachine
    private var session: ControllerSession?
    private var batch: [Envelope] = []
    /// When the read began whose frames come in; nil: there is none.
    private var readTime: NIODeadline?
    private var timer: Scheduled<Void>?
    /// Why the connection ended, if this side knows.
    private var endReason: String?
    /// The place among a controller's connections, and its main one.
    private let auxiliaryID: UInt8
    private let main: ControllerSession?
    private let onOpen: (ControllerSession) -> Void
    private let onEnd: (_ wasActive: Bool, _ reason: String?) -> Void

    init(
        endpoint: String,
        peer: String,
        certificate: String? = nil,
        requests: SwitchRequests,
        inactivityProbe: TimeAmount?,
        packetInLimit: TokenBucket?,
        log: Logger,
        auxiliaryID: UInt8 = 0,
        main: ControllerSession? = nil,
        onOpen: @escaping (ControllerSession) -> Void = { _ in },
        onEnd: @escaping (_ wasActive: Bool, _ reason: String?) -> Void
    ) {
        self.endpoint = endpoint
        self.peer = peer
        self.certificate = certificate
        self.requests = requests
        self.packetInLimit = packetInLimit
        self.log = log
        self.auxiliaryID = auxiliaryID
        self.main = main
        self.onOpen = onOpen
        self.onEnd = onEnd
        machine = ConnectionStateMachine(inactivityInterval: inactivityProbe, now: .now())
    }

    func channelActive(context: ChannelHandlerContext) {
        let (hello, action) = machine.start()
        send(hello, context)
        carryOut(action, context)
    }

    func channelInactive(context: ChannelHandlerContext) {
        timer?.cancel()
        machine.transportClosed()
        if let session {
            requests.ended(session)
            log.info("disconnected", metadata: ["peer": "\(peer)"])
        }
        onEnd(session != nil, endReason)
        session = nil
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        let now = readTime ?? .now()
        readTime = now
        switch machine.received(frame, now: now) {
        case .none: countOwn(frame)
        case .becomeActive: open(context)
        case .deliver(let envelope): batch.append(envelope)
        case .send(let envelope):
            countOwn(frame)
            // In order: what came before is answered first.
            deliverBatch()
            send(envelope, context)
        case .sendAndClose(let envelope, let reason):
            deliverBatch()
            log.info("closing", metadata: ["peer": "\(peer)", "reason": "\(reason)"])
            endReason = reason
            context.writeAndFlush(wrapOutboundOut(envelope)).assumeIsolated().whenComplete { _ in
                context.close(promise: nil)
            }
        case .close(let reason): close(context, reason)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        deliverBatch()
        readTime = nil
        context.fireChannelReadComplete()
    }

    /// A peer that does not read gets no further answers to read: its requests wait in its own socket.
    func channelWritabilityChanged(context: ChannelHandlerContext) {
        _ = context.channel.setOption(.autoRead, value: context.channel.isWritable)
        if context.channel.isWritable { session?.becameWritable(requests) }
        context.fireChannelWritabilityChanged()
    }

    func errorCaught(context: ChannelHandlerContext, error: Error) { close(context, "\(error)") }

    private func open(_ context: ChannelHandlerContext) {
        let session = ControllerSession(
            endpoint: endpoint,
            peer: peer,
            certificate: certificate,
            channel: context.channel,
            packetInLimit: packetInLimit,
            auxiliaryID: auxiliaryID,
            main: main
        )
        session.count(received: .hello)
        session.count(sent: .hello)
        self.session = session
        requests.sessions.add(session)
        onOpen(session)
        log.info("connected", metadata: ["peer": "\(peer)"])
    }

    private func deliverBatch() {
        guard !batch.isEmpty, let session else { return }
        let envelopes = batch
        batch = []
        requests.datapath.disarm()
        session.deliver(envelopes, to: requests)
        // An acknowledgement usually comes within microseconds; waiting for it beats being woken for it.
        requests.datapath.publisher.spin(microseconds: 50)
        requests.datapath.arm()
    }

    private func send(_ envelope: Envelope, _ context: ChannelHandlerContext) {
        session?.count(sent: envelope.message.type)
        context.writeAndFlush(wrapOutboundOut(envelope), promise: nil)
    }

    private func countOwn(_ frame: InboundFrame) {
        if case .message(let envelope) = frame { session?.count(received: envelope.message.type) }
    }

    private func close(_ context: ChannelHandlerContext, _ reason: String) {
        log.info("closing", metadata: ["peer": "\(peer)", "reason": "\(reason)"])
        machine.close()
        endReason = reason
        context.close(promise: nil)
    }

    private func carryOut(_ action: ConnectionStateMachine.TimerAction, _ context: ChannelHandlerContext) {
        switch action {
        case .none: timer = nil
        case .close(let reason): close(context, reason)
        case .wait(let until): schedule(until, context)
        case .send(let envelope, let until):
            send(envelope, context)
            schedule(until, context)
        }
    }

    private func schedule(_ deadline: NIODeadline, _ context: ChannelHandlerContext) {
        timer = context.eventLoop.assumeIsolated().scheduleTask(deadline: deadline) { [weak self] in
            guard let self else { return }
            carryOut(machine.timerFired(now: .now()), context)
        }
    }
}
