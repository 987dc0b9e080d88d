// One polling lcore and all that it alone touches. A worker is a value of pointers that never change; what changes lies
// behind them, so that the loop needs neither reference counts nor exclusivity checks. The control side writes none of it
// after `start`: it sends deltas.

import CDPDK

/// Words that deltas replace: how the worker polls and how deep it parses.
package struct WorkerSettings {
    /// A `ParseDepth`.
    package var depth: UInt64
    /// A `ReceivePlan`.
    package var receivePlan: UnsafeRawPointer
    /// Not 0: fragments are dropped (OFPC_FRAG_DROP).
    package var dropFragments: UInt64
    /// A `SlotList` of the ports that output to ALL goes to.
    package var floodPorts: UnsafeRawPointer
    /// A `PointerList` of the schedulers of ports whose queues this worker empties.
    package var schedulers: UnsafeRawPointer
    /// A `PointerList` of the VMs' queues that this worker serves.
    package var vmQueues: UnsafeRawPointer
    /// The `PortDirectory` of all ports.
    package var portDirectory: UnsafeRawPointer
    /// The address of the `MeterSlot` of packet-ins (OFPM_CONTROLLER); 0: none.
    package var controllerMeter: UInt64
    /// The `AddressTable` of output to NORMAL.
    package var addresses: UnsafeMutableRawPointer
    /// Not 0: all packets are output to NORMAL, whatever the tables say (fail standalone mode).
    package var standalone: UInt64
    /// The address of a `FlowCachePlan`; 0: the tables are looked up at once.
    package var flowCache: UInt64
    /// How often the control side has begun or ended to change flow tables: odd while it does. A cached path is no good in
    /// between, as it may be half by the old rules.
    package var tableChanges: UInt64
}

/// What a worker keeps from one step to the next.
struct WorkerState {
    /// Port slots with gathered packets.
    var dirtyCount = 0
    /// Packets to be freed at the end of the burst.
    var droppedCount = 0
    /// Whether the cycles that the present burst takes are counted: those of each would cost more than they tell.
    var isTimed = false
    /// The port number where the packets in hand came in.
    var inPort: UInt32 = 0
    /// The VM's queue that was last output to in this burst, and how many packets; see `FedQueue`.
    var fed: UInt64 = 0
    var fedCount = 0
    /// Whether something was published for the control side in this burst.
    var notify = false
    /// Empty steps until an adaptive worker sleeps.
    var stepsToSleep: UInt64 = 0
    /// Naps since there was something to do.
    var naps: UInt64 = 0
    /// Addresses told of in the tick that is `sightingsTick`.
    var sightings = 0
    var sightingsTick: UInt32 = 0
    /// Start of the present step, in cycles.
    var stepStart: UInt64 = 0
    var now: UInt32 = 0
}

