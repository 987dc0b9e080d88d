// Multipart requests about meters (OpenFlow 1.3.5 §7.3.5.12 to §7.3.5.14).

import OpenFlow

/// What has come to a meter since it was added.
package struct MeterCounters: Hashable, Sendable {
    package var packets: UInt64
    package var bytes: UInt64
    /// What was above each band's rate, in the order of the bands.
    package var bands: [TrafficCounter]

    package init(packets: UInt64 = 0, bytes: UInt64 = 0, bands: [TrafficCounter] = []) {
        (self.packets, self.bytes, self.bands) = (packets, bytes, bands)
    }

    /// One for each band that the meter has now.
    func bands(of meter: Meter) -> [TrafficCounter] {
        meter.bands.indices.map {
            bands.indices.contains($0) ? bands[$0] : TrafficCounter(packetCount: 0, byteCount: 0)
        }
    }
}

extension SwitchModel {
    /// OFPMP_METER.
    ///
    /// Throws `METER_MOD_FAILED/UNKNOWN_METER`.
    func meterStatistics(_ id: UInt32) throws(OpenFlowError) -> [MeterStatistics] {
        let time = now()
        return try selectedMeters(id).map { meter in
            let counters = datapath.counters(ofMeter: meter.id)
            let duration = WireDuration(from: meter.installed, to: time)
            return MeterStatistics(
                meterID: meter.id,
                flowCount: UInt32(clamping: meterUsers[meter.id] ?? 0),
                packetInCount: counters.packets,
                byteInCount: counters.bytes,
                durationSeconds: duration.seconds,
                durationNanoseconds: duration.nanoseconds,
                bands: counters.bands(of: meter)
            )
        }
    }

    /// OFPMP_METER_CONFIG.
    ///
    /// Throws `METER_MOD_FAILED/UNKNOWN_METER`.
    func meterConfigs(_ id: UInt32) throws(OpenFlowError) -> [MeterConfig] {
        try selectedMeters(id).map { MeterConfig(flags: $0.flags, meterID: $0.id, bands: $0.bands) }
    }

    /// OFPMP_METER_FEATURES.
    var meterFeatures: MeterFeatures {
        MeterFeatures(
            maxMeters: UInt32(clamping: meterLimit),
            // OFPMBT_DROP and OFPMBT_DSCP_REMARK.
            bandTypes: 1 << 1 | 1 << 2,
            capabilities: [.kilobitsPerSecond, .packetsPerSecond, .burst, .statistics],
            maxBands: UInt8(clamping: meterBandLimit),
            maxColor: 0
        )
    }

    private func selectedMeters(_ id: UInt32) throws(OpenFlowError) -> [Meter] {
        if id == MeterID.all { return meters.values.sorted { $0.id < $1.id } }
        guard let meter = meters[id] else { throw .meterModFailed(.unknownMeter, "meter \(id)") }
        return [meter]
    }
}
