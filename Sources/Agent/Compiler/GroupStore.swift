// The groups in the workers' memory: a slot for each, programs and counters for each worker. A change of a group is the store
// of its new program's address.

import DataPlane
import OpenFlow

final class GroupStore {
    /// One group as it is published.
    struct Compiled {
        let slot: UInt16
        let change: GroupChange
        /// By worker, as are the counters.
        var programs: [Block] = []
        var counters: [Block] = []
        /// What the slot counted before the group was added.
        var before = (packets: UInt64(0), bytes: UInt64(0))
    }

    struct Block {
        let memory: UnsafeMutableRawPointer
        let size: Int
    }

    /// What a group was before a change; nil: it was not there.
    typealias Former = [(id: GroupID, compiled: Compiled?)]

    private let memory: TableMemory
    private unowned let sink: DeltaSink
    private let tables: [UnsafeMutablePointer<GroupSlot>]
    private let programs: ProgramStore
    private var compiled: [GroupID: Compiled] = [:]
    private var freeSlots: [UInt16] = (0..<UInt16(GroupSlot.limit)).reversed()

    init(
        memory: TableMemory,
        sink: DeltaSink,
        tables: [UnsafeMutablePointer<GroupSlot>],
        programs: ProgramStore
    ) {
        (self.memory, self.sink, self.tables, self.programs) = (memory, sink, tables, programs)
    }

    /// Groups with a bucket that outputs to a configured port.
    var changesNamingPorts: [GroupChange] {
        compiled.values.map(\.change).filter {
            $0.group?.buckets.contains { $0.actions.contains(where: \.namesPort) } ?? false
        }
    }

    /// Sends the workers the groups that are new or different; those that go stay until `retire`.
    ///
    /// - Parameter anew: Compiles even what has not changed.
    func publish(_ changes: [GroupChange], anew: Bool = false) throws(OutOfTableMemory) -> Former {
        var former: Former = []
        for change in changes where anew || compiled[change.id]?.change != change {
            former.append((change.id, compiled[change.id]))
            guard change.group != nil, programs.groups[change.id] == nil else { continue }
            guard let slot = freeSlots.popLast() else {
                giveBackSlots(former)
                throw OutOfTableMemory()
            }
            programs.groups[change.id] = slot
        }
        let ids = Set(former.map(\.id))
        var made: [Compiled] = []
        for change in changes where change.group != nil && ids.contains(change.id) {
            guard let new = compile(change) else {
                for compiled in made { discard(compiled, after: self.compiled[compiled.change.id]) { free($0) } }
                giveBackSlots(former)
                throw OutOfTableMemory()
            }
            made.append(new)
        }
        for new in made {
            compiled[new.change.id] = new
            store(new)
        }
        return former
    }

    /// Takes a publication back.
    func restore(_ former: Former) {
        for (id, old) in former {
            guard let new = compiled[id] else { continue }
            compiled[id] = old
            if let old {
                if new.change != old.change { store(old) }
            } else {
                clear(new)
            }
            if old?.programs.first?.memory != new.programs.first?.memory {
                discard(new, after: old) { sink.retire($0.memory, $0.size) }
            }
        }
        giveBackSlots(former)
    }

    /// Gives up what a publication has replaced, and the groups that go.
    func retire(_ former: Former) {
        for (id, old) in former {
            guard let old, let now = compiled[id] else { continue }
            guard now.programs.first?.memory == old.programs.first?.memory else {
                discard(old, after: now) { sink.retire($0.memory, $0.size) }
                continue
            }
            // Nothing has taken its place: it goes.
            compiled[id] = nil
            programs.groups[id] = nil
            freeSlots.insert(old.slot, at: 0)
            clear(old)
            discard(old, after: nil) { sink.retire($0.memory, $0.size) }
        }
    }

