// Why TLS failed, in OpenSSL's words.

internal import COpenSSL

/// A connection's failure.
package struct TLSError: Error, Hashable, Sendable, CustomStringConvertible {
    /// `certificate verify failed: certificate has expired`, `tlsv1 alert unknown ca`, …
    package let reason: String

    package init(reason: String) { self.reason = reason }

    package var description: String { "TLS: \(reason)" }

    /// Takes the first thing off this thread's queue of errors that has a text, which is the cause of those behind it, and
    /// empties the queue; nil: nothing is in it.
    static func takeReason() -> String? {
        var first: String?
        while true {
            let code = ERR_get_error()
            guard code != 0 else { return first }
            // Safe: OpenSSL's texts are constants that end with a zero.
            guard first == nil, let text = unsafe ERR_reason_error_string(code) else { continue }
            first = unsafe String(cString: text)
        }
    }
}
