// The rules of masks that have been merged: the control side's mirror of the workers' `MergedSubtable`s. Rules are put in
// place here; `settle` then makes the lists that have changed, each aside, and links them by one store.

import DataPlane

final class MergedGroup {
    /// What the rules are hashed by.
    let tuple: FlowKey
    /// What the rules are compared by.
    let window: KeyWindow
    private let context: LookupContext
    /// The content of a slot is an index of `lists`.
    private var mirror = SlotMirror()
    private var lists: [List] = []
    private var freeLists: [Int] = []
    private var changedLists: Set<Int> = []
    /// At least as high as the priority of any rule.
    private(set) var maxPriority: UInt16 = 0
    /// What the workers have; empty before the first `settle`.
    private(set) var tables: [UnsafeMutablePointer<MergedSubtable>] = []
    private var bucketBytes = 0
    /// Whether the workers' tables are to be made anew, as they have become too small.
    private(set) var isOutgrown = true
    private var isPriorityStale = false

    /// A list longer than this is no good: its masks have too little in common.
    static let longestList = 12

    /// The rules of one key of the tuple.
    private struct List {
        var slot: Int
        var entries: [Entry] = []
        var blocks: [UnsafeMutableRawPointer] = []
        var blockSize = 0
    }

    private struct Entry {
        let flow: Int
        let mask: FlowKey
    }

    init(tuple: FlowKey, window: KeyWindow, _ context: LookupContext) {
        (self.tuple, self.window, self.context) = (tuple, window, context)
    }

    var hasChanges: Bool { isOutgrown || isPriorityStale || !changedLists.isEmpty }

    /// Whether rules of a mask can be here.
    func takes(_ mask: FlowKey) -> Bool {
        mask.includes(tuple)
            && (0..<FlowKey.wordCount).allSatisfy { mask.words[$0] == 0 || window.words.contains($0) }
    }

    // MARK: Rules

    /// Puts a rule in place, and takes out the one of the same mask and key (`former`).
    ///
    /// - Returns: How many rules are in its list then.
    @discardableResult
    func set(_ flow: Int?, former: Int?, mask: FlowKey) -> Int {
        guard let some = flow ?? former else { return 0 }
        let key = context.key(some)
        let hash = Subtable.hash(key, mask: tuple, seed: context.seed)
        let index = index(key, hash: hash)
        if let former { lists[index].entries.removeAll { $0.flow == former } }
        if let flow {
            let priority = context.flows[flow].priority
            if priority > maxPriority {
                maxPriority = priority
                isPriorityStale = true
            }
            let place = lists[index].entries.firstIndex { context.flows[$0.flow].priority < priority }
            lists[index].entries.insert(Entry(flow: flow, mask: mask), at: place ?? lists[index].entries.count)
        }
        changedLists.insert(index)
        return lists[index].entries.count
    }

    /// The list of a key; a new one if there is none.
    private func index(_ key: FlowKey, hash: UInt32) -> Int {
        let found = mirror.find(hash: hash) { index in
            // What is about to go has no rule left to compare with.
            lists[index].entries.first.map { sameTuple(context.key($0.flow), key) } ?? false
        }
        if let found { return found.content }
        if mirror.isCrowded {
            mirror.grow()
            for (slot, content) in mirror.slots.enumerated() {
                if let index = content.content { lists[index].slot = slot }
            }
            isOutgrown = true
        }
        let index = freeLists.popLast() ?? lists.count
        if index == lists.count { lists.append(List(slot: 0)) }
        lists[index] = List(slot: mirror.insert(index, hash: hash))
        return index
    }

    private func sameTuple(_ a: FlowKey, _ b: FlowKey) -> Bool {
        (0..<FlowKey.wordCount).allSatisfy { (a.words[$0] ^ b.words[$0]) & tuple.words[$0] == 0 }
    }

    // MARK: Workers

