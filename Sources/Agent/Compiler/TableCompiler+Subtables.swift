// The hash tables of single masks: made, grown, changed and given back.

import DataPlane

extension TableCompiler {
    func buildSubtables(_ group: MaskGroup) throws(OutOfTableMemory) -> [UnsafeMutablePointer<Subtable>] {
        let bucketBytes = group.mirror.slots.count * 8
        let buckets = group.reserved.isEmpty ? try context.allocate(bucketBytes) : group.reserved
        group.reserved = []
        let headers: [UnsafeMutableRawPointer]
        do {
            headers = try context.allocate(MemoryLayout<Subtable>.size)
        } catch {
            group.reserved = buckets
            throw error
        }
        return headers.indices.map { worker in
            let cells = buckets[worker].bindMemory(to: UInt64.self, capacity: group.mirror.slots.count)
            for (slot, content) in group.mirror.slots.enumerated() {
                cells[slot] = content.content.map { slotWord($0, worker) } ?? content.emptyWord
            }
            let subtable = headers[worker].bindMemory(to: Subtable.self, capacity: 1)
            subtable.initialize(
                to: Subtable(
                    mask: group.mask,
                    seed: context.seed,
                    bucketCount: group.mirror.bucketCount,
                    buckets: cells
                )
            )
            subtable.pointee.maxPriority = UInt32(group.maxPriority)
            return subtable
        }
    }

    /// Gives back subtables that no worker has seen.
    func free(_ subtables: [UnsafeMutablePointer<Subtable>], of group: MaskGroup) {
        for subtable in subtables {
            context.memory.deallocate(UnsafeMutableRawPointer(subtable.pointee.buckets), group.mirror.slots.count * 8)
            context.memory.deallocate(UnsafeMutableRawPointer(subtable), MemoryLayout<Subtable>.size)
        }
    }

    /// A larger table for a mask. While the workers have one, the memory for theirs is taken first, so that no memory means
    /// no change; the old one serves until `settle`.
    func grow(_ group: MaskGroup) throws(OutOfTableMemory) {
        if !group.subtables.isEmpty {
            let slots = SlotMirror.bucketCount(for: group.headCount + 1) * Subtable.slotsPerBucket
            let reserved = try context.allocate(slots * 8, reserve: false)
            discardSubtables(of: group)
            group.reserved = reserved
        } else {
            freeReserved(of: group)
        }
        group.grow()
    }

    /// Lays out anew, for the rules that there are, what the workers do not have yet.
    func shrink() {
        for group in groups.values where group.subtables.isEmpty {
            freeReserved(of: group)
            group.grow()
        }
    }

    private func freeReserved(of group: MaskGroup) {
        context.deallocate(group.reserved, group.mirror.slots.count * 8)
        group.reserved = []
    }

    func apply(_ change: MaskGroup.Change, to group: MaskGroup) {
        for (worker, subtable) in group.subtables.enumerated() {
            let buckets = subtable.pointee.buckets
            switch change {
            case .none: break
            case .store(let slot, let flow, _):
                context.sink.store(worker: worker, buckets + slot, slotWord(flow, worker))
            case .clear(let slot, let word): context.sink.store(worker: worker, buckets + slot, word)
            }
        }
    }

    private func slotWord(_ flow: Int, _ worker: Int) -> UInt64 {
        Subtable.slot(hash: flows[flow].hash, flows.record(flow, worker: worker))
    }
}
