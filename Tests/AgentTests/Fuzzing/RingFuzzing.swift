// What a network function may write, in any order: descriptors, positions, bytes of rings and packets. Whatever it is, no buffer is
// lost, and the packets of other ports go out as they came in.

import Agent
import CVMRing
import DataPlane

enum RingFuzzing {
    /// What the bytes say: each step is a byte, and what it needs behind it.
    private enum Step: UInt8, CaseIterable {
        case receive, take, give, claim, ring, packet, look, other, empty, message, swap
    }

    static var seeds: [[UInt8]] {
        let steps = Step.allCases.map { [$0.rawValue] + [UInt8](repeating: 0, count: 16) }
        // A packet to the function and back; one that it makes; a message to the other one, and back.
        let orders: [[Step]] = [
            [.receive, .take, .give, .look], [.look, .empty, .give, .look],
            [.look, .empty, .give, .look, .swap, .message, .give, .look],
        ]
        return steps
            + orders.map { order in
                order.enumerated().flatMap { place, step in
                    // Another verdict than next, and the other's port.
                    let isMessage = order.count > 4 && place == 2
                    let changes = (0..<16).map { UInt8(isMessage ? ($0 == 11 ? 5 : $0 == 12 ? 5 : 0) : 0) }
                    return [step.rawValue] + (step == .give ? changes : [])
                }
            }
    }

    /// Port 1 to the function, which is port 4; what it gives back to port 2, where port 3's packets go, too, and those of another function of
    /// the group. Made once.
    nonisolated(unsafe) private static let lab = Result {
        let lab = try FunctionLab(empty: 16, messages: 16, verdicts: 0b10111, hasOther: true)
        try lab.forward(from: 1, to: 4)
        for port in [UInt32(3), 4, 5] { try lab.forward(from: port, to: 2) }
        return lab
    }
    private static let frame: [UInt8] = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5] + (0..<46).map { UInt8($0) }

    static func run(_ input: UnsafeBufferPointer<UInt8>) throws {
        let lab = try lab.get()
        lab.reset()
        var bytes = input.makeIterator()
        // The function that acts, and what it has; then those of the other one.
        var ends = [lab.function, lab.other].compactMap { $0 }.map { (end: $0, held: [vmring_descriptor]()) }
        func next<Word: FixedWidthInteger>(_: Word.Type) -> Word {
            (0..<MemoryLayout<Word>.size).reduce(0) { word, _ in word << 8 | Word(truncatingIfNeeded: bytes.next() ?? 0)
            }
        }
        func take(_ kind: vmring_kind) {
            if let descriptor = ends[0].end.take(kind) { ends[0].held.append(descriptor) }
        }
        while let byte = bytes.next() {
            switch Step.allCases[Int(byte) % Step.allCases.count] {
            case .receive: _ = lab.receive(frame)
            case .take: take(VMRING_RECEIVE)
            case .empty: take(VMRING_EMPTY)
            case .message: take(VMRING_MESSAGES)
            case .swap: ends.swapAt(0, 1)
            case .give:
                var descriptor = ends[0].held.popLast() ?? vmring_descriptor()
                descriptor.verdict = UInt8(VMRING_NEXT.rawValue)
                // Zeros leave it as it is.
                descriptor.buffer ^= next(UInt32.self)
                descriptor.offset ^= next(UInt16.self)
                descriptor.length ^= next(UInt16.self)
                descriptor.port ^= next(UInt32.self)
                descriptor.verdict ^= next(UInt8.self)
                descriptor.flags ^= next(UInt8.self)
                descriptor.reserved ^= next(UInt16.self)
                ends[0].end.give(descriptor)
            case .claim: ends[0].end.claim(next(UInt64.self))
            case .ring: ends[0].end.scribble(ring: next(UInt8.self), at: Int(next(UInt16.self)), next(UInt64.self))
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
        for owner in [FunctionLab.owner, FunctionLab.otherOwner] { _ = lab.region.reclaim(from: owner) }
        guard lab.region.pool.available == lab.region.count else {
            throw FuzzFailure("of \(lab.region.count) buffers \(lab.region.pool.available) came back")
        }
    }
}
