import DataPlane
import Testing

@Suite("Table memory", .timeLimit(.minutes(1)))
struct TableMemoryTests {
    @Test("gives blocks that do not overlap, aligned to cache lines, and takes them back")
    func blocks() {
        let memory = TableMemory(limit: 64 << 20, fromEAL: false)
        var blocks: [(start: UInt, size: Int)] = []
        for size in [1, 64, 65, 100, 4096, 70_000, 1 << 20, 3 << 20, 64, 200, 1 << 19] {
            guard let block = memory.allocate(size) else {
                Issue.record("no block of \(size) bytes")
                return
            }
            let start = UInt(bitPattern: block)
            #expect(start % 64 == 0)
            #expect(blocks.allSatisfy { start + UInt(size) <= $0.start || $0.start + UInt($0.size) <= start })
            blocks.append((start, size))
        }
        for block in blocks {
            UnsafeMutableRawPointer(bitPattern: block.start).map { memory.deallocate($0, block.size) }
        }
        #expect(memory.used == 0)
    }

    @Test("uses again what was given back")
    func reuse() {
        let memory = TableMemory(limit: 16 << 20, fromEAL: false)
        for _ in 0..<100_000 {
            guard let block = memory.allocate(100) else {
                Issue.record("memory is lost")
                return
            }
            memory.deallocate(block, 100)
        }
    }

    @Test("counts what something else takes of the same memory")
    func others() {
        let memory = TableMemory(limit: 8 << 20, fromEAL: false)
        #expect(memory.take(6 << 20) && memory.allocate(1 << 20) != nil)
        #expect(!memory.take(1) && memory.allocate(64) == nil)
        memory.giveBack(6 << 20)
        #expect(memory.allocate(4 << 20) != nil && memory.used == 5 << 20)
    }

    @Test("keeps to its limit, and a reserve below it")
    func limit() {
        let memory = TableMemory(limit: 8 << 20, fromEAL: false)
        var blocks = 0
        while memory.allocate(1 << 20) != nil { blocks += 1 }
        #expect(blocks == 7)
        #expect(memory.allocate(1 << 20, reserve: true) != nil)
        #expect(memory.allocate(1 << 20, reserve: true) == nil)
    }
}
