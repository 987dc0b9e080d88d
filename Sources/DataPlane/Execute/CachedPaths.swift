// A burst's way by the flow cache: packets whose path is known take it without looking anything up; the paths of some of the
// others are recorded as they go through the tables. What is done with a packet is the same either way, and so is what
// is counted.

import CDPDK

extension Worker {
    /// How many paths are begun to be recorded in a burst: flows that are never seen again shall not cost much.
    private static var recordingLimit: Int { 8 }

    /// Runs the first `count` packets of the burst by the cache, those that it does not know through the tables.
    @inline(never)
    borrowing func runCached(_ count: Int, by plan: UnsafePointer<FlowCachePlan>, ingress: Ingress) {
        FlowCache.find(plan, cache.pointee.sequences, burst, count: count, hashes: scratch.hashes)
        let missed = follow(plan, count, ingress: ingress)
        counters.pointee.cacheLookups &+= UInt64(count)
        counters.pointee.cacheHits &+= UInt64(count &- missed)
        if missed == 0 {
            runFurtherTables(ingress: ingress)
        } else {
            begin(missed, by: plan)
            runTables(from: 0, missed, ingress: ingress)
            abandonRecordings()
        }
    }

    /// Sends packets on their cached paths, and lists the others in `burst.list`; returns how many these are.
    @inline(never)
    private borrowing func follow(_ plan: UnsafePointer<FlowCachePlan>, _ count: Int, ingress: Ingress) -> Int {
        prefetchRecords(plan, count)
        let paths = burst.paths
        let sequences = cache.pointee.sequences
        var missed = 0
        var used: UInt64 = 0
        for i in 0..<count {
            guard let path = paths[i].map(CachedPath.init) else {
                burst.list[missed] = UInt8(truncatingIfNeeded: i)
                missed &+= 1
                continue
            }
            // No recording of its own, should it go on in the tables.
            paths[i] = nil
            let number = path.sequence
            used |= 1 << UInt64(truncatingIfNeeded: number)
            sequences[number].hits &+= 1
            take(path, path.records(plan), tables: sequences[number].tables, packet: i, ingress: ingress)
        }
        countLookups(used)
        return missed
    }

    @inline(never)
    private borrowing func prefetchRecords(_ plan: UnsafePointer<FlowCachePlan>, _ count: Int) {
        for i in 0..<count {
            guard let path = burst.paths[i].map(CachedPath.init) else { continue }
            let records = path.records(plan)
            for step in 0..<path.steps { prefetch(records[step]) }
        }
    }

    /// Does with a packet what the entries of its path say, one after the other.
    @inline(__always)
    private borrowing func take(
        _ path: CachedPath,
        _ records: UnsafeMutablePointer<FlowRecordPointer>,
        tables sequence: UInt64,
        packet: Int,
        ingress: Ingress
    ) {
        let lastUsed = FlowRecord.used | UInt64(state.pointee.now)
        var acting = path.acting
        var step = 0
        while acting != 0 {
            let next = acting.trailingZeroBitCount
            acting &= acting &- 1
            let length = UInt64(burst.lengths[packet])
            while step <= next {
                let record = records[step]
                record.pointee.packets &+= 1
                record.pointee.bytes &+= length
                record.pointee.lastUsed = lastUsed
                step &+= 1
            }
            let record = records[next]
            let program = record.pointee.program
            let flags = program.pointee.flags
            if flags.contains(.onlyOutput) && burst.setCount[packet] == 0 {
                output(
                    burst.mbufs[packet].unsafelyUnwrapped,
                    to: Int(program.pointee.outputSlot),
                    ingress: ingress
                )
                return
            }
            if flags.contains(.onlyGoto) {
                if flags.contains(.metadata) { writeMetadata(program, packet) }
                if acting == 0 { burst.nextTable[packet] = program.pointee.gotoTable }
                continue
            }
            let table = TableSequence.table(sequence, next)
            execute(program, packet: packet, table: table, record: record, ingress: ingress)
            guard acting != 0 else { return }
            guard burst.nextTable[packet] != ActionProgram.noTable else {
                // Taken on its way: by a meter, or as its time to live ended.
                return takeBackLookups(from: step, path.steps, tables: sequence)
            }
            burst.nextTable[packet] = ActionProgram.noTable
        }
    }

    /// Counts the packets of the burst that took cached paths in the tables that these pass. `used` has a bit for each
    /// sequence of tables.
    @inline(__always)
    private borrowing func countLookups(_ used: UInt64) {
        var used = used
        while used != 0 {
            let sequence = cache.pointee.sequences + used.trailingZeroBitCount
            used &= used &- 1
            let hits = sequence.pointee.hits
            sequence.pointee.hits = 0
            var rest = sequence.pointee.tables
            while let table = TableSequence.next(&rest) {
                tables[table].lookups &+= hits
                tables[table].matches &+= hits
            }
        }
    }

