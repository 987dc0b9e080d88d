// How a rate is kept: without a clock of its own, and to the byte.

/// A rate, as time to spend: time adds to the level, a byte costs `cost`. A packet leaves while the level is above 0, and may leave it
/// below, so that in the long run a rate is kept to the byte.
struct RateLimit: BitwiseCopyable {
    /// Cycles of the time stamp counter that a byte takes, in units of 1/65,536; 0: there is no such rate.
    var cost: Int64
    /// In the same units.
    var level: Int64

    /// The fraction's bits.
    static let scale: UInt64 = 16

    /// - Parameter rate: In bits a second; nil: there is no such rate.
    init(_ rate: UInt64?, cyclesPerSecond: UInt64) {
        cost = rate.map { Int64(max(1, (Double(cyclesPerSecond << Self.scale) * 8 / Double($0)).rounded())) } ?? 0
        level = 1
    }

    @inline(__always)
    var isSpent: Bool { level <= 0 }

    /// - Parameter most: The level does not rise higher.
    @inline(__always)
    mutating func add(_ time: Int64, upTo most: Int64) { level = min(level &+ time, most) }

    @inline(__always)
    mutating func spend(_ bytes: UInt32) { level &-= cost &* Int64(bytes) }

    @inline(__always)
    mutating func giveBack(_ bytes: UInt32) { level &+= cost &* Int64(bytes) }
}
