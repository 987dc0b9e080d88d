// The three files that a side of a TLS connection needs, as ovs-pki makes them, and their reading.

import Glibc

/// Paths of files in PEM form.
package struct TLSFiles: Hashable, Sendable {
    /// The private key, not encrypted.
    package var privateKey: String
    /// The certificate that the other side is shown, and behind it those that lead from it to its authority, if any.
    package var certificate: String
    /// The certificates of the authorities whose signature the other side's certificate must have.
    package var caCertificate: String

    package init(privateKey: String, certificate: String, caCertificate: String) {
        (self.privateKey, self.certificate, self.caCertificate) = (privateKey, certificate, caCertificate)
    }

    /// Which of them.
    package enum File: Hashable, Sendable {
        case privateKey, certificate, caCertificate
    }

    /// What is wrong with one of them.
    package struct Failure: Error, Hashable, Sendable, CustomStringConvertible {
        package let file: File
        /// Names the file's path.
        package let problem: String

        package var description: String { problem }
    }

    func path(of file: File) -> String {
        switch file {
        case .privateKey: privateKey
        case .certificate: certificate
        case .caCertificate: caCertificate
        }
    }

    // MARK: Reading

    /// The largest file that is read. A bundle of all authorities that browsers trust takes a quarter.
    private static let largestFile = 1 << 20

    func read(_ file: File) throws(Failure) -> [UInt8] {
        let path = path(of: file)
        func failure(_ problem: String) -> Failure { Failure(file: file, problem: "\(path): \(problem)") }
        // Without waiting: the path may be that of a pipe.
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw failure(Self.errorText) }
        defer { close(descriptor) }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw failure(Self.errorText) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw failure("this is no file: a PEM file is wanted") }
        guard status.st_size <= Self.largestFile else { throw failure("the file is too large: at most 1 MiB is read") }
        var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
        var count = 0
        while count < bytes.count {
            // Safe: the rest of the array is what may be written.
            let taken = unsafe bytes.withUnsafeMutableBytes {
                unsafe Glibc.read(descriptor, $0.baseAddress! + count, $0.count - count)
            }
            guard taken >= 0 else { throw failure(Self.errorText) }
            // It has become shorter in the meantime.
            guard taken > 0 else { break }
            count += taken
        }
        return Array(bytes.prefix(count))
    }

    private static var errorText: String {
        // Safe: strerror returns a text that ends with a zero, and it is copied at once.
        unsafe String(cString: strerror(errno))
    }

    // MARK: Noticing changes

    /// What tells that a file has changed without reading it; nil where it is not there.
    package struct Stamp: Hashable, Sendable {
        private var files: [[Int]?]

        fileprivate init(_ paths: [String]) {
            files = paths.map { path in
                var status = stat()
                guard unsafe stat(path, &status) == 0 else { return nil }
                return [
                    Int(status.st_dev), Int(status.st_ino), Int(status.st_size), status.st_mtim.tv_sec,
                    status.st_mtim.tv_nsec,
                ]
            }
        }
    }

    /// How the files are at this moment.
    package var stamp: Stamp { Stamp([privateKey, certificate, caCertificate]) }
}
