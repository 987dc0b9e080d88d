// What `make fuzz` found stays found: each target runs over its seeds and its corpus, and each fixture is cut off and changed at every
// byte.

import Agent
import DataPlane
import OpenFlow
import Testing

@Suite("Any bytes", .timeLimit(.minutes(5)), .serialized)
struct FuzzTests {
    @Test("seeds and corpus", arguments: FuzzTarget.allCases)
    func replay(_ target: FuzzTarget) throws {
        let seeds = try target.seeds.enumerated().map { (name: "seed \($0)", bytes: $1) }
        let corpus = try target.corpus
        #expect(!seeds.isEmpty && !corpus.isEmpty)
        for input in seeds + corpus { try check(target, input.bytes, "\(input.name) of \(target)") }
    }

    @Test("every message, cut off behind each byte")
    func prefixes() throws {
        for fixture in try FuzzTarget.openFlowFixtures() {
            for length in fixture.bytes.indices {
                let prefix = Array(fixture.bytes.prefix(length))
                // As it is, and with the length in its header made right.
                try check(.stream, prefix, "\(fixture.name), first \(length) bytes")
                try check(.message, prefix, "\(fixture.name), first \(length) bytes")
            }
        }
    }

    @Test("every message, with each byte changed")
    func mutations() throws {
        for fixture in try FuzzTarget.openFlowFixtures() {
            // To each other value, where that is done in a moment.
            let step: UInt8 = fixture.bytes.count <= 64 ? 1 : 5
            try mutate(fixture.bytes, stride: step) { try check(.message, $0, "\(fixture.name), byte \($1)") }
            // What changes the way of the stream is in the header; a message behind it meets what it has come to.
            let header = Array(fixture.bytes.prefix(MessageHeader.byteCount))
            let rest = fixture.bytes.dropFirst(header.count) + [4, 2, 0, 8, 0, 0, 0, 9]
            try mutate(header, stride: 5) { try check(.stream, $0 + rest, "\(fixture.name) in a stream, byte \($1)") }
        }
    }

    @Test("every packet, cut off behind each byte and with each byte changed")
    func packets() throws {
        for (index, frame) in try FuzzTarget.parser.seeds.prefix(100).enumerated() {
            for length in frame.indices {
                try check(.parser, Array(frame.prefix(length)), "packet \(index), \(length)")
            }
            try mutate(frame, stride: 51) { try check(.parser, $0, "packet \(index), byte \($1)") }
        }
    }

    /// Calls `body` with each byte replaced by others, `stride` apart.
    private func mutate(_ bytes: [UInt8], stride step: UInt8, _ body: ([UInt8], Int) throws -> Void) throws {
        var changed = bytes
        for index in bytes.indices {
            for difference in stride(from: 1, through: 255, by: Int(step)) {
                changed[index] = bytes[index] ^ UInt8(difference)
                try body(changed, index)
            }
            changed[index] = bytes[index]
        }
    }

    /// The first failure ends the test: what breaks one input breaks a thousand.
    private func check(_ target: FuzzTarget, _ bytes: [UInt8], _ name: @autoclosure () -> String) throws {
        do {
            try target.run(bytes)
        } catch {
            throw FuzzFailure("\(name()): \(error)")
        }
    }
}
