// Each transition of the state machine's diagram.

import NIOCore
import OpenFlow
import Testing

@Suite(.timeLimit(.minutes(1)))
struct ConnectionStateMachineTests {
    private static let interval = TimeAmount.seconds(5)

    private func at(_ seconds: Int64) -> NIODeadline { .uptimeNanoseconds(1000) + .seconds(seconds) }

    private func waiting() -> Connection {
        Connection(inactivityInterval: Self.interval, now: at(0))
    }

    private func active() -> Connection {
        let machine = waiting()
        #expect(machine.received(.message(Envelope(xid: 1, message: .hello(Hello()))), now: at(0)) == .becomeActive)
        return machine
    }

    private func refused(_ error: OpenFlowError) -> RefusedMessage {
        RefusedMessage(xid: 3, error: error, offender: ByteBuffer(repeating: 4, count: 8))
    }

    private let echo = Envelope(xid: 8, message: .echoRequest(ByteBuffer(string: "hi")))
    private let features = Envelope(xid: 9, message: .featuresRequest)

    @Test func startsWithAHelloOfItsVersion() {
        let machine = waiting()
        let (hello, timer) = machine.start()
        #expect(hello.message == .hello(Hello(version: 4, versionBitmap: [1 << 4])))
        #expect(timer == .wait(until: at(5)))
        #expect(!machine.isActive)
    }

    @Test(
        arguments: [
            (Hello(version: 4, versionBitmap: nil), true),
            (Hello(version: 4, versionBitmap: [1 << 4]), true),
            (Hello(version: 6, versionBitmap: nil), true),
            (Hello(version: 6, versionBitmap: [1 << 1 | 1 << 4 | 1 << 6]), true),
            (Hello(version: 6, versionBitmap: [1 << 4, 1]), true),
            (Hello(version: 1, versionBitmap: nil), false),
            (Hello(version: 3, versionBitmap: nil), false),
            (Hello(version: 6, versionBitmap: [1 << 1 | 1 << 6]), false),
            (Hello(version: 4, versionBitmap: []), false),
        ]
    )
    func negotiates(_ hello: Hello, isAgreed: Bool) {
        let machine = waiting()
        let action = machine.received(.message(Envelope(xid: 7, message: .hello(hello))), now: at(1))
        #expect(machine.isActive == isAgreed)
        if isAgreed {
            #expect(action == .becomeActive)
        } else {
            guard case .sendAndClose(let reply, _) = action, case .error(let error) = reply.message else {
                Issue.record("\(action)")
                return
            }
            #expect(reply.xid == 7)
            #expect(error.error == .helloFailed(.incompatible))
            #expect(error.data.readableBytes > 0)
            #expect(machine.received(.message(features), now: at(2)) == .none)
        }
    }

    @Test func anythingBeforeHelloIsRefusedAndCloses() {
        let machine = waiting()
        let action = machine.received(.message(features), now: at(1))
        guard case .sendAndClose(let reply, _) = action, case .error(let error) = reply.message else {
            Issue.record("\(action)")
            return
        }
        #expect(reply.xid == 9)
        #expect(error.error == .badRequest(.badType))
        #expect(Array(error.data.readableBytesView) == [4, 5, 0, 8, 0, 0, 0, 9])
        #expect(machine.timerFired(now: at(100)) == .none)
    }

    @Test func anErrorBeforeHelloCloses() {
        let machine = waiting()
        let failed = ErrorMessage(type: 0, code: 0, data: ByteBuffer())
        let action = machine.received(.message(Envelope(xid: 1, message: .error(failed))), now: at(1))
        guard case .close = action else {
            Issue.record("\(action)")
            return
        }
    }

    @Test func aBadMessageBeforeHelloIsAnsweredAndCloses() {
        for frame in [
            InboundFrame.refused(refused(.badRequest(.badVersion))), .broken(refused(.badRequest(.badLength))),
        ] {
            let machine = waiting()
            guard case .sendAndClose(let reply, _) = machine.received(frame, now: at(1)) else {
                Issue.record("\(frame)")
                continue
            }
            #expect(reply.xid == 3)
            #expect(machine.received(.message(features), now: at(1)) == .none)
        }
    }

