// One TLS connection without a socket: ciphertext in, ciphertext out, plaintext in between. TLSHandler moves the bytes.
//
// OpenSSL's functions are unsafe to Swift because they take pointers. In this module each pointer has one owner, a type that makes
// the object and frees it in its `deinit`; what is unsafe beyond that has a reason beside it.

internal import COpenSSL
import NIOCore

/// Which side of a connection one is.
package enum TLSRole: Hashable, Sendable {
    /// It has opened the connection, to a server of this name; nil: it has an address only.
    case client(serverName: String?)
    case server
}

/// What is known of the other side when the handshake is done.
package struct TLSPeer: Hashable, Sendable {
    /// The subject of its certificate, as RFC 2253 writes it: `CN=switch1,O=Example`; at most 256 bytes of printable ASCII.
    package let subject: String
    /// `TLSv1.2`, `TLSv1.3`.
    package let version: String
    /// As OpenSSL names it: `TLS_AES_256_GCM_SHA384`.
    package let cipher: String
}

/// An `SSL` between two memory BIOs.
///
/// What comes in goes to `receive`; then `handshake`, until it is done, and `read`, until it says `.nothing`. After each call, and after
/// `write` and `shutDown`, `takeOutput` has what is to be sent, also if the call has thrown: the alert that tells the other side. After
/// an error nothing more may be asked of it. It holds one unfinished record of the other side's and what has not been taken.
@safe struct TLSConnection: ~Copyable {
    /// Owned.
    private let ssl: OpaquePointer
    /// Ciphertext received, and to be sent: `ssl` owns them.
    private let input: OpaquePointer
    private let output: OpaquePointer

    init(context: TLSContext, role: TLSRole) {
        guard let ssl = unsafe SSL_new(context.pointer), let input = unsafe BIO_new(BIO_s_mem()),
            let output = unsafe BIO_new(BIO_s_mem())
        else { fatalError("no memory for a TLS connection") }
        unsafe (self.ssl, self.input, self.output) = (ssl, input, output)
        unsafe SSL_set_bio(ssl, input, output)
        switch role {
        case .server: unsafe SSL_set_accept_state(ssl)
        case .client(let serverName):
            unsafe SSL_set_connect_state(ssl)
            // A name that is too long for TLS is not told.
            if let serverName { _ = unsafe copenssl_set_server_name(ssl, serverName) }
        }
    }

    deinit { unsafe SSL_free(ssl) }

    /// Takes ciphertext.
    mutating func receive(_ bytes: ByteBuffer) {
        // Safe: reads what the buffer has. A memory BIO takes all of it.
        _ = unsafe bytes.withUnsafeReadableBytes { unsafe BIO_write(input, $0.baseAddress, CInt($0.count)) }
    }

    /// Takes the ciphertext that is to be sent; nil: there is none.
    mutating func takeOutput() -> ByteBuffer? {
        let pending = unsafe BIO_ctrl_pending(output)
        guard pending > 0 else { return nil }
        var bytes = ByteBufferAllocator().buffer(capacity: pending)
        // Safe: at least `pending` bytes are there to be written, and no more are.
        _ = unsafe bytes.writeWithUnsafeMutableBytes(minimumWritableBytes: pending) {
            Int(max(0, unsafe BIO_read(output, $0.baseAddress, CInt(pending))))
        }
        return bytes
    }

    /// Goes on with the handshake as far as what has come in allows; true: it is done.
    mutating func handshake() throws(TLSError) -> Bool {
        ERR_clear_error()
        let result = unsafe SSL_do_handshake(ssl)
        guard result != 1 else { return true }
        guard unsafe SSL_get_error(ssl, result) == SSL_ERROR_WANT_READ else { throw failure() }
        return false
    }

    enum Reading {
        /// Plaintext was added; there may be more.
        case something
        /// The next record has not come in completely.
        case nothing
        /// The other side has said that no more comes (close_notify).
        case end
    }

    /// Adds plaintext to a buffer.
    mutating func read(into plaintext: inout ByteBuffer) throws(TLSError) -> Reading {
        ERR_clear_error()
        var result: CInt = 0
        // Safe: at most as many bytes are written as there is room for.
        _ = unsafe plaintext.writeWithUnsafeMutableBytes(minimumWritableBytes: 2048) {
            result = unsafe SSL_read(ssl, $0.baseAddress, CInt(clamping: $0.count))
            return Int(max(0, result))
        }
        guard result <= 0 else { return .something }
        switch unsafe SSL_get_error(ssl, result) {
        case SSL_ERROR_WANT_READ: return .nothing
        case SSL_ERROR_ZERO_RETURN: return .end
        default: throw failure()
        }
    }

    /// Encrypts all of a buffer, which has at least one byte. The handshake has to be done.
    mutating func write(_ plaintext: ByteBuffer) throws(TLSError) {
        ERR_clear_error()
        // Safe: reads what the buffer has. A memory BIO takes all of it, so there is nothing to repeat.
        let count = unsafe plaintext.withUnsafeReadableBytes {
            unsafe SSL_write(ssl, $0.baseAddress, CInt($0.count))
        }
        guard count == plaintext.readableBytes else { throw failure() }
    }

    /// Tells the other side that no more comes (close_notify). The handshake has to be done.
    mutating func shutDown() {
        ERR_clear_error()
        // The other side's own is not waited for.
        _ = unsafe SSL_shutdown(ssl)
    }

    /// The other side. The handshake has to be done.
    var peer: TLSPeer {
        let certificate = unsafe SSL_get1_peer_certificate(ssl).map { unsafe Certificate(owning: $0) }
        // Safe: OpenSSL's names are constants that end with a zero.
        return unsafe TLSPeer(
            subject: certificate?.subject ?? "",
            version: String(cString: SSL_get_version(ssl)),
            cipher: String(cString: SSL_CIPHER_get_name(SSL_get_current_cipher(ssl)))
        )
    }

    /// What the last call failed of.
    private func failure() -> TLSError {
        let reason = TLSError.takeReason() ?? "broken off by the peer"
        let verification = unsafe SSL_get_verify_result(ssl)
        guard verification != X509_V_OK, let text = unsafe X509_verify_cert_error_string(verification) else {
            return TLSError(reason: reason)
        }
        // Safe: a constant that ends with a zero.
        return TLSError(reason: unsafe "\(reason): \(String(cString: text))")
    }
}
