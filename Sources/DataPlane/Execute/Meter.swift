// Meters as the workers execute them (OpenFlow 1.3.5 §5.7): one token bucket for each band, shared by all workers without a
// locked instruction. What lies in the bucket is told by sums and maxima that each worker publishes for itself:
//
//   level = capacity + time since the start − Σ used − max wasted
//
// `used` is what the worker's packets have cost, `wasted` how much had come into the bucket, by what the worker saw, while it
// was full. Tokens are cycles of the time stamp counter, so time needs no conversion. Once per burst a worker reads what the
// others have published, and takes its packets off its own copy of the level from then on. docs/design.md has the argument
// that the sum over all workers keeps to the rate.

import CDPDK

/// What an operation points to, as long as there is the meter: for each worker, on a cache line of its own, the address of the
/// meter's `MeterBlock`, the one word that a modification replaces.
package enum MeterSlot {
    static let stride = 64

    package static func size(workers: Int) -> Int { stride * workers }

    /// The worker's word.
    package static func word(_ slot: UnsafeMutableRawPointer, worker: Int) -> UnsafeMutablePointer<UInt64> {
        (slot + stride * worker).assumingMemoryBound(to: UInt64.self)
    }
}

/// What happens to a packet above a band's rate.
package enum MeterVerdict: BitwiseCopyable {
    case pass
    case drop
    /// The drop precedence rises by so many levels.
    case remark(levels: UInt8)
}

/// A band: what never changes of it.
package struct RateBand {
    /// Tokens for a packet or, in a meter of kilobits, for a byte: cycles × 2^`fractionBits`.
    var cost: UInt64
    /// How many cycles' worth the bucket holds.
    var capacity: Int64
    var verdict: MeterVerdict

    static let fractionBits: UInt64 = 20

    /// - Parameters:
    ///   - rate: Packets or bits per second, above 0.
    ///   - unitBits: How many of them `measure` counts at once: 1 packet, or the 8 bits of a byte.
    ///   - burst: How many packets or bits fit into the bucket.
    package init(rate: Double, unitBits: Double, burst: Double, verdict: MeterVerdict) {
        let cyclesPerUnit = Double(Clock.cyclesPerSecond) / rate
        cost = UInt64((cyclesPerUnit * unitBits * Double(1 << Self.fractionBits)).rounded())
        capacity = Int64((cyclesPerUnit * burst).rounded(.up))
        self.verdict = verdict
    }
}

/// One worker's part of a band: a cache line that it alone writes, and others read once per burst.
package struct MeterBucket {
    /// Cycles that its packets have cost.
    var used: UInt64 = 0
    /// The most by which the bucket would have flowed over, by what it saw.
    var wasted: UInt64 = 0
    /// What it may still use, by its last look at the others.
    var level: Int64 = 0
    /// What rounding has left of the cost of its packets.
    var fraction: UInt64 = 0
    /// What was above the band's rate.
    package var packets: UInt64 = 0
    package var bytes: UInt64 = 0
    private var padding: (UInt64, UInt64) = (0, 0)
}

/// One worker's part of a meter; its buckets follow, one for each band.
package struct MeterSection {
    /// The step of its last look at the others.
    var step: UInt64 = 0
    package var packets: UInt64 = 0
    package var bytes: UInt64 = 0
    private var padding: (UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0)
}

/// The header of a meter; its bands follow, the highest rate first, then the workers' sections.
package struct MeterBlock {
    /// In cycles of the time stamp counter: when the buckets were full.
    var start: UInt64
    var bandCount: UInt32
    var workerCount: UInt32
    /// Not 0: packets count, not bytes.
    var countsPackets: UInt32
    /// Bytes from the start of the block to the first section, and from one section to the next.
    var sectionsOffset: UInt32
    var sectionStride: UInt32

    static let bandsOffset = 32

    /// Bytes that a meter takes.
    package static func size(bands: Int, workers: Int) -> Int {
        sectionsOffset(bands: bands) + workers * sectionStride(bands: bands)
    }

    private static func sectionsOffset(bands: Int) -> Int {
        (bandsOffset + bands * MemoryLayout<RateBand>.stride + 63) & ~63
    }

    private static func sectionStride(bands: Int) -> Int {
        MemoryLayout<MeterSection>.stride + bands * MemoryLayout<MeterBucket>.stride
    }

    /// Writes a meter with full buckets into `memory`, which holds `size` bytes. Its bands: the highest rate first.
    package static func initialize(
        _ memory: UnsafeMutableRawPointer,
        _ bands: [RateBand],
        countsPackets: Bool,
        workers: Int,
        start: UInt64 = Clock.cycles
    ) {
        let block = MeterBlock(
            start: start,
            bandCount: UInt32(bands.count),
            workerCount: UInt32(workers),
            countsPackets: countsPackets ? 1 : 0,
            sectionsOffset: UInt32(sectionsOffset(bands: bands.count)),
            sectionStride: UInt32(sectionStride(bands: bands.count))
        )
        memory.storeBytes(of: block, as: MeterBlock.self)
        let list = (memory + bandsOffset).assumingMemoryBound(to: RateBand.self)
        for (index, band) in bands.enumerated() { (list + index).initialize(to: band) }
        for worker in 0..<workers {
            let section = section(memory, worker: worker)
            section.initialize(to: MeterSection())
            for index in 0..<bands.count { (buckets(section) + index).initialize(to: MeterBucket()) }
        }
    }

    @inline(__always)
    package static func section(_ block: UnsafeMutableRawPointer, worker: Int) -> UnsafeMutablePointer<MeterSection> {
        let header = block.assumingMemoryBound(to: MeterBlock.self)
        let offset = Int(header.pointee.sectionsOffset) &+ worker &* Int(header.pointee.sectionStride)
        return (block + offset).assumingMemoryBound(to: MeterSection.self)
    }

    @inline(__always)
    package static func buckets(_ section: UnsafeMutablePointer<MeterSection>) -> UnsafeMutablePointer<MeterBucket> {
        UnsafeMutableRawPointer(section + 1).assumingMemoryBound(to: MeterBucket.self)
    }

    @inline(__always)
    fileprivate static func bands(_ block: UnsafeMutableRawPointer) -> UnsafeMutablePointer<RateBand> {
        (block + bandsOffset).assumingMemoryBound(to: RateBand.self)
    }
}

