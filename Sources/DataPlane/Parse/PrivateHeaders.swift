// Where the headers of a packet in shared memory are copied to, to be parsed: a VM may write to the packet while it is looked at,
// and what has been checked has to be what is used.

struct PrivateHeaders {
    private let bytes: UnsafeMutablePointer<UInt8> = zeroed(size)

    /// So many bytes of a packet are looked at for headers.
    private static let size = 512

    /// A copy of a packet's beginning, good until the next one, and its bytes.
    @inline(__always)
    func copy(_ data: UnsafePointer<UInt8>, _ length: Int) -> (UnsafePointer<UInt8>, Int) {
        let copied = min(length, Self.size)
        bytes.update(from: data, count: copied)
        return (UnsafePointer(bytes), copied)
    }
}
