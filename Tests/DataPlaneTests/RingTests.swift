import DataPlane
import Testing

@Suite("Ring", .timeLimit(.minutes(1)))
struct RingTests {
    @Test("takes as many elements as its capacity, and gives them back in order")
    func order() {
        let ring = Ring<UInt64>(capacity: 8)
        defer { ring.deallocate() }
        #expect(ring.isEmpty)
        for round in UInt64(0)..<5 {
            for i in UInt64(0)..<8 { #expect(ring.push(round * 8 + i)) }
            #expect(!ring.push(99))
            #expect(!ring.isEmpty)
            for i in UInt64(0)..<8 { #expect(ring.pop() == round * 8 + i) }
            #expect(ring.pop() == nil)
        }
    }

    @Test("loses and doubles nothing between two threads")
    func threads() async {
        let ring = Ring<UInt64>(capacity: 64)
        defer { ring.deallocate() }
        let count: UInt64 = 300_000
        await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                var next: UInt64 = 0
                while next < count { if ring.push(next) { next += 1 } }
                return true
            }
            group.addTask {
                var expected: UInt64 = 0
                while expected < count {
                    guard let value = ring.pop() else { continue }
                    if value != expected { return false }
                    expected += 1
                }
                return ring.pop() == nil
            }
            for await result in group { #expect(result) }
        }
    }
}
