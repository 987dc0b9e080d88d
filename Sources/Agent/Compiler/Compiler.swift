// From changes of the switch model to words that workers store. The only code that knows both the model and the tables.

import DataPlane
import OpenFlow

package final class Compiler {
    package let flows: FlowStore
    let programs: ProgramStore
    let groups: GroupStore
    let memory: TableMemory
    unowned let sink: DeltaSink
    let settings: [UnsafeMutablePointer<WorkerSettings>]
    private(set) var tables: [TableCompiler] = []
    let flowCaches: FlowCacheStore
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

    func add(_ entry: FlowEntry) throws(OutOfTableMemory) {
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

    func modify(_ entry: FlowEntry) throws(OutOfTableMemory) {
        guard let program = use(entry) else { throw OutOfTableMemory() }
        let (_, mask) = FlowKey.compile(entry.normalizedMatch)
        link(entry, program: program, depth: max(mask.depth, programs.depth(program)))
    }

    func link(_ entry: FlowEntry, program: Int, depth: ParseDepth) {
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
    func replace(_ entry: FlowEntry) throws(OutOfTableMemory) {
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

    func remove(_ entry: FlowEntry) {
        let (_, mask) = FlowKey.compile(entry.normalizedMatch)
        tables[Int(entry.tableID)].remove(entry.compiled, mask: mask)
        countDepth(flows[entry.compiled].depth, -1)
        release(flows[entry.compiled].program)
    }

    // MARK: Programs and depth

    private func use(_ entry: FlowEntry) -> Int? {
        programs.use(ProgramStore.Key(instructions: entry.instructions, isTableMiss: entry.isTableMiss))
    }

    func release(_ program: Int) { programs.release(program) { sink.retire($0, $1) } }

    func countDepth(_ depth: ParseDepth, _ change: Int) { depthUsers[Int(depth.rawValue)] += change }

    var neededDepth: ParseDepth {
        for depth in [ParseDepth.full, .transport, .ethernet] where depthUsers[Int(depth.rawValue)] > 0 {
            return dropsFragments ? max(depth, .transport) : depth
        }
        return dropsFragments ? .transport : .port
    }

    func setDepth(_ new: ParseDepth) {
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
