// Which slot a port number has, for those who name ports while packets run: network functions. Rules name slots.

/// A hash table with linear probing, no more than half full; replaced as a whole. A word each for the mask and the entries.
package enum PortDirectory {
    package static func size(count: Int) -> Int { (1 + places(count)) * 8 }

    /// - Parameter ports: Numbers, none of which is 0, and slots.
    package static func initialize(_ memory: UnsafeMutableRawPointer, _ ports: [(number: UInt32, slot: UInt16)]) {
        let mask = places(ports.count) - 1
        let words = memory.bindMemory(to: UInt64.self, capacity: mask + 2)
        words.initialize(repeating: 0, count: mask + 2)
        words[0] = UInt64(mask)
        for port in ports {
            var place = place(port.number, UInt64(mask))
            while words[1 + Int(place)] != 0 { place = (place + 1) & UInt64(mask) }
            words[1 + Int(place)] = UInt64(port.number) | UInt64(port.slot) << 32
        }
    }

    /// The slot of a port; nil: there is no such port.
    @inline(__always)
    package static func slot(of number: UInt32, in memory: UnsafeRawPointer) -> Int? {
        let words = memory.assumingMemoryBound(to: UInt64.self)
        let mask = words[0]
        var place = place(number, mask)
        while true {
            let entry = words[1 &+ Int(truncatingIfNeeded: place)]
            guard entry != 0 else { return nil }
            if UInt32(truncatingIfNeeded: entry) == number { return Int(truncatingIfNeeded: entry >> 32) }
            place = (place &+ 1) & mask
        }
    }

    private static func places(_ count: Int) -> Int {
        var places = 1
        while places < 2 * count { places *= 2 }
        return places
    }

    @inline(__always)
    private static func place(_ number: UInt32, _ mask: UInt64) -> UInt64 {
        (UInt64(number) &* 0x9e37_79b9_7f4a_7c15) >> 32 & mask
    }
}
