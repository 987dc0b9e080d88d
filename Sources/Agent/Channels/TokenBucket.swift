// A limit on a rate, with a burst of what half a second allows.

import NIOCore

struct TokenBucket {
    /// Tokens a second.
    private let rate: Double
    private let burst: Double
    private var tokens: Double
    private var filled: NIODeadline

    init(rate: Int, now: NIODeadline = .now()) {
        self.rate = Double(rate)
        burst = max(1, Double(rate) / 2)
        tokens = burst
        filled = now
    }

    /// Takes a token; false if there is none.
    mutating func take(now: NIODeadline = .now()) -> Bool {
        tokens = min(burst, tokens + rate * Double((now - filled).nanoseconds) / 1e9)
        filled = now
        guard tokens >= 1 else { return false }
        tokens -= 1
        return true
    }
}
