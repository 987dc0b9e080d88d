// For up to about a dozen rules of any masks: all of them compared, each by vectors of masked words. None is left out once one has
// been found: which rule a packet matches is hard to predict, and a branch that was taken for the other one costs more than
// comparing the rest.

package struct Linear {
    private var form: UInt64
    private var ruleCount: UInt64
    private var windowBase: UInt16
    private var vectorCount: UInt16
    /// The highest priority among the rules: a packet that has a better entry need not look here.
    package var maxPriority: UInt32

    private static let rowsOffset = 64

    /// Bytes that `rules` rules take.
    package static func size(rules: Int, _ window: KeyWindow) -> Int {
        rowsOffset + RowList.size(rows: rules, window)
    }

    /// Makes the table in `memory`, for rules in descending order of priority.
    ///
    /// - Parameter window: What the rules are compared by.
    package static func initialize(_ memory: UnsafeMutableRawPointer, _ rules: [RowList.Row], _ window: KeyWindow) {
        let header = Linear(
            form: LookupForm.linear.rawValue,
            ruleCount: UInt64(rules.count),
            windowBase: UInt16(window.base),
            vectorCount: UInt16(window.vectorCount),
            maxPriority: UInt32(truncatingIfNeeded: (rules.first?.ranked ?? 0) >> 48)
        )
        memory.storeBytes(of: header, as: Linear.self)
        RowList.initialize(memory + rowsOffset, rules, window)
    }

    /// Where it finds an entry that ranks higher than `best[i]`, it replaces that.
    @inline(__always)
    static func find(
        _ lookup: UnsafeRawPointer,
        keys: UnsafePointer<FlowKey>,
        list: some PacketList,
        count: Int,
        best: UnsafeMutablePointer<UInt64>
    ) {
        let table = lookup.assumingMemoryBound(to: Linear.self)
        let windowBase = Int(truncatingIfNeeded: table.pointee.windowBase)
        let vectorCount = Int(truncatingIfNeeded: table.pointee.vectorCount)
        let rows = lookup + rowsOffset
        let end = rows + RowList.rowSize(vectorCount) &* Int(truncatingIfNeeded: table.pointee.ruleCount)
        for i in 0..<count {
            let window = UnsafeRawPointer(Lookup.words(keys, list[i]) + windowBase)
            // With a constant number the compiler leaves out the loop over vectors.
            let ranked =
                vectorCount == 1
                ? RowList.best(rows, end: end, window, 1) : RowList.best(rows, end: end, window, vectorCount)
            best[i] = max(best[i], ranked)
        }
    }
}
