// Keys and certificates, made anew for each run by Fixtures/pki/make-pki.

import Foundation
import TLS

final class PKI {
    let directory: URL

    init() throws {
        directory = FileManager.default.temporaryDirectory.appending(path: "ringway-pki-\(UUID())")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let script = Process()
        script.executableURL = root.appending(path: "Fixtures/pki/make-pki")
        script.arguments = [directory.path]
        try script.run()
        script.waitUntilExit()
        guard script.terminationStatus == 0 else { throw CocoaError(.executableLoad) }
    }

    deinit { try? FileManager.default.removeItem(at: directory) }

    func path(_ name: String) -> String { directory.appending(path: name).path }

    /// The files of a member who trusts an authority.
    func files(of name: String, trusting authority: String) -> TLSFiles {
        TLSFiles(
            privateKey: path("\(name)-key.pem"),
            certificate: path("\(name)-cert.pem"),
            caCertificate: path("\(authority)-ca.pem")
        )
    }

    /// Puts one file in the other's place, as a renewal does.
    func replace(_ name: String, by other: String) throws {
        try write(name, try Data(contentsOf: directory.appending(path: other)))
    }

    func write(_ name: String, _ data: Data) throws { try data.write(to: directory.appending(path: name)) }
}
