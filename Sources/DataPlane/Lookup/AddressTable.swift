// Where output to NORMAL has seen Ethernet addresses: a hash table with open addressing, one for each worker. The control side
// fills it by deltas, as it does all tables; the worker alone writes when it last saw an address.

/// A VLAN and an address in it, as the table is searched by them.
package struct AddressKey: RawRepresentable, Hashable, BitwiseCopyable, Sendable {
    /// The address in the low six bytes as it lies in the packet, the VLAN id above; the highest bit is always set.
    package let rawValue: UInt64

    package init(rawValue: UInt64) { self.rawValue = rawValue }

    /// - Parameters:
    ///   - vlan: 0 to 4095; 0: untagged.
    ///   - bytes: The address in the low six bytes, as it lies in the packet; what is above is ignored.
    @inline(__always)
    package init(vlan: UInt16, bytes: UInt64) {
        rawValue = 1 << 63 | UInt64(vlan) << 48 | bytes & 0xffff_ffff_ffff
    }

    package var vlan: UInt16 { UInt16(truncatingIfNeeded: rawValue >> 48) & 0xfff }
    /// As it lies in the packet.
    package var bytes: UInt64 { rawValue & 0xffff_ffff_ffff }
}

/// The header of a table; its entries follow, of which at most half are in use. (A worker's first table has none.)
package struct AddressTable {
    /// How many entries there are.
    package var count: UInt64
    /// Nobody outside can tell which addresses share a place, and so make a search long.
    package var seed: UInt64

    package static let entriesOffset = 16

    package struct Entry: BitwiseCopyable {
        /// An `AddressKey`; 0: not in use.
        package var key: UInt64
        /// The port's slot in the upper half; below, in `Clock.ticks`, when a packet of this source last came.
        package var place: UInt64

        package init(key: UInt64, place: UInt64) { (self.key, self.place) = (key, place) }
    }

    /// A table of which nothing is in use.
    package static func initialize(_ memory: UnsafeMutableRawPointer, entries count: Int, seed: UInt64) {
        memory.storeBytes(of: AddressTable(count: UInt64(count), seed: seed), as: AddressTable.self)
        entries(memory).initialize(repeating: Entry(key: 0, place: 0), count: count)
    }

    package static func size(entries count: Int) -> Int { entriesOffset + count * MemoryLayout<Entry>.stride }

    @inline(__always)
    package static func entries(_ table: UnsafeMutableRawPointer) -> UnsafeMutablePointer<Entry> {
        (table + entriesOffset).assumingMemoryBound(to: Entry.self)
    }

    /// The place where the search for a key begins.
    @inline(__always)
    package static func home(_ key: UInt64, seed: UInt64, count: UInt64) -> Int {
        let product = (key ^ seed).multipliedFullWidth(by: 0x9e37_79b9_7f4a_7c15)
        return Int(truncatingIfNeeded: (product.high ^ product.low).multipliedFullWidth(by: count).high)
    }

    @inline(__always)
    static func find(_ key: AddressKey, in table: UnsafeMutableRawPointer) -> UnsafeMutablePointer<Entry>? {
        let header = table.assumingMemoryBound(to: AddressTable.self).pointee
        guard header.count > 0 else { return nil }
        let entries = entries(table)
        var index = home(key.rawValue, seed: header.seed, count: header.count)
        while entries[index].key != key.rawValue {
            if entries[index].key == 0 { return nil }
            index &+= 1
            if index == header.count { index = 0 }
        }
        return entries + index
    }
}

/// The VLANs that a trunk port carries: a bit for each id.
package enum VLANBitmap {
    package static let size = 4096 / 8

    package static func initialize(_ memory: UnsafeMutableRawPointer, _ vlans: some Sequence<UInt16>) {
        memory.initializeMemory(as: UInt8.self, repeating: 0, count: size)
        let words = memory.assumingMemoryBound(to: UInt64.self)
        for vlan in vlans { words[Int(vlan >> 6)] |= 1 << UInt64(vlan & 63) }
    }

    @inline(__always)
    static func contains(_ words: UnsafePointer<UInt64>, _ vlan: UInt16) -> Bool {
        words[Int(vlan >> 6)] >> UInt64(vlan & 63) & 1 != 0
    }
}
