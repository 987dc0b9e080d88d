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

    /// The second word of a descriptor that says so.
    @usableFromInline var word: UInt64 {
        switch self {
        case .drop: UInt64(VMRING_DROP.rawValue) << 32
        case .next: UInt64(VMRING_NEXT.rawValue) << 32
        case .out(let port): UInt64(VMRING_OUT.rawValue) << 32 | UInt64(port)
        case .function(let service): UInt64(VMRING_FUNCTION.rawValue) << 32 | UInt64(service)
        }
    }
}

/// A packet, where the agent put it: nothing has been copied, and nothing will be.
public struct Packet {
    /// The number of the buffer that it lies in: the same in all functions of the group that it goes through.
    public let buffer: UInt32
    /// Where that is. Shared memory, hence raw: other functions of the group see it as well.
    @usableFromInline let memory: UnsafeMutableRawPointer
    @usableFromInline let bufferSize: Int
    /// Where it begins in its buffer, in bytes.
    public internal(set) var offset: Int
    /// Its bytes, without frame check sequence.
    public internal(set) var count: Int
    /// The number of the OpenFlow port where it came in; 0: none.
    public let inPort: UInt32

    @usableFromInline
    @inline(__always)
    init(
        buffer: UInt32,
        memory: UnsafeMutableRawPointer,
        bufferSize: Int,
        offset: Int,
        count: Int,
        inPort: UInt32
    ) {
        (self.buffer, self.memory, self.bufferSize) = (buffer, memory, bufferSize)
        (self.offset, self.count, self.inPort) = (offset, count, inPort)
    }

    /// Its bytes, from the Ethernet header on; good until the verdict.
    @inlinable
    public var bytes: UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(start: memory + offset, count: count)
    }

    /// Moves its beginning forward by `bytes`, or backward if that is negative, and its end by `tail`; false, and nothing changes, if
    /// it would not lie in its buffer any more.
    public mutating func move(start bytes: Int = 0, end tail: Int = 0) -> Bool {
        let (newOffset, newCount) = (offset + bytes, count - bytes + tail)
        guard newOffset >= 0, newCount >= 0, newOffset + newCount <= bufferSize else { return false }
        (offset, count) = (newOffset, newCount)
        return true
    }
}
