// The other end of the control socket: what `ringway show`, `trace` and `reload` ask with. Plain blocking calls: a command asks
// one thing and ends.

import Foundation

package enum ControlClient {
    /// Why there is no answer.
    package enum Failure: Error, Hashable, Sendable, CustomStringConvertible {
        /// No agent listens there.
        case unreachable(String)
        /// The agent said no.
        case refused(String)
        /// What came is no answer.
        case broken(String)

        package var description: String {
            switch self {
            case .unreachable(let reason): "the agent cannot be reached: \(reason)"
            case .refused(let reason): reason
            case .broken(let reason): "the agent's answer cannot be used: \(reason)"
            }
        }
    }

    /// The line that the agent answered, without its end. Throws if it is not `"ok": true`.
    package static func ask(_ request: ControlRequest, path: String, seconds: Int = 30) throws(Failure) -> Data {
        let line: Data
        do throws(UnixListener.ListenError) {
            let descriptor = try UnixListener.connect(path: path)
            defer { close(descriptor) }
            line = exchange(request.line + [UInt8(ascii: "\n")], descriptor, seconds)
        } catch {
            throw .unreachable(error.description)
        }
        guard let status = try? ControlJSON.decoder.decode(Status.self, from: line) else {
            throw .broken(
                line.isEmpty
                    ? "\(path): it closed the connection, or said nothing for \(seconds) s"
                    : "\(path): this is no reply"
            )
        }
        guard status.ok else { throw .refused(status.error ?? "refused") }
        return line
    }

    /// The result within an answer.
    package static func result<Result: Decodable>(_: Result.Type, of line: Data) throws(Failure) -> Result {
        do {
            return try ControlJSON.decoder.decode(Answer<Result>.self, from: line).result
        } catch {
            throw .broken("\(error)")
        }
    }

    private struct Status: Decodable {
        var ok: Bool
        var error: String?
    }

    private struct Answer<Result: Decodable>: Decodable {
        var result: Result
    }

    /// Sends a line and receives one; what came until the other side closed, or took too long.
    private static func exchange(_ line: Data, _ descriptor: CInt, _ seconds: Int) -> Data {
        var patience = timeval(tv_sec: seconds, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            unsafe setsockopt(descriptor, SOL_SOCKET, option, &patience, socklen_t(MemoryLayout<timeval>.size))
        }
        var rest = line[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes {
                unsafe send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { break }
            rest = rest.dropFirst(count)
        }
        var answer = Data()
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while answer.last != UInt8(ascii: "\n") {
            let count = unsafe buffer.withUnsafeMutableBytes { unsafe recv(descriptor, $0.baseAddress, $0.count, 0) }
            guard count > 0 else { break }
            answer.append(contentsOf: buffer[..<count])
        }
        return answer.last == UInt8(ascii: "\n") ? answer.dropLast() : answer
    }
}
