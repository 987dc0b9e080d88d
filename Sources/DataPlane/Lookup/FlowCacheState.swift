// What a worker knows of its flow cache: which sequences of tables its paths pass, when these have changed, and whether to
// use it now.

package enum FlowCacheMode: UInt64, Sendable {
    /// Where packets get through in fewer cycles with it.
    case auto
    /// Wherever there is a plan.
    case on
    case off
}

struct FlowCacheState {
    let mode: FlowCacheMode
    /// The plan by which entries are recorded; nil: there is none.
    var plan: UnsafePointer<FlowCachePlan>?
    /// Whether `plan` is to be used for the next burst.
    var isInUse = false
    /// The value of `WorkerSettings.tableChanges` that this goes by.
    var seen: UInt64 = 0
    /// Counts changes of any table, for the times in entries and sequences. Begins at 1: the time of an empty entry is 0.
    var clock: UInt64 = 1
    let sequences: UnsafeMutablePointer<TableSequence>
    var sequenceCount = 0
    /// There was no number left for a sequence: many may be of tables as they were.
    var isFull = false
    /// The packets of the burst whose paths are being recorded.
    let recorded: UnsafeMutablePointer<UInt8>
    var recordedCount = 0
    var trial = FlowCacheTrial()

    /// Whether to decide by measuring.
    var measures: Bool { mode == .auto }

    init(mode: FlowCacheMode) {
        self.mode = mode
        sequences = zeroed(TableSequence.limit)
        sequences.update(repeating: .none, count: TableSequence.limit)
        recorded = zeroed(burstSize)
    }

    /// The number of a sequence of tables; nil if there are too many.
    @inline(__always)
    mutating func number(of tables: UInt64) -> Int? {
        for number in 0..<sequenceCount where sequences[number].tables == tables { return number }
        guard sequenceCount < TableSequence.limit else {
            isFull = true
            return nil
        }
        sequences[sequenceCount] = TableSequence(tables: tables, changed: clock, hits: 0)
        sequenceCount &+= 1
        return sequenceCount &- 1
    }

    /// Forgets all paths.
    mutating func reset() {
        clock &+= 1
        sequenceCount = 0
        isFull = false
        for number in 0..<TableSequence.limit { sequences[number] = .none }
    }
}

extension Worker {
    /// Takes notice of what the control side has changed: of the plan, and of tables.
    @inline(never)
    borrowing func refreshCache() {
        let state = cache
        let plan = UnsafePointer<FlowCachePlan>(bitPattern: UInt(settings.pointee.flowCache))
        if plan != state.pointee.plan {
            state.pointee.plan = plan
            state.pointee.reset()
            state.pointee.trial = FlowCacheTrial()
            state.pointee.trial.end = counters.pointee.packets &+ FlowCacheTrial.window
        }
        state.pointee.clock &+= 1
        let seen = state.pointee.seen
        for number in 0..<state.pointee.sequenceCount {
            var rest = state.pointee.sequences[number].tables
            while let table = TableSequence.next(&rest) {
                guard tables[table].changed > seen else { continue }
                state.pointee.sequences[number].changed = state.pointee.clock
                state.pointee.trial.refill(packets: counters.pointee.packets)
            }
        }
        state.pointee.seen = settings.pointee.tableChanges
        chooseCache()
    }
}
