// What the compiler keeps of each flow entry: its records in the workers' memory, its program, its place among the rules
// of its mask. Handles are small numbers that are used again after everything of an entry has been freed; a record carries
// its handle, so that a packet-in finds back to its flow entry.

import DataPlane

struct CompiledFlow {
    let entry: FlowEntry
    let priority: UInt16
    /// Of the masked key words, as in `Subtable`.
    let hash: UInt32
    let window: KeyWindow
    let depth: ParseDepth
    var program: Int
    /// The next rule of the same key and a lower (or the same) priority; -1: none.
    var next = -1
}

package final class FlowStore {
    let workerCount: Int
    private var flows: [CompiledFlow?] = []
    /// `workerCount` records for each handle.
    private var records: [FlowRecordPointer?] = []
    private var free: [Int] = []

    init(workerCount: Int) { self.workerCount = workerCount }

    subscript(handle: Int) -> CompiledFlow {
        _read { yield flows[handle].unsafelyUnwrapped }
        _modify { yield &flows[handle]! }
    }

    /// The flow entry with this handle; nil if there is none.
    package func entry(_ handle: Int) -> FlowEntry? { handle < flows.count ? flows[handle]?.entry : nil }

    func record(_ handle: Int, worker: Int) -> FlowRecordPointer {
        records[handle * workerCount + worker].unsafelyUnwrapped
    }

    /// Whether two flows of the same mask have the same key. The first worker's records tell: a key never changes.
    func sameKey(_ a: Int, _ b: Int) -> Bool {
        guard a != b else { return true }
        let window = self[a].window
        let (recordA, recordB) = (record(a, worker: 0), record(b, worker: 0))
        return window.words.allSatisfy {
            FlowRecord.word($0, of: recordA, window).pointee == FlowRecord.word($0, of: recordB, window).pointee
        }
    }

    /// The handle that the next `insert` will give.
    var nextHandle: Int { free.last ?? flows.count }

    func insert(_ flow: CompiledFlow, records new: [FlowRecordPointer]) -> Int {
        if let handle = free.popLast() {
            flows[handle] = flow
            for worker in 0..<workerCount { records[handle * workerCount + worker] = new[worker] }
            return handle
        }
        flows.append(flow)
        for record in new { records.append(record) }
        return flows.count - 1
    }

    // MARK: Succession

    /// What has counted for an entry.
    struct Counted {
        var packets: UInt64 = 0
        var bytes: UInt64 = 0
        /// As in a record.
        var lastUsed: UInt64 = 0

        mutating func add(_ other: Counted) {
            packets += other.packets
            bytes += other.bytes
            lastUsed = FlowRecord.later(lastUsed, other.lastUsed)
        }
    }

    /// The handle that an entry had before, until no worker uses that any more (then -1), and what it had counted by then.
    private struct Predecessor {
        var handle: Int
        var counted = Counted()
    }

    /// By the handle of the successor.
    private var predecessors: [Int: Predecessor] = [:]

    /// From now on the entry of `former` is looked up by other records, under another handle, and counts on.
    func succeed(_ former: Int, by handle: Int) { predecessors[handle] = Predecessor(handle: former) }

    /// What all workers' records of a handle have counted, and those that it succeeds.
    func counted(by handle: Int) -> Counted {
        var sum = Counted()
        for worker in 0..<workerCount {
            let record = record(handle, worker: worker)
            let words = UnsafeRawPointer(record).assumingMemoryBound(to: UInt64.self)
            sum.add(Counted(packets: glance(words), bytes: glance(words + 1), lastUsed: record.pointee.lastUsed))
        }
        guard !predecessors.isEmpty, let predecessor = predecessors[handle] else { return sum }
        sum.add(predecessor.counted)
        if predecessor.handle >= 0 { sum.add(counted(by: predecessor.handle)) }
        return sum
    }

    /// Adds what `handle` has counted, which no worker uses any more, to what its successor has inherited.
    func inherit(from handle: Int) {
        guard !predecessors.isEmpty, var successor = flows[handle]?.entry.compiled, successor >= 0 else { return }
        while let predecessor = predecessors[successor], predecessor.handle >= 0 {
            if predecessor.handle == handle {
                predecessors[successor] = Predecessor(handle: -1, counted: counted(by: handle))
                return
            }
            successor = predecessor.handle
        }
    }

    // MARK: The end

    /// Gives back the handle and the records of a flow that no worker uses any more.
    func remove(_ handle: Int, _ memory: TableMemory) {
        if !predecessors.isEmpty { predecessors[handle] = nil }
        let size = FlowRecord.size(self[handle].window)
        for worker in 0..<workerCount { memory.deallocate(record(handle, worker: worker), size) }
        flows[handle] = nil
        free.append(handle)
    }
}
