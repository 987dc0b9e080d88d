// A blocking OpenFlow connection over a Unix socket, for tests: either end. Every read has a limit.

import Foundation
import NIOCore
import OpenFlow

final class OpenFlowSocket {
    private let descriptor: CInt
    private var framer = MessageFramer()
    private var input = ByteBuffer()
    private var nextXID: UInt32 = 1

    /// - Parameter descriptor: A connected socket, which is closed with this.
    init(descriptor: CInt) { self.descriptor = descriptor }

    deinit { close(descriptor) }

    /// Connects, within `seconds`: the listener may still be on its way up.
    static func connect(path: String, seconds: Double = 10) throws -> OpenFlowSocket {
        var descriptor: CInt = -1
        let connected = ToolProcess.wait(seconds: seconds) {
            descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
            let status = withAddress(path) { Glibc.connect(descriptor, $0, $1) }
            if status != 0 { close(descriptor) }
            return status == 0
        }
        guard connected else { throw ScenarioError("\(path): no connection within \(seconds) s") }
        return OpenFlowSocket(descriptor: descriptor)
    }

    /// A listening socket.
    static func listen(path: String) throws -> CInt {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        guard withAddress(path, { bind(descriptor, $0, $1) }) == 0, Glibc.listen(descriptor, 8) == 0 else {
            throw ScenarioError("\(path): \(String(cString: strerror(errno)))")
        }
        return descriptor
    }

    /// The next connection to a listening socket; nil: none within the time.
    static func accept(_ listener: CInt, milliseconds: Int32) -> OpenFlowSocket? {
        var event = pollfd(fd: listener, events: Int16(POLLIN), revents: 0)
        guard poll(&event, 1, milliseconds) > 0 else { return nil }
        let descriptor = Glibc.accept(listener, nil, nil)
        return descriptor < 0 ? nil : OpenFlowSocket(descriptor: descriptor)
    }

    private static func withAddress(
        _ path: String,
        _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix(107)) }
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
    }

    // MARK: Messages

    /// The transaction id of a message of our own.
    func takeXID() -> UInt32 {
        nextXID += 1
        return nextXID
    }

    func send(_ envelope: Envelope) throws {
        var buffer = ByteBuffer()
        try envelope.encode(into: &buffer)
        try send(bytes: Array(buffer.readableBytesView))
    }

    func send(bytes: [UInt8]) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { throw ScenarioError("the OpenFlow connection is closed") }
            rest = rest.dropFirst(count)
        }
    }

    /// The next message's bytes and what they say; nil: none within the time, or the other side has closed.
    func receive(milliseconds: Int32) -> (bytes: [UInt8], frame: InboundFrame)? {
        let end = Date(timeIntervalSinceNow: Double(milliseconds) / 1000)
        while true {
            let before = input
            if let frame = framer.next(from: &input) {
                let count = input.readerIndex - before.readerIndex
                let bytes = Array(before.readableBytesView.prefix(count))
                input.discardReadBytes()
                return (bytes, frame)
            }
            let left = Int32(max(0, end.timeIntervalSinceNow * 1000))
            var event = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&event, 1, left) > 0 else { return nil }
            var chunk = [UInt8](repeating: 0, count: 65536)
            let count = recv(descriptor, &chunk, chunk.count, 0)
            guard count > 0 else { return nil }
            input.writeBytes(chunk[..<count])
        }
    }
}
