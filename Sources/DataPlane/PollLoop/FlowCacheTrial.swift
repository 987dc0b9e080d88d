// Whether the flow cache pays is measured, not guessed: now and then the worker takes bursts with it and bursts without it,
// and goes on the way that costs fewer cycles for a packet. Traffic that no cache helps against, such as flows that are never
// seen again, costs the trials, which become rarer each time that they find nothing to be won.

import CDPDK

package struct FlowCacheTrial {
    enum Phase: UInt64 {
        /// Without the cache, until the next trial.
        case off
        /// Without the cache, measuring.
        case measureOff
        /// With the cache, which fills.
        case fill
        /// With the cache, measuring.
        case measureOn
        /// With the cache. Measured all the time: the traffic may change.
        case on
    }

    private(set) var phase = Phase.off
    /// The phase, or the part of it that is measured at a time, ends when the worker has received this many packets.
    package var end: UInt64 = 0
    private var startPackets: UInt64 = 0
    private var startCycles: UInt64 = 0
    /// The lowest cost among the parts measured in this phase, and how many are left to be measured.
    private var lowest = UInt64.max
    private var partsLeft: UInt64 = 0
    /// Cycles for 1,024 packets.
    private var costOff = UInt64.max
    private var costOn = UInt64.max
    /// Measurements in a row that cost more than without the cache.
    private var costlyParts = 0
    /// Packets received when the cost without the cache was measured last.
    private var measuredOff: UInt64 = 0
    /// Packets until the next trial.
    private var interval = shortestInterval

    package init() {}

    /// Packets of one measurement, and measurements of a phase, of which the lowest counts: an interrupt may fall into any.
    static let window: UInt64 = 1 << 12
    private static let parts: UInt64 = 8
    private static let fillPackets: UInt64 = 1 << 18
    private static let shortestInterval: UInt64 = 1 << 20
    private static let longestInterval: UInt64 = 1 << 27
    /// Measurements with the cache between two without it.
    private static let partsOn: UInt64 = 1 << 10

    /// Whether packets go by the cache in this phase.
    package var usesCache: Bool { phase.rawValue >= Phase.fill.rawValue }

    /// Goes on to what comes at this moment. `packets`, `cycles`: what the worker has counted until now.
    package mutating func advance(packets: UInt64, cycles: UInt64) {
        let count = packets &- startPackets
        let cost = count == 0 ? .max : (cycles &- startCycles) &* 1024 / count
        // Of no matter in phases without parts.
        lowest = min(lowest, cost)
        partsLeft &-= 1
        let isOver = partsLeft == 0
        switch phase {
        case .off: enter(.measureOff, parts: Self.parts)
        case .measureOff where isOver:
            costOff = lowest
            measuredOff = packets
            // Whoever was with the cache before knows what that costs.
            if costOn == .max { enter(.fill, parts: 0) } else { decide(packets) }
        case .fill: enter(.measureOn, parts: Self.parts)
        case .measureOn where isOver:
            costOn = lowest
            decide(packets)
        case .measureOff, .measureOn: break
        case .on:
            // One alone may be an interrupt.
            costlyParts = cost > costOff &+ costOff / 16 ? costlyParts &+ 1 : 0
            if isOver || costlyParts == 2 {
                costOn = costlyParts == 2 ? cost : lowest
                enter(.measureOff, parts: Self.parts)
            }
        }
        startPackets = packets
        startCycles = cycles
        switch phase {
        case .off: end = packets &+ interval
        case .fill: end = packets &+ Self.fillPackets
        case .measureOff, .measureOn, .on: end = packets &+ Self.window
        }
    }

    private mutating func enter(_ next: Phase, parts: UInt64) {
        phase = next
        partsLeft = parts
        lowest = .max
        costlyParts = 0
    }

    /// Tables have changed, and some of what is cached is no good any more.
    package mutating func refill(packets: UInt64) {
        guard phase == .on else { return }
        enter(.fill, parts: 0)
        end = packets &+ Self.fillPackets
    }

    /// The cache has to save a thirty-second.
    private mutating func decide(_ packets: UInt64) {
        if packets &- measuredOff > Self.partsOn &* Self.window {
            enter(.measureOff, parts: Self.parts)
        } else if costOn &+ costOff / 32 < costOff {
            interval = Self.shortestInterval
            enter(.on, parts: Self.partsOn)
        } else {
            interval = min(interval &* 2, Self.longestInterval)
            costOn = .max
            enter(.off, parts: 0)
        }
    }
}

extension Worker {
    /// The plan of the flow cache, if the packets of the next burst are to go by it.
    @inline(__always)
    borrowing func planInUse() -> UnsafePointer<FlowCachePlan>? {
        if cache.pointee.plan != nil, cache.pointee.measures, counters.pointee.packets >= cache.pointee.trial.end {
            advanceTrial()
        }
        return cache.pointee.isInUse ? cache.pointee.plan : nil
    }

    @inline(never)
    private borrowing func advanceTrial() {
        let wasInUse = cache.pointee.trial.usesCache
        cache.pointee.trial.advance(
            packets: counters.pointee.packets,
            cycles: counters.pointee.busyCycles
        )
        // What was recorded long ago may name sequences that nothing takes any more.
        if !wasInUse && cache.pointee.trial.phase == .fill { cache.pointee.reset() }
        chooseCache()
    }

    /// Decides anew whether the cache is used: not while the control side is changing tables.
    @inline(__always)
    borrowing func chooseCache() {
        let wanted = cache.pointee.mode == .on || cache.pointee.measures && cache.pointee.trial.usesCache
        cache.pointee.isInUse = wanted && cache.pointee.plan != nil && cache.pointee.seen & 1 == 0
    }
}