    /// For the steps of a path that a packet does not get to: they are counted at the burst's end.
    @inline(never)
    private borrowing func takeBackLookups(from first: Int, _ steps: Int, tables path: UInt64) {
        for step in first..<steps {
            let slot = tables + Int(TableSequence.table(path, step))
            slot.pointee.lookups &-= 1
            slot.pointee.matches &-= 1
        }
    }

    // MARK: Recording

    /// Begins to record the paths of the first of the listed packets.
    @inline(never)
    private borrowing func begin(_ listed: Int, by plan: UnsafePointer<FlowCachePlan>) {
        let recorded = cache.pointee.recorded
        var count = 0
        var i = 0
        while i < listed && count < Self.recordingLimit {
            let packet = Int(burst.list[i])
            i &+= 1
            let hash = scratch.hashes[packet]
            guard let path = place(hash, plan, recorded, count) else { continue }
            path.begin(burst.keyWords(packet), LayoutWords(burst.layouts + packet), hash: hash, plan)
            burst.paths[packet] = path.memory
            burst.sequences[packet] = .max
            recorded[count] = UInt8(truncatingIfNeeded: packet)
            count &+= 1
        }
        cache.pointee.recordedCount = count
    }

    /// Where to record the path of a key: a place of its set that holds none that is good, else, now and then, that of
    /// another; nil: not to be recorded. The first `count` of `recorded` are being recorded.
    @inline(__always)
    private borrowing func place(
        _ hash: UInt32,
        _ plan: UnsafePointer<FlowCachePlan>,
        _ recorded: UnsafePointer<UInt8>,
        _ count: Int
    ) -> CachedPath? {
        for i in 0..<count {
            // Another one of the burst is recorded in this set: perhaps the same flow.
            guard let other = burst.paths[Int(recorded[i])] else { continue }
            for entry in 0..<FlowCache.entriesPerSet where FlowCache.entry(entry, plan, hash).memory == other {
                return nil
            }
        }
        for entry in 0..<FlowCache.entriesPerSet {
            let path = FlowCache.entry(entry, plan, hash)
            if !FlowCache.isGood(path.header, cache.pointee.sequences) { return path }
        }
        let turn = counters.pointee.bursts
        guard turn & 7 == 0 else { return nil }
        return FlowCache.entry(Int(truncatingIfNeeded: turn >> 3 & 1), plan, hash)
    }

    /// Notes what the packets that are being recorded found in a table.
    @inline(never)
    borrowing func record(_ table: UInt8, _ list: some PacketList, _ listed: Int) {
        guard let plan = cache.pointee.plan else { return }
        for i in 0..<listed {
            let packet = list[i]
            guard let memory = burst.paths[packet] else { continue }
            let path = CachedPath(memory: memory)
            guard let record = burst.found[i] else {
                abandon(path, packet)
                continue
            }
            let step = path.steps
            path.records(plan)[step] = record
            let shift = UInt64(truncatingIfNeeded: 8 &* step)
            burst.sequences[packet] = burst.sequences[packet] & ~(0xff << shift) | UInt64(table) << shift
            let program = record.pointee.program
            let uncovers = program.pointee.flags.contains(.popsTag) && poppingUncovers(burst.layouts + packet)
            let isLast =
                program.pointee.gotoTable == ActionProgram.noTable
                || UInt64(truncatingIfNeeded: step &+ 1) == plan.pointee.stepLimit
                || program.pointee.flags.contains(.endsCachedPath) || uncovers
            let onlyGoes = program.pointee.flags.intersection([.onlyGoto, .metadata]) == .onlyGoto
            path.add(acts: isLast || !onlyGoes)
            if isLast { complete(path, packet) }
        }
    }

    /// Whether there may be something behind a packet's tag, perhaps one that is pushed first, that is not in its key: another
    /// tag, or what padding makes of a header that is cut off.
    @inline(__always)
    private borrowing func poppingUncovers(_ layout: UnsafePointer<PacketLayout>) -> Bool {
        layout.pointee.l3 > 18 || layout.pointee.network != .ipv4 || layout.pointee.l4 == 0
    }

    @inline(__always)
    private borrowing func complete(_ path: CachedPath, _ packet: Int) {
        if let number = cache.pointee.number(of: burst.sequences[packet]) {
            path.complete(at: cache.pointee.clock, sequence: number)
            burst.paths[packet] = nil
        } else {
            abandon(path, packet)
        }
    }

    @inline(__always)
    private borrowing func abandon(_ path: CachedPath, _ packet: Int) {
        path.header = 0
        burst.paths[packet] = nil
    }

    /// Packets that were taken on their way have left their recordings incomplete.
    @inline(__always)
    private borrowing func abandonRecordings() {
        for i in 0..<cache.pointee.recordedCount {
            let packet = Int(cache.pointee.recorded[i])
            if let path = burst.paths[packet].map(CachedPath.init) { abandon(path, packet) }
        }
        cache.pointee.recordedCount = 0
        if cache.pointee.isFull { cache.pointee.reset() }
    }
}
