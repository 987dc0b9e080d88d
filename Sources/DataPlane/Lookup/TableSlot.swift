// The words of lookup structures that deltas store to.

extension UnsafeMutablePointer<TableSlot> {
    /// The address of the lookup structure; 0: none.
    package var lookupWord: UnsafeMutablePointer<UInt64> { word(0) }
    /// The address of the record of last resort; 0: none.
    package var missWord: UnsafeMutablePointer<UInt64> { word(8) }

    private func word(_ offset: Int) -> UnsafeMutablePointer<UInt64> {
        (UnsafeMutableRawPointer(self) + offset).assumingMemoryBound(to: UInt64.self)
    }
}

extension Subtable {
    /// The word that holds the number of key words and the highest priority (see `TupleSpace.priorityOffset`).
    package static func priorityWord(wordCount: Int, maxPriority: UInt16) -> UInt64 {
        UInt64(maxPriority) << 32 | UInt64(wordCount)
    }
}

extension FlowRecord {
    /// The word that holds a record's program.
    package static func programWord(_ record: FlowRecordPointer) -> UnsafeMutablePointer<UInt64> {
        (UnsafeMutableRawPointer(record) + 16).assumingMemoryBound(to: UInt64.self)
    }
}
