// A connection's bytes, from its first on: what comes out does not depend on how they were cut, and all that is answered can be sent.

import NIOCore
import OpenFlow

enum StreamFuzzing {
    /// Connections that say hello and then something, each with a few messages.
    static var seeds: [[UInt8]] {
        get throws {
            let fixtures = try FuzzTarget.openFlowFixtures()
            let hello = fixtures.first { $0.name == "hello.hex" }?.bytes ?? []
            return stride(from: 0, to: fixtures.count, by: 3).map { index in
                hello + fixtures[index..<min(index + 3, fixtures.count)].flatMap(\.bytes)
            }
        }
    }

    static func run(_ input: UnsafeBufferPointer<UInt8>) throws {
        let expected = frames(of: input) { input.count }
        try converse(expected)
        guard frames(of: input, piece: { 1 }) == expected else { throw FuzzFailure("not the same, byte by byte") }
        var random = SeededGenerator(input.reduce(UInt64(input.count)) { $0 &* 31 &+ UInt64($1) })
        for longest in [7, 300] {
            guard frames(of: input, piece: { .random(in: 1...longest, using: &random) }) == expected else {
                throw FuzzFailure("not the same in pieces of \(longest) bytes at most")
            }
        }
    }

    /// All messages, where the bytes come in pieces of this length.
    private static func frames(of input: UnsafeBufferPointer<UInt8>, piece: () -> Int) -> [InboundFrame] {
        var framer = MessageFramer()
        var buffer = ByteBuffer()
        var frames: [InboundFrame] = []
        var start = 0
        while start < input.count {
            let end = min(input.count, start + piece())
            buffer.writeBytes(input[start..<end])
            start = end
            while let frame = framer.next(from: &buffer) { frames.append(frame) }
        }
        return frames
    }

    /// The connection's state machine goes along.
    private static func converse(_ frames: [InboundFrame]) throws {
        let start = NIODeadline.uptimeNanoseconds(1)
        var machine = ConnectionStateMachine(inactivityInterval: .seconds(1), now: start)
        _ = machine.start()
        var isClosed = false
        for frame in frames {
            let action = machine.received(frame, now: start)
            if isClosed && action != .none { throw FuzzFailure("\(action) on a closed connection") }
            switch action {
            case .none, .becomeActive, .deliver: break
            case .send(let reply): _ = try MessageFuzzing.decoded(MessageFuzzing.encoded(reply), as: reply)
            case .sendAndClose(let reply, _):
                _ = try MessageFuzzing.decoded(MessageFuzzing.encoded(reply), as: reply)
                isClosed = true
            case .close: isClosed = true
            }
            if machine.isActive && isClosed { throw FuzzFailure("active after \(action)") }
        }
    }
}
