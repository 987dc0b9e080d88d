// For up to about a dozen rules of any masks: masked words compared rule by rule, in priority order.

package struct Linear {
    private var form: UInt64
    private var ruleCount: UInt64
    private var wordCount: UInt32
    /// The highest priority among the rules: a packet that has a better entry need not look here.
    package var maxPriority: UInt32
    /// The words of the flow key that any of the rules looks at.
    private var words: InlineArray<16, UInt8>

    private static let rowsOffset = 64

    /// Bytes that `rules` rules over `words` words take. A row is the ranked record, then mask and value for each word.
    package static func size(rules: Int, words: Int) -> Int { rowsOffset + rules * rowSize(words) }

    @inline(__always)
    private static func rowSize(_ words: Int) -> Int { 8 + 16 * words }

    /// Makes the table in `memory`, for rules in descending order of priority.
    package static func initialize(
        _ memory: UnsafeMutableRawPointer,
        words: [Int],
        rules: [(value: FlowKey, mask: FlowKey, ranked: UInt64)]
    ) {
        var header = Linear(
            form: LookupForm.linear.rawValue,
            ruleCount: UInt64(rules.count),
            wordCount: UInt32(words.count),
            maxPriority: UInt32(truncatingIfNeeded: (rules.first?.ranked ?? 0) >> 48),
            words: InlineArray(repeating: 0)
        )
        for (i, word) in words.enumerated() { header.words[i] = UInt8(word) }
        memory.storeBytes(of: header, as: Linear.self)
        var row = (memory + rowsOffset).assumingMemoryBound(to: UInt64.self)
        for rule in rules {
            row[0] = rule.ranked
            for (i, word) in words.enumerated() {
                row[1 + 2 * i] = rule.mask.words[word]
                row[2 + 2 * i] = rule.value.words[word] & rule.mask.words[word]
            }
            row += 1 + 2 * words.count
        }
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
        let words = UnsafeRawPointer(lookup + 24).assumingMemoryBound(to: UInt8.self)
        let wordCount = Int(truncatingIfNeeded: table.pointee.wordCount)
        let rows = (lookup + rowsOffset).assumingMemoryBound(to: UInt64.self)
        let rowWords = 1 &+ 2 &* wordCount
        let end = rows + Int(truncatingIfNeeded: table.pointee.ruleCount) &* rowWords
        for i in 0..<count {
            let key = Lookup.words(keys, list[i])
            var row = rows
            while row < end {
                var difference: UInt64 = 0
                var w = 0
                while w < wordCount {
                    difference |= (key[Int(words[w])] & row[1 &+ 2 &* w]) ^ row[2 &+ 2 &* w]
                    w &+= 1
                }
                if difference == 0 {
                    best[i] = max(best[i], row[0])
                    break
                }
                row += rowWords
            }
        }
    }
}
