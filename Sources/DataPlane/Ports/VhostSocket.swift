// The socket of a vhost-user port. DPDK makes it, and refuses to if there is one; an agent that was killed leaves its own behind.

import Glibc

enum VhostSocket {
    /// Removes the socket that a device is about to make, if nobody listens there.
    static func removeStale(_ devargs: String) {
        let arguments = devargs.split(separator: ",")
        guard devargs.hasPrefix("net_vhost"), !arguments.contains("client=1"),
            let path = arguments.first(where: { $0.hasPrefix("iface=") })?.dropFirst(6)
        else { return }
        var status = stat()
        guard lstat(String(path), &status) == 0, status.st_mode & S_IFMT == S_IFSOCK else { return }
        if !hasListener(path) { unlink(String(path)) }
    }

    private static func hasListener(_ path: Substring) -> Bool {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        guard path.utf8.count < MemoryLayout.size(ofValue: address.sun_path) else { return true }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let socket = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(socket) }
        // The C interface takes every kind of address as a pointer to sockaddr.
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        return result == 0 || errno != ECONNREFUSED
    }
}
