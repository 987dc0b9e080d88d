// The switch model's view of the workers: what it asks for is compiled and published, what it wants to know is added up
// over the workers.

import CDPDK
import DataPlane
import NIOCore
import OpenFlow

/// A packet on its way to the controllers.
package struct PacketInEvent {
    package var reason: PacketInReason
    package var tableID: UInt8
    /// All ones: no flow entry.
    package var cookie: UInt64
    package var inPort: PortNumber
    package var metadata: UInt64
    package var tunnelID: UInt64
    package var data: [UInt8]
}

package final class CompiledDatapath: Datapath {
    package let workers: [UnsafeMutablePointer<Worker>]
    package let ports: PortTable
    package let memory: TableMemory
    package let publisher: Publisher
    package let compiler: Compiler
    private let meters: MeterStore
    private let addresses: AddressStore
    private let pool: PacketPool
    /// What the next `apply` sets of ports.
    private var portSettings: [PortNumber: PortConfig] = [:]
    /// What the next `apply` changes of meters.
    private var meterChanges: [MeterChange] = []
    /// Where packet-ins go.
    package var onPacketIn: (PacketInEvent) -> Void = { _ in }
    /// Where an address was seen that is not known to be there.
    package var onSighting: (LearnedAddress, PortNumber) -> Void = { _, _ in }

    /// `seed` is that of the hash tables. It is not to be known outside, lest somebody prepares keys that collide; fixed only
    /// where the same rules have to make the same tables each time.
    package init(
        workers: [UnsafeMutablePointer<Worker>],
        pool: PacketPool,
        memory: TableMemory,
        seed: UInt32 = .random(in: 1 ... .max)
    ) {
        self.workers = workers
        self.pool = pool
        self.memory = memory
        publisher = Publisher(workers: workers, memory: memory)
        let settings = workers.map { $0.pointee.settings }
        compiler = Compiler(
            memory: memory,
            sink: publisher,
            settings: settings,
            tableSlots: workers.map { $0.pointee.tables },
            groupSlots: workers.map { $0.pointee.groups },
            seed: seed
        )
        meters = MeterStore(
            memory: memory,
            publisher: publisher,
            settings: settings
        )
        addresses = AddressStore(
            memory: memory,
            publisher: publisher,
            settings: settings
        )
        compiler.programs.meterSlot = { [meters] in meters.slot($0) }
        ports = PortTable(workers: workers, pool: pool, publisher: publisher, memory: memory)
        publisher.freeFlows = { [compiler] in compiler.free($0) }
        publisher.drainPacketIns = { [unowned self] in drainPacketIns() }
    }

    // MARK: Changes

    package func apply(_ changes: [FlowChange], groups: [GroupChange], atomically: Bool) throws(OpenFlowError) {
        if atomically { publisher.gather() }
        defer { (portSettings, meterChanges) = ([:], []) }
        let changedMeters: MeterStore.Staged
        do { changedMeters = try meters.stage(meterChanges) } catch {
            publisher.seal()
            throw .meterModFailed(.outOfMeters, "\(memory.used) of \(memory.limit) bytes for tables are in use")
        }
        do {
            publisher.retire(flows: try compiler.apply(changes, groups: groups, atomically: atomically))
            meters.commit(changedMeters)
            for (number, config) in portSettings { ports.configure(number, config) }
            publisher.seal()
        } catch {
            meters.abandon(changedMeters)
            publisher.seal()
            throw .flowModFailed(.tableFull, "\(memory.used) of \(memory.limit) bytes for tables are in use")
        }
    }

    package func configure(meters changes: [MeterChange]) { meterChanges = changes }

    package func configure(ports settings: [PortNumber: PortConfig]) { portSettings = settings }

    package func whenApplied(_ body: @escaping () -> Void) { publisher.whenApplied(body) }

    package func setDropsFragments(_ drops: Bool) {
        guard compiler.dropsFragments != drops else { return }
        compiler.dropsFragments = drops
        publisher.seal()
    }

    /// The ports have changed: rules that name ports are compiled anew.
    package func portsChanged(entries: some Sequence<FlowEntry>) throws(OpenFlowError) {
        do { try compiler.setSlots(ports.slots, entries: entries) } catch {
            publisher.seal()
            throw .flowModFailed(.tableFull, "no memory to compile the rules for changed ports")
        }
        publisher.seal()
    }

    package func packetOut(inPort: PortNumber, actions: [Action], data: ByteBuffer) throws(OpenFlowError) {
        let ops = ActionCompiler(slots: compiler.programs.slots, groups: compiler.programs.groups).compile(actions)
        let size = ActionProgram.size(count: ops.count)
        guard let block = memory.allocate(size, reserve: true) else {
            throw .badRequest(.bufferUnknown, "no memory for the packet-out's actions")
        }
        guard let mbuf = data.withUnsafeReadableBytes({ pool.packet($0) }) else {
            memory.deallocate(block, size)
            throw .badRequest(
                .badPacket,
                "\(data.readableBytes) bytes: no buffer, or longer than \(PacketPool.longestPacket)"
            )
        }
        ActionProgram.initialize(block, apply: ops, write: [], clear: false, metadata: nil, gotoTable: nil)
        let slot = compiler.programs.slots[inPort] ?? Delta.noSlot
        publisher.send(
            .inject(
                mbuf,
                UnsafePointer(block.assumingMemoryBound(to: ActionProgram.self)),
                slot: slot,
                port: inPort.rawValue
            ),
            to: ports.worker(polling: inPort) ?? 0
        )
        publisher.retire(block, size)
        publisher.seal()
    }

    // MARK: Output to NORMAL

    package func learn(_ address: LearnedAddress, at port: PortNumber) -> Bool {
        guard let slot = compiler.programs.slots[port] else { return false }
        defer { publisher.seal() }
        return addresses.set(AddressKey(address), slot: slot)
    }

    package func forget(_ gone: [LearnedAddress]) {
        for address in gone { addresses.remove(AddressKey(address)) }
        publisher.seal()
    }

    package func age(of address: LearnedAddress) -> TimeAmount { addresses.age(of: AddressKey(address)) ?? .zero }

    package func setStandalone(_ standalone: Bool) {
        for (index, worker) in workers.enumerated() {
            publisher.store(worker: index, worker.pointee.settings.word(\.standalone), standalone ? 1 : 0)
        }
        publisher.seal()
    }

    // MARK: Counters

    package func counters(ofGroup id: GroupID) -> GroupCounters { compiler.groups.counters(of: id) }

    package func counters(of flow: FlowEntry) -> FlowCounters {
        var counters = FlowCounters()
        guard flow.compiled >= 0 else { return counters }
        let counted = compiler.flows.counted(by: flow.compiled)
        (counters.packets, counters.bytes) = (counted.packets, counted.bytes)
        if counted.lastUsed != 0 {
            let age = Clock.nanoseconds(since: UInt32(truncatingIfNeeded: counted.lastUsed))
            counters.lastUsed = NIODeadline.now() - .nanoseconds(Int64(age))
        }
        return counters
    }

    package func counters(ofTable tableID: UInt8) -> (lookups: UInt64, matches: UInt64) {
        var sum: (lookups: UInt64, matches: UInt64) = (0, 0)
        guard Int(tableID) < Worker.tableCount else { return sum }
        for worker in workers {
            let slot = worker.pointee.tables + Int(tableID)
            let words = UnsafeRawPointer(slot).assumingMemoryBound(to: UInt64.self)
            sum.lookups += glance(words + 2)
            sum.matches += glance(words + 3)
        }
        return sum
    }

    package func counters(ofMeter id: UInt32) -> MeterCounters { meters.counters(of: id) }

    package func counters(ofPort number: PortNumber) -> PortStatistics? { ports.statistics(number) }

    package func counters(ofQueuesOf port: PortNumber) -> [QueueCounters] { ports.queueCounters(port) }

    /// The form of lookup of a table.
    package func form(ofTable tableID: UInt8) -> LookupForm { compiler.tables[Int(tableID)].form }

    /// How a table is looked up: its form, the parts of a tuple space in the order of the search, how many masks its entries
    /// have, and the bytes of each worker's memory that it takes.
    package func lookup(
        ofTable tableID: UInt8
    ) -> (form: LookupForm, parts: [LookupPartKind], masks: Int, bytes: Int) {
        let table = compiler.tables[Int(tableID)]
        return (table.form, table.parts.map(\.kind), table.groups.count, table.bytes)
    }

    // MARK: Stopping

    /// Lets the workers finish what they have in hand and stop, and waits for that.
    package func stopWorkers() {
        for (index, worker) in workers.enumerated() {
            publisher.send(.stop, to: index)
            publisher.seal()
            Worker.join(worker)
        }
    }

    // MARK: The other direction

    /// Hands on what the workers have sent for the controllers.
    package func drainPacketIns() {
        for worker in workers {
            // No more than what was there when this began: a flood must not hold the event loop.
            for _ in 0..<worker.pointee.packetIns.capacity {
                guard let record = worker.pointee.packetIns.pop() else { break }
                deliver(record)
            }
        }
    }

    /// Does everything that the workers have made possible since the last call.
    package func poll() {
        publisher.collect()
        drainPacketIns()
        drainSightings()
    }

    private func drainSightings() {
        for worker in workers {
            for _ in 0..<worker.pointee.sightings.capacity {
                guard let sighting = worker.pointee.sightings.pop() else { break }
                onSighting(sighting.key.learned, PortNumber(rawValue: sighting.port))
            }
        }
    }

    /// Asks the workers to write to the control pipe at their next packet-in or acknowledgement. What happened before is done.
    package func arm() {
        for worker in workers { cdpdk_arm(worker.pointee.controlWaits) }
        poll()
    }

    /// Takes that back while the control side is busy anyway.
    package func disarm() {
        for worker in workers { worker.pointee.controlWaits.pointee = 0 }
    }

    private func deliver(_ record: PacketInRecord) {
        defer { PacketPool.free(record.mbuf) }
        let entry = record.record == PacketInRecord.noRecord ? nil : compiler.flows.entry(Int(record.record))
        let reason = PacketInReason(rawValue: record.reason) ?? .action
        onPacketIn(
            PacketInEvent(
                reason: reason,
                tableID: record.table,
                cookie: entry?.cookie ?? .max,
                inPort: PortNumber(rawValue: record.inPort),
                metadata: record.metadata,
                tunnelID: record.tunnelID,
                data: PacketPool.bytes(of: record.mbuf)
            )
        )
    }
}
