import DataPlane
import Testing

@Suite("Key window", .timeLimit(.minutes(1)))
struct KeyWindowTests {
    @Test("holds every word that the mask covers, but for the word before it, and lies within the key")
    func covers() {
        for first in 1..<FlowKey.wordCount {
            for last in first..<FlowKey.wordCount {
                var mask = FlowKey()
                mask.words[first] = 1
                mask.words[last] = 1
                let window = KeyWindow(mask)
                #expect(window.words.contains(first) && window.words.contains(last))
                #expect(window.base >= 0 && window.words.upperBound <= FlowKey.wordCount)
                #expect(window.words.count == window.vectorCount * 4 - 1)
            }
        }
    }

    @Test("of three words or none leaves a record in one cache line")
    func size() {
        var mask = FlowKey()
        #expect(FlowRecord.size(KeyWindow(mask)) == 64)
        for word in [FlowKey.Word.port, FlowKey.Word.ipv4, FlowKey.Word.l4] { mask.words[word] = .max }
        #expect(FlowRecord.size(KeyWindow(mask)) == 64)
        #expect(KeyWindow(mask).vectorCount == 1)
    }
}
