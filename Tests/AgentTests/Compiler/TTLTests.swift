// Dec-NW-TTL over all checksums and TTLs that behave in a way of their own.

import Agent
import DataPlane
import OpenFlow
import Testing

@Suite("Time to live", .timeLimit(.minutes(1)), .serialized)
struct TTLTests {
    @Test("the checksum of a header with one TTL less is what adding up all its words gives")
    func checksum() throws {
        let system = try InProcessSwitch()
        let actions: [Action] = [.decNWTTL, .output(2, maxLength: 0)]
        try system.execute(
            FlowMod(
                tableID: 0,
                command: .add,
                match: Match([MatchField(.ethType, 0x0800)]),
                instructions: [.applyActions(actions)]
            )
        )
        // The identification lets the checksum of the header take every value near those where a sum wraps.
        for ttl in [2, 3, 64, 255] as [UInt8] {
            for identification in [0...0x0fff, 0x4000...0x4fff, 0xf000...0xffff].joined() {
                let frame = Self.frame(ttl: ttl, identification: UInt16(identification))
                let outcome = try #require(system.receive(frame, port: 1))
                let sent = try #require(outcome.outputs.first?.bytes)
                let expected = Self.frame(ttl: ttl - 1, identification: UInt16(identification))
                guard sent == expected else {
                    Issue.record("TTL \(ttl), identification \(identification): \(sent[24]) \(sent[25])")
                    return
                }
            }
        }
    }

    /// An IPv4 packet with the right checksum, by RFC 1071.
    private static func frame(ttl: UInt8, identification: UInt16) -> [UInt8] {
        var header: [UInt8] =
            [0x45, 0, 0, 20, UInt8(identification >> 8), UInt8(identification & 0xff), 0, 0, ttl, 99, 0, 0]
            + [10, 0, 0, 1, 10, 0, 0, 2]
        var sum = stride(from: 0, to: 20, by: 2).reduce(UInt32(0)) {
            $0 + UInt32(header[$1]) << 8 + UInt32(header[$1 + 1])
        }
        while sum > 0xffff { sum = sum & 0xffff + sum >> 16 }
        let checksum = ~UInt16(sum)
        (header[10], header[11]) = (UInt8(checksum >> 8), UInt8(checksum & 0xff))
        return [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0] + header
    }
}
