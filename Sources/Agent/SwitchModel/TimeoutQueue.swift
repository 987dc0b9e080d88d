// When which entry's timeouts must be looked at: a binary heap of entries that know their place in it, so that each is
// in it once and leaves it when it is removed. Timeouts.swift says what happens then.

import NIOCore

/// Entries by `timeoutDue`, the earliest first.
struct TimeoutQueue {
    private var heap: [FlowEntry] = []

    /// The earliest due time.
    var first: FlowEntry? { heap.first }

    /// Puts an entry in, or moves it to its new time.
    mutating func schedule(_ entry: FlowEntry, at due: NIODeadline) {
        entry.timeoutDue = due
        if entry.timeoutPosition < 0 {
            entry.timeoutPosition = heap.count
            heap.append(entry)
        }
        moveUp(entry.timeoutPosition)
        moveDown(entry.timeoutPosition)
    }

    /// Takes an entry out, if it is in.
    mutating func remove(_ entry: FlowEntry) {
        let position = entry.timeoutPosition
        guard position >= 0 else { return }
        swap(position, heap.count - 1)
        heap.removeLast()
        entry.timeoutPosition = -1
        guard position < heap.count else { return }
        moveUp(position)
        moveDown(position)
    }

    private mutating func moveUp(_ start: Int) {
        var child = start
        while child > 0, heap[child].timeoutDue < heap[(child - 1) / 2].timeoutDue {
            swap(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    private mutating func moveDown(_ start: Int) {
        var parent = start
        while true {
            let children = (2 * parent + 1)..<min(2 * parent + 3, max(2 * parent + 1, heap.count))
            guard let least = children.min(by: { heap[$0].timeoutDue < heap[$1].timeoutDue }),
                heap[least].timeoutDue < heap[parent].timeoutDue
            else { return }
            swap(parent, least)
            parent = least
        }
    }

    private mutating func swap(_ a: Int, _ b: Int) {
        heap.swapAt(a, b)
        heap[a].timeoutPosition = a
        heap[b].timeoutPosition = b
    }
}