extension Worker {
    /// Puts a packet of the burst, or a copy of it, through a meter. False if it was dropped.
    @inline(never)
    borrowing func passes(
        _ slot: UnsafeMutableRawPointer,
        _ mbuf: OpaquePointer,
        packet: Int,
        ingress: Ingress
    ) -> Bool {
        // A trace uses nothing up.
        guard counts else { return true }
        switch measure(slot, length: UInt64(cdpdk_mbuf_packet_length(mbuf))) {
        case .pass: return true
        case .drop:
            drop(mbuf, .meter, at: ingress.slot)
            return false
        case .remark(let levels):
            let edit = burst.edit(packet, mbuf)
            // Where tables look at the port alone, nothing has been parsed.
            edit.reparse()
            edit.raiseDropPrecedence(by: levels)
            edit.reparse()
            return true
        }
    }

    /// What happens to a packet of so many bytes. Of the bands whose rate is exceeded the one with the highest rate counts (§5.7.1);
    /// a packet that a band lets through costs there, whatever a lower one does to it.
    @inline(never)
    package borrowing func measure(_ slot: UnsafeMutableRawPointer, length: UInt64) -> MeterVerdict {
        let word = MeterSlot.word(slot, worker: index).pointee
        guard let block = UnsafeMutableRawPointer(bitPattern: UInt(word)) else { return .pass }
        let header = block.assumingMemoryBound(to: MeterBlock.self)
        let section = MeterBlock.section(block, worker: index)
        if section.pointee.step != state.pointee.stepStart { lookAtOthers(block, section) }
        section.pointee.packets &+= 1
        section.pointee.bytes &+= length
        let units = header.pointee.countsPackets != 0 ? 1 : length
        let bands = MeterBlock.bands(block)
        let buckets = MeterBlock.buckets(section)
        for i in 0..<Int(header.pointee.bandCount) {
            let bucket = buckets + i
            let cost = bands[i].cost &* units &+ bucket.pointee.fraction
            let cycles = Int64(truncatingIfNeeded: cost >> RateBand.fractionBits)
            // A packet larger than the bucket passes when that is full, and leaves a debt.
            guard bucket.pointee.level >= min(cycles, bands[i].capacity) else {
                bucket.pointee.packets &+= 1
                bucket.pointee.bytes &+= length
                return bands[i].verdict
            }
            bucket.pointee.level &-= cycles
            bucket.pointee.fraction = cost & ((1 << RateBand.fractionBits) &- 1)
            bucket.pointee.used &+= UInt64(bitPattern: cycles)
        }
        return .pass
    }

    /// Finds out what is left in the buckets at the start of this step.
    @inline(never)
    private borrowing func lookAtOthers(_ block: UnsafeMutableRawPointer, _ section: UnsafeMutablePointer<MeterSection>)
    {
        let header = block.assumingMemoryBound(to: MeterBlock.self)
        let bands = MeterBlock.bands(block)
        let time = state.pointee.stepStart
        for i in 0..<Int(header.pointee.bandCount) {
            var used: UInt64 = 0
            var wasted: UInt64 = 0
            for worker in 0..<Int(header.pointee.workerCount) {
                let bucket = MeterBlock.buckets(MeterBlock.section(block, worker: worker)) + i
                let words = UnsafeRawPointer(bucket).assumingMemoryBound(to: UInt64.self)
                used &+= glance(words)
                wasted = max(wasted, glance(words + 1))
            }
            let capacity = bands[i].capacity
            let filled = Int64(bitPattern: time &- header.pointee.start)
            var level = capacity &+ filled &- Int64(bitPattern: used) &- Int64(bitPattern: wasted)
            let own = MeterBlock.buckets(section) + i
            if level > capacity {
                own.pointee.wasted = wasted &+ UInt64(bitPattern: level &- capacity)
                level = capacity
            }
            own.pointee.level = level
        }
        section.pointee.step = time
    }
}

extension PacketEdit {
    /// Raises the drop precedence of the assured-forwarding classes (RFC 2597), at most to 3. Other DSCPs have none, and stay.
    @inline(never)
    func raiseDropPrecedence(by levels: UInt8) {
        let trafficClass: UInt8
        switch layout.pointee.network {
        case .ipv4: trafficClass = load8(l3 + 1)
        case .ipv6: trafficClass = UInt8(truncatingIfNeeded: load16(l3) >> 4)
        case .arp, .mpls, .pbb, .other: return
        }
        let precedence = trafficClass >> 3 & 3
        guard (1...4).contains(trafficClass >> 5), trafficClass & 4 == 0, precedence > 0 else { return }
        let raised = UInt8(min(3, UInt16(precedence) &+ UInt16(levels)))
        setTrafficClass(mask: 0xfc, value: trafficClass & 0xe0 | raised << 3)
    }
}
