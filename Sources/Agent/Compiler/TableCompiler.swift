// One flow table: its rules by mask, the form of lookup that suits them, and the words that workers must store so that
// they forward by it. A change is made in the present form where that takes a store or two; where the form does not suit
// any more, or is small, the better one is built aside and swapped in by one store.

import DataPlane

/// What the compiler sends to the workers.
package protocol DeltaSink: AnyObject {
    /// One store of one word by one worker, after all that was sent before.
    func store(worker: Int, _ address: UnsafeMutablePointer<UInt64>, _ value: UInt64)
    /// Memory that no worker uses any more once it works by everything sent so far.
    func retire(_ block: UnsafeMutableRawPointer, _ bytes: Int)
    /// The same for the records of flows.
    func retire(flows: [Int])
}

final class TableCompiler {
    /// At most this many rules are looked up one by one; a hash table goes back to that form at `linearAgain` rules, so that
    /// a table at the border does not flap.
    static let linearLimit = 12
    static let linearAgain = 6

    let id: Int
    private let flows: FlowStore
    private let memory: TableMemory
    private unowned let sink: DeltaSink
    /// The table's slot in each worker.
    private let tableSlots: [UnsafeMutablePointer<TableSlot>]
    private let seed: UInt32

    private(set) var form = LookupForm.constant
    private(set) var ruleCount = 0
    private var groups: [MaskWords: MaskGroup] = [:]
    /// Blocks of the present form, one for each worker.
    private var lookups: [UnsafeMutableRawPointer] = []
    private var lookupSize = 0
    /// The entry for what nothing else matches, as the workers have it; -1: none.
    private var miss = -1
    /// The only mask of a direct index, its field, and how many values the workers' arrays have room for.
    private var directGroup: MaskGroup?
    private var directField = KeyField.inPort
    private var directCount = 0
    /// What the present lookup uses and the next one does not.
    private var discarded: [(block: UnsafeMutableRawPointer, bytes: Int)] = []
    /// The subtables in the order in which the workers search them.
    private var order: [MaskGroup] = []
    /// Whether the lookup is to be built anew before the workers go on.
    private var isStale = false

    init(
        id: Int,
        flows: FlowStore,
        memory: TableMemory,
        sink: DeltaSink,
        tableSlots: [UnsafeMutablePointer<TableSlot>],
        seed: UInt32
    ) {
        self.id = id
        self.flows = flows
        self.memory = memory
        self.sink = sink
        self.tableSlots = tableSlots
        self.seed = seed
    }

    // MARK: Changes

    /// Links a rule. Its record must be complete. Throws before anything has changed.
    func insert(_ flow: Int, mask: FlowKey) throws(OutOfTableMemory) {
        let group = groups[MaskWords(mask)] ?? MaskGroup(mask: mask, seed: seed)
        if group.isCrowded { try grow(group) }
        let highest = group.maxPriority
        groups[MaskWords(mask)] = group
        let change = group.insert(flow, flows)
        ruleCount += 1
        if group === directGroup && (miss < 0 || flows[miss].priority < flows[flow].priority) {
            applyDirect(change, flow)
        } else if group.subtables.isEmpty {
            isStale = true
        } else {
            if group.maxPriority != highest { raise(group) }
            apply(change, to: group)
            if group.wordCount == 0 { isStale = true }
        }
    }

    func remove(_ flow: Int, mask: FlowKey) {
        guard let group = groups[MaskWords(mask)] else { return }
        let change = group.remove(flow, flows)
        ruleCount -= 1
        if group.count == 0 {
            groups[MaskWords(mask)] = nil
            discardSubtables(of: group)
            isStale = true
        } else if group === directGroup {
            applyDirect(change, flow)
        } else if group.subtables.isEmpty {
            isStale = true
        } else {
            apply(change, to: group)
            if group.wordCount == 0 || ruleCount <= Self.linearAgain { isStale = true }
        }
    }

