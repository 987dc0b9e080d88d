// The rules of one prefix family: the control side's mirror of the workers' tries. Rules are put in place here; `settle` then
// makes the nodes that have changed, each aside, and links them by one store.

import DataPlane

final class PrefixGroup {
    let family: PrefixFamily
    private let context: LookupContext
    private let mask: FlowKey
    private let value: FlowKey
    /// At least as high as the priority of any rule.
    private(set) var maxPriority: UInt16 = 0
    /// What the workers have; empty before the first `settle`.
    private(set) var tries: [UnsafeMutablePointer<PrefixTrie>] = []

    /// The rule for the prefix of no bits; -1: none.
    private var fallback = -1
    /// The best rule for each cell of the root among those with prefixes of 1 to 16 bits; -1: none.
    private var rootBest = [Int32](repeating: -1, count: PrefixTrie.rootCount)
    /// Rules with such prefixes, by a leading 1 and the bits.
    private var rootPrefixes: [UInt32: Int] = [:]
    private var nodes: [UInt16: PrefixNode] = [:]
    /// Cells of the root where something has changed, there or below.
    private var changedCells: Set<UInt16> = []
    private var removedNodes: [PrefixNode] = []
    private var isHeaderStale = false

    private static let rootBytes = PrefixTrie.rootCount * 8

    /// - Parameters:
    ///   - mask: What the family's masks have in common besides the field.
    ///   - value: What the rules have in common there.
    init(_ family: PrefixFamily, mask: FlowKey, value: FlowKey, _ context: LookupContext) {
        (self.family, self.mask, self.value, self.context) = (family, mask, value, context)
    }

    var hasChanges: Bool { isHeaderStale || !changedCells.isEmpty }

    /// Whether a rule with this key may be here: it is like the others in all but the field.
    func takes(_ key: FlowKey) -> Bool {
        family.field.clearing(key).isSame(as: value)
    }

    // MARK: Rules

    /// Puts the rule for a key in place, or takes it out (nil).
    ///
    /// - Parameter length: Of the prefix in bits.
    func set(_ flow: Int?, key: FlowKey, length: Int) {
        if let flow, context.flows[flow].priority > maxPriority {
            maxPriority = context.flows[flow].priority
            isHeaderStale = true
        }
        let prefix = Prefix(bits: family.field.bits(key), length: length)
        switch length {
        case 0:
            fallback = flow ?? -1
            isHeaderStale = true
        case ...PrefixTrie.rootBits: setRoot(flow, prefix)
        default: setBelow(flow, prefix)
        }
    }

    private func setRoot(_ flow: Int?, _ prefix: Prefix) {
        let spare = PrefixTrie.rootBits - prefix.length
        let former = rootPrefixes.updateValue(flow ?? -1, forKey: Self.rootIndex(prefix.start, prefix.length))
        if flow == nil { rootPrefixes[Self.rootIndex(prefix.start, prefix.length)] = nil }
        for cell in prefix.start..<prefix.start + 1 << spare {
            let best = Int(rootBest[cell])
            if best >= 0, best == former {
                rootBest[cell] = Int32(bestInRoot(cell))
            } else if let flow, best < 0 || context.flows[best].priority <= context.flows[flow].priority {
                rootBest[cell] = Int32(flow)
            } else {
                continue
            }
            changedCells.insert(UInt16(cell))
        }
    }

    private static func rootIndex(_ cell: Int, _ length: Int) -> UInt32 {
        UInt32(1 << length | cell >> (PrefixTrie.rootBits - length))
    }

    private func bestInRoot(_ cell: Int) -> Int {
        var best = -1
        for length in 1...PrefixTrie.rootBits {
            guard let flow = rootPrefixes[Self.rootIndex(cell, length)] else { continue }
            if best < 0 || context.flows[best].priority <= context.flows[flow].priority { best = flow }
        }
        return best
    }

    private func setBelow(_ flow: Int?, _ prefix: Prefix) {
        let cell = UInt16(prefix.start)
        guard let node = nodes[cell] ?? (flow == nil ? nil : PrefixNode()) else { return }
        nodes[cell] = node
        changedCells.insert(cell)
        if !node.set(flow, at: prefix, depth: PrefixTrie.rootBits / 8, removed: &removedNodes) {
            nodes[cell] = nil
            removedNodes.append(node)
        }
    }

    // MARK: Workers

    /// What `settle` is about to do; nothing of it is visible to a worker.
    private struct Change {
        var made: [(node: PrefixNode, blocks: [UnsafeMutableRawPointer], size: Int)] = []
        /// The new blocks by their node.
        var blocks: [ObjectIdentifier: [UnsafeMutableRawPointer]] = [:]
        var aboves: [(node: PrefixNode, flow: Int)] = []
        var passed: [PrefixNode] = []
        var stores: [(worker: Int, address: UnsafeMutablePointer<UInt64>, value: UInt64)] = []
    }

    /// Brings the workers' tries up to date. Throws before a change.
    func settle() throws(OutOfTableMemory) {
        var change = Change()
        let isNew = tries.isEmpty
        if isNew { try makeTries() }
        do throws(OutOfTableMemory) {
            for cell in changedCells { try settle(cell, &change) }
        } catch {
            for (_, blocks, size) in change.made { context.deallocate(blocks, size) }
            if isNew { freeTries() }
            throw error
        }
        for (node, blocks, size) in change.made {
            for block in node.blocks { context.sink.retire(block, node.blockSize) }
            (node.blocks, node.blockSize) = (blocks, size)
        }
        for (node, flow) in change.aboves { node.above = flow }
        for node in change.passed { node.settled() }
        for (worker, address, value) in change.stores {
            if isNew { address.pointee = value } else { context.sink.store(worker: worker, address, value) }
        }
        settleHeader()
        retireRemoved()
        changedCells.removeAll(keepingCapacity: true)
    }

