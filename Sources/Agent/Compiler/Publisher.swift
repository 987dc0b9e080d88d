// The control side's end of the rings to the workers: sends deltas in order, knows how far each worker has come, and frees
// memory, answers barriers and reports last counters when all of them have come far enough.

import CDPDK
import DataPlane

package final class Publisher: DeltaSink {
    package typealias WorkerPointer = UnsafeMutablePointer<Worker>

    package let workers: [WorkerPointer]
    let memory: TableMemory
    /// Gives back flows that no worker uses any more.
    var freeFlows: ([Int]) -> Void = { _ in }
    /// Called whenever a worker's packet-ins should be looked at: before anything of an earlier delta is freed.
    var drainPacketIns: () -> Void = {}

    /// Called while a ring is full. A worker empties it within microseconds, unless it sleeps.
    package var onFullRing: (WorkerPointer) -> Void = { worker in
        cdpdk_wake(worker.pointee.sleeping, worker.pointee.wakeDescriptor)
        cdpdk_pause()
    }

    /// Called when a batch has been sent.
    package var onSeal: () -> Void = {}

    /// Of the delta sent last, over all workers.
    private var sequence: UInt64 = 0
    /// Of the delta sent last to each worker.
    private var lastSent: [UInt64]
    private var needsWake: [Bool]
    /// What waits for a sequence number, in ascending order.
    private var waiting: [(sequence: UInt64, what: Waiting)] = []
    private var firstWaiting = 0

    private enum Waiting {
        case body(() -> Void)
        case block(UnsafeMutableRawPointer, Int)
        case flows([Int])
    }

    init(workers: [WorkerPointer], memory: TableMemory) {
        self.workers = workers
        self.memory = memory
        lastSent = Array(repeating: 0, count: workers.count)
        needsWake = Array(repeating: false, count: workers.count)
    }

    // MARK: Sending

    /// Stores that each worker is to make at once, if they are being gathered.
    private var gathered: [[Delta.Store]]?

    package func store(worker: Int, _ address: UnsafeMutablePointer<UInt64>, _ value: UInt64) {
        guard gathered == nil else {
            gathered?[worker].append(Delta.Store(address: address, value: value))
            return
        }
        send(.store(address, value), to: worker)
    }

    /// From now to the next `seal`, stores are gathered: each worker makes them all between the same two bursts, so that no
    /// packet meets a part of them. Meanwhile its packets wait, a few nanoseconds for each store.
    func gather() { gathered = workers.map { _ in [] } }

    private func sendGathered() {
        guard let lists = gathered else { return }
        gathered = nil
        for (worker, list) in lists.enumerated() where !list.isEmpty {
            let stores = UnsafeMutableBufferPointer<Delta.Store>.allocate(capacity: list.count)
            _ = stores.initialize(from: list)
            send(.stores(UnsafePointer(stores.baseAddress.unsafelyUnwrapped), count: list.count), to: worker)
            waiting.append((sequence, .body { stores.deallocate() }))
        }
    }

    func send(_ operation: Delta.Operation, to worker: Int) {
        sequence += 1
        lastSent[worker] = sequence
        let delta = Delta(sequence: sequence, operation: operation)
        if !workers[worker].pointee.deltas.push(delta) {
            repeat {
                onFullRing(workers[worker])
                drainPacketIns()
            } while !workers[worker].pointee.deltas.push(delta)
        }
        needsWake[worker] = true
    }

    package func retire(_ block: UnsafeMutableRawPointer, _ bytes: Int) { retired.append(.block(block, bytes)) }
    package func retire(flows: [Int]) { if !flows.isEmpty { retired.append(.flows(flows)) } }

    /// Runs `body` before what is retired with it is freed: it may look at that for the last time.
    func retire(_ body: @escaping () -> Void) { retired.append(.body(body)) }

    /// Retired since the last `seal`: a block may be retired before the store that unlinks it is sent.
    private var retired: [Waiting] = []

    /// Ends a batch: wakes workers that sleep; what was retired is freed after what was sent.
    func seal() {
        sendGathered()
        for worker in workers.indices where needsWake[worker] {
            cdpdk_wake(workers[worker].pointee.sleeping, workers[worker].pointee.wakeDescriptor)
            needsWake[worker] = false
        }
        for what in retired { waiting.append((sequence, what)) }
        retired.removeAll(keepingCapacity: true)
        onSeal()
    }

    // MARK: Acknowledgement

    /// Runs `body` when every worker works by everything sent so far; at once, if so already and nothing waits before it.
    func whenApplied(_ body: @escaping () -> Void) {
        // Queued before collecting, which frees removed flows: what waits for their last counters must run before.
        waiting.append((sequence, .body(body)))
        collect()
    }

    /// Runs `body` when every worker has ended what it is at now.
    func afterThisBurst(_ body: @escaping () -> Void) {
        for worker in workers.indices { send(.stores(noStores, count: 0), to: worker) }
        seal()
        whenApplied(body)
    }

    private let noStores = UnsafePointer(UnsafeMutablePointer<Delta.Store>.allocate(capacity: 1))

    /// Looks how far the workers have come, and does what waited for it: first what wants to look at counters, then what
    /// frees them. False if something still waits.
    @discardableResult
    package func collect() -> Bool {
        guard firstWaiting < waiting.count else { return true }
        let reached = reachedSequence
        // Packet-ins name flows by handle: those of before must be read before a handle is used again.
        drainPacketIns()
        var end = firstWaiting
        while end < waiting.count, waiting[end].sequence <= reached { end += 1 }
        let due = Array(waiting[firstWaiting..<end])
        firstWaiting = end
        if firstWaiting > 1024 && firstWaiting * 2 > waiting.count || firstWaiting == waiting.count {
            waiting.removeFirst(firstWaiting)
            firstWaiting = 0
        }
        for case (_, .body(let body)) in due { body() }
        for (_, what) in due {
            switch what {
            case .body: break
            case .block(let block, let bytes): memory.deallocate(block, bytes)
            case .flows(let flows): freeFlows(flows)
            }
        }
        return firstWaiting == waiting.count
    }

    /// Every delta up to this one has been applied by the worker that it was for.
    private var reachedSequence: UInt64 {
        var reached = sequence
        for (worker, pointer) in workers.enumerated() {
            let applied = observe(pointer.pointee.applied)
            if applied < lastSent[worker] { reached = min(reached, applied) }
        }
        return reached
    }

    /// Collects for at most `microseconds`, because an acknowledgement usually comes within a few.
    func spin(microseconds: UInt64) {
        let end = Clock.cycles + Clock.cyclesPerSecond / 1_000_000 * microseconds
        while !collect() && Clock.cycles < end { cdpdk_pause() }
    }
}

extension UnsafeMutablePointer {
    /// The word of a field that a delta stores to or a worker counts in.
    func word(_ field: KeyPath<Pointee, UInt64>) -> UnsafeMutablePointer<UInt64> { word(of: field) }

    /// The word of a field that is an address.
    func word(_ field: KeyPath<Pointee, UnsafeRawPointer>) -> UnsafeMutablePointer<UInt64> { word(of: field) }
    func word(_ field: KeyPath<Pointee, UnsafeMutableRawPointer>) -> UnsafeMutablePointer<UInt64> { word(of: field) }

    /// The word of a field of half its size.
    func word(_ field: KeyPath<Pointee, UInt32>) -> UnsafeMutablePointer<UInt32> { word(of: field) }

    private func word<Word>(of field: PartialKeyPath<Pointee>) -> UnsafeMutablePointer<Word> {
        let offset = MemoryLayout<Pointee>.offset(of: field) ?? 0
        return (UnsafeMutableRawPointer(self) + offset).assumingMemoryBound(to: Word.self)
    }
}