    /// Brings the workers up to date with what has been inserted and removed since the last time. Throws before a change.
    func settle() throws(OutOfTableMemory) {
        guard isStale else { return }
        let catchAll = groups[MaskWords(FlowKey())]
        let others = groups.values.filter { $0 !== catchAll }
        let lowest = others.map(\.minPriority).min()
        // Only an entry that ranks below all others may be what is left when nothing else matches.
        let missHead = catchAll.flatMap { group in
            lowest.map { group.maxPriority < $0 } ?? true ? group.heads.first : nil
        }
        let rules = ruleCount - (missHead == nil ? 0 : catchAll?.count ?? 0)
        let searched = missHead == nil ? Array(groups.values) : others
        if let missHead { setMiss(missHead) }
        switch suitableForm(rules, searched) {
        case .constant: replaceLookups(by: [], size: 0, form: .constant)
        case .directIndex: try buildDirectIndex(searched[0])
        case .linear: try buildLinear(searched)
        case .hash, .tupleSpace: try buildTupleSpace(searched)
        }
        if missHead == nil { setMiss(-1) }
        isStale = false
    }

    /// Takes every rule from the workers: what is left when a removal finds no memory even for a small table. It stays stale.
    func blank() {
        setMiss(-1)
        replaceLookups(by: [], size: 0, form: .constant)
    }

    // MARK: The form

    private func suitableForm(_ rules: Int, _ groups: [MaskGroup]) -> LookupForm {
        if rules == 0 { return .constant }
        if groups.count == 1, let field = Self.smallField(groups[0].mask) {
            let largest = largestValue(of: field, in: groups[0])
            if largest < 8192 || largest <= DirectIndex.limit && Int(largest) < rules * 16 { return .directIndex }
        }
        let limit = form == .hash || form == .tupleSpace ? Self.linearAgain : Self.linearLimit
        if rules <= limit { return .linear }
        return groups.count == 1 ? .hash : .tupleSpace
    }

    /// The field that a mask covers exactly, if it is a single one whose values may index an array.
    private static func smallField(_ mask: FlowKey) -> KeyField? {
        let candidates: [KeyField] = [.inPort, .metadata, .vlanVID, .vlanTCI, .ethType, .ipProto, .l4Src, .l4Dst]
        return candidates.first { field in
            var only = FlowKey()
            only[field] = field.allOnes
            return MaskWords(only) == MaskWords(mask)
        }
    }

    private func largestValue(of field: KeyField, in group: MaskGroup) -> UInt64 {
        group.heads.reduce(0) { max($0, value(of: field, $1)) }
    }

    private func value(of field: KeyField, _ flow: Int) -> UInt64 {
        let word = FlowRecord.word(field.word, of: flows.record(flow, worker: 0), flows[flow].window).pointee
        return (UInt64(bigEndian: word) >> UInt64(field.shift)) & field.allOnes
    }

    // MARK: Building

    private func buildDirectIndex(_ group: MaskGroup) throws(OutOfTableMemory) {
        guard let field = Self.smallField(group.mask) else { return }
        let heads = group.heads
        // Room for values to come: up to the next power of two.
        let count = 1 << (Int.bitWidth - Int(largestValue(of: field, in: group)).leadingZeroBitCount)
        let size = DirectIndex.size(count: count)
        let blocks = try allocate(size)
        for (worker, block) in blocks.enumerated() {
            DirectIndex.initialize(block, field: field, count: count)
            for head in heads {
                DirectIndex.cell(block, Int(value(of: field, head))).pointee = address(head, worker)
            }
        }
        replaceLookups(by: blocks, size: size, form: .directIndex)
        (directGroup, directField, directCount) = (group, field, count)
    }

