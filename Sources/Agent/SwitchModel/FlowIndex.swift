// Finds the entries of a table by a hash. It holds no entry itself, only places in the table's list with their hashes, so it
// grows without a look at any entry, and is a quarter of what a dictionary would be.

/// Positions by hashes: a hash table of one row, in which a hash that is not at its place is in one of those behind it.
struct FlowIndex {
    private struct Slot {
        var hash: UInt32 = 0
        /// Position + 1; 0: empty.
        var code: UInt32 = 0
    }

    private var slots = [Slot](repeating: Slot(), count: 8)
    private var count = 0

    /// The first position of this hash that suits.
    func find(_ hash: UInt32, where suits: (Int) -> Bool) -> Int? {
        let last = slots.count - 1
        var place = Int(hash) & last
        while slots[place].code != 0 {
            if slots[place].hash == hash, suits(Int(slots[place].code) - 1) { return Int(slots[place].code) - 1 }
            place = (place + 1) & last
        }
        return nil
    }

    mutating func insert(_ hash: UInt32, _ position: Int) {
        if (count + 1) * 8 > slots.count * 5 { grow() }
        count += 1
        put(Slot(hash: hash, code: UInt32(position + 1)))
    }

    /// What is at `position` has another one now.
    mutating func move(_ hash: UInt32, from position: Int, to new: Int) {
        slots[place(hash, position)].code = UInt32(new + 1)
    }

    /// What lies behind moves up, as far as it may, so that no search stops at the gap.
    mutating func remove(_ hash: UInt32, _ position: Int) {
        let last = slots.count - 1
        var gap = place(hash, position)
        count -= 1
        var next = (gap + 1) & last
        while slots[next].code != 0 {
            // How far each is behind the place that its hash wants.
            if (next &- Int(slots[next].hash)) & last >= (next &- gap) & last {
                slots[gap] = slots[next]
                gap = next
            }
            next = (next + 1) & last
        }
        slots[gap] = Slot()
    }

    private func place(_ hash: UInt32, _ position: Int) -> Int {
        var place = Int(hash) & (slots.count - 1)
        while slots[place].code != UInt32(position + 1) { place = (place + 1) & (slots.count - 1) }
        return place
    }

    private mutating func put(_ slot: Slot) {
        var place = Int(slot.hash) & (slots.count - 1)
        while slots[place].code != 0 { place = (place + 1) & (slots.count - 1) }
        slots[place] = slot
    }

    private mutating func grow() {
        let former = slots
        slots = Array(repeating: Slot(), count: former.count * 2)
        for slot in former where slot.code != 0 { put(slot) }
    }
}
