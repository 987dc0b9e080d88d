// A ring between two threads, one that produces and one that consumes: the only way in which the control side and a
// worker, or two workers, talk. Elements are plain values. Each side keeps its own position and a private copy of the
// other's, so that the shared words are read only when the copy says full or empty; they lie 128 bytes apart, because the
// processor fetches cache lines in pairs.

package struct Ring<Element: BitwiseCopyable>: @unchecked Sendable {
    /// Positions count up for ever; an index is a position masked.
    private let words: UnsafeMutablePointer<UInt64>
    private let slots: UnsafeMutablePointer<Element>
    package let capacity: UInt64

    private static var tail: Int { 0 }  // the producer's position, shared
    private static var headSeen: Int { 1 }  // the producer's copy of the consumer's
    private static var head: Int { 16 }  // the consumer's position, shared
    private static var tailSeen: Int { 17 }  // the consumer's copy of the producer's

    /// `capacity` is a power of two. The memory lives as long as the process.
    package init(capacity: Int) {
        self.capacity = UInt64(capacity)
        words = UnsafeMutableRawPointer.allocate(byteCount: 256, alignment: 128).bindMemory(
            to: UInt64.self,
            capacity: 32
        )
        words.initialize(repeating: 0, count: 32)
        slots = UnsafeMutableRawPointer.allocate(byteCount: capacity * MemoryLayout<Element>.stride, alignment: 128)
            .bindMemory(to: Element.self, capacity: capacity)
    }

    /// Gives the memory back; neither side may use the ring any more.
    package func deallocate() {
        words.deallocate()
        slots.deallocate()
    }

    /// Consumer's side: whether there is something to consume. One load of a shared cache line.
    @inline(__always)
    package var isEmpty: Bool { observe(words + Self.tail) == words[Self.head] }

    /// Producer's side: false if the ring is full.
    @inline(__always)
    package func push(_ element: Element) -> Bool {
        let tail = words[Self.tail]
        if tail &- words[Self.headSeen] == capacity {
            words[Self.headSeen] = observe(words + Self.head)
            if tail &- words[Self.headSeen] == capacity { return false }
        }
        slots[Int(truncatingIfNeeded: tail & (capacity &- 1))] = element
        publish(words + Self.tail, tail &+ 1)
        return true
    }

    /// Consumer's side: nil if the ring is empty.
    @inline(__always)
    package func pop() -> Element? {
        let head = words[Self.head]
        if head == words[Self.tailSeen] {
            words[Self.tailSeen] = observe(words + Self.tail)
            if head == words[Self.tailSeen] { return nil }
        }
        let element = slots[Int(truncatingIfNeeded: head & (capacity &- 1))]
        publish(words + Self.head, head &+ 1)
        return element
    }
}
