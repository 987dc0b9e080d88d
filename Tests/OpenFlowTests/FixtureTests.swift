// Every fixture in both directions, every prefix of it, and every refusal with its error.

import NIOCore
import OpenFlow
import Testing

@Suite(.timeLimit(.minutes(5)))
struct FixtureTests {
    @Test func thereAreFixtures() {
        #expect(Fixture.accepted.count > 150)
        #expect(Fixture.rejected.count > 60)
    }

    @Test(arguments: Fixture.accepted)
    func decodesToItsText(_ fixture: Fixture) throws {
        let envelope = try Envelope(decoding: fixture.buffer)
        #expect(envelope.message.texts == fixture.texts)
    }

    @Test(arguments: Fixture.accepted)
    func encodesToTheSameBytes(_ fixture: Fixture) throws {
        let envelope = try Envelope(decoding: fixture.buffer)
        #expect(try envelope.encoded() == fixture.bytes)
    }

    @Test(arguments: Fixture.accepted)
    func isRefusedWhenCutOff(_ fixture: Fixture) {
        for length in 0..<fixture.bytes.count {
            #expect(throws: OpenFlowError.badRequest(.badLength), "first \(length) bytes") {
                try Envelope(decoding: ByteBuffer(bytes: fixture.bytes.prefix(length)))
            }
        }
    }

    /// With the header's length corrected a prefix may be a message in its own right (a flow-mod without its last
    /// instruction). Then, and only then, it is accepted: it says the same when encoded again.
    @Test(arguments: Fixture.accepted)
    func isRefusedWhenCutOffWithACorrectLength(_ fixture: Fixture) throws {
        let message = try Envelope(decoding: fixture.buffer).message
        for length in 8..<max(8, fixture.bytes.count) {
            var prefix = Array(fixture.bytes.prefix(length))
            prefix[2] = UInt8(length >> 8)
            prefix[3] = UInt8(length & 0xff)
            do throws(OpenFlowError) {
                let envelope = try Envelope(decoding: ByteBuffer(bytes: prefix))
                #expect(message.hasVariableLength, "first \(length) bytes")
                #expect((try? envelope.encoded()) == prefix, "first \(length) bytes")
            } catch {
                let type = ErrorMessage(error, offender: ByteBuffer()).type
                #expect(type <= 13 || type == 0xffff)
            }
        }
    }

    @Test(arguments: Fixture.rejected)
    func isRefusedWithItsError(_ fixture: Fixture) throws {
        let error = try #require(throws: OpenFlowError.self) { try Envelope(decoding: fixture.buffer) }
        #expect(error.name == fixture.error)
        #expect(!error.reason.isEmpty)
    }

    /// Open vSwitch's own matches must pass the check that the switch makes after decoding.
    @Test(arguments: Fixture.accepted)
    func hasItsPrerequisites(_ fixture: Fixture) throws {
        switch try Envelope(decoding: fixture.buffer).message {
        case .flowMod(let flowMod): try flowMod.match.checkPrerequisites()
        case .multipartRequest(.flow(let request), _): try request.match.checkPrerequisites()
        default: break
        }
    }

    @Test func everyKindIsCovered() throws {
        var messages: Set<MessageType> = []
        var requests: Set<MultipartType> = []
        var replies: Set<MultipartType> = []
        var fields: Set<OXMField> = []
        var actions: Set<ActionType> = [.experimenter]
        var instructions: Set<InstructionType> = [.experimenter]
        for fixture in Fixture.accepted {
            let message = try Envelope(decoding: fixture.buffer).message
            messages.insert(message.type)
            switch message {
            case .multipartRequest(let request, _): requests.insert(request.type)
            case .multipartReply(let reply, _): replies.insert(reply.type)
            case .flowMod(let flowMod):
                fields.formUnion(flowMod.match.fields.map(\.field))
                for instruction in flowMod.instructions {
                    instructions.insert(instruction.type)
                    if case .applyActions(let list) = instruction { actions.formUnion(list.map(\.type)) }
                }
            default: break
            }
        }
        #expect(messages == Set(MessageType.allCases))
        #expect(requests == Set(MultipartType.allCases))
        #expect(replies == Set(MultipartType.allCases))
        #expect(fields == Set(OXMField.allCases))
        #expect(actions == Set(ActionType.allCases))
        #expect(instructions == Set(InstructionType.allCases))
    }
}

extension Message {
    /// Whether a shorter message of this type can be whole.
    var hasVariableLength: Bool {
        switch self {
        case .hello, .error, .echoRequest, .echoReply, .experimenter, .packetIn, .packetOut, .flowMod, .groupMod,
            .meterMod,
            .multipartRequest, .multipartReply, .queueGetConfigReply:
            true
        default: false
        }
    }
}