    @Test func noHelloInTimeCloses() {
        let machine = waiting()
        #expect(machine.timerFired(now: at(4)) == .wait(until: at(5)))
        #expect(machine.timerFired(now: at(5)) == .close(reason: "no hello"))
        #expect(machine.timerFired(now: at(6)) == .none)
    }

    @Test func aSecondHelloIsIgnored() {
        let machine = active()
        #expect(machine.received(.message(Envelope(xid: 2, message: .hello(Hello(version: 1)))), now: at(1)) == .none)
        #expect(machine.isActive)
    }

    @Test func echoRequestsAreAnswered() {
        let machine = active()
        let reply = Envelope(xid: 8, message: .echoReply(ByteBuffer(string: "hi")))
        #expect(machine.received(.message(echo), now: at(1)) == .send(reply))
    }

    @Test func otherMessagesAreDelivered() {
        let machine = active()
        #expect(machine.received(.message(features), now: at(1)) == .deliver(features))
    }

    @Test func refusedMessagesAreAnsweredAndTheConnectionStays() {
        let machine = active()
        let bad = refused(.badMatch(.badField))
        #expect(machine.received(.refused(bad), now: at(1)) == .send(bad.reply))
        #expect(machine.received(.message(features), now: at(1)) == .deliver(features))
    }

    @Test func aBrokenStreamIsAnsweredAndClosed() {
        let machine = active()
        let bad = refused(.badRequest(.badLength))
        guard case .sendAndClose(let reply, _) = machine.received(.broken(bad), now: at(1)) else {
            Issue.record("still open")
            return
        }
        #expect(reply == bad.reply)
        #expect(!machine.isActive)
        #expect(machine.received(.message(features), now: at(1)) == .none)
    }

    @Test func silenceIsProbedAndThenCloses() {
        let machine = active()
        #expect(machine.timerFired(now: at(3)) == .wait(until: at(5)))
        guard case .send(let probe, let next) = machine.timerFired(now: at(5)) else {
            Issue.record("no probe")
            return
        }
        #expect(probe.message == .echoRequest(ByteBuffer()))
        #expect(next == at(10))
        #expect(machine.timerFired(now: at(9)) == .wait(until: at(10)))
        #expect(machine.timerFired(now: at(10)) == .close(reason: "no answer to an echo request"))
        #expect(!machine.isActive)
    }

    @Test func anyMessageIsASignOfLife() {
        let machine = active()
        #expect(machine.received(.message(features), now: at(4)) == .deliver(features))
        #expect(machine.timerFired(now: at(5)) == .wait(until: at(9)))
        guard case .send(let probe, _) = machine.timerFired(now: at(9)) else {
            Issue.record("no probe")
            return
        }
        let answer = Envelope(xid: probe.xid, message: .echoReply(ByteBuffer()))
        #expect(machine.received(.message(answer), now: at(12)) == .none)
        #expect(machine.timerFired(now: at(14)) == .wait(until: at(17)))
    }

    @Test func closingIgnoresWhatStillComes() {
        let machine = active()
        machine.close()
        #expect(!machine.isActive)
        #expect(machine.received(.message(echo), now: at(1)) == .none)
        #expect(machine.timerFired(now: at(100)) == .none)
        machine.transportClosed()
        machine.close()
        #expect(machine.received(.message(echo), now: at(1)) == .none)
        #expect(machine.timerFired(now: at(100)) == .none)
    }
}

/// The state machine in a box: `#expect` copies what it looks into, and the machine can't be copied.
private final class Connection {
    private var machine: ConnectionStateMachine

    init(inactivityInterval: TimeAmount?, now: NIODeadline) {
        machine = ConnectionStateMachine(inactivityInterval: inactivityInterval, now: now)
    }

    var isActive: Bool { machine.isActive }
    func start() -> (hello: Envelope, timer: ConnectionStateMachine.TimerAction) { machine.start() }
    func received(_ frame: InboundFrame, now: NIODeadline) -> ConnectionStateMachine.ReceiveAction {
        machine.received(frame, now: now)
    }
    func timerFired(now: NIODeadline) -> ConnectionStateMachine.TimerAction { machine.timerFired(now: now) }
    func close() { machine.close() }
    func transportClosed() { machine.transportClosed() }
}
