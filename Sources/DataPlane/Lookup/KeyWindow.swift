// Which part of the flow key the rules of one mask are compared by: whole vectors of four words, from the word before the
// first that the mask covers on. The word before is there because it lets three words, which most masks get by with, lie in
// the record's one cache line: a comparison begins with the record's word before its key, and the mask, zero there, hides it.

package struct KeyWindow: Equatable, Sendable {
    /// The word of the flow key that the first vector begins with.
    package let base: Int
    package let vectorCount: Int

    package static let vectorWords = 4

    package init(_ mask: FlowKey) {
        var (first, last) = (1, 1)
        for word in 1..<FlowKey.wordCount where mask.words[word] != 0 {
            if mask.words[last] == 0 { first = word }
            last = word
        }
        vectorCount = (last - first + 1) / Self.vectorWords + 1
        base = min(first - 1, FlowKey.wordCount - vectorCount * Self.vectorWords)
    }

    /// The words of the flow key that a record holds.
    package var words: Range<Int> { base + 1..<base + vectorCount * Self.vectorWords }
}
