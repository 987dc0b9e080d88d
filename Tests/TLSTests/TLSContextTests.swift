// What files are taken, and what is said of those that are not.

import Foundation
import TLS
import Testing

@Suite(.timeLimit(.minutes(1)))
struct TLSContextTests {
    private let pki: PKI

    init() throws { pki = try PKI() }

    private func failure(_ change: (inout TLSFiles) throws -> Void) rethrows -> TLSFiles.Failure? {
        var files = pki.files(of: "switch", trusting: "ours")
        try change(&files)
        do throws(TLSFiles.Failure) {
            _ = try TLSContext(files: files)
            return nil
        } catch {
            return error
        }
    }

    @Test func filesThatAreGood() throws {
        #expect(failure { _ in } == nil)
        // A chain, two authorities, and text around them.
        let text = try ["switch-cert.pem", "ours-ca.pem"].map {
            try String(contentsOfFile: pki.path($0), encoding: .utf8)
        }
        try pki.write("chain.pem", Data("Certificate:\n\(text[0])\nnext\n\(text[1])".utf8))
        let authorities = try ["ours-ca.pem", "theirs-ca.pem"].map { try Data(contentsOf: URL(filePath: pki.path($0))) }
        try pki.write("both-ca.pem", authorities[0] + authorities[1])
        #expect(
            failure { ($0.certificate, $0.caCertificate) = (pki.path("chain.pem"), pki.path("both-ca.pem")) } == nil
        )
    }

    @Test func filesThatAreNotThere() {
        for (file, path) in [
            (TLSFiles.File.privateKey, \TLSFiles.privateKey), (.certificate, \.certificate),
            (.caCertificate, \.caCertificate),
        ] {
            let found = failure { $0[keyPath: path] = "/nowhere.pem" }
            #expect(found?.file == file)
            #expect(found?.problem == "/nowhere.pem: No such file or directory")
            #expect(failure { $0[keyPath: path] = "/tmp" }?.problem == "/tmp: this is no file: a PEM file is wanted")
            #expect(failure { $0[keyPath: path] = "/dev/zero" }?.file == file)
        }
    }

    @Test func aPipeIsNotWaitedFor() {
        #expect(mkfifo(pki.path("pipe"), 0o600) == 0)
        #expect(failure { $0.privateKey = pki.path("pipe") }?.problem.hasSuffix("a PEM file is wanted") == true)
    }

    @Test func filesOfTheWrongKind() throws {
        let (key, certificate) = (pki.path("switch-key.pem"), pki.path("switch-cert.pem"))
        #expect(
            failure { $0.privateKey = certificate }?.problem
                == "\(certificate): there is no private key in it: a PEM file is wanted"
        )
        #expect(
            failure { $0.certificate = key }?.problem == "\(key): there is no certificate in it: a PEM file is wanted"
        )
        #expect(
            failure { $0.caCertificate = key }?.problem == "\(key): there is no certificate in it: a PEM file is wanted"
        )
        let encrypted = pki.path("encrypted-key.pem")
        #expect(
            failure { $0.privateKey = encrypted }?.problem
                == "\(encrypted): the private key is encrypted: one without a password is wanted"
        )
        try pki.write("large.pem", Data(count: (1 << 20) + 1))
        #expect(
            failure { $0.privateKey = pki.path("large.pem") }?.problem.hasSuffix("at most 1 MiB is read") == true
        )
        try pki.write("empty.pem", Data())
        #expect(failure { $0.certificate = pki.path("empty.pem") }?.file == .certificate)
    }

    @Test func aKeyOfAnotherCertificate() {
        let found = failure { $0.privateKey = pki.path("controller-key.pem") }
        #expect(found?.file == .privateKey)
        #expect(
            found?.problem
                == "\(pki.path("controller-key.pem")): the private key does not belong to the certificate \(pki.path("switch-cert.pem")) (key values mismatch)"
        )
    }

    /// Every byte of a certificate flipped, and every beginning of it: taken or refused, and nothing worse.
    @Test func brokenFiles() throws {
        let good = try Data(contentsOf: URL(filePath: pki.path("ours-ca.pem")))
        var refused = 0
        for index in good.indices {
            var broken = good
            broken[index] ^= 0x21
            for data in [broken, good.prefix(index)] {
                try pki.write("broken.pem", good + data)
                if let found = failure({ $0.caCertificate = pki.path("broken.pem") }) {
                    #expect(found.file == .caCertificate && found.problem.contains("certificate 2 in it is broken"))
                    refused += 1
                }
            }
        }
        #expect(refused > 500)
    }

    @Test func changesAreNoticed() throws {
        let files = pki.files(of: "switch", trusting: "ours")
        let stamp = files.stamp
        #expect(files.stamp == stamp)
        try pki.replace("switch-cert.pem", by: "controller-cert.pem")
        let second = files.stamp
        #expect(second != stamp)
        try FileManager.default.removeItem(atPath: files.caCertificate)
        #expect(files.stamp != second && files.stamp == files.stamp)
    }
}
