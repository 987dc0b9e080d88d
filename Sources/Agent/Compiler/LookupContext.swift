// What all forms of a table's lookup are built with.

import DataPlane

struct LookupContext {
    let flows: FlowStore
    let memory: TableMemory
    unowned let sink: DeltaSink
    let workerCount: Int
    let seed: UInt32

    /// A block of the same size for each worker; all or none.
    ///
    /// - Parameter reserve: Whether it may come from the memory that is kept for removals.
    func allocate(_ bytes: Int, reserve: Bool = true) throws(OutOfTableMemory) -> [UnsafeMutableRawPointer] {
        var blocks: [UnsafeMutableRawPointer] = []
        for _ in 0..<workerCount {
            guard let block = memory.allocate(bytes, reserve: reserve) else {
                deallocate(blocks, bytes)
                throw OutOfTableMemory()
            }
            blocks.append(block)
        }
        return blocks
    }

    /// Gives back blocks that no worker has seen.
    func deallocate(_ blocks: [UnsafeMutableRawPointer], _ bytes: Int) {
        for block in blocks { memory.deallocate(block, bytes) }
    }

    /// Tells a worker the highest priority in a part of its lookup.
    func raise(_ part: UnsafeMutableRawPointer, to maxPriority: UInt16, worker: Int) {
        let (word, value) = TupleSpace.priorityWord(of: part, maxPriority)
        sink.store(worker: worker, word, value)
    }

    /// The address of a flow's record.
    func address(_ flow: Int, _ worker: Int) -> UInt64 { UInt64(UInt(bitPattern: flows.record(flow, worker: worker))) }

    /// The ranked record of a flow; 0 if there is none (-1).
    func ranked(_ flow: Int, _ worker: Int) -> UInt64 {
        flow < 0 ? 0 : FlowRecord.ranked(flows.record(flow, worker: worker), priority: flows[flow].priority)
    }

    /// What a flow is compared with.
    func key(_ flow: Int) -> FlowKey {
        let record = flows.record(flow, worker: 0)
        let window = flows[flow].window
        var key = FlowKey()
        for word in window.words { key.words[word] = FlowRecord.word(word, of: record, window).pointee }
        return key
    }
}

/// The memory for tables (`memory.size` of the configuration) does not suffice.
package struct OutOfTableMemory: Error {}

/// A mask as the key of a dictionary.
struct MaskWords: Hashable {
    private let mask: FlowKey
    init(_ mask: FlowKey) { self.mask = mask }

    static func == (a: Self, b: Self) -> Bool { a.mask.isSame(as: b.mask) }

    func hash(into hasher: inout Hasher) {
        for word in 0..<FlowKey.wordCount where mask.words[word] != 0 {
            hasher.combine(word)
            hasher.combine(mask.words[word])
        }
    }
}
