// Certificates and keys in PEM form, as the files have them, and what a certificate says of whom it belongs to.

internal import COpenSSL

/// An `X509`.
@safe final class Certificate {
    /// Owned.
    let pointer: OpaquePointer

    /// Takes the reference over.
    init(owning pointer: OpaquePointer) { unsafe self.pointer = pointer }

    deinit { unsafe X509_free(pointer) }

    /// The most bytes of a subject that are shown.
    private static let longestSubject = 256

    /// Whom it belongs to, as RFC 2253 writes it: `CN=switch1,O=Example`. Printable ASCII: all else is escaped, because whoever made
    /// the certificate chose it.
    var subject: String {
        guard let text = unsafe BIO_new(BIO_s_mem()) else { return "" }
        defer { unsafe BIO_free(text) }
        guard let name = unsafe X509_get_subject_name(pointer),
            unsafe X509_NAME_print_ex(text, name, 0, copenssl_name_flags()) >= 0
        else { return "" }
        var bytes = [UInt8](repeating: 0, count: Self.longestSubject)
        // Safe: as many bytes are written as the array has.
        let count = unsafe bytes.withUnsafeMutableBytes {
            unsafe BIO_read(text, $0.baseAddress, CInt($0.count))
        }
        return String(decoding: bytes.prefix(Int(max(0, count))), as: UTF8.self)
    }
}

/// A text that is read object by object.
@safe final class PEMText {
    /// Owned; it has a copy of the text.
    private let text: OpaquePointer

    init(_ bytes: [UInt8]) {
        guard let text = unsafe BIO_new(BIO_s_mem()) else { fatalError("no memory for a PEM text") }
        unsafe self.text = text
        // Safe: reads the array; files of at most 1 MiB come here.
        _ = unsafe bytes.withUnsafeBytes { unsafe BIO_write(text, $0.baseAddress, CInt($0.count)) }
    }

    deinit { unsafe BIO_free(text) }

    /// The next certificate; nil: there is no other. Throws what is wrong with one that cannot be read.
    func nextCertificate() throws(TLSError) -> Certificate? {
        ERR_clear_error()
        if let certificate = unsafe PEM_read_bio_X509(text, nil, noPassword, nil) {
            return unsafe Certificate(owning: certificate)
        }
        let isEnd = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE
        let reason = TLSError.takeReason() ?? "no reason given"
        guard isEnd else { throw TLSError(reason: reason) }
        return nil
    }

    /// The private key, which the caller frees; nil: there is none, or it is encrypted.
    func privateKey() -> OpaquePointer? {
        ERR_clear_error()
        return unsafe PEM_read_bio_PrivateKey(text, nil, noPassword, nil)
    }
}

/// Without it OpenSSL would ask at the terminal.
private func noPassword(
    _: UnsafeMutablePointer<CChar>?,
    _: CInt,
    _: CInt,
    _: UnsafeMutableRawPointer?
) -> CInt { -1 }
