// Errors: names, equality, and the message that they make.

import NIOCore
import OpenFlow
import Testing

@Suite(.timeLimit(.minutes(1)))
struct OpenFlowErrorTests {
    @Test func namesAreTheSpecifications() {
        #expect(OpenFlowError.badMatch(.badPrerequisite).name == "OFPET_BAD_MATCH/OFPBMC_BAD_PREREQ")
        #expect(
            OpenFlowError.badRequest(.multipartBufferOverflow).name
                == "OFPET_BAD_REQUEST/OFPBRC_MULTIPART_BUFFER_OVERFLOW"
        )
        #expect(OpenFlowError.meterModFailed(.outOfBands).name == "OFPET_METER_MOD_FAILED/OFPMMFC_OUT_OF_BANDS")
        #expect(OpenFlowError(type: 4, code: 99, reason: "").name == "OFPET_BAD_MATCH/99")
        #expect(OpenFlowError(type: 99, code: 1, reason: "").name == "99/1")
    }

    /// The last code of each type, by its number in OpenFlow 1.3.5 §7.4.4.
    @Test func numbersAreTheSpecifications() {
        let last: [(OpenFlowError, UInt16, UInt16)] = [
            (.helloFailed(.permissionError), 0, 1), (.badRequest(.multipartBufferOverflow), 1, 13),
            (.badAction(.badSetArgument), 2, 15), (.badInstruction(.permissionError), 3, 8),
            (.badMatch(.permissionError), 4, 11), (.flowModFailed(.badFlags), 5, 7),
            (.groupModFailed(.permissionError), 6, 14), (.portModFailed(.permissionError), 7, 4),
            (.tableModFailed(.permissionError), 8, 2), (.queueOpFailed(.permissionError), 9, 2),
            (.switchConfigFailed(.permissionError), 10, 2), (.roleRequestFailed(.badRole), 11, 2),
            (.meterModFailed(.outOfBands), 12, 11), (.tableFeaturesFailed(.permissionError), 13, 5),
        ]
        for (error, type, code) in last {
            #expect(error.type == type)
            #expect(error.code == code)
        }
        #expect(BadRequestCode.allCases.count == 14)
        #expect(BadActionCode.allCases.count == 16)
        #expect(BadMatchCode.allCases.count == 12)
    }

    @Test func theReasonIsNoPartOfEquality() {
        #expect(OpenFlowError.badMatch(.badField, "one") == .badMatch(.badField, "another"))
        #expect(OpenFlowError.badMatch(.badField) != .badMatch(.badValue))
        #expect(OpenFlowError.badMatch(.badField, "why").description == "OFPET_BAD_MATCH/OFPBMC_BAD_FIELD: why")
    }

    @Test func aRefusalCarriesTheFirst64BytesAndTheID() throws {
        let flowMod = Envelope(xid: 0, message: .flowMod(FlowMod(instructions: [.applyActions([.popVLAN, .popVLAN])])))
        let reply = flowMod.refusal(.flowModFailed(.tableFull))
        #expect(reply.xid == 0)
        guard case .error(let error) = reply.message else {
            Issue.record("\(reply)")
            return
        }
        #expect(error.error == .flowModFailed(.tableFull))
        #expect(Array(error.data.readableBytesView) == Array(try flowMod.encoded().prefix(64)))
    }
}
