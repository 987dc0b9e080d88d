// Makes UDP packets, and says every second how many went and came back, how many of all are missing, and how long they took. The
// arguments are the bytes of a packet, how many are made in a second (0, or none: as many as the switch takes), and of how many flows.
//
// They are from 198.18.0.1 to 198.18.0.2 (RFC 2544) by ports 49152, 49153, … and 7. Where they go is up to the rules.

import Glibc
import NetLib

/// Since the last report.
struct Meter {
    var (sent, received, bytes) = (0, 0, 0)
    /// Nanoseconds until packets were back.
    var (least, most, sum) = (UInt64.max, UInt64(0), UInt64(0))

    mutating func count(_ packet: Packet, taken: UInt64) {
        received += 1
        bytes += packet.count
        (least, most, sum) = (min(least, taken), max(most, taken), sum &+ taken)
    }

    /// `least mean most`, in microseconds.
    var times: String {
        guard received > 0 else { return "-\t-\t-" }
        return [least, sum / UInt64(received), most].map { "\(Double($0 / 100) / 10)" }.joined(separator: "\t")
    }
}

@main
enum LoadGenerator {
    /// Where the UDP payload begins: with a word by which the packets are known, and the time.
    private static let (payload, mark) = (42, UInt64(0x7269_6e67_7761_7921))

    static func main() {
        let words = CommandLine.arguments.dropFirst().map { Int($0) ?? -1 }
        let (size, rate, flows) = (words.first ?? -1, words.dropFirst().first ?? 0, words.dropFirst(2).first ?? 1)
        guard words.count <= 3, (60...Packet.longest).contains(size), rate >= 0, (1...10_000).contains(flows) else {
            NetworkFunction.refuse(
                "wanted are bytes of a packet (60 to \(Packet.longest)), packets a second (0: all that go), flows (1 to 10000)"
            )
        }
        let frame = frame(of: size)
        var (meter, missing, flow, due) = (Meter(), 0, 0, now)
        print("SENT", "RECEIVED", "BYTES", "MISSING", "LEAST", "MEAN", "MOST (µs)", separator: "\t")
        NetworkFunction.run(every: 1000) {
            missing += meter.sent - meter.received
            print(meter.sent, meter.received, meter.bytes, missing, meter.times, separator: "\t")
            fflush(nil)
            meter = Meter()
        } turn: { attachment in
            let (time, before) = (now, meter.sent)
            // What the switch did not take in time is not made up for.
            due = max(due, time - 10_000_000)
            while meter.sent - before < 32, rate == 0 || due <= time {
                let isMade = attachment.makePacket(of: size) { packet in
                    packet.bytes.copyBytes(from: frame)
                    packet.bytes.storeBytes(of: UInt16(49_152 + flow).bigEndian, toByteOffset: 34, as: UInt16.self)
                    packet.bytes.storeBytes(of: time, toByteOffset: payload + 8, as: UInt64.self)
                    return .next
                }
                guard isMade else { break }
                meter.sent += 1
                flow = (flow + 1) % flows
                if rate > 0 { due += 1_000_000_000 / UInt64(rate) }
            }
            // At a rate it does not sleep: the next packet is due.
            return rate > 0 ? 1 : meter.sent - before
        } packets: { packet in
            if packet.count >= payload + 16, word(of: packet, at: payload) == mark {
                meter.count(packet, taken: now &- word(of: packet, at: payload + 8))
            }
            return .drop
        }
    }

    private static func word(of packet: Packet, at place: Int) -> UInt64 {
        packet.bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self)
    }

    /// In nanoseconds.
    private static var now: UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    /// A packet without UDP checksum, which IPv4 allows.
    private static func frame(of size: Int) -> [UInt8] {
        func bytes(_ number: Int) -> [UInt8] { [UInt8(number >> 8), UInt8(number & 0xff)] }
        var ip: [UInt8] = [0x45, 0] + bytes(size - 14) + [0, 0, 0, 0, 64, 17, 0, 0, 198, 18, 0, 1, 198, 18, 0, 2]
        let sum = stride(from: 0, to: 20, by: 2).reduce(0) { $0 + Int(ip[$1]) << 8 + Int(ip[$1 + 1]) }
        ip.replaceSubrange(10..<12, with: bytes(~(sum & 0xffff + sum >> 16) & 0xffff))
        let udp = bytes(0) + bytes(7) + bytes(size - 34) + [0, 0]
        let frame = [2, 0, 0, 0, 0, 0xfe, 2, 0, 0, 0, 0, 0xfd, 8, 0] + ip + udp
        return frame + withUnsafeBytes(of: mark) { [UInt8]($0) } + [UInt8](repeating: 0, count: size - payload - 8)
    }
}