    private func buildLinear(_ groups: [MaskGroup]) throws(OutOfTableMemory) {
        let heads = groups.flatMap { group in group.heads.map { (flow: $0, mask: group.mask) } }
            .sorted { flows[$0.flow].priority > flows[$1.flow].priority }
        let words = (0..<FlowKey.wordCount).filter { word in groups.contains { $0.mask.words[word] != 0 } }
        let size = Linear.size(rules: heads.count, words: words.count)
        let blocks = try allocate(size)
        for (worker, block) in blocks.enumerated() {
            let rules = heads.map { head in
                (
                    value: value(head.flow, under: head.mask), mask: head.mask,
                    record: flows.record(head.flow, worker: worker)
                )
            }
            Linear.initialize(block, words: words, rules: rules)
        }
        replaceLookups(by: blocks, size: size, form: .linear)
    }

    private func buildTupleSpace(_ groups: [MaskGroup]) throws(OutOfTableMemory) {
        let sorted = groups.sorted { $0.maxPriority > $1.maxPriority }
        for group in sorted where group.subtables.isEmpty { group.subtables = try buildSubtables(group) }
        let size = TupleSpace.size(count: sorted.count)
        let blocks = try allocate(size)
        for (worker, block) in blocks.enumerated() {
            TupleSpace.initialize(block, subtables: sorted.map { $0.subtables[worker] })
        }
        replaceLookups(by: blocks, size: size, form: sorted.count == 1 ? .hash : .tupleSpace)
        order = sorted
    }

    private func buildSubtables(_ group: MaskGroup) throws(OutOfTableMemory) -> [UnsafeMutablePointer<Subtable>] {
        let bucketBytes = group.slots.count * 8
        let buckets = group.reserved.isEmpty ? try allocate(bucketBytes) : group.reserved
        group.reserved = []
        let headers: [UnsafeMutableRawPointer]
        do {
            headers = try allocate(MemoryLayout<Subtable>.size)
        } catch {
            group.reserved = buckets
            throw error
        }
        return headers.indices.map { worker in
            let cells = buckets[worker].bindMemory(to: UInt64.self, capacity: group.slots.count)
            for (slot, content) in group.slots.enumerated() {
                cells[slot] = content.flow.map { slotWord($0, worker) } ?? UInt64(content.content)
            }
            let subtable = headers[worker].bindMemory(to: Subtable.self, capacity: 1)
            subtable.initialize(
                to: Subtable(mask: group.mask, seed: seed, bucketCount: group.bucketCount, buckets: cells)
            )
            subtable.pointee.maxPriority = UInt32(group.maxPriority)
            return subtable
        }
    }

    /// A larger table for a mask. While the workers have one, the memory for theirs is taken first, so that no memory means
    /// no change; the old one serves until `settle`.
    private func grow(_ group: MaskGroup) throws(OutOfTableMemory) {
        if !group.subtables.isEmpty {
            let slots = MaskGroup.bucketCount(for: group.headCount + 1) * Subtable.slotsPerBucket
            let reserved = try allocate(slots * 8, reserve: false)
            discardSubtables(of: group)
            group.reserved = reserved
        } else if !group.reserved.isEmpty {
            for block in group.reserved { memory.deallocate(block, group.slots.count * 8) }
            group.reserved = []
        }
        group.grow(flows)
        isStale = true
    }

    /// Lays out anew, for the rules that there are, what the workers do not have yet.
    func shrink() {
        for group in groups.values where group.subtables.isEmpty {
            for block in group.reserved { memory.deallocate(block, group.slots.count * 8) }
            group.reserved = []
            group.grow(flows)
        }
    }

    // MARK: Linking

    private func apply(_ change: MaskGroup.Change, to group: MaskGroup) {
        for (worker, subtable) in group.subtables.enumerated() {
            switch change {
            case .none: break
            case .store(let slot, let flow):
                sink.store(worker: worker, subtable.pointee.buckets + slot, slotWord(flow, worker))
            case .clear(let slot, let tombstone):
                sink.store(worker: worker, subtable.pointee.buckets + slot, tombstone ? Subtable.tombstone : 0)
            }
        }
    }

