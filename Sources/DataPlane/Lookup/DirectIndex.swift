// For rules that all match exactly one small field (ingress port, VLAN id, metadata, …): an array indexed by its value.

package struct DirectIndex {
    private var form: UInt64
    private var word: UInt64
    private var shift: UInt64
    private var allOnes: UInt64
    private var count: UInt64

    /// The largest field value that this form takes.
    package static let limit: UInt64 = 65_535
    private static let arrayOffset = 64

    /// Bytes that an index for the values 0 to `count - 1` takes.
    package static func size(count: Int) -> Int { arrayOffset + 8 * count }

    /// Makes an empty index of `field` in `memory`, which holds `size(count:)` bytes.
    package static func initialize(_ memory: UnsafeMutableRawPointer, field: KeyField, count: Int) {
        memory.initializeMemory(as: UInt8.self, repeating: 0, count: size(count: count))
        memory.storeBytes(
            of: DirectIndex(
                form: LookupForm.directIndex.rawValue,
                word: UInt64(field.word),
                shift: UInt64(field.shift),
                allOnes: field.allOnes,
                count: UInt64(count)
            ),
            as: DirectIndex.self
        )
    }

    /// The word that holds the record for `value`: an address, or 0.
    package static func cell(_ memory: UnsafeMutableRawPointer, _ value: Int) -> UnsafeMutablePointer<UInt64> {
        (memory + arrayOffset).assumingMemoryBound(to: UInt64.self) + value
    }

    @inline(__always)
    static func find(
        _ lookup: UnsafeRawPointer,
        keys: UnsafePointer<FlowKey>,
        list: some PacketList,
        count: Int,
        found: UnsafeMutablePointer<FlowRecordPointer?>
    ) {
        let index = lookup.assumingMemoryBound(to: DirectIndex.self).pointee
        let cells = (lookup + arrayOffset).assumingMemoryBound(to: FlowRecordPointer?.self)
        for i in 0..<count {
            let word = UInt64(bigEndian: Lookup.words(keys, list[i])[Int(truncatingIfNeeded: index.word)])
            let value = (word >> index.shift) & index.allOnes
            if value < index.count, let record = cells[Int(truncatingIfNeeded: value)] { found[i] = record }
        }
    }
}
