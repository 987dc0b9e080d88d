// What a network function may write, in any order: descriptors, positions, bytes of rings and packets. Whatever it is, no buffer is
// lost, and the packets of other ports go out as they came in.

import Agent
import CVMRing
import DataPlane

enum RingFuzzing {
    /// What the bytes say: each step is a byte, and what it needs behind it.
    private enum Step: UInt8, CaseIterable { case receive, take, give, claim, ring, packet, look, other }

    static var seeds: [[UInt8]] {
        let steps = Step.allCases.map { [$0.rawValue] + [UInt8](repeating: 0, count: 16) }
        // A packet to the function and back.
        let order: [Step] = [.receive, .take, .give, .look]
        return steps + [order.flatMap { [$0.rawValue] + ($0 == .give ? [UInt8](repeating: 0, count: 16) : []) }]
    }

    /// Port 1 to the function, which is port 4; what it gives back to port 2, where port 3's packets go, too. Made once.
    nonisolated(unsafe) private static let lab = Result {
        let lab = try FunctionLab()
        try lab.forward(from: 1, to: 4)
        for port in [UInt32(3), 4] { try lab.forward(from: port, to: 2) }
        return lab
    }
    private static let frame: [UInt8] = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5] + (0..<46).map { UInt8($0) }

    static func run(_ input: UnsafeBufferPointer<UInt8>) throws {
        let lab = try lab.get()
        lab.reset()
        var bytes = input.makeIterator()
        var held: [vmring_descriptor] = []
        func next<Word: FixedWidthInteger>(_: Word.Type) -> Word {
            (0..<MemoryLayout<Word>.size).reduce(0) { word, _ in word << 8 | Word(truncatingIfNeeded: bytes.next() ?? 0)
            }
        }
        while let byte = bytes.next() {
            switch Step.allCases[Int(byte) % Step.allCases.count] {
            case .receive: _ = lab.receive(frame)
            case .take: lab.take().map { held.append($0) }
            case .give:
                var descriptor = held.popLast() ?? vmring_descriptor()
                descriptor.verdict = UInt8(VMRING_NEXT.rawValue)
                // Zeros leave it as it is.
                descriptor.buffer ^= next(UInt32.self)
                descriptor.offset ^= next(UInt16.self)
                descriptor.length ^= next(UInt16.self)
                descriptor.port ^= next(UInt32.self)
                descriptor.verdict ^= next(UInt8.self)
                descriptor.flags ^= next(UInt8.self)
                descriptor.reserved ^= next(UInt16.self)
                lab.give(descriptor)
            case .claim: lab.claim(next(UInt64.self))
            case .ring: lab.scribble(ring: next(UInt8.self), at: Int(next(UInt16.self)), next(UInt64.self))
            case .packet:
                let place = Int(next(UInt32.self)) % (FunctionLab.regionBytes - 8)
                lab.packets.storeBytes(of: next(UInt64.self), toByteOffset: place, as: UInt64.self)
            case .look: _ = lab.receiveFromVM()
            case .other:
                let outputs = lab.system.receive(frame, port: 3)?.outputs ?? []
                guard outputs.map(\.port) == [2], outputs.map(\.bytes) == [frame] else {
                    throw FuzzFailure("another port's packet became \(outputs)")
                }
            }
        }
        guard lab.missing == 0 else { throw FuzzFailure("\(lab.missing) buffers are nobody's") }
        _ = lab.region.reclaim(from: FunctionLab.owner)
        guard lab.region.pool.available == lab.region.count else {
            throw FuzzFailure("of \(lab.region.count) buffers \(lab.region.pool.available) came back")
        }
    }
}
