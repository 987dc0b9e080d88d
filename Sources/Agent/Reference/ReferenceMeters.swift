// Meters by the book, for the reference pipeline: a bucket of tokens for each band, filled by a clock that is given.

import NIOCore
import OpenFlow

/// The buckets of a model's meters. Belongs to the event loop of the model.
package final class ReferenceMeters {
    private struct Bucket {
        /// Packets or bits.
        var tokens: Double
        var filled: NIODeadline
    }

    private struct State {
        let revision: UInt64
        var buckets: [Bucket]
    }

    private let now: () -> NIODeadline
    private var states: [UInt32: State] = [:]
    private var counted: [UInt32: MeterCounters] = [:]

    package init(now: @escaping () -> NIODeadline) { self.now = now }

    package func counters(of id: UInt32) -> MeterCounters { counted[id] ?? MeterCounters() }

    /// Forgets a meter's counters: it is gone, or another one.
    package func forget(_ id: UInt32) { (states[id], counted[id]) = (nil, nil) }

    /// §5.7.1: of the bands whose rate is exceeded the one with the highest rate is applied. False: the packet is dropped.
    func meter(_ frame: inout [UInt8], by meter: Meter) -> Bool {
        let time = now()
        if states[meter.id]?.revision != meter.revision {
            let full = meter.bands.map { Bucket(tokens: meter.burst(of: $0), filled: time) }
            states[meter.id] = State(revision: meter.revision, buckets: full)
        }
        var counters = counters(of: meter.id)
        while counters.bands.count < meter.bands.count {
            counters.bands.append(TrafficCounter(packetCount: 0, byteCount: 0))
        }
        counters.packets += 1
        counters.bytes += UInt64(frame.count)
        defer { counted[meter.id] = counters }
        let cost = meter.countsPackets ? 1 : Double(8 * frame.count)
        for index in meter.bands.indices.sorted(by: { meter.bands[$0].rate > meter.bands[$1].rate }) {
            guard exceeds(cost, meter, band: index, at: time) else { continue }
            counters.bands[index].packetCount += 1
            counters.bands[index].byteCount += UInt64(frame.count)
            guard case .dscpRemark(_, _, let levels) = meter.bands[index] else { return false }
            frame.raiseDropPrecedence(by: Int(levels))
            return true
        }
        return true
    }

    /// Takes the tokens of a packet; true if there are too few.
    private func exceeds(_ cost: Double, _ meter: Meter, band index: Int, at time: NIODeadline) -> Bool {
        guard var bucket = states[meter.id]?.buckets[index] else { return false }
        let band = meter.bands[index]
        let rate = Double(band.rate) * (meter.countsPackets ? 1 : 1_000)
        let size = meter.burst(of: band)
        bucket.tokens = min(size, bucket.tokens + rate * Double((time - bucket.filled).nanoseconds) / 1e9)
        bucket.filled = time
        let isThere = bucket.tokens >= min(cost, size)
        if isThere { bucket.tokens -= cost }
        states[meter.id]?.buckets[index] = bucket
        return !isThere
    }
}

extension [UInt8] {
    /// RFC 2597: class 1 to 4, precedence 1 to 3, and a 0. Other DSCPs have no drop precedence.
    mutating func raiseDropPrecedence(by levels: Int) {
        guard let dscp = PacketFields(self)?.values[.ipDSCP].map({ Int($0) }) else { return }
        let (level, precedence) = (dscp >> 3, dscp >> 1 & 3)
        guard (1...4).contains(level), dscp & 1 == 0, precedence > 0 else { return }
        set(.ipDSCP, to: UInt128(level << 3 | Swift.min(3, precedence + levels) << 1))
    }
}
