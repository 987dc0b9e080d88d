// What is answered over the control socket: one JSON object on one line.

import Foundation

/// The answer to a request.
package enum ControlReply: Sendable {
    /// `{"ok": true, "result": …}`
    case result(any Encodable & Sendable)
    /// `{"ok": false, "error": "…"}`
    case failure(String)

    /// The line that says it, without its end. A result that cannot be encoded (a number that is not finite) becomes a failure.
    package var line: Data {
        do {
            switch self {
            case .result(let result):
                return try ControlJSON.encoder.encode(Envelope(ok: true, result: AnyResult(value: result)))
            case .failure(let error): return try ControlJSON.encoder.encode(Envelope(ok: false, error: error))
            }
        } catch {
            return Data(#"{"error":"the answer cannot be written as JSON","ok":false}"#.utf8)
        }
    }

    private struct Envelope: Encodable {
        var ok: Bool
        var result: AnyResult?
        var error: String?
    }

    private struct AnyResult: Encodable {
        var value: any Encodable

        func encode(to encoder: any Encoder) throws { try value.encode(to: encoder) }
    }
}

/// What the agent does with requests. Confined to the event loop of the server.
package protocol ControlRequestHandler: AnyObject {
    /// Calls `reply` once, now or later, on the event loop.
    func handle(_ request: ControlRequest, reply: @escaping (ControlReply) -> Void)
}
