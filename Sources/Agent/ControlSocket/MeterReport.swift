// What `show meters` tells: meters with their counters, as in OFPMP_METER and OFPMP_METER_CONFIG.

import NIOCore
import OpenFlow

/// `show meters`: one meter, and what has come to it.
package struct MeterReport: Codable, Hashable, Sendable {
    /// The meter's number; 4294967293 is that of the slow path, 4294967294 that of packet-ins.
    package var meter: UInt32
    /// kbps, pktps, burst, stats, as the controller set them.
    package var flags: [String]
    /// Flow entries that refer to it.
    package var flows: Int
    package var packets: UInt64
    package var bytes: UInt64
    /// Seconds since it was added.
    package var seconds: Int
    /// As the controller wrote them.
    package var bands: [Band]

    /// A band, and what was above its rate.
    package struct Band: Codable, Hashable, Sendable {
        /// drop, dscp_remark.
        package var type: String
        /// In kbit/s or, with pktps, packets/s.
        package var rate: UInt32
        /// In kbit or packets; 0: not said.
        package var burst: UInt32
        /// By how much dscp_remark raises the drop precedence.
        package var precedenceLevels: UInt8?
        package var packets: UInt64
        package var bytes: UInt64

        package init(type: String, rate: UInt32, burst: UInt32, packets: UInt64, bytes: UInt64) {
            (self.type, self.rate, self.burst, self.packets, self.bytes) = (type, rate, burst, packets, bytes)
        }
    }

    package init(meter: UInt32, flags: [String], flows: Int, packets: UInt64, bytes: UInt64) {
        (self.meter, self.flags, self.flows, self.packets, self.bytes) = (meter, flags, flows, packets, bytes)
        (seconds, bands) = (0, [])
    }
}

extension SwitchModel {
    /// All meters, by number.
    func meterReports() -> [MeterReport] {
        meters.values.sorted { $0.id < $1.id }.map { meter in
            let counters = datapath.counters(ofMeter: meter.id)
            var report = MeterReport(
                meter: meter.id,
                flags: meter.flags.names,
                flows: meterUsers[meter.id] ?? 0,
                packets: counters.packets,
                bytes: counters.bytes
            )
            report.seconds = Int((now() - meter.installed).nanoseconds / 1_000_000_000)
            report.bands = zip(meter.bands, counters.bands(of: meter)).map { MeterReport.Band($0, $1) }
            return report
        }
    }
}

extension MeterReport.Band {
    fileprivate init(_ band: MeterBand, _ counter: TrafficCounter) {
        self.init(
            type: "drop",
            rate: band.rate,
            burst: band.burst,
            packets: counter.packetCount,
            bytes: counter.byteCount
        )
        if case .dscpRemark(_, _, let levels) = band { (type, precedenceLevels) = ("dscp_remark", levels) }
    }
}

extension MeterFlags {
    /// As `ovs-ofctl` writes them.
    fileprivate var names: [String] {
        let all: [(MeterFlags, String)] = [
            (.kilobitsPerSecond, "kbps"), (.packetsPerSecond, "pktps"), (.burst, "burst"), (.statistics, "stats"),
        ]
        return all.filter { contains($0.0) }.map(\.1)
    }
}