package struct Worker: ~Copyable {
    package static let tableCount = 254

    package let index: Int
    package let settings: UnsafeMutablePointer<WorkerSettings>
    package let tables: UnsafeMutablePointer<TableSlot>
    package let ports: UnsafeMutablePointer<PortSlot>
    package let groups: UnsafeMutablePointer<GroupSlot>
    package let counters: UnsafeMutablePointer<WorkerCounters>
    package let deltas: Ring<Delta>
    package let packetIns: Ring<PacketInRecord>
    package let sightings: Ring<AddressSighting>
    /// Sequence number of the last delta that this worker works by.
    package let applied: UnsafeMutablePointer<UInt64>
    /// The kernel's number of its thread; 0: it was not started.
    package let thread: UnsafeMutablePointer<Int32>
    /// Not 0 while the worker sleeps; see `cdpdk_sleep`.
    package let sleeping: UnsafeMutablePointer<UInt32>
    /// The event descriptor that ends its sleep; -1 if it never sleeps.
    package let wakeDescriptor: Int32
    /// Not 0 while the control side wants a byte in its pipe for each packet-in and each delta applied.
    package let controlWaits: UnsafeMutablePointer<UInt32>
    let controlPipe: Int32
    let pool: OpaquePointer
    /// Rings from and to the other workers, by worker: packets for ports whose transmit queue another worker owns.
    let handoversIn: UnsafeMutablePointer<Ring<Handover>?>
    let handoversOut: UnsafeMutablePointer<Ring<Handover>?>
    /// All workers, for waking the one that a packet was handed over to.
    let peers: UnsafeMutablePointer<UnsafeMutablePointer<Worker>?>
    let workerCount: Int
    /// Whether packets count: false in a trace.
    let counts: Bool
    let idle: IdleMode

    let state: UnsafeMutablePointer<WorkerState>
    package let burst: Burst
    let scratch: LookupScratch
    let cache: UnsafeMutablePointer<FlowCacheState>
    /// An action set that several tables wrote to, in order of execution.
    let mergedSet: UnsafeMutablePointer<ActionOp>
    let dirty: UnsafeMutablePointer<UInt16>
    let dropped: UnsafeMutablePointer<OpaquePointer?>

    /// Memory comes from the allocator of the process and is never given back: workers live as long as it does.
    package init(
        index: Int,
        workerCount: Int,
        pool: OpaquePointer,
        controlPipe: Int32,
        idle: IdleMode,
        flowCache: FlowCacheMode = .auto,
        wakeDescriptor: Int32 = -1,
        counts: Bool = true,
        tables shared: UnsafeMutablePointer<TableSlot>? = nil
    ) {
        self.index = index
        self.workerCount = workerCount
        self.pool = pool
        self.controlPipe = controlPipe
        self.idle = idle
        self.wakeDescriptor = wakeDescriptor
        self.counts = counts
        tables = zeroed(Self.tableCount)
        if let shared { tables.update(from: shared, count: Self.tableCount) }
        ports = cacheAligned(PortSlot.limit)
        for slot in 0..<PortSlot.limit {
            (ports + slot).initialize(
                to: PortSlot(
                    destination: 0,
                    number: 0,
                    count: 0,
                    gathered: zeroed(PortSlot.capacity),
                    counters: PortCounters()
                )
            )
        }
        groups = zeroed(GroupSlot.limit)
        settings = cacheAligned(1)
        settings.initialize(
            to: WorkerSettings(
                depth: ParseDepth.port.rawValue,
                receivePlan: emptyList(),
                dropFragments: 0,
                floodPorts: emptyList(),
                schedulers: emptyList(),
                vmQueues: emptyList(),
                portDirectory: emptyList(),
                controllerMeter: 0,
                addresses: UnsafeMutableRawPointer(mutating: emptyList()),
                standalone: 0,
                flowCache: 0,
                tableChanges: 0
            )
        )
        counters = cacheAligned(1)
        counters.initialize(to: WorkerCounters())
        state = cacheAligned(1)
        state.initialize(to: WorkerState())
        deltas = Ring(capacity: 4096)
        packetIns = Ring(capacity: 1024)
        sightings = Ring(capacity: 256)
        applied = zeroed(16)
        thread = zeroed(1)
        sleeping = zeroed(32)
        controlWaits = zeroed(32)
        handoversIn = zeroed(workerCount)
        handoversOut = zeroed(workerCount)
        peers = zeroed(workerCount)
        burst = Burst()
        scratch = LookupScratch()
        cache = cacheAligned(1)
        cache.initialize(to: FlowCacheState(mode: flowCache))
        mergedSet = zeroed(ActionOp.setPlaces)
        dirty = zeroed(PortSlot.limit)
        dropped = zeroed(Self.droppedCapacity)
    }

    static let droppedCapacity = 64
}

/// How a worker waits for packets.
package enum IdleMode: UInt64, Sendable {
    /// Polls for ever.
    case busy
    /// Sleeps, at most 100 µs at a time, after a while without packets.
    case adaptive
}

/// Slots of the port table, behind their number.
package struct SlotList {
    package var count: Int
    package static let slotsOffset = 16

    package static func size(count: Int) -> Int { slotsOffset + 2 * count }

    package static func initialize(_ memory: UnsafeMutableRawPointer, _ slots: [UInt16]) {
        memory.storeBytes(of: SlotList(count: slots.count), as: SlotList.self)
        let array = (memory + slotsOffset).assumingMemoryBound(to: UInt16.self)
        for (i, slot) in slots.enumerated() { array[i] = slot }
    }
}

/// Things that a worker goes through in each step of its loop: a count, then where they lie.
package enum PointerList {
    static let pointersOffset = 16

    package static func size(count: Int) -> Int { pointersOffset + 8 * count }

    package static func initialize(_ memory: UnsafeMutableRawPointer, _ pointers: [UnsafeMutableRawPointer]) {
        memory.storeBytes(of: pointers.count, as: Int.self)
        let array = (memory + pointersOffset).assumingMemoryBound(to: UnsafeMutableRawPointer.self)
        for (i, pointer) in pointers.enumerated() { array[i] = pointer }
    }

    @inline(__always)
    static func elements<Element>(_ list: UnsafeRawPointer) -> UnsafePointer<UnsafeMutablePointer<Element>> {
        (list + pointersOffset).assumingMemoryBound(to: UnsafeMutablePointer<Element>.self)
    }
}

/// `count` zeroed elements on cache lines of their own (two, as the processor fetches them in pairs).
func zeroed<Element>(_ count: Int) -> UnsafeMutablePointer<Element> {
    let pointer: UnsafeMutablePointer<Element> = cacheAligned(count)
    UnsafeMutableRawPointer(pointer).initializeMemory(
        as: UInt8.self,
        repeating: 0,
        count: max(count, 1) * MemoryLayout<Element>.stride
    )
    return pointer
}

func cacheAligned<Element>(_ count: Int) -> UnsafeMutablePointer<Element> {
    let bytes = (max(count, 1) * MemoryLayout<Element>.stride + 127) & ~127
    return UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 128)
        .bindMemory(to: Element.self, capacity: max(count, 1))
}

/// A `ReceivePlan`, a `SlotList`, a `PointerList`, a `PortDirectory` or an `AddressTable` with nothing in it: a worker with such a
/// plan does not sleep.
func emptyList() -> UnsafeRawPointer {
    let memory: UnsafeMutablePointer<UInt64> = zeroed(4)
    return UnsafeRawPointer(memory)
}
