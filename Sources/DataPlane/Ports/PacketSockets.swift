// A driver of Linux interfaces (net_af_packet) opens a packet socket for each queue and keeps it to itself. An idle worker wants
// to sleep until a packet comes, so it has to know the sockets' descriptors: those that appear while the device is made.

import CDPDK
import Glibc

enum PacketSockets {
    /// The packet sockets (packet(7)) of this process that are bound to an interface, in ascending order: that of their
    /// opening, as the kernel gives out the lowest free number.
    static func bound() -> [Int32] {
        guard let directory = opendir("/proc/self/fd") else { return [] }
        defer { closedir(directory) }
        var sockets: [Int32] = []
        while let entry = readdir(directory) {
            // The name is a C array, which Swift imports as a tuple.
            let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if let descriptor = Int32(name), isBound(descriptor) { sockets.append(descriptor) }
        }
        return sockets.sorted()
    }

    private static func isBound(_ descriptor: Int32) -> Bool {
        var address = sockaddr_ll()
        var length = socklen_t(MemoryLayout<sockaddr_ll>.size)
        // getsockname wants the general form of an address.
        let result = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
        }
        return result == 0 && Int32(address.sll_family) == AF_PACKET && address.sll_ifindex != 0
    }
}
