// What one connection to a controller does, as a pure value: events in, actions out. It reads no clock and no socket;
// the channel handler that owns it carries out what it says.
//
//                  HELLO, a version in common             closed by us
//   ┌───────────┐ ───────────────────────────▶ ┌────────┐ ─────────────▶ ┌─────────┐
//   │ helloSent │                              │ active │                │ closing │
//   └───────────┘                              └────────┘                └─────────┘
//      │     │ no version in common, anything      │ silent for two          │
//      │     │ but HELLO, silent for an interval   │ intervals, broken       │
//      │     └───────────────────▶ closing ◀───────┘ stream                  │
//      │                                                                     │
//      └──────────────────▶ closed ◀─────────────────────────────────────────┘
//                           the transport is gone (from any state)

import NIOCore

/// The OpenFlow side of a connection (OpenFlow 1.3.5 §6.3): negotiates the version, answers echo requests, finds out
/// that the peer is gone.
///
/// Start with `start`, feed every frame to `received` and every expiry to `timerFired`; `transportClosed` ends it.
package struct ConnectionStateMachine: ~Copyable {
    private enum State {
        case helloSent(HelloSent)
        case active(Active)
        case closing
        case closed

        /// Our hello is out, the peer's is not in.
        struct HelloSent {
            var deadline: NIODeadline
        }

        /// Both sides know that they speak 1.3. Only out of `HelloSent` does one get here.
        struct Active {
            var lastHeard: NIODeadline
            /// When the echo request went out that nothing has come after yet.
            var probeSent: NIODeadline?

            init(from _: HelloSent, now: NIODeadline) {
                lastHeard = now
                probeSent = nil
            }
        }
    }

    /// What to do about a frame.
    package enum ReceiveAction: Hashable, Sendable {
        /// Nothing: the frame was for this machine alone.
        case none
        /// The version is agreed on: the connection is open for use.
        case becomeActive
        /// A message for the switch.
        case deliver(Envelope)
        case send(Envelope)
        /// Send this and close when it is out.
        case sendAndClose(Envelope, reason: String)
        case close(reason: String)
    }

    /// What to do about the passing of time.
    package enum TimerAction: Hashable, Sendable {
        /// Nothing before that time.
        case wait(until: NIODeadline)
        /// An echo request; come back at that time.
        case send(Envelope, thenWaitUntil: NIODeadline)
        case close(reason: String)
        /// No timer any more.
        case none
    }

    private var state: State
    /// How long the peer may be silent before it is probed, and again before it is given up; nil: for ever.
    private let inactivityInterval: TimeAmount?
    /// How long a hello may take where there are no probes.
    private static let longestHello = TimeAmount.seconds(5)
    private var nextXID: UInt32 = 1

    /// - Parameters:
    ///   - inactivityInterval: How long the peer may be silent before an echo request is sent; after as long again
    ///     without a sign of life the connection is given up. So long may the peer's hello take, too. nil: there are no
    ///     echo requests, and a hello may take 5 seconds.
    ///   - now: The time at which the transport came up.
    package init(inactivityInterval: TimeAmount?, now: NIODeadline) {
        self.inactivityInterval = inactivityInterval
        state = .helloSent(State.HelloSent(deadline: now + (inactivityInterval ?? Self.longestHello)))
    }

    /// Whether the version is agreed on and the connection is open for use.
    package var isActive: Bool {
        switch state {
        case .active: true
        case .helloSent, .closing, .closed: false
        }
    }

    /// The hello to send first, and the time of the first `timerFired`.
    package mutating func start() -> (hello: Envelope, timer: TimerAction) {
        let hello = Envelope(xid: takeXID(), message: .hello(Hello()))
        switch state {
        case .helloSent(let waiting): return (hello, .wait(until: waiting.deadline))
        case .active, .closing, .closed: return (hello, .none)
        }
    }

    /// Something came in.
    package mutating func received(_ frame: InboundFrame, now: NIODeadline) -> ReceiveAction {
        switch state {
        case .helloSent(let waiting):
            return greeted(by: frame, waiting, now: now)
        case .active(var active):
            active.lastHeard = now
            active.probeSent = nil
            state = .active(active)
            return heard(frame)
        case .closing, .closed:
            return .none
        }
    }

    /// The time that the last action named has come (or another: the machine looks for itself).
    package mutating func timerFired(now: NIODeadline) -> TimerAction {
        switch state {
        case .helloSent(let waiting):
            guard now >= waiting.deadline else { return .wait(until: waiting.deadline) }
            state = .closing
            return .close(reason: "no hello")
        case .active(var active):
            guard let inactivityInterval else { return .none }
            if let probeSent = active.probeSent {
                let deadline = probeSent + inactivityInterval
                guard now >= deadline else { return .wait(until: deadline) }
                state = .closing
                return .close(reason: "no answer to an echo request")
            }
            let deadline = active.lastHeard + inactivityInterval
            guard now >= deadline else { return .wait(until: deadline) }
            active.probeSent = now
            state = .active(active)
            let probe = Envelope(xid: takeXID(), message: .echoRequest(ByteBuffer()))
            return .send(probe, thenWaitUntil: now + inactivityInterval)
        case .closing, .closed:
            return .none
        }
    }

    /// This side is about to close the connection: what still comes in is ignored.
    package mutating func close() {
        switch state {
        case .helloSent, .active: state = .closing
        case .closing, .closed: break
        }
    }

    /// The transport is gone.
    package mutating func transportClosed() {
        state = .closed
    }

    /// The first frame decides.
    private mutating func greeted(
        by frame: InboundFrame,
        _ waiting: State.HelloSent,
        now: NIODeadline
    ) -> ReceiveAction {
        state = .closing
        switch frame {
        case .refused(let refused), .broken(let refused):
            return .sendAndClose(refused.reply, reason: "no hello but a message refused with \(refused.error)")
        case .message(let envelope):
            switch envelope.message {
            case .hello(let hello) where hello.allowsOpenFlow13:
                state = .active(State.Active(from: waiting, now: now))
                return .becomeActive
            case .hello(let hello):
                let text = "OpenFlow 1.3 (0x04) is spoken here, the peer offers \(hello.offer)"
                let failure = ErrorMessage(
                    type: ErrorType.helloFailed.rawValue,
                    code: HelloFailedCode.incompatible.rawValue,
                    data: ByteBuffer(string: text)
                )
                return .sendAndClose(Envelope(xid: envelope.xid, message: .error(failure)), reason: text)
            case .error(let error):
                return .close(reason: "the peer refused our hello with \(error.error)")
            default:
                let reason = "\(envelope.message.type) before hello"
                return .sendAndClose(envelope.refusal(.badRequest(.badType, reason)), reason: reason)
            }
        }
    }

    /// A frame of an open connection.
    private mutating func heard(_ frame: InboundFrame) -> ReceiveAction {
        switch frame {
        case .message(let envelope):
            switch envelope.message {
            case .hello, .echoReply: return .none
            case .echoRequest(let data): return .send(Envelope(xid: envelope.xid, message: .echoReply(data)))
            default: return .deliver(envelope)
            }
        case .refused(let refused):
            return .send(refused.reply)
        case .broken(let refused):
            state = .closing
            return .sendAndClose(refused.reply, reason: "\(refused.error)")
        }
    }

    private mutating func takeXID() -> UInt32 {
        defer { nextXID &+= 1 }
        return nextXID
    }
}
