// A small OpenFlow peer for what ovs-ofctl does not do: roles, broken messages, silence. It speaks to the switch over its management
// socket, or over TCP within the switch's namespace, and never blocks.

import Foundation
import Glibc
import NIOCore
import OpenFlow

final class OpenFlowConnection {
    private let descriptor: CInt
    private var received = ByteBuffer()
    private var framer = MessageFramer()
    /// The switch has closed the connection.
    private(set) var isClosed = false
    private var nextXID: UInt32 = 100

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// Connects to a Unix socket.
    init(path: String) throws {
        descriptor = Glibc.socket(AF_UNIX, Self.streamType, 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix(107)) }
        try connect(&address)
    }

    /// Connects to 127.0.0.1 in a network namespace: a socket stays in the one in which it was made.
    init(port: UInt16, namespace: String) throws {
        descriptor = try Self.socket(inNamespace: namespace)
        var address = Self.address(port)
        try connect(&address)
    }

    /// A connection that a listener has accepted.
    fileprivate init(accepted descriptor: CInt) { self.descriptor = descriptor }

    deinit { Glibc.close(descriptor) }

    private static let streamType =
        CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue) | CInt(SOCK_NONBLOCK.rawValue)

    private static let noSignal = CInt(MSG_NOSIGNAL)

    fileprivate static func address(_ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        return address
    }

    private func connect<Address>(_ address: inout Address) throws {
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<Address>.size))
            }
        }
        guard result == 0 || errno == EINPROGRESS else {
            throw Failure(description: "connect: \(String(cString: strerror(errno)))")
        }
    }

    /// `setns`, which Swift's Glibc does not show, in this thread and back.
    fileprivate static func socket(inNamespace namespace: String) throws -> CInt {
        typealias SetNamespace = @convention(c) (CInt, CInt) -> CInt
        guard let symbol = dlsym(nil, "setns") else { throw Failure(description: "there is no setns") }
        let setNamespace = unsafeBitCast(symbol, to: SetNamespace.self)
        let (own, other) = (
            open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC),
            open("/run/netns/\(namespace)", O_RDONLY | O_CLOEXEC)
        )
        defer {
            close(own)
            close(other)
        }
        guard own >= 0, other >= 0, setNamespace(other, 0) == 0 else {
            throw Failure(description: "namespace \(namespace): errno \(errno)")
        }
        let descriptor = Glibc.socket(AF_INET, streamType, 0)
        guard setNamespace(own, 0) == 0 else { fatalError("a test thread is lost in namespace \(namespace)") }
        return descriptor
    }

    // MARK: Sending

    /// Sends as many of these bytes as are taken within `limit`; how many.
    @discardableResult
    func send(_ bytes: [UInt8], within limit: Duration = .seconds(5)) async throws -> Int {
        var sent = 0
        _ = try await eventually(within: limit) {
            let count = bytes.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress! + sent, $0.count - sent, Self.noSignal)
            }
            if count > 0 { sent += count }
            if count < 0 && errno != EAGAIN && errno != ENOTCONN {
                isClosed = true
                return true
            }
            return sent == bytes.count
        }
        return sent
    }

    @discardableResult
    func send(_ message: Message) async throws -> UInt32 {
        nextXID += 1
        try await send(try Self.bytes(of: message, xid: nextXID))
        return nextXID
    }

    static func bytes(of message: Message, xid: UInt32 = 0) throws -> [UInt8] {
        var buffer = ByteBuffer()
        try Envelope(xid: xid, message: message).encode(into: &buffer)
        return Array(buffer.readableBytesView)
    }

    // MARK: Receiving

    /// The next message; nil if none comes within `limit`, or the switch closes the connection.
    func next(within limit: Duration = .seconds(5)) async throws -> Envelope? {
        var frame: InboundFrame?
        _ = try await eventually(within: limit) {
            read()
            frame = framer.next(from: &received)
            return frame != nil || isClosed
        }
        switch frame {
        case .message(let envelope): return envelope
        case .refused(let refused), .broken(let refused):
            throw Failure(description: "the switch sent nonsense: \(refused.error)")
        case nil: return nil
        }
    }

    /// The next message that `isWanted`, past others.
    func next(within limit: Duration = .seconds(5), where isWanted: (Envelope) -> Bool) async throws -> Envelope? {
        let end = ContinuousClock.now + limit
        while ContinuousClock.now < end, let envelope = try await next(within: end - .now) {
            if isWanted(envelope) { return envelope }
        }
        return nil
    }

    /// Waits for the switch to close the connection.
    func closes(within limit: Duration = .seconds(5)) async throws -> Bool {
        try await eventually(within: limit) {
            read()
            return isClosed
        }
    }

    /// The text up to the end of a line, for sockets that speak lines.
    func line(within limit: Duration = .seconds(5)) async throws -> String {
        _ = try await eventually(within: limit) {
            read()
            return isClosed || received.readableBytesView.contains(UInt8(ascii: "\n"))
        }
        return String(buffer: received)
    }

    /// Ends the connection from this side.
    func hangUp() async throws {
        shutdown(descriptor, CInt(SHUT_RDWR))
        isClosed = true
    }

    private func read() {
        var bytes = [UInt8](repeating: 0, count: 65536)
        let count = recv(descriptor, &bytes, bytes.count, 0)
        if count > 0 { received.writeBytes(bytes[..<count]) }
        if count == 0 || (count < 0 && errno != EAGAIN && errno != ENOTCONN) { isClosed = true }
    }

    // MARK: Conversations

    /// Says hello and waits for the switch's.
    func greet() async throws {
        try await send(.hello(Hello()))
        guard case .hello = try await next()?.message else { throw Failure(description: "no hello") }
    }

    /// Sends a request and waits for what answers it.
    func ask(_ message: Message) async throws -> Message? {
        let xid = try await send(message)
        return try await next { $0.xid == xid }?.message
    }

    /// Sends a message that has no answer, and a barrier; the error that the message got.
    func error(of message: Message) async throws -> OpenFlowError? {
        let xid = try await send(message)
        let barrier = try await send(.barrierRequest)
        let answer = try await next { $0.xid == xid || $0.xid == barrier }
        guard case .error(let error) = answer?.message else { return nil }
        return error.error
    }
}

/// A controller's end: the switch connects to it.
final class OpenFlowListener {
    private let descriptor: CInt

    /// Listens at 127.0.0.1 in a network namespace.
    init(port: UInt16, namespace: String) throws {
        descriptor = try OpenFlowConnection.socket(inNamespace: namespace)
        var reuse: CInt = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &reuse, socklen_t(MemoryLayout<CInt>.size))
        var address = OpenFlowConnection.address(port)
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0, Glibc.listen(descriptor, 16) == 0 else {
            throw OpenFlowConnection.Failure(description: "listen: \(String(cString: strerror(errno)))")
        }
    }

    deinit { Glibc.close(descriptor) }

    /// The next connection; nil if none comes within `limit`.
    func accept(within limit: Duration = .seconds(5)) async throws -> OpenFlowConnection? {
        var accepted: CInt = -1
        _ = try await eventually(within: limit) {
            accepted = Glibc.accept(descriptor, nil, nil)
            return accepted >= 0
        }
        guard accepted >= 0 else { return nil }
        _ = fcntl(accepted, F_SETFL, O_NONBLOCK)
        _ = fcntl(accepted, F_SETFD, FD_CLOEXEC)
        return OpenFlowConnection(accepted: accepted)
    }
}
