// Multipart 9 to 11, OFPMP_METER, OFPMP_METER_CONFIG and OFPMP_METER_FEATURES: meters and their counters.

/// `ofp_meter_stats` (OpenFlow 1.3.5 §7.3.5.12 / A.3.5.12).
package struct MeterStatistics: Hashable, Sendable {
    package var meterID: UInt32
    /// Flow entries that use the meter.
    package var flowCount: UInt32
    /// Packets that came to the meter.
    package var packetInCount: UInt64
    package var byteInCount: UInt64
    package var durationSeconds: UInt32
    package var durationNanoseconds: UInt32
    /// Packets and bytes that exceeded the band.
    package var bands: [TrafficCounter]

    package init(
        meterID: UInt32,
        flowCount: UInt32 = 0,
        packetInCount: UInt64 = 0,
        byteInCount: UInt64 = 0,
        durationSeconds: UInt32 = 0,
        durationNanoseconds: UInt32 = 0,
        bands: [TrafficCounter] = []
    ) {
        self.meterID = meterID
        self.flowCount = flowCount
        self.packetInCount = packetInCount
        self.byteInCount = byteInCount
        self.durationSeconds = durationSeconds
        self.durationNanoseconds = durationNanoseconds
        self.bands = bands
    }
}

/// `ofp_meter_config` (OpenFlow 1.3.5 §7.3.5.13 / A.3.5.13).
package struct MeterConfig: Hashable, Sendable {
    package var flags: MeterFlags
    package var meterID: UInt32
    package var bands: [MeterBand]

    package init(flags: MeterFlags, meterID: UInt32, bands: [MeterBand]) {
        self.flags = flags
        self.meterID = meterID
        self.bands = bands
    }
}

/// `ofp_meter_features` (OpenFlow 1.3.5 §7.3.5.14 / A.3.5.14).
package struct MeterFeatures: Hashable, Sendable {
    package var maxMeters: UInt32
    /// Bit n: bands of type n are supported.
    package var bandTypes: UInt32
    package var capabilities: MeterFlags
    /// For each meter.
    package var maxBands: UInt8
    package var maxColor: UInt8

    package init(
        maxMeters: UInt32 = 0,
        bandTypes: UInt32 = 0,
        capabilities: MeterFlags = [],
        maxBands: UInt8 = 0,
        maxColor: UInt8 = 0
    ) {
        self.maxMeters = maxMeters
        self.bandTypes = bandTypes
        self.capabilities = capabilities
        self.maxBands = maxBands
        self.maxColor = maxColor
    }
}

extension MeterStatistics: MultipartElement {
    init(from reader: inout WireReader) throws(OpenFlowError) {
        meterID = try reader.read()
        let length: UInt16 = try reader.read()
        var body = try reader.slice(Int(length) - 6, scope: .message)
        try body.pad(6)
        flowCount = try body.read()
        packetInCount = try body.read()
        byteInCount = try body.read()
        durationSeconds = try body.read()
        durationNanoseconds = try body.read()
        bands = try body.list { list throws(OpenFlowError) in try TrafficCounter(from: &list) }
    }

    func write(to writer: inout WireWriter) {
        writer.write(meterID)
        writer.lengthPrefixed(after: 4) { writer in
            writer.pad(6)
            writer.write(flowCount)
            writer.write(packetInCount)
            writer.write(byteInCount)
            writer.write(durationSeconds)
            writer.write(durationNanoseconds)
            for band in bands {
                band.write(to: &writer)
            }
        }
    }
}

extension MeterConfig: MultipartElement {
    init(from reader: inout WireReader) throws(OpenFlowError) {
        let length: UInt16 = try reader.read()
        var body = try reader.slice(Int(length) - 2, scope: .message)
        flags = try MeterFlags(from: &body)
        meterID = try body.read()
        bands = try body.list { list throws(OpenFlowError) in try MeterBand(from: &list) }
    }

    func write(to writer: inout WireWriter) {
        writer.lengthPrefixed(after: 0) { writer in
            writer.write(flags.rawValue)
            writer.write(meterID)
            for band in bands {
                band.write(to: &writer)
            }
        }
    }
}

extension MeterFeatures {
    init(from reader: inout WireReader) throws(OpenFlowError) {
        maxMeters = try reader.read()
        bandTypes = try reader.read()
        capabilities = try MeterFlags(rawValue: UInt16(truncatingIfNeeded: reader.read(UInt32.self)))
        maxBands = try reader.read()
        maxColor = try reader.read()
        try reader.pad(2)
    }

    func write(to writer: inout WireWriter) {
        writer.write(maxMeters)
        writer.write(bandTypes)
        writer.write(UInt32(capabilities.rawValue))
        writer.write(maxBands)
        writer.write(maxColor)
        writer.pad(2)
    }
}