    private func settleHeader() {
        guard isHeaderStale else { return }
        isHeaderStale = false
        for (worker, trie) in tries.enumerated() {
            context.raise(UnsafeMutableRawPointer(trie), to: maxPriority, worker: worker)
            context.sink.store(worker: worker, trie.word(\.fallback), context.ranked(fallback, worker))
        }
    }

    private func settle(_ cell: UInt16, _ change: inout Change) throws(OutOfTableMemory) {
        let best = Int(rootBest[Int(cell)])
        guard let node = nodes[cell] else {
            for (worker, trie) in tries.enumerated() {
                change.stores.append((worker, trie.pointee.root + Int(cell), context.ranked(best, worker)))
            }
            return
        }
        try settle(node, above: best, &change)
        for (worker, block) in (change.blocks[ObjectIdentifier(node)] ?? []).enumerated() {
            change.stores.append((worker, tries[worker].pointee.root + Int(cell), PrefixTrie.Node.cellValue(block)))
        }
    }

    /// Makes a node and those below it that have changed.
    private func settle(_ node: PrefixNode, above: Int, _ change: inout Change) throws(OutOfTableMemory) {
        if node.above != above { change.aboves.append((node, above)) }
        if node.hasChanges { change.passed.append(node) }
        guard node.isDirty else {
            for (byte, child) in node.children where node.hasChanges && child.hasChanges {
                try settle(child, above: child.above, &change)
                for (worker, block) in (change.blocks[ObjectIdentifier(child)] ?? []).enumerated() {
                    let cell = UnsafeMutablePointer(mutating: PrefixTrie.Node.cell(node.blocks[worker], byte))
                    change.stores.append((worker, cell, PrefixTrie.Node.cellValue(block)))
                }
            }
            for (worker, block) in node.blocks.enumerated() where node.above != above {
                change.stores.append((worker, PrefixTrie.Node.aboveWord(block), context.ranked(above, worker)))
            }
            return
        }
        let best = node.best(context.flows)
        for (byte, child) in node.children { try settle(child, above: best[Int(byte)], &change) }
        var starts: [UInt8] = []
        for cell in 0..<PrefixTrie.Node.cellCount {
            let byte = UInt8(cell)
            let isOwnRun = cell == 0 || node.children[byte] != nil || node.children[byte - 1] != nil
            if isOwnRun || best[cell] != best[cell - 1] { starts.append(byte) }
        }
        let size = PrefixTrie.Node.size(runs: starts.count)
        let blocks = try context.allocate(size)
        change.made.append((node, blocks, size))
        change.blocks[ObjectIdentifier(node)] = blocks
        for (worker, block) in blocks.enumerated() {
            PrefixTrie.Node.initialize(block, above: context.ranked(above, worker), starts: starts) { run in
                guard let child = node.children[starts[run]] else {
                    return context.ranked(best[Int(starts[run])], worker)
                }
                let made = change.blocks[ObjectIdentifier(child)] ?? child.blocks
                return PrefixTrie.Node.cellValue(made[worker])
            }
        }
    }

    // MARK: Memory

    /// Of each worker's memory.
    var bytes: Int {
        var bytes = Self.rootBytes + MemoryLayout<PrefixTrie>.size
        for node in nodes.values { node.forEach { bytes += $0.blockSize } }
        return bytes
    }

    private func makeTries() throws(OutOfTableMemory) {
        let roots = try context.allocate(Self.rootBytes, reserve: false)
        let headers: [UnsafeMutableRawPointer]
        do { headers = try context.allocate(MemoryLayout<PrefixTrie>.size) } catch {
            context.deallocate(roots, Self.rootBytes)
            throw error
        }
        tries = headers.enumerated().map { worker, header in
            let root = roots[worker].bindMemory(to: UInt64.self, capacity: PrefixTrie.rootCount)
            root.initialize(repeating: 0, count: PrefixTrie.rootCount)
            let trie = header.bindMemory(to: PrefixTrie.self, capacity: 1)
            trie.initialize(
                to: PrefixTrie(
                    root: root,
                    mask: mask,
                    value: value,
                    fieldOffset: family.field.offset,
                    maxPriority: maxPriority
                )
            )
            return trie
        }
    }

    private func freeTries() {
        for trie in tries {
            context.memory.deallocate(UnsafeMutableRawPointer(trie.pointee.root), Self.rootBytes)
            context.memory.deallocate(UnsafeMutableRawPointer(trie), MemoryLayout<PrefixTrie>.size)
        }
        tries = []
    }

    private func retireRemoved() {
        for node in removedNodes { retire(node) }
        removedNodes = []
    }

    private func retire(_ node: PrefixNode) {
        for block in node.blocks { context.sink.retire(block, node.blockSize) }
        node.blocks = []
    }

    /// Gives back all that the workers have, when no table leads there any more.
    func retireAll() {
        retireRemoved()
        for node in nodes.values { node.forEach(retire) }
        for trie in tries {
            context.sink.retire(UnsafeMutableRawPointer(trie.pointee.root), Self.rootBytes)
            context.sink.retire(UnsafeMutableRawPointer(trie), MemoryLayout<PrefixTrie>.size)
        }
        tries = []
    }
}
