// Errors of extensions: their numbers, and that ovs-ofctl reads the same names out of them.

import NIOCore
import OpenFlow
import Testing

@Suite(.timeLimit(.minutes(1)))
struct ExperimenterErrorTests {
    @Test func numbersAreTheExtensions() {
        let first = OpenFlowError.bundleFailed(.unknown)
        #expect(first.type == 0xffff && first.code == 2300 && first.experimenter == 0x4f4e_4600)
        let last = OpenFlowError.bundleFailed(.bundleInProgress)
        #expect(last.code == 2315 && last.name == "OFPET_EXPERIMENTER/OFPBFC_BUNDLE_IN_PROGRESS")
        #expect(BundleFailedCode.allCases.count == 16)
    }

    @Test(.enabled(if: OvsOfctl.isInstalled), arguments: FlowMonitorFailedCode.allCases)
    func openVSwitchKnowsTheCodeOfAMonitor(_ code: FlowMonitorFailedCode) throws {
        let error = OpenFlowError.flowMonitorFailed(code)
        #expect(error.experimenter == 0x2320)
        let text = try OvsOfctl.print(
            Envelope(xid: 5, message: .error(ErrorMessage(error, offender: ByteBuffer()))).encoded()
        )
        #expect(text.contains("OFPT_ERROR (OF1.3) (xid=0x5): \(error.name.dropFirst(19))"), "\(text)")
    }

    @Test func anotherExperimentersErrorIsAnother() {
        let own = OpenFlowError.bundleFailed(.badID)
        let other = OpenFlowError(type: 0xffff, code: own.code, experimenter: 0x2320, reason: "")
        #expect(own != other)
        #expect(
            OpenFlowError(type: 0xffff, code: 9, experimenter: 0x1234, reason: "").name == "OFPET_EXPERIMENTER/0x1234/9"
        )
    }

    @Test(.enabled(if: OvsOfctl.isInstalled), arguments: BundleFailedCode.allCases)
    func openVSwitchKnowsTheCode(_ code: BundleFailedCode) throws {
        let error = OpenFlowError.bundleFailed(code)
        let text = try OvsOfctl.print(
            Envelope(xid: 5, message: .error(ErrorMessage(error, offender: ByteBuffer()))).encoded()
        )
        #expect(text.contains("OFPT_ERROR (OF1.3) (xid=0x5): \(error.name.dropFirst(19))"), "\(text)")
    }
}
