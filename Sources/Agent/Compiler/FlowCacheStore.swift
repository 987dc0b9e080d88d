// The workers' flow caches, as the control side sees them: whether the tables are worth one, which bits they look at, and
// which tables have changed.

import DataPlane

final class FlowCacheStore {
    private let memory: TableMemory
    private unowned let sink: DeltaSink
    private let settings: [UnsafeMutablePointer<WorkerSettings>]
    private let tableSlots: [UnsafeMutablePointer<TableSlot>]
    private let seed: UInt32

    /// By table: what a packet's lookup there takes, in lookups of a hash table, and the bits that it looks at.
    private var costs = [Int](repeating: 0, count: Worker.tableCount)
    private var masks = [FlowKey](repeating: FlowKey(), count: Worker.tableCount)
    private var cost = 0
    private var mask = FlowKey()
    private var publishedMask = FlowKey()
    /// Tables of the present change; nil: there is none.
    private var changing: [UInt8]?
    /// The value of `WorkerSettings.tableChanges`.
    private var changes: UInt64 = 0
    /// One for each worker; empty: there is no cache.
    private var plans: [UnsafeMutableRawPointer] = []
    private var entries: [UnsafeMutableRawPointer] = []
    private var entrySize = 0
    private var tableCount = 0

    /// A cache pays, if ever, for more than a few lookups. Once made it stays longer, so that tables at the border do not
    /// have it made over and over.
    private static let worthwhileCost = 3
    private static let keptCost = 2
    private static let largestSize = 16 << 20
    private static let smallestSize = 64 << 10
    /// All caches together take at most this part of the memory for tables.
    private static let memoryShare = 16

    init(
        memory: TableMemory,
        sink: DeltaSink,
        settings: [UnsafeMutablePointer<WorkerSettings>],
        tableSlots: [UnsafeMutablePointer<TableSlot>],
        seed: UInt32
    ) {
        (self.memory, self.sink, self.settings, self.tableSlots, self.seed) = (memory, sink, settings, tableSlots, seed)
    }

    /// The tables are going to change: from now to `end` no worker goes by what it has cached.
    func begin(_ tables: [UInt8]) {
        changing = tables
        if !plans.isEmpty { sendChanges() }
    }

    /// The change is complete: what passes these tables is no longer good.
    func end(_ compilers: [TableCompiler]) {
        guard let changed = changing else { return }
        changing = nil
        for table in changed { take(compilers[Int(table)], Int(table)) }
        let hadPlans = !plans.isEmpty
        if cost == 0 || hadPlans && cost < Self.keptCost {
            withdraw()
        } else if hadPlans || cost >= Self.worthwhileCost {
            publishPlan()
        }
        // A worker looks for a plan when this changes.
        guard hadPlans || !plans.isEmpty else { return }
        if !hadPlans { changes += 1 }
        for table in changed {
            for (worker, slots) in tableSlots.enumerated() {
                sink.store(worker: worker, (slots + Int(table)).changedWord, changes + 1)
            }
        }
        sendChanges()
    }

    private func sendChanges() {
        changes += 1
        for (worker, settings) in settings.enumerated() {
            sink.store(worker: worker, settings.word(\.tableChanges), changes)
        }
    }

    /// Takes up what a table has become.
    private func take(_ compiler: TableCompiler, _ table: Int) {
        let new =
            switch compiler.form {
            case .constant: compiler.ruleCount > 0 ? 1 : 0
            case .directIndex, .linear, .hash, .longestPrefix: 1
            case .tupleSpace: Self.worthwhileCost
            }
        cost += new - costs[table]
        costs[table] = new
        let mask = FlowCachePlan.comparable(compiler.mask)
        guard !mask.isSame(as: masks[table]) else { return }
        masks[table] = mask
        var all = FlowKey()
        for mask in masks { all.formUnion(mask) }
        self.mask = all
    }

    // MARK: Plans

    /// Makes a plan for the bits that the tables look at now, unless there is one. Without memory there is no cache.
    private func publishPlan() {
        let tables = costs.count { $0 > 0 }
        guard plans.isEmpty || !mask.isSame(as: publishedMask) || tables > tableCount else { return }
        let entrySize = FlowCachePlan.entrySize(mask: mask, tables: tables)
        if entries.isEmpty || entrySize != self.entrySize {
            withdraw()
            entries = allocate(size)
            for block in entries { block.initializeMemory(as: UInt8.self, repeating: 0, count: size) }
            self.entrySize = entrySize
        }
        guard !entries.isEmpty else { return }
        let new = allocate(MemoryLayout<FlowCachePlan>.size)
        guard !new.isEmpty else { return withdraw() }
        for (worker, block) in new.enumerated() {
            let plan = FlowCachePlan(entries: entries[worker], size: size, seed: seed, mask: mask, tables: tables)
            block.initializeMemory(as: FlowCachePlan.self, to: plan)
            store(UInt64(UInt(bitPattern: block)), worker)
        }
        retirePlans()
        plans = new
        (publishedMask, tableCount) = (mask, tables)
    }

    private func withdraw() {
        guard !entries.isEmpty else { return }
        for worker in settings.indices { store(0, worker) }
        retirePlans()
        for block in entries { sink.retire(block, size) }
        entries = []
    }

    private func store(_ plan: UInt64, _ worker: Int) {
        sink.store(worker: worker, settings[worker].word(\.flowCache), plan)
    }

    private func retirePlans() {
        for plan in plans { sink.retire(plan, MemoryLayout<FlowCachePlan>.size) }
        plans = []
    }

    /// Bytes of each worker's cache, a power of two; 0: the memory is too small for any.
    private var size: Int {
        let share = min(Self.largestSize, memory.limit / Self.memoryShare / settings.count)
        guard share >= Self.smallestSize else { return 0 }
        return 1 << (Int.bitWidth - 1 - share.leadingZeroBitCount)
    }

    /// A block for each worker; none if there is not enough memory.
    private func allocate(_ bytes: Int) -> [UnsafeMutableRawPointer] {
        guard bytes > 0 else { return [] }
        let blocks = settings.compactMap { _ in memory.allocate(bytes) }
        if blocks.count == settings.count { return blocks }
        for block in blocks { memory.deallocate(block, bytes) }
        return []
    }
}
