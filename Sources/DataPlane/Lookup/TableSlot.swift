// The words of lookup structures that deltas store to.

extension UnsafeMutablePointer<TableSlot> {
    /// The address of the lookup structure; 0: none.
    package var lookupWord: UnsafeMutablePointer<UInt64> { word(0) }
    /// The address of the record of last resort; 0: none.
    package var missWord: UnsafeMutablePointer<UInt64> { word(8) }
    package var changedWord: UnsafeMutablePointer<UInt64> { word(48) }

    private func word(_ offset: Int) -> UnsafeMutablePointer<UInt64> {
        (UnsafeMutableRawPointer(self) + offset).assumingMemoryBound(to: UInt64.self)
    }
}

extension TupleSpace {
    /// The word of a part whose upper half is its highest priority, and what it holds when that is another one; the lower half
    /// never changes.
    package static func priorityWord(
        of part: UnsafeMutableRawPointer,
        _ maxPriority: UInt16
    ) -> (address: UnsafeMutablePointer<UInt64>, value: UInt64) {
        let word = (part + priorityOffset).assumingMemoryBound(to: UInt64.self)
        return (word, UInt64(maxPriority) << 32 | word.pointee & 0xffff_ffff)
    }
}

extension FlowRecord {
    /// The word that holds a record's program.
    package static func programWord(_ record: FlowRecordPointer) -> UnsafeMutablePointer<UInt64> {
        (UnsafeMutableRawPointer(record) + 16).assumingMemoryBound(to: UInt64.self)
    }
}
