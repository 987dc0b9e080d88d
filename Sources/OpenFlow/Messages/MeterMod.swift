// The command that changes the meter table.

import NIOCore

/// OFPT_METER_MOD (OpenFlow 1.3.5 §7.3.4.4 / A.3.4.4).
package struct MeterMod: Hashable, Sendable {
    package var command: MeterModCommand
    package var flags: MeterFlags
    package var meterID: UInt32
    package var bands: [MeterBand]

    package init(command: MeterModCommand, flags: MeterFlags = [], meterID: UInt32, bands: [MeterBand] = []) {
        self.command = command
        self.flags = flags
        self.meterID = meterID
        self.bands = bands
    }
}

/// `ofp_meter_mod_command`.
package enum MeterModCommand: UInt16, CaseIterable, Hashable, Sendable {
    /// OFPMC_ADD.
    case add = 0
    /// OFPMC_MODIFY.
    case modify = 1
    /// OFPMC_DELETE.
    case delete = 2
}

/// `ofp_meter_flags`.
package struct MeterFlags: OptionSet, Hashable, Sendable {
    package var rawValue: UInt16

    package init(rawValue: UInt16) { self.rawValue = rawValue }

    /// OFPMF_KBPS: rates are in kbit/s.
    package static let kilobitsPerSecond = Self(rawValue: 1 << 0)
    /// OFPMF_PKTPS: rates are in packets/s.
    package static let packetsPerSecond = Self(rawValue: 1 << 1)
    /// OFPMF_BURST: burst sizes count.
    package static let burst = Self(rawValue: 1 << 2)
    /// OFPMF_STATS: collect statistics.
    package static let statistics = Self(rawValue: 1 << 3)
}

/// `ofp_meter_band_header` with what follows. Rates are in kbit/s or packets/s, bursts in kbit or packets, by the
/// meter's flags.
package enum MeterBand: Hashable, Sendable {
    /// OFPMBT_DROP.
    case drop(rate: UInt32, burst: UInt32)
    /// OFPMBT_DSCP_REMARK: raises the drop precedence by so many levels.
    case dscpRemark(rate: UInt32, burst: UInt32, precedenceLevels: UInt8)
    /// OFPMBT_EXPERIMENTER.
    case experimenter(rate: UInt32, burst: UInt32, experimenter: UInt32, data: ByteBuffer)
}

extension MeterMod {
    /// What the bands may have in bytes, so that the meter fits into one meter-config reply.
    private static let maxContentLength = 65535 - 24

    /// Throws errors of type OFPET_METER_MOD_FAILED: BAD_COMMAND, BAD_FLAGS, BAD_BAND for an unknown type,
    /// OUT_OF_BANDS for more than a reply could tell of; OFPBRC_BAD_LEN for a band's length.
    init(from reader: inout WireReader) throws(OpenFlowError) {
        let rawCommand: UInt16 = try reader.read()
        guard let command = MeterModCommand(rawValue: rawCommand) else {
            throw .meterModFailed(.badCommand, "meter-mod command \(rawCommand)")
        }
        self.command = command
        flags = try MeterFlags(from: &reader)
        meterID = try reader.read()
        guard reader.remaining <= Self.maxContentLength else {
            throw .meterModFailed(.outOfBands, "meter-mod: \(reader.remaining) bytes of bands")
        }
        bands = try reader.list { list throws(OpenFlowError) in try MeterBand(from: &list) }
    }

    func write(to writer: inout WireWriter) {
        writer.write(command.rawValue)
        writer.write(flags.rawValue)
        writer.write(meterID)
        for band in bands {
            band.write(to: &writer)
        }
    }
}

extension MeterFlags {
    init(from reader: inout WireReader) throws(OpenFlowError) {
        self.init(rawValue: try reader.read())
        guard isSubset(of: [.kilobitsPerSecond, .packetsPerSecond, .burst, .statistics]) else {
            throw .meterModFailed(.badFlags, "meter flags \(Text.hex(rawValue))")
        }
    }
}

extension MeterBand {
    /// `ofp_meter_band_type`.
    private enum Kind: UInt16 {
        case drop = 1, dscpRemark
        case experimenter = 0xffff
    }

    init(from reader: inout WireReader) throws(OpenFlowError) {
        let rawKind: UInt16 = try reader.read()
        let length: UInt16 = try reader.read()
        guard length >= 16, length % 4 == 0 else { throw .badRequest(.badLength, "meter band length \(length)") }
        var body = try reader.slice(Int(length) - 4, scope: .message)
        let rate: UInt32 = try body.read()
        let burst: UInt32 = try body.read()
        switch Kind(rawValue: rawKind) {
        case .drop:
            self = .drop(rate: rate, burst: burst)
            try body.pad(4)
        case .dscpRemark:
            self = try .dscpRemark(rate: rate, burst: burst, precedenceLevels: body.read())
            try body.pad(3)
        case .experimenter:
            self = try .experimenter(rate: rate, burst: burst, experimenter: body.read(), data: body.rest())
        case nil:
            throw .meterModFailed(.badBand, "meter band type \(rawKind)")
        }
        try body.expectEnd()
    }

    func write(to writer: inout WireWriter) {
        switch self {
        case .drop(let rate, let burst):
            write(.drop, rate, burst, to: &writer) { $0.pad(4) }
        case .dscpRemark(let rate, let burst, let precedenceLevels):
            write(.dscpRemark, rate, burst, to: &writer) { writer in
                writer.write(precedenceLevels)
                writer.pad(3)
            }
        case .experimenter(let rate, let burst, let experimenter, let data):
            write(.experimenter, rate, burst, to: &writer) { writer in
                writer.write(experimenter)
                writer.write(data)
            }
        }
    }

    private func write(
        _ kind: Kind,
        _ rate: UInt32,
        _ burst: UInt32,
        to writer: inout WireWriter,
        body: (inout WireWriter) -> Void
    ) {
        writer.write(kind.rawValue)
        writer.lengthPrefixed(after: 2) { writer in
            writer.write(rate)
            writer.write(burst)
            body(&writer)
        }
    }
}
