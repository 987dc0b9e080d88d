// One packet in the hands of a network function.

import CVMRing

/// What a network function says of a packet.
public enum Verdict: Equatable, Sendable {
    /// Drop it.
    case drop
    /// Look it up again: it comes in by the function's port.
    case next
    /// Output it to the OpenFlow port of this number, whatever the rules say, if the configuration lets the function do so.
    case out(port: UInt32)
    /// Output it to a replica of the service whose OpenFlow port has this number, on the same condition.
    case function(service: UInt32)
    /// Hand it to the function at the OpenFlow port of this number, of the same group, as a message.
    case message(to: UInt32)

    /// The second word of a descriptor that says so.
    @usableFromInline var word: UInt64 {
        switch self {
        case .drop: UInt64(VMRING_DROP.rawValue) << 32
        case .next: UInt64(VMRING_NEXT.rawValue) << 32
        case .out(let port): UInt64(VMRING_OUT.rawValue) << 32 | UInt64(port)
        case .function(let service): UInt64(VMRING_FUNCTION.rawValue) << 32 | UInt64(service)
        case .message(let port): UInt64(VMRING_MESSAGE.rawValue) << 32 | UInt64(port)
        }
    }
}

/// A packet or a message, where the agent put it: nothing has been copied, and nothing will be.
public struct Packet {
    @usableFromInline var place: netlib_packet

    @usableFromInline
    @inline(__always)
    init(_ place: netlib_packet) { self.place = place }

    /// The number of the buffer that it lies in: the same in all functions of the group that it goes through.
    @inlinable public var buffer: UInt32 { place.buffer }
    /// The queue that it came by; 0 unless the port has several.
    @inlinable public var queue: Int { Int(place.queue) }
    /// Where it begins in its buffer, in bytes.
    @inlinable public var offset: Int { place.data - place.start }
    /// Bytes of the longest one.
    public static let longest = 2048

    /// Its bytes, without frame check sequence.
    @inlinable public var count: Int { Int(place.length) }
    /// The number of the OpenFlow port where it came in, or whose function sent the message; 0: none.
    @inlinable public var inPort: UInt32 { place.in_port }

    /// Its bytes, from the Ethernet header on; good until the verdict. Shared memory, hence raw: other functions of the group see it as
    /// well.
    @inlinable
    public var bytes: UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(start: place.data, count: count)
    }

    /// Moves its beginning forward by `bytes`, or backward if that is negative, and its end by `tail`; false, and nothing changes, if
    /// it would not lie in its buffer any more, or be longer than `longest`.
    public mutating func move(start bytes: Int = 0, end tail: Int = 0) -> Bool { netlib_move(&place, bytes, tail) }
}