    /// Brings the workers' tables up to date; after growth they are new ones, which no lookup leads to yet. Throws before a change.
    ///
    /// - Parameter discarded: Gets what the present lookup uses and the next one does not.
    func settle(discarded: inout [(block: UnsafeMutableRawPointer, bytes: Int)]) throws(OutOfTableMemory) {
        var made: [(index: Int, blocks: [UnsafeMutableRawPointer], size: Int)] = []
        do throws(OutOfTableMemory) {
            for index in changedLists where !lists[index].entries.isEmpty {
                let size = RowList.size(rows: lists[index].entries.count, window)
                made.append((index, try context.allocate(size), size))
            }
            if isOutgrown { try makeTables(&discarded) }
        } catch {
            for (_, blocks, size) in made { context.deallocate(blocks, size) }
            throw error
        }
        for (index, blocks, size) in made {
            for (worker, block) in blocks.enumerated() {
                let rows = lists[index].entries.map {
                    RowList.Row(value: context.key($0.flow), mask: $0.mask, ranked: context.ranked($0.flow, worker))
                }
                RowList.initialize(block, rows, window)
            }
            retire(index)
            (lists[index].blocks, lists[index].blockSize) = (blocks, size)
            if !isOutgrown { link(index, mirror.slots[lists[index].slot].hash) }
        }
        for index in changedLists where lists[index].entries.isEmpty { unlink(index) }
        changedLists.removeAll(keepingCapacity: true)
        if isOutgrown {
            fillTables()
        } else if isPriorityStale {
            for (worker, table) in tables.enumerated() {
                context.raise(UnsafeMutableRawPointer(table), to: maxPriority, worker: worker)
            }
        }
        (isOutgrown, isPriorityStale) = (false, false)
    }

    private func link(_ index: Int, _ hash: UInt32) {
        for (worker, table) in tables.enumerated() {
            let slot = table.pointee.table.buckets + lists[index].slot
            context.sink.store(worker: worker, slot, Subtable.slot(hash: hash, lists[index].blocks[worker]))
        }
    }

    private func unlink(_ index: Int) {
        let slot = lists[index].slot
        let word = mirror.remove(slot)
        if !isOutgrown {
            for (worker, table) in tables.enumerated() {
                context.sink.store(worker: worker, table.pointee.table.buckets + slot, word)
            }
        }
        retire(index)
        freeLists.append(index)
    }

    private func retire(_ index: Int) {
        for block in lists[index].blocks { context.sink.retire(block, lists[index].blockSize) }
        lists[index].blocks = []
    }

    // MARK: Memory

    /// Of each worker's memory.
    var bytes: Int {
        lists.reduce(bucketBytes + MemoryLayout<MergedSubtable>.size) { $0 + ($1.blocks.isEmpty ? 0 : $1.blockSize) }
    }

    private func makeTables(
        _ discarded: inout [(block: UnsafeMutableRawPointer, bytes: Int)]
    ) throws(OutOfTableMemory) {
        let bytes = mirror.slots.count * 8
        let buckets = try context.allocate(bytes)
        let headers: [UnsafeMutableRawPointer]
        do { headers = try context.allocate(MemoryLayout<MergedSubtable>.size) } catch {
            context.deallocate(buckets, bytes)
            throw error
        }
        for table in tables {
            discarded.append((UnsafeMutableRawPointer(table.pointee.table.buckets), bucketBytes))
            discarded.append((UnsafeMutableRawPointer(table), MemoryLayout<MergedSubtable>.size))
        }
        bucketBytes = bytes
        tables = headers.enumerated().map { worker, header in
            let cells = buckets[worker].bindMemory(to: UInt64.self, capacity: mirror.slots.count)
            var table = Subtable(
                mask: tuple,
                seed: context.seed,
                bucketCount: mirror.bucketCount,
                buckets: cells
            )
            table.maxPriority = UInt32(maxPriority)
            let merged = header.bindMemory(to: MergedSubtable.self, capacity: 1)
            merged.initialize(to: MergedSubtable(table: table, window: window))
            return merged
        }
    }

    private func fillTables() {
        for (worker, table) in tables.enumerated() {
            for (slot, content) in mirror.slots.enumerated() {
                table.pointee.table.buckets[slot] =
                    content.content.map { Subtable.slot(hash: content.hash, lists[$0].blocks[worker]) }
                    ?? content.emptyWord
            }
        }
    }

    /// Gives back all that the workers have, when no table leads there any more.
    func retireAll() {
        for index in lists.indices { retire(index) }
        for table in tables {
            context.sink.retire(UnsafeMutableRawPointer(table.pointee.table.buckets), bucketBytes)
            context.sink.retire(UnsafeMutableRawPointer(table), MemoryLayout<MergedSubtable>.size)
        }
        tables = []
    }
}
