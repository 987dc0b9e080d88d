// Open vSwitch's own decoder reads what we write: an oracle that knows nothing of this code.

import Foundation
import NIOCore
import OpenFlow
import Testing

@Suite(.timeLimit(.minutes(5)), .enabled(if: OvsOfctl.isInstalled, "ovs-ofctl is not installed"))
struct OvsOfctlTests {
    @Test(arguments: Fixture.accepted.filter(\.isForOvsOfctl))
    func printsWhatWeEncode(_ fixture: Fixture) throws {
        let envelope = try Envelope(decoding: fixture.buffer)
        let text = try OvsOfctl.print(envelope.encoded())
        #expect(!text.isEmpty)
        #expect(!text.contains("***") && !text.contains("decode error"), "\(text)")
        for expected in fixture.texts {
            #expect(text.contains(expected))
        }
    }

    /// Errors that we send keep the name that they have here.
    @Test(arguments: Fixture.rejected)
    func printsTheErrorWeAnswerWith(_ fixture: Fixture) throws {
        let error = try #require(throws: OpenFlowError.self) { try Envelope(decoding: fixture.buffer) }
        let reply = Envelope(xid: 5, message: .error(ErrorMessage(error, offender: fixture.buffer)))
        let code = try #require(error.name.split(separator: "/").last.map(String.init))
        let text = try OvsOfctl.print(reply.encoded())
        #expect(text.contains("OFPT_ERROR (OF1.3) (xid=0x5): \(Self.otherNames[code] ?? code)"), "\(text)")
    }

    /// Codes to which Open vSwitch gives the names that they have in other versions of OpenFlow.
    private static let otherNames = [
        "OFPBRC_BAD_MULTIPART": "OFPBRC_BAD_STAT", "OFPBRC_BAD_EXPERIMENTER": "OFPBRC_BAD_VENDOR",
        "OFPBRC_BAD_EXP_TYPE": "OFPBRC_BAD_SUBTYPE", "OFPBAC_BAD_EXPERIMENTER": "OFPBAC_BAD_VENDOR",

        "OFPTFFC_BAD_LEN": "OFPBPC_BAD_LEN", "OFPTFFC_BAD_TYPE": "OFPBPC_BAD_TYPE",
        "OFPTFFC_BAD_ARGUMENT": "OFPBPC_BAD_VALUE",
    ]
}

/// The command line tool.
enum OvsOfctl {
    private static let path = ["/usr/bin/ovs-ofctl", "/usr/local/bin/ovs-ofctl"].first {
        FileManager.default.isExecutableFile(atPath: $0)
    }

    static var isInstalled: Bool { path != nil }

    /// What `ovs-ofctl ofp-print` says of a message, warnings included.
    static func print(_ bytes: [UInt8]) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path ?? "ovs-ofctl")
        let digits = bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        process.arguments = ["-O", "OpenFlow13", "--no-names", "ofp-print", digits]
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        try process.run()
        let output = try pipe.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return String(decoding: output, as: UTF8.self)
    }
}
