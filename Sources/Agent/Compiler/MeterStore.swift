// Meters as the workers execute them: a slot for each, which lasts as long as the meter, and in it a block, which a
// modification replaces. Counters of blocks that are gone are kept, since those of a modified meter go on.

import DataPlane
import OpenFlow

final class MeterStore {
    fileprivate struct Block {
        let memory: UnsafeMutableRawPointer
        let size: Int
        /// Which band of the meter each of the block's is, which are in the order of their rates.
        let order: [Int]
    }

    private struct Entry {
        let slot: UnsafeMutableRawPointer
        var block: Block
        /// Blocks that some worker may still use.
        var former: [Block] = []
        /// What former blocks have counted.
        var counted = MeterCounters()
    }

    /// What `stage` has made ready and `commit` puts in force.
    struct Staged {
        fileprivate var blocks: [(id: UInt32, block: Block, isNew: Bool)] = []
        fileprivate var slots: [UInt32] = []
        fileprivate var removed: [UInt32] = []
    }

    private let memory: TableMemory
    private let publisher: Publisher
    private let settings: [UnsafeMutablePointer<WorkerSettings>]
    private var entries: [UInt32: Entry] = [:]

    init(memory: TableMemory, publisher: Publisher, settings: [UnsafeMutablePointer<WorkerSettings>]) {
        (self.memory, self.publisher, self.settings) = (memory, publisher, settings)
    }

    /// What operations name the meter by; nil: there is none.
    func slot(_ id: UInt32) -> UnsafeMutableRawPointer? { entries[id]?.slot }

    // MARK: Changes

    /// Makes the memory of changed meters ready, and the slots of new ones, which flow entries may then name.
    func stage(_ changes: [MeterChange]) throws(OutOfTableMemory) -> Staged {
        var staged = Staged()
        for change in changes {
            switch change {
            case .remove(let id): staged.removed.append(id)
            case .set(let meter, let isNew):
                guard let block = block(of: meter), entries[meter.id] != nil || addSlot(meter.id, block, to: &staged)
                else {
                    abandon(staged)
                    throw OutOfTableMemory()
                }
                staged.blocks.append((meter.id, block, isNew))
            }
        }
        return staged
    }

    /// Gives all of it back; a worker may have met new slots.
    func abandon(_ staged: Staged) {
        for (_, block, _) in staged.blocks { publisher.retire(block.memory, block.size) }
        for id in staged.slots { publisher.retire(entries.removeValue(forKey: id).unsafelyUnwrapped.slot, slotSize) }
    }

    /// Lets the workers go by what is staged. To be called when the flow entries that refer to removed meters have gone.
    func commit(_ staged: Staged) {
        for (id, block, isNew) in staged.blocks {
            guard var entry = entries[id] else { continue }
            if !staged.slots.contains(id) {
                for worker in settings.indices {
                    publisher.store(worker: worker, MeterSlot.word(entry.slot, worker: worker), word(block.memory))
                }
                let former = entry.block
                if isNew {
                    (entry.counted, entry.former) = (MeterCounters(), [])
                } else {
                    entry.former.append(former)
                    publisher.retire { [unowned self] in keepCounters(of: former, id) }
                }
                publisher.retire(former.memory, former.size)
                entry.block = block
                entries[id] = entry
            }
            if id == MeterID.controller { limitPacketIns(by: word(entry.slot)) }
        }
        for id in staged.removed {
            guard let entry = entries.removeValue(forKey: id) else { continue }
            if id == MeterID.controller { limitPacketIns(by: 0) }
            publisher.retire(entry.block.memory, entry.block.size)
            publisher.retire(entry.slot, slotSize)
        }
    }

    private func limitPacketIns(by slot: UInt64) {
        for (worker, settings) in settings.enumerated() {
            publisher.store(worker: worker, settings.word(\.controllerMeter), slot)
        }
    }

    private var slotSize: Int { MeterSlot.size(workers: settings.count) }

    private func word(_ memory: UnsafeMutableRawPointer) -> UInt64 { UInt64(UInt(bitPattern: memory)) }

    private func addSlot(_ id: UInt32, _ block: Block, to staged: inout Staged) -> Bool {
        guard let slot = memory.allocate(slotSize) else {
            memory.deallocate(block.memory, block.size)
            return false
        }
        for worker in settings.indices { MeterSlot.word(slot, worker: worker).pointee = word(block.memory) }
        entries[id] = Entry(slot: slot, block: block)
        staged.slots.append(id)
        return true
    }

    private func block(of meter: Meter) -> Block? {
        let order = meter.bands.indices.sorted { meter.bands[$0].rate > meter.bands[$1].rate }
        let size = MeterBlock.size(bands: order.count, workers: settings.count)
        guard let block = memory.allocate(size) else { return nil }
        MeterBlock.initialize(
            block,
            order.map { RateBand(meter.bands[$0], of: meter) },
            countsPackets: meter.countsPackets,
            workers: settings.count
        )
        return Block(memory: block, size: size, order: order)
    }

    // MARK: Counters

    func counters(of id: UInt32) -> MeterCounters {
        guard let entry = entries[id] else { return MeterCounters() }
        var sum = entry.counted
        for block in entry.former + [entry.block] { add(block, to: &sum) }
        return sum
    }

    /// The workers have left a block: what it has counted is final.
    private func keepCounters(of block: Block, _ id: UInt32) {
        guard let place = entries[id]?.former.firstIndex(where: { $0.memory == block.memory }) else { return }
        entries[id]?.former.remove(at: place)
        add(block, to: &entries[id]!.counted)
    }

    private func add(_ block: Block, to sum: inout MeterCounters) {
        while sum.bands.count < block.order.count { sum.bands.append(TrafficCounter(packetCount: 0, byteCount: 0)) }
        for worker in settings.indices {
            let section = MeterBlock.section(block.memory, worker: worker)
            sum.packets += glance(section.word(\.packets))
            sum.bytes += glance(section.word(\.bytes))
            for (place, band) in block.order.enumerated() {
                let bucket = MeterBlock.buckets(section) + place
                sum.bands[band].packetCount += glance(bucket.word(\.packets))
                sum.bands[band].byteCount += glance(bucket.word(\.bytes))
            }
        }
    }
}

extension RateBand {
    fileprivate init(_ band: MeterBand, of meter: Meter) {
        let verdict: MeterVerdict =
            if case .dscpRemark(_, _, let levels) = band { .remark(levels: levels) } else { .drop }
        self.init(
            rate: Double(band.rate) * (meter.countsPackets ? 1 : 1_000),
            unitBits: meter.countsPackets ? 1 : 8,
            burst: meter.burst(of: band),
            verdict: verdict
        )
    }
}
