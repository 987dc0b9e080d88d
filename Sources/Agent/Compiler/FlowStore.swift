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

    /// What a flow entry counted by the records that it had before.
    struct Predecessor {
        /// The handle that it had, until no worker uses that any more; -1: none.
        var handle: Int
        var packets: UInt64 = 0
        var bytes: UInt64 = 0
        /// As in a record.
        var lastUsed: UInt64 = 0
    }

    /// By the handle of the successor.
    private var predecessors: [Int: Predecessor] = [:]

    /// From now on the entry of `former` is looked up by other records, under another handle, and counts on.
    func succeed(_ former: Int, by handle: Int) { predecessors[handle] = Predecessor(handle: former) }

    func predecessor(of handle: Int) -> Predecessor? { predecessors.isEmpty ? nil : predecessors[handle] }

    /// Adds what `handle` has counted, which no worker uses any more, to what its successor has inherited.
    func inherit(from handle: Int) {
        guard !predecessors.isEmpty, var successor = flows[handle]?.entry.compiled, successor >= 0 else { return }
        while let predecessor = predecessors[successor], predecessor.handle >= 0 {
            guard predecessor.handle == handle else {
                successor = predecessor.handle
                continue
            }
            var heir = predecessor
            heir.handle = -1
            if let earlier = predecessors[handle] {
                heir.packets += earlier.packets
                heir.bytes += earlier.bytes
                heir.lastUsed = earlier.lastUsed
            }
            for worker in 0..<workerCount {
                let record = record(handle, worker: worker).pointee
                heir.packets += record.packets
                heir.bytes += record.bytes
                heir.lastUsed = FlowRecord.later(heir.lastUsed, record.lastUsed)
            }
            predecessors[successor] = heir
            return
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
