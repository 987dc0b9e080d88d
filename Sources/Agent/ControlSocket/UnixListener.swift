// A listening Unix socket that only its owner may connect to. Both the control socket and the management socket are such.

import Foundation

package enum UnixListener {
    /// Why no socket could be made.
    package struct ListenError: Error, Hashable, Sendable, CustomStringConvertible {
        package let description: String
    }

    /// Makes a listening socket at `path`, mode 0600, and answers its descriptor, which the caller owns.
    ///
    /// A socket that is left over from an agent that is gone is replaced. One that somebody listens at is not, nor is a file of
    /// another kind. The path's folder has to be there.
    package static func open(path: String, backlog: Int32 = 128) throws(ListenError) -> CInt {
        guard var address = socketAddress(path) else {
            throw ListenError(description: "\(path): the path of a socket has 1 to \(longestSocketPath) bytes")
        }
        try removeStale(path, &address)
        // Between bind and listen nobody can connect: the mode is right before the first could.
        let descriptor = socket(AF_UNIX, streamSocket | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw failure(path, "socket") }
        do throws(ListenError) {
            guard (unsafe withSocketAddress(&address) { unsafe bind(descriptor, $0, $1) }) == 0 else {
                throw failure(path, "bind")
            }
            guard unsafe chmod(path, 0o600) == 0 else { throw failure(path, "chmod") }
            guard listen(descriptor, backlog) == 0 else { throw failure(path, "listen") }
        } catch {
            close(descriptor)
            throw error
        }
        return descriptor
    }

    /// Connects to a socket; the descriptor is the caller's.
    package static func connect(path: String) throws(ListenError) -> CInt {
        guard var address = socketAddress(path) else {
            throw ListenError(description: "\(path): the path of a socket has 1 to \(longestSocketPath) bytes")
        }
        let descriptor = socket(AF_UNIX, streamSocket | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw failure(path, "socket") }
        guard (unsafe withSocketAddress(&address) { unsafe Foundation.connect(descriptor, $0, $1) }) == 0 else {
            let error = failure(path, "connect")
            close(descriptor)
            throw error
        }
        return descriptor
    }

    private static func removeStale(_ path: String, _ address: inout sockaddr_un) throws(ListenError) {
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFSOCK else {
            throw ListenError(description: "\(path): the file is no socket, and is not replaced")
        }
        // Without waiting: a socket whose queue is full says EAGAIN, and is alive.
        let probe = socket(AF_UNIX, streamSocket | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
        guard probe >= 0 else { throw failure(path, "socket") }
        defer { close(probe) }
        let result = unsafe withSocketAddress(&address) { unsafe Foundation.connect(probe, $0, $1) }
        guard result != 0 && errno == ECONNREFUSED else {
            throw ListenError(description: "\(path): another process listens there")
        }
        guard unsafe unlink(path) == 0 else { throw failure(path, "unlink") }
    }

    private static let streamSocket = Int32(SOCK_STREAM.rawValue)

    private static func failure(_ path: String, _ call: String) -> ListenError {
        ListenError(description: "\(path): \(call): \(unsafe String(cString: strerror(errno)))")
    }

    private static func socketAddress(_ path: String) -> sockaddr_un? {
        guard (1...longestSocketPath).contains(path.utf8.count) else { return nil }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path.utf8) }
        return address
    }

    private static func withSocketAddress<Result>(
        _ address: inout sockaddr_un,
        _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        unsafe withUnsafePointer(to: &address) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }
}