    func counters(of id: GroupID) -> GroupCounters {
        guard let compiled = compiled[id] else { return GroupCounters() }
        let sum = total(compiled.slot)
        var counters = GroupCounters()
        counters.packets = sum.packets &- compiled.before.packets
        counters.bytes = sum.bytes &- compiled.before.bytes
        counters.buckets = (0..<(compiled.change.group?.buckets.count ?? 0)).map { index in
            var bucket = TrafficCounter(packetCount: 0, byteCount: 0)
            for block in compiled.counters {
                let words = block.memory.assumingMemoryBound(to: UInt64.self) + 2 * index
                bucket.packetCount &+= glance(words)
                bucket.byteCount &+= glance(words + 1)
            }
            return bucket
        }
        return counters
    }

    // MARK: One group

    private func compile(_ change: GroupChange) -> Compiled? {
        guard let group = change.group, let slot = programs.groups[change.id] else { return nil }
        let actions = ActionCompiler(slots: programs.slots, groups: programs.groups)
        let buckets = group.choice.buckets.map {
            GroupProgram.Bucket(
                weight: group.choice.takesAll ? 0 : UInt32($0.weight),
                counter: UInt16($0.index),
                set: actions.compile(group.buckets[$0.index].actions)
            )
        }
        let old = compiled[change.id]
        var new = Compiled(slot: slot, change: change)
        new.before = old?.change.group?.serial == group.serial ? old?.before ?? (0, 0) : total(slot)
        let keepsCounters = old?.change.group?.revision == group.revision
        if keepsCounters { new.counters = old?.counters ?? [] }
        for worker in tables.indices {
            if !keepsCounters {
                let size = max(1, group.buckets.count) * MemoryLayout<BucketCounters>.stride
                guard let block = allocate(size, &new, old) else { return nil }
                block.initializeMemory(as: UInt8.self, repeating: 0, count: size)
                new.counters.append(Block(memory: block, size: size))
            }
            let size = GroupProgram.size(buckets)
            guard let block = allocate(size, &new, old) else { return nil }
            let counters = new.counters[worker].memory.assumingMemoryBound(to: BucketCounters.self)
            GroupProgram.initialize(block, buckets, counters: counters)
            new.programs.append(Block(memory: block, size: size))
        }
        return new
    }

    /// A change of a group that is there may use the reserve: its buckets must follow the links.
    private func allocate(_ size: Int, _ new: inout Compiled, _ old: Compiled?) -> UnsafeMutableRawPointer? {
        if let block = memory.allocate(size, reserve: old != nil) { return block }
        discard(new, after: old) { free($0) }
        return nil
    }

    /// Gives up a group's programs, and its counters unless `other` has the same.
    private func discard(_ group: Compiled, after other: Compiled?, _ giveUp: (Block) -> Void) {
        group.programs.forEach(giveUp)
        let shared = group.counters.first.map { $0.memory == other?.counters.first?.memory } ?? true
        if !shared { group.counters.forEach(giveUp) }
    }

    private func free(_ block: Block) { memory.deallocate(block.memory, block.size) }

    /// Of groups that were not there before and are not there now.
    private func giveBackSlots(_ former: Former) {
        for (id, old) in former where old == nil && compiled[id] == nil {
            if let slot = programs.groups.removeValue(forKey: id) { freeSlots.append(slot) }
        }
    }

    private func store(_ group: Compiled) {
        for (worker, block) in group.programs.enumerated() {
            sink.store(worker: worker, word(group.slot, worker), UInt64(UInt(bitPattern: block.memory)))
        }
    }

    private func clear(_ group: Compiled) {
        for worker in tables.indices { sink.store(worker: worker, word(group.slot, worker), 0) }
    }

    private func word(_ slot: UInt16, _ worker: Int) -> UnsafeMutablePointer<UInt64> {
        UnsafeMutableRawPointer(tables[worker] + Int(slot)).assumingMemoryBound(to: UInt64.self)
    }

    /// What the workers have counted in a slot since they started.
    private func total(_ slot: UInt16) -> (packets: UInt64, bytes: UInt64) {
        var sum = (packets: UInt64(0), bytes: UInt64(0))
        for worker in tables.indices {
            sum.packets &+= glance(word(slot, worker) + 1)
            sum.bytes &+= glance(word(slot, worker) + 2)
        }
        return sum
    }
}
