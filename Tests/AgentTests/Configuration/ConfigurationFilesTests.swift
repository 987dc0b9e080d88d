// The files that a configuration names, openflow.tls: what is wrong with them is told as any other mistake, at the key's place.

import Agent
import Foundation
import TLS
import Testing

@Suite(.timeLimit(.minutes(1)))
struct ConfigurationFilesTests {
    private let directory: URL

    init() throws {
        directory = FileManager.default.temporaryDirectory.appending(path: "ringway-files-\(UUID())")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        _ = try Products.run(root.appending(path: "Fixtures/pki/make-pki").path, [directory.path])
    }

    private func text(key: String, certificate: String, authority: String) -> String {
        """
        datapath: {id: 1}
        openflow:
          listen: ["ptls:"]
          tls:
            private_key: \(directory.path)/\(key)
            certificate: \(directory.path)/\(certificate)
            ca_certificate: \(directory.path)/\(authority)
        """
    }

    private func mistakes(_ text: String) -> [String] {
        do throws(ConfigurationErrors) {
            _ = try Configuration.parse(text, file: "ringway.yaml", availableCores: [0])
            return []
        } catch {
            return error.errors.map { $0.description.replacing(directory.path, with: "") }
        }
    }

    @Test func filesAsTheyShouldBe() {
        defer { try? FileManager.default.removeItem(at: directory) }
        #expect(mistakes(text(key: "switch-key.pem", certificate: "switch-cert.pem", authority: "ours-ca.pem")) == [])
    }

    @Test func filesThatAreWrong() throws {
        defer { try? FileManager.default.removeItem(at: directory) }
        for (key, certificate, authority, mistake) in [
            (
                "none.pem", "switch-cert.pem", "ours-ca.pem",
                "5:18: openflow.tls.private_key: /none.pem: No such file or directory"
            ),
            (
                "switch-key.pem", "ours-ca.srl", "ours-ca.pem",
                "6:18: openflow.tls.certificate: /ours-ca.srl: there is no certificate in it: a PEM file is wanted"
            ),
            (
                "switch-key.pem", "switch-cert.pem", "",
                "7:21: openflow.tls.ca_certificate: /: this is no file: a PEM file is wanted"
            ),
            (
                "controller-key.pem", "switch-cert.pem", "ours-ca.pem",
                "5:18: openflow.tls.private_key: /controller-key.pem: the private key does not belong to the certificate /switch-cert.pem (key values mismatch)"
            ),
        ] {
            let text = text(key: key, certificate: certificate, authority: authority)
            #expect(mistakes(text) == ["ringway.yaml:" + mistake])
            // Who only wants to know where the agent's socket is need not read them.
            let unchecked = try Configuration.parse(text, file: "ringway.yaml", availableCores: [0], checksFiles: false)
            #expect(unchecked.openflow.tls?.privateKey == "\(directory.path)/\(key)")
        }
    }
}
