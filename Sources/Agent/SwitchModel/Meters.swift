// The meter table (OpenFlow 1.3.5 §5.7, §6.6): METER_MOD, and what the flow tables have to do with it. What controllers may ask
// of meters is in MeterStatistics.

import DataPlane
import NIOCore
import OpenFlow

/// One meter as the controller sees it.
package struct Meter: Hashable, Sendable {
    package let id: UInt32
    package internal(set) var flags: MeterFlags
    /// As the controller wrote them.
    package internal(set) var bands: [MeterBand]
    let installed: NIODeadline
    /// Another one for each meter that was added: its counters begin at 0.
    let serial: UInt64
    /// Another one for each meter-mod: with it the buckets are full.
    package internal(set) var revision: UInt64

    /// Whether rates are in packets per second; else in kbit/s, also if no flag says so (§7.3.4.4).
    package var countsPackets: Bool { flags.contains(.packetsPerSecond) }
}

/// What the data path is told of a meter.
package enum MeterChange: Hashable, Sendable {
    /// It is there, like this.
    ///
    /// - isNew: Its counters begin at 0; else they go on.
    case set(Meter, isNew: Bool)
    /// It is not there any more.
    case remove(UInt32)
}

extension SwitchModel {
    /// OFPT_METER_MOD (OpenFlow 1.3.5 §6.6). Deleting a meter deletes the flow entries that refer to it; deleting what is not
    /// there is no error.
    ///
    /// Throws errors of type METER_MOD_FAILED: INVALID_METER, METER_EXISTS, UNKNOWN_METER, BAD_FLAGS, BAD_RATE, BAD_BAND,
    /// OUT_OF_METERS, OUT_OF_BANDS.
    package func execute(_ mod: MeterMod) throws(OpenFlowError) {
        var transaction = FlowTransaction()
        try stage(mod, in: &transaction)
        try commit(transaction)
    }

    /// A meter-mod's steps. Throws before the first one.
    func stage(_ mod: MeterMod, in transaction: inout FlowTransaction) throws(OpenFlowError) {
        try validate(mod)
        switch mod.command {
        case .add:
            guard meters[mod.meterID] == nil else { throw .meterModFailed(.meterExists, "meter \(mod.meterID)") }
            guard meters.count < meterLimit else { throw .meterModFailed(.outOfMeters, "\(meterLimit) meters") }
            meterRevision += 1
            let meter = Meter(
                id: mod.meterID,
                flags: mod.flags,
                bands: mod.bands,
                installed: now(),
                serial: meterRevision,
                revision: meterRevision
            )
            change(mod.meterID, to: meter, in: &transaction)
        case .modify:
            guard var meter = meters[mod.meterID] else {
                throw .meterModFailed(.unknownMeter, "meter \(mod.meterID)")
            }
            meterRevision += 1
            (meter.flags, meter.bands, meter.revision) = (mod.flags, mod.bands, meterRevision)
            change(mod.meterID, to: meter, in: &transaction)
        case .delete:
            let ids = mod.meterID == MeterID.all ? Set(meters.keys) : Set(meters.keys.filter { $0 == mod.meterID })
            if ids.contains(where: { meterUsers[$0] != nil }) {
                // OpenFlow 1.3 has no reason of its own for this; 1.4 has METER_DELETE.
                for entry in Array(entries) where entry.instructions.meter.map(ids.contains) == true {
                    remove(entry, .delete, in: &transaction)
                }
            }
            for id in ids { change(id, to: nil, in: &transaction) }
        }
    }

    /// What a meter-mod says by itself.
    func validate(_ mod: MeterMod) throws(OpenFlowError) {
        let isMeter = (1...MeterID.max).contains(mod.meterID) || MeterID.virtual.contains(mod.meterID)
        guard isMeter || (mod.command == .delete && mod.meterID == MeterID.all) else {
            throw .meterModFailed(.invalidMeter, "meter \(mod.meterID)")
        }
        if mod.command == .delete { return }
        guard !mod.flags.isSuperset(of: [.kilobitsPerSecond, .packetsPerSecond]) else {
            throw .meterModFailed(.badFlags, "rates are in kbit/s or in packets/s, not in both")
        }
        guard mod.bands.count <= meterBandLimit else {
            throw .meterModFailed(.outOfBands, "\(mod.bands.count) bands, where \(meterBandLimit) may be")
        }
        for band in mod.bands {
            switch band {
            case .drop(let rate, _), .dscpRemark(let rate, _, _):
                guard rate > 0 else { throw .meterModFailed(.badRate, "a rate of 0") }
            case .experimenter(_, _, let experimenter, _):
                throw .meterModFailed(.badBand, "a band of experimenter \(experimenter)")
            }
        }
    }

    /// Whether the meter that instructions name is there.
    ///
    /// Throws `METER_MOD_FAILED/INVALID_METER` or `UNKNOWN_METER`.
    func checkMeter(of instructions: [Instruction]) throws(OpenFlowError) {
        guard let id = instructions.meter else { return }
        guard (1...MeterID.max).contains(id) else { throw .meterModFailed(.invalidMeter, "meter:\(id)") }
        guard meters[id] != nil else { throw .meterModFailed(.unknownMeter, "there is no meter \(id)") }
    }

    private func change(_ id: UInt32, to meter: Meter?, in transaction: inout FlowTransaction) {
        if transaction.formerMeters == nil { transaction.formerMeters = meters }
        transaction.changedMeters.insert(id)
        meters[id] = meter
    }

    /// What the data path is to hear of the meters that a transaction has touched.
    func meterChanges(of transaction: FlowTransaction) -> [MeterChange] {
        transaction.changedMeters.sorted().compactMap { id in
            let former = transaction.formerMeters?[id]
            guard let meter = meters[id] else { return former == nil ? nil : .remove(id) }
            return .set(meter, isNew: former?.serial != meter.serial)
        }
    }

    /// Notes that an entry has come to refer to the meter of its instructions, or does so no longer.
    func countMeter(of instructions: [Instruction], _ change: Int) {
        guard let id = instructions.meter else { return }
        let users = meterUsers[id, default: 0] + change
        meterUsers[id] = users == 0 ? nil : users
    }
}

extension MeterBand {
    /// In kbit/s or packets/s.
    var rate: UInt32 {
        switch self {
        case .drop(let rate, _), .dscpRemark(let rate, _, _), .experimenter(let rate, _, _, _): rate
        }
    }

    /// In kbit or packets.
    var burst: UInt32 {
        switch self {
        case .drop(_, let burst), .dscpRemark(_, let burst, _), .experimenter(_, let burst, _, _): burst
        }
    }
}

extension Meter {
    /// How many packets or bits a band lets through at once: what it says, or a tenth of a second's worth. But at least a
    /// millisecond's worth, because a worker may be as long away from a queue, and two packets, so that one that comes a little
    /// early is not lost.
    package func burst(of band: MeterBand) -> Double {
        let (rate, asked) = (Double(band.rate), flags.contains(.burst) ? Double(band.burst) : 0)
        let burst = max(asked > 0 ? asked : rate / 10, rate / 1_000)
        return countsPackets ? max(2, burst) : max(2 * 8 * Double(PacketPool.longestPacket), 1_000 * burst)
    }
}

extension [Instruction] {
    /// The meter that they name.
    package var meter: UInt32? {
        for case .meter(let id) in self { return id }
        return nil
    }
}

extension MeterID {
    /// Meters that no flow entry refers to (OpenFlow 1.3.5 §7.3.4.4). Nothing takes the slow path here: its meter meets no packet.
    static let virtual: Set<UInt32> = [slowPath, controller]
}
