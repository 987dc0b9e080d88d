// One flow table: its rules by mask, the form of lookup that suits them, and the words that workers must store so that
// they forward by it. A change is made in the present form where that takes a store or a few; where the form does not suit
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
    let context: LookupContext
    var flows: FlowStore { context.flows }
    /// The table's slot in each worker.
    private let tableSlots: [UnsafeMutablePointer<TableSlot>]

    private(set) var form = LookupForm.constant
    private(set) var ruleCount = 0
    private(set) var groups: [MaskWords: MaskGroup] = [:]
    /// The bits that any of the rules since the table was empty looks at.
    private(set) var mask = FlowKey()
    /// The one that a rule was put into last.
    private var lastGroup: MaskGroup?
    /// Blocks of the present form, one for each worker.
    private(set) var lookups: [UnsafeMutableRawPointer] = []
    private var lookupSize = 0
    /// The entry for what nothing else matches, as the workers have it; -1: none.
    private var miss = -1
    /// The field of a direct index, and how many values the workers' arrays have room for.
    private var directField = KeyField.inPort
    private var directCount = 0
    /// The parts of the present lookup, in the order in which the workers search them.
    var parts: [LookupPart] = []
    var prefixGroups: [PrefixGroup] = []
    var mergedGroups: [MergedGroup] = []
    /// How many parts were left when masks were merged last; merged anew when there are twice as many.
    var mergedTo = 0
    /// Families that have turned out not to be looked up by a trie, until the table is empty.
    var refusedFamilies: Set<PrefixFamily> = []
    /// What the present lookup uses and the next one does not.
    var discarded: [(block: UnsafeMutableRawPointer, bytes: Int)] = []
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
        context = LookupContext(flows: flows, memory: memory, sink: sink, workerCount: tableSlots.count, seed: seed)
        self.tableSlots = tableSlots
    }

    // MARK: Changes

    /// Links a rule. Its record must be complete. Throws before anything has changed.
    func insert(_ flow: Int, mask: FlowKey) throws(OutOfTableMemory) {
        let group = group(of: mask) ?? MaskGroup(mask: mask)
        if group.mirror.isCrowded { try grow(group) }
        let highest = group.maxPriority
        if group.count == 0 {
            groups[MaskWords(mask)] = group
            self.mask.formUnion(mask)
        }
        lastGroup = group
        let change = group.insert(flow, flows)
        ruleCount += 1
        switch group.place {
        case .direct where miss < 0 || flows[miss].priority < flows[flow].priority: applyDirect(change, flow)
        case .subtable where !group.subtables.isEmpty:
            if group.maxPriority != highest { raise(group) }
            apply(change, to: group)
        case .prefixes(let prefixes, let length):
            let highest = prefixes.maxPriority
            apply(change, flow, to: prefixes, length: length)
            if prefixes.maxPriority != highest && parts.count > 1 { isStale = true }
        case .merged(let merged):
            let highest = merged.maxPriority
            apply(change, flow, to: merged, group)
            if merged.maxPriority != highest && parts.count > 1 { isStale = true }
        default: isStale = true
        }
        // What matches everything may have to be searched among the others, or no longer.
        if group.wordCount == 0 || miss >= 0 && flows[flow].priority <= flows[miss].priority { isStale = true }
    }

    /// The rules of a mask, if there are any. Most changes are of the same mask as the one before.
    private func group(of mask: FlowKey) -> MaskGroup? {
        if let lastGroup, lastGroup.mask.isSame(as: mask) { return lastGroup }
        return groups[MaskWords(mask)]
    }

    func remove(_ flow: Int, mask: FlowKey) {
        guard let group = group(of: mask) else { return }
        let change = group.remove(flow, flows)
        ruleCount -= 1
        switch group.place {
        case .direct where group.count > 0: applyDirect(change, flow)
        case .subtable where !group.subtables.isEmpty && group.count > 0:
            apply(change, to: group)
            if ruleCount <= Self.linearAgain { isStale = true }
        case .prefixes(let prefixes, let length):
            apply(change, flow, to: prefixes, length: length)
            if group.count == 0 || ruleCount <= Self.linearAgain { isStale = true }
        case .merged(let merged):
            apply(change, flow, to: merged, group)
            if group.count == 0 || ruleCount <= Self.linearAgain { isStale = true }
        default: isStale = true
        }
        if group.wordCount == 0 { isStale = true }
        if group.count == 0 {
            groups[MaskWords(mask)] = nil
            lastGroup = nil
            discardSubtables(of: group)
            if groups.isEmpty { self.mask = FlowKey() }
        }
    }

    /// Brings the workers up to date with what has been inserted and removed since the last time. Throws before a change.
    func settle() throws(OutOfTableMemory) {
        guard isStale else {
            for prefixes in prefixGroups where prefixes.hasChanges { try prefixes.settle() }
            for merged in mergedGroups where merged.hasChanges { try merged.settle(discarded: &discarded) }
            return
        }
        let catchAll = groups[MaskWords(FlowKey())]
        let others = groups.values.filter { $0 !== catchAll }
        let lowest = others.map(\.minPriority).min()
        // Only an entry that ranks below all others may be what is left when nothing else matches.
        let missHead = catchAll.flatMap { group in
            lowest.map { group.maxPriority < $0 } ?? true ? group.heads.first : nil
        }
        let rules = ruleCount - (missHead == nil ? 0 : catchAll?.count ?? 0)
        let searched = missHead == nil ? Array(groups.values) : others
        if let missHead {
            setMiss(missHead)
            catchAll.map(leave)
        }
        try build(rules, searched)
        if missHead == nil { setMiss(-1) }
        isStale = false
    }

    /// Takes every rule from the workers: what is left when a removal finds no memory even for a small table. It stays stale.
    func blank() {
        setMiss(-1)
        replaceLookups(by: [], size: 0, form: .constant)
    }

    /// From now to the next `settle` changes touch nothing that workers look at: then all of it is made aside, and swapped in by
    /// one store.
    func rebuildAside() {
        for group in groups.values {
            discardSubtables(of: group)
            group.place = .none
        }
        (prefixGroups, mergedGroups, mergedTo) = ([], [], 0)
        isStale = true
    }

    // MARK: The form

    private func build(_ rules: Int, _ groups: [MaskGroup]) throws(OutOfTableMemory) {
        if rules == 0 {
            (refusedFamilies, mergedTo) = ([], 0)
            return replaceLookups(by: [], size: 0, form: .constant)
        }
        if groups.count == 1, let field = Self.smallField(groups[0].mask) {
            let largest = largestValue(of: field, in: groups[0])
            if largest < 8192 || largest <= DirectIndex.limit && Int(largest) < rules * 16 {
                return try buildDirectIndex(groups[0], field)
            }
        }
        if rules <= (parts.isEmpty ? Self.linearLimit : Self.linearAgain) { return try buildLinear(groups) }
        try buildParts(groups)
    }

    /// The field that a mask covers exactly, if it is a single one whose values may index an array.
    private static func smallField(_ mask: FlowKey) -> KeyField? {
        let candidates: [KeyField] = [.inPort, .metadata, .vlanVID, .vlanTCI, .ethType, .ipProto, .l4Src, .l4Dst]
        return candidates.first { field in
            var only = FlowKey()
            only[field] = field.allOnes
            return only.isSame(as: mask)
        }
    }

    private func largestValue(of field: KeyField, in group: MaskGroup) -> UInt64 {
        group.heads.reduce(0) { max($0, context.key($1)[field]) }
    }

    private func buildDirectIndex(_ group: MaskGroup, _ field: KeyField) throws(OutOfTableMemory) {
        let heads = group.heads
        // Room for values to come: up to the next power of two.
        let count = 1 << (Int.bitWidth - Int(largestValue(of: field, in: group)).leadingZeroBitCount)
        let size = DirectIndex.size(count: count)
        let blocks = try context.allocate(size)
        for (worker, block) in blocks.enumerated() {
            DirectIndex.initialize(block, field: field, count: count)
            for head in heads {
                DirectIndex.cell(block, Int(context.key(head)[field])).pointee = context.address(head, worker)
            }
        }
        replaceLookups(by: blocks, size: size, form: .directIndex)
        group.place = .direct
        (directField, directCount) = (field, count)
    }

    private func buildLinear(_ groups: [MaskGroup]) throws(OutOfTableMemory) {
        let (blocks, size) = try linearRows(groups)
        replaceLookups(by: blocks, size: size, form: .linear)
        for group in groups { group.place = .linear }
    }

    private func applyDirect(_ change: MaskGroup.Change, _ flow: Int) {
        let value = Int(context.key(flow)[directField])
        guard value < directCount else {
            isStale = true
            return
        }
        for (worker, block) in lookups.enumerated() {
            let cell = DirectIndex.cell(block, value)
            switch change {
            case .none: break
            case .store(_, let flow, _): context.sink.store(worker: worker, cell, context.address(flow, worker))
            case .clear: context.sink.store(worker: worker, cell, 0)
            }
        }
    }

    private func apply(_ change: MaskGroup.Change, _ flow: Int, to prefixes: PrefixGroup, length: Int) {
        let key = context.key(flow)
        guard prefixes.takes(key) else {
            // Until `settle`, which takes the family apart, the workers go by the rules from before.
            refusedFamilies.insert(prefixes.family)
            isStale = true
            return
        }
        switch change {
        case .none: break
        case .store(_, let flow, _): prefixes.set(flow, key: key, length: length)
        case .clear: prefixes.set(nil, key: key, length: length)
        }
    }

    private func apply(_ change: MaskGroup.Change, _ flow: Int, to merged: MergedGroup, _ group: MaskGroup) {
        switch change {
        case .none: break
        case .store(_, let flow, let former):
            let length = merged.set(flow, former: former, mask: group.mask)
            if length > 2 * MergedGroup.longestList { group.isCrowding = true }
        case .clear: merged.set(nil, former: flow, mask: group.mask)
        }
        if merged.isOutgrown || group.isCrowding { isStale = true }
    }

    // MARK: What the workers have

    /// Bytes of each worker's memory: the lookup, and the entries' records.
    var bytes: Int {
        let records = groups.values.reduce(0) { $0 + $1.count * FlowRecord.size(KeyWindow($1.mask)) }
        return lookupSize + parts.reduce(records) { $0 + $1.bytes }
    }

    /// Tells the workers that a mask has a rule of higher priority than before, and searches it earlier if that is due. The
    /// place in the order follows in `settle`; until then a packet may still go by the rules from before.
    private func raise(_ group: MaskGroup) {
        for (worker, subtable) in group.subtables.enumerated() {
            context.raise(UnsafeMutableRawPointer(subtable), to: group.maxPriority, worker: worker)
        }
        let position = parts.firstIndex { $0.isSubtable(of: group) } ?? 0
        if position > 0 && parts[position - 1].maxPriority < group.maxPriority { isStale = true }
    }

    /// Swaps in another lookup, in which no rule has a place yet unless it is one of `parts`.
    func replaceLookups(
        by blocks: [UnsafeMutableRawPointer],
        size: Int,
        form new: LookupForm,
        parts newParts: [LookupPart] = []
    ) {
        for (worker, slot) in tableSlots.enumerated() {
            let address = blocks.isEmpty ? 0 : UInt64(UInt(bitPattern: blocks[worker]))
            context.sink.store(worker: worker, slot.lookupWord, address)
        }
        for block in lookups { context.sink.retire(block, lookupSize) }
        (lookups, lookupSize, form) = (blocks, size, new)
        discardParts(except: newParts)
        parts = newParts
        for (block, bytes) in discarded { context.sink.retire(block, bytes) }
        discarded = []
    }

    private func setMiss(_ flow: Int) {
        guard miss >= 0 || flow >= 0 else { return }
        miss = flow
        for (worker, slot) in tableSlots.enumerated() {
            context.sink.store(worker: worker, slot.missWord, flow < 0 ? 0 : context.address(flow, worker))
        }
    }
}
