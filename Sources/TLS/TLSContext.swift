// What all connections that are made with the same files share: key, certificates, and what is demanded of the other side.

internal import COpenSSL

/// An `SSL_CTX`. Connections keep what they need of it: it may go while they stay.
///
/// The other side has to present a certificate that one of the authorities has signed, whichever side opens the connection. The
/// host's name is not compared with the certificate, as Open vSwitch does not compare it: who may speak is decided by the authority,
/// which signs certificates of this network's switches and controllers only. TLS 1.2 or later; ciphers are those that the system's
/// OpenSSL takes by default.
///
/// Not safe to use from several threads.
@safe package final class TLSContext {
    /// Owned.
    let pointer: OpaquePointer

    /// Reads the files. Throws what is wrong with the first of them that is refused.
    package init(files: TLSFiles) throws(TLSFiles.Failure) {
        ERR_clear_error()
        // It fails where there is no memory, or OpenSSL's own configuration is broken: with nothing to go on with.
        guard let pointer = unsafe SSL_CTX_new(TLS_method()) else {
            fatalError("OpenSSL does not start: \(TLSError.takeReason() ?? "no reason given")")
        }
        unsafe self.pointer = pointer
        unsafe copenssl_forbid_extras(pointer)
        unsafe copenssl_release_buffers(pointer)
        guard unsafe copenssl_require_tls_1_2(pointer) == 1 else { fatalError("this OpenSSL has no TLS 1.2") }
        unsafe SSL_CTX_set_verify(pointer, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nil)
        try useCertificate(files)
        try useKey(files)
        try useAuthorities(files)
    }

    deinit { unsafe SSL_CTX_free(pointer) }

    private func useCertificate(_ files: TLSFiles) throws(TLSFiles.Failure) {
        let chain = try Self.certificates(files, .certificate)
        for (index, certificate) in chain.enumerated() {
            let isTaken =
                index == 0
                ? unsafe SSL_CTX_use_certificate(pointer, certificate.pointer)
                : unsafe copenssl_add_chain_certificate(pointer, certificate.pointer)
            guard isTaken == 1 else { throw Self.failure(files, .certificate, "the certificate is refused") }
        }
    }

    private func useKey(_ files: TLSFiles) throws(TLSFiles.Failure) {
        let text = try files.read(.privateKey)
        guard let key = unsafe PEMText(text).privateKey() else {
            let isEncrypted = String(decoding: text, as: UTF8.self).contains("ENCRYPTED")
            ERR_clear_error()
            throw TLSFiles.Failure(
                file: .privateKey,
                problem: files.privateKey
                    + (isEncrypted
                        ? ": the private key is encrypted: one without a password is wanted"
                        : ": there is no private key in it: a PEM file is wanted")
            )
        }
        defer { unsafe EVP_PKEY_free(key) }
        // It compares the key with the certificate, which is there already.
        guard unsafe SSL_CTX_use_PrivateKey(pointer, key) == 1 else {
            throw Self.failure(
                files,
                .privateKey,
                "the private key does not belong to the certificate \(files.certificate)"
            )
        }
    }

    private func useAuthorities(_ files: TLSFiles) throws(TLSFiles.Failure) {
        for authority in try Self.certificates(files, .caCertificate) {
            // The store and the list of names that clients are sent take references of their own.
            guard unsafe X509_STORE_add_cert(SSL_CTX_get_cert_store(pointer), authority.pointer) == 1,
                unsafe SSL_CTX_add_client_CA(pointer, authority.pointer) == 1
            else { throw Self.failure(files, .caCertificate, "the certificate is refused") }
        }
    }

    /// All certificates of a file: at least one.
    private static func certificates(
        _ files: TLSFiles,
        _ file: TLSFiles.File
    ) throws(TLSFiles.Failure) -> [Certificate] {
        let text = PEMText(try files.read(file))
        var certificates: [Certificate] = []
        do throws(TLSError) {
            while let certificate = try text.nextCertificate() { certificates.append(certificate) }
        } catch {
            let number = certificates.count + 1
            throw failure(files, file, "certificate \(number) in it is broken (\(error.reason))")
        }
        guard !certificates.isEmpty else {
            throw failure(files, file, "there is no certificate in it: a PEM file is wanted")
        }
        return certificates
    }

    private static func failure(
        _ files: TLSFiles,
        _ file: TLSFiles.File,
        _ problem: String
    ) -> TLSFiles.Failure {
        let reason = TLSError.takeReason().map { " (\($0))" } ?? ""
        return TLSFiles.Failure(file: file, problem: "\(files.path(of: file)): \(problem)\(reason)")
    }
}
