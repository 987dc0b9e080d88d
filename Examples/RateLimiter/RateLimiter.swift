// Lets so many bits a second through, whole packets with their Ethernet headers, and drops what is more. What was not used in the last
// tenth of a second may be used at once.

import Glibc
import NetLib

/// A token bucket.
struct Bucket {
    /// Bytes a second, and bytes at once.
    private let (rate, most): (Double, Double)
    private var level: Double
    private var last = Self.now

    init(bitsPerSecond: Double) {
        rate = bitsPerSecond / 8
        // The longest packet passes, however low the rate is.
        most = max(rate / 10, 2048)
        level = most
    }

    mutating func takes(_ bytes: Int) -> Bool {
        let now = Self.now
        level = min(most, level + (now - last) * rate)
        last = now
        guard level >= Double(bytes) else { return false }
        level -= Double(bytes)
        return true
    }

    private static var now: Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}

@main
enum RateLimiter {
    static func main() {
        let arguments = CommandLine.arguments.dropFirst()
        guard arguments.count == 1, let text = arguments.first, let rate = bitsPerSecond(text) else {
            NetworkFunction.refuse("a rate is wanted, such as 500kbit/s, 10Mbit/s or 1Gbit/s")
        }
        var bucket = Bucket(bitsPerSecond: rate)
        NetworkFunction.run { packet in bucket.takes(packet.count) ? .next : .drop }
    }

    private static func bitsPerSecond(_ text: String) -> Double? {
        for (unit, factor) in [("kbit/s", 1e3), ("Mbit/s", 1e6), ("Gbit/s", 1e9), ("bit/s", 1)]
        where text.hasSuffix(unit) {
            return Double(text.dropLast(unit.count)).flatMap { $0 > 0 ? $0 * factor : nil }
        }
        return nil
    }
}
