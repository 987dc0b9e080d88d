// Changes of flow entries and groups as one: all of them reach the workers or, if memory does not suffice, none.

import DataPlane
import OpenFlow

extension Compiler {
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

    func apply(_ changes: [FlowChange], atomically: Bool = false) throws(OutOfTableMemory) -> [Int] {
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
        if aside, case .remove? = changes.last, isRoomAside(all, 0) { rebuildAside(all) }
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
}

extension [UInt8] {
    fileprivate mutating func appendIfNew(_ number: UInt8) {
        if last != number && !contains(number) { append(number) }
    }
}
