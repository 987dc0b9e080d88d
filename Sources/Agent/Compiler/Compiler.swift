// From changes of the switch model to words that workers store. The only code that knows both the model and the tables.

import DataPlane
import OpenFlow

package final class Compiler {
    package let flows: FlowStore
    let programs: ProgramStore
    let groups: GroupStore
    private let memory: TableMemory
    private unowned let sink: DeltaSink
    private let settings: [UnsafeMutablePointer<WorkerSettings>]
    private(set) var tables: [TableCompiler] = []
    private let flowCaches: FlowCacheStore
    private let seed: UInt32

    /// Flow entries by how deep their match or their actions need a packet parsed.
    private var depthUsers = [Int](repeating: 0, count: ParseDepth.allCases.count)
    private var depth = ParseDepth.port
    private var lastShape = MaskShape(FlowKey())
    /// OFPC_FRAG_DROP: fragments can only be told by their IP header.
    var dropsFragments = false {
        didSet {
            let value: UInt64 = dropsFragments ? 1 : 0
            if dropsFragments { setDepth(neededDepth) }
            for (worker, settings) in settings.enumerated() {
                sink.store(worker: worker, settings.word(\.dropFragments), value)
            }
            setDepth(neededDepth)
        }
    }

    /// `settings` and `tableSlots` are those of each worker.
    init(
        memory: TableMemory,
        sink: DeltaSink,
        settings: [UnsafeMutablePointer<WorkerSettings>],
        tableSlots: [UnsafeMutablePointer<TableSlot>],
        groupSlots: [UnsafeMutablePointer<GroupSlot>],
        seed: UInt32
    ) {
        self.memory = memory
        self.sink = sink
        self.settings = settings
        self.seed = seed
        let flows = FlowStore(workerCount: settings.count)
        self.flows = flows
        programs = ProgramStore(memory: memory)
        flowCaches = FlowCacheStore(
            memory: memory,
            sink: sink,
            settings: settings,
            tableSlots: tableSlots,
            seed: seed
        )
        groups = GroupStore(memory: memory, sink: sink, tables: groupSlots, programs: programs)
        tables = (0..<Worker.tableCount).map { id in
            TableCompiler(
                id: id,
                flows: flows,
                memory: memory,
                sink: sink,
                tableSlots: tableSlots.map { $0 + id },
                seed: seed
            )
        }
    }

    // MARK: Changes

    /// So many changes of flow entries at most are made in place between two bursts: each takes a few stores.
    static let changesInPlace = 1000

    /// Sends the workers what the changes mean; all of them or, if memory does not suffice, none. Removals are last, as they
    /// can't be taken back. Handles that are not used any more are returned: their counters are valid until `free` is called for
    /// them.
    ///
    /// - Parameter atomically: All stores will be made between the same two bursts. Where they would be many, tables are made aside,
    ///   as far as memory suffices for both.
    func apply(
        _ changes: [FlowChange],
        groups changedGroups: [GroupChange],
        atomically: Bool
    ) throws(OutOfTableMemory) -> [Int] {
        guard !changedGroups.isEmpty else { return try apply(changes, atomically: atomically) }
        // Before the flows that name them.
        let former = try groups.publish(changedGroups)
        let unused: [Int]
        do throws(OutOfTableMemory) { unused = try apply(changes, atomically: atomically) } catch {
            groups.restore(former)
            throw error
        }
        groups.retire(former)
        return unused
    }

    private func apply(_ changes: [FlowChange], atomically: Bool = false) throws(OutOfTableMemory) -> [Int] {
        var all: [UInt8] = []
        for change in changes { all.appendIfNew(change.entry.tableID) }
        flowCaches.begin(all)
        defer { flowCaches.end(tables) }
        let aside = atomically && changes.count > Self.changesInPlace && isRoomAside(all, changes.count)
        if aside { rebuildAside(all) }
        var touched: [UInt8] = []
        var done = 0
        var former = Former()
        do throws(OutOfTableMemory) {
            for change in changes {
                switch change {
                case .add(let entry):
                    try add(entry)
                    touched.appendIfNew(entry.tableID)
                case .modify(let entry) where aside:
                    let handle = entry.compiled
                    try replace(entry)
                    former.handles.append(handle)
                    touched.appendIfNew(entry.tableID)
                case .modify(let entry):
                    let program = flows[entry.compiled].program
                    try modify(entry)
                    former.programs.append(program)
                case .remove: break
                }
                done += 1
            }
            for table in touched { try tables[Int(table)].settle() }
        } catch {
            if aside { rebuildAside(all) }
            undo(changes[..<done], former: former, touched: aside ? all : touched)
            throw error
        }
        for program in former.programs { release(program) }
        for handle in former.handles { release(flows[handle].program) }
        if aside, case .remove? = changes.last { rebuildAside(all) }
        let removed = removeAll(of: changes, touched: aside ? all : [])
        setDepth(neededDepth)
        return removed + former.handles
    }

    private func rebuildAside(_ touched: [UInt8]) { for table in touched { tables[Int(table)].rebuildAside() } }

    /// Whether there is memory for tables beside those that the workers have, twice: with what is added and without what is removed.
    private func isRoomAside(_ touched: [UInt8], _ changeCount: Int) -> Bool {
        let bytes = touched.reduce(0) { $0 + tables[Int($1)].bytes }
        // A record, and places in the mirrors' layout, which may be half empty.
        let added = changeCount * 256
        return memory.used + settings.count * (3 * bytes + 3 * added) < memory.limit - memory.reserve
    }

    /// For what a removal needs there is a reserve of memory, and if that fails too the table's rules stop to match rather
    /// than point nowhere.
    private func removeAll(of changes: [FlowChange], touched: [UInt8]) -> [Int] {
        var removed: [Int] = []
        var touched = touched
        for case .remove(let entry) in changes {
            remove(entry)
            removed.append(entry.compiled)
            touched.appendIfNew(entry.tableID)
        }
        settleOrBlank(touched)
        return removed
    }

    private func settleOrBlank(_ touched: [UInt8]) {
        for table in touched.map({ tables[Int($0)] }) {
            do { try table.settle() } catch {
                // What was laid out for more rules than are left wants less room laid out anew.
                table.shrink()
                do { try table.settle() } catch { table.blank() }
            }
        }
    }

    /// Gives back what removed or replaced flows had; no worker may use them any more.
    func free(_ removed: [Int]) {
        for handle in removed {
            if flows[handle].entry.compiled == handle {
                flows[handle].entry.compiled = -1
            } else {
                flows.inherit(from: handle)
            }
            flows.remove(handle, memory)
        }
    }

    /// The configured ports have changed: what names ports is compiled anew.
    package func setSlots(_ slots: [PortNumber: UInt16], entries: some Sequence<FlowEntry>) throws(OutOfTableMemory) {
        programs.slots = slots
        programs.forgetPorts()
        groups.retire(try groups.publish(groups.changesNamingPorts, anew: true))
        var affected: [FlowChange] = []
        for entry in entries where entry.hasAction(where: \.namesPort) { affected.append(.modify(entry)) }
        _ = try apply(affected)
    }

    // MARK: One flow

    private func add(_ entry: FlowEntry) throws(OutOfTableMemory) {
        let (value, mask) = FlowKey.compile(entry.normalizedMatch)
        let shape = shape(of: mask)
        let window = shape.window
        guard let program = use(entry) else { throw OutOfTableMemory() }
        let size = FlowRecord.size(window)
        let handle = flows.nextHandle
        var records: [FlowRecordPointer] = []
        for _ in settings {
            guard let block = memory.allocate(size) else { break }
            let record = block.bindMemory(to: FlowRecord.self, capacity: 1)
            record.initialize(
                to: FlowRecord(
                    program: programs.pointer(program),
                    id: UInt32(handle),
                    priority: entry.priority
                )
            )
            for word in window.words {
                FlowRecord.word(word, of: record, window).pointee = value.words[word] & mask.words[word]
            }
            records.append(record)
        }
        func abandon() {
            for record in records { memory.deallocate(record, size) }
            release(program)
        }
        guard records.count == settings.count else {
            abandon()
            throw OutOfTableMemory()
        }
        let depth = max(shape.depth, programs.depth(program))
        let flow = CompiledFlow(
            entry: entry,
            priority: entry.priority,
            hash: Subtable.hash(value, mask: mask, seed: seed),
            window: window,
            depth: depth,
            program: program
        )
        entry.compiled = flows.insert(flow, records: records)
        countDepth(depth, +1)
        if depth > self.depth { setDepth(depth) }
        do {
            try tables[Int(entry.tableID)].insert(entry.compiled, mask: mask)
        } catch {
            countDepth(depth, -1)
            flows.remove(entry.compiled, memory)
            entry.compiled = -1
            release(program)
            throw error
        }
    }

    /// What follows from a mask. Most rules have the same as the one before.
    private func shape(of mask: FlowKey) -> MaskShape {
        let last = lastShape
        if last.mask.isSame(as: mask) { return last }
        let shape = MaskShape(mask)
        lastShape = shape
        return shape
    }

    private func modify(_ entry: FlowEntry) throws(OutOfTableMemory) {
        guard let program = use(entry) else { throw OutOfTableMemory() }
        let (_, mask) = FlowKey.compile(entry.normalizedMatch)
        link(entry, program: program, depth: max(mask.depth, programs.depth(program)))
    }

    private func link(_ entry: FlowEntry, program: Int, depth: ParseDepth) {
        let handle = entry.compiled
        countDepth(flows[handle].depth, -1)
        countDepth(depth, +1)
        if depth > self.depth { setDepth(depth) }
        let flow = flows[handle]
        flows[handle] = CompiledFlow(
            entry: flow.entry,
            priority: flow.priority,
            hash: flow.hash,
            window: flow.window,
            depth: depth,
            program: program,
            next: flow.next
        )
        let address = UInt64(UInt(bitPattern: programs.pointer(program)))
        for worker in settings.indices {
            sink.store(worker: worker, FlowRecord.programWord(flows.record(handle, worker: worker)), address)
        }
    }

    /// Modifies an entry of a table that is made aside: by records of its own, so that workers go by the former ones until they
    /// get the table.
    private func replace(_ entry: FlowEntry) throws(OutOfTableMemory) {
        let former = entry.compiled
        let (_, mask) = FlowKey.compile(entry.normalizedMatch)
        let table = tables[Int(entry.tableID)]
        table.remove(former, mask: mask)
        do { try add(entry) } catch {
            entry.compiled = former
            try table.insert(former, mask: mask)
            throw error
        }
        countDepth(flows[former].depth, -1)
        flows.succeed(former, by: entry.compiled)
    }

    private func remove(_ entry: FlowEntry) {
        let (_, mask) = FlowKey.compile(entry.normalizedMatch)
        tables[Int(entry.tableID)].remove(entry.compiled, mask: mask)
        countDepth(flows[entry.compiled].depth, -1)
        release(flows[entry.compiled].program)
    }

    /// What modifications have replaced: programs, or handles where tables are made aside; one of both.
    private struct Former {
        var programs: [Int] = []
        var handles: [Int] = []
    }

    /// Takes back what was done before memory ran out: adds and modifications.
    private func undo(_ done: ArraySlice<FlowChange>, former: Former, touched: [UInt8]) {
        var former = former
        for change in done.reversed() {
            let entry = change.entry
            switch change {
            case .add:
                remove(entry)
                sink.retire(flows: [entry.compiled])
            case .modify where !former.handles.isEmpty:
                remove(entry)
                sink.retire(flows: [entry.compiled])
                let handle = former.handles.removeLast()
                let (_, mask) = FlowKey.compile(entry.normalizedMatch)
                entry.compiled = handle
                countDepth(flows[handle].depth, +1)
                // It was there before.
                try? tables[Int(entry.tableID)].insert(handle, mask: mask)
            case .modify:
                let program = flows[entry.compiled].program
                let previous = former.programs.removeLast()
                let (_, mask) = FlowKey.compile(entry.normalizedMatch)
                link(entry, program: previous, depth: max(mask.depth, programs.depth(previous)))
                release(program)
            case .remove: break
            }
        }
        settleOrBlank(touched)
        setDepth(neededDepth)
    }

    // MARK: Programs and depth

    private func use(_ entry: FlowEntry) -> Int? {
        programs.use(ProgramStore.Key(instructions: entry.instructions, isTableMiss: entry.isTableMiss))
    }

    private func release(_ program: Int) { programs.release(program) { sink.retire($0, $1) } }

    private func countDepth(_ depth: ParseDepth, _ change: Int) { depthUsers[Int(depth.rawValue)] += change }

    private var neededDepth: ParseDepth {
        for depth in [ParseDepth.full, .transport, .ethernet] where depthUsers[Int(depth.rawValue)] > 0 {
            return dropsFragments ? max(depth, .transport) : depth
        }
        return dropsFragments ? .transport : .port
    }

    private func setDepth(_ new: ParseDepth) {
        guard new != depth else { return }
        depth = new
        for (worker, settings) in settings.enumerated() {
            sink.store(worker: worker, settings.word(\.depth), new.rawValue)
        }
    }
}

/// A mask, which words of a key it makes a rule hold, and how deep it needs packets parsed.
private struct MaskShape {
    let mask: FlowKey
    let window: KeyWindow
    let depth: ParseDepth

    init(_ mask: FlowKey) { (self.mask, window, depth) = (mask, KeyWindow(mask), mask.depth) }
}

extension [UInt8] {
    fileprivate mutating func appendIfNew(_ number: UInt8) {
        if last != number && !contains(number) { append(number) }
    }
}