    private func applyDirect(_ change: MaskGroup.Change, _ flow: Int) {
        let value = Int(value(of: directField, flow))
        guard value < directCount else {
            isStale = true
            return
        }
        for (worker, block) in lookups.enumerated() {
            switch change {
            case .none: break
            case .store(_, let flow): sink.store(worker: worker, DirectIndex.cell(block, value), address(flow, worker))
            case .clear: sink.store(worker: worker, DirectIndex.cell(block, value), 0)
            }
        }
    }

    /// Tells the workers that a mask has a rule of higher priority than before, and searches it earlier if that is due. The
    /// place in the order follows in `settle`; until then a packet may still go by the rules from before.
    private func raise(_ group: MaskGroup) {
        for (worker, subtable) in group.subtables.enumerated() {
            let word = UnsafeMutableRawPointer(subtable).advanced(by: Subtable.priorityOffset)
                .assumingMemoryBound(to: UInt64.self)
            sink.store(
                worker: worker,
                word,
                Subtable.priorityWord(wordCount: group.wordCount, maxPriority: group.maxPriority)
            )
        }
        let position = order.firstIndex { $0 === group } ?? 0
        if position > 0 && order[position - 1].maxPriority < group.maxPriority { isStale = true }
    }

    private func replaceLookups(by blocks: [UnsafeMutableRawPointer], size: Int, form new: LookupForm) {
        for (worker, slot) in tableSlots.enumerated() {
            let address = blocks.isEmpty ? 0 : UInt64(UInt(bitPattern: blocks[worker]))
            sink.store(worker: worker, slot.lookupWord, address)
        }
        for block in lookups { sink.retire(block, lookupSize) }
        (lookups, lookupSize, form, directGroup) = (blocks, size, new, nil)
        if new != .hash && new != .tupleSpace {
            for group in groups.values { discardSubtables(of: group) }
            order = []
        }
        for (block, bytes) in discarded { sink.retire(block, bytes) }
        discarded = []
    }

    private func setMiss(_ flow: Int) {
        guard miss >= 0 || flow >= 0 else { return }
        miss = flow
        for (worker, slot) in tableSlots.enumerated() {
            sink.store(worker: worker, slot.missWord, flow < 0 ? 0 : address(flow, worker))
        }
    }

    private func discardSubtables(of group: MaskGroup) {
        for subtable in group.subtables {
            discarded.append((UnsafeMutableRawPointer(subtable.pointee.buckets), group.slots.count * 8))
            discarded.append((UnsafeMutableRawPointer(subtable), MemoryLayout<Subtable>.size))
        }
        for block in group.reserved { discarded.append((block, group.slots.count * 8)) }
        group.subtables = []
        group.reserved = []
    }

    // MARK: Small things

    private func address(_ flow: Int, _ worker: Int) -> UInt64 {
        UInt64(UInt(bitPattern: flows.record(flow, worker: worker)))
    }

    private func slotWord(_ flow: Int, _ worker: Int) -> UInt64 {
        Subtable.slot(hash: flows[flow].hash, record: flows.record(flow, worker: worker))
    }

    private func value(_ flow: Int, under mask: FlowKey) -> FlowKey {
        let record = flows.record(flow, worker: 0)
        let window = flows[flow].window
        var value = FlowKey()
        for word in window.words { value.words[word] = FlowRecord.word(word, of: record, window).pointee }
        return value
    }

    /// A block of the same size for each worker; all or none.
    private func allocate(_ bytes: Int, reserve: Bool = true) throws(OutOfTableMemory) -> [UnsafeMutableRawPointer] {
        var blocks: [UnsafeMutableRawPointer] = []
        for _ in tableSlots {
            guard let block = memory.allocate(bytes, reserve: reserve) else {
                for block in blocks { memory.deallocate(block, bytes) }
                throw OutOfTableMemory()
            }
            blocks.append(block)
        }
        return blocks
    }
}

/// The memory for tables (`memory.size` of the configuration) does not suffice.
package struct OutOfTableMemory: Error {}

/// A mask as the key of a dictionary.
struct MaskWords: Hashable {
    private let words: [UInt64]
    init(_ mask: FlowKey) { words = (0..<FlowKey.wordCount).map { mask.words[$0] } }
}
