// A limit on a rate, with a burst that may come at once.

import NIOCore

struct TokenBucket {
    /// Tokens a second.
    private let rate: Double
    private let burst: Double
    private var tokens: Double
    private var filled: NIODeadline

    /// - Parameter burst: Tokens that may be taken at once; nil: what half a second gives.
    init(rate: Int, burst: Int? = nil, now: NIODeadline = .now()) {
        self.rate = Double(rate)
        self.burst = max(1, burst.map(Double.init) ?? Double(rate) / 2)
        tokens = self.burst
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
