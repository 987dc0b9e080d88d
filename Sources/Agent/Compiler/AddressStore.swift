// What output to NORMAL knows of addresses, in the workers' memory: a table for each, kept alike by stores of single words. A table
// that has become half full is replaced by one of twice the size.

import DataPlane
import NIOCore
import OpenFlow

final class AddressStore {
    private let memory: TableMemory
    private unowned let publisher: Publisher
    private let settings: [UnsafeMutablePointer<WorkerSettings>]
    /// What the workers begin with: tables without entries.
    private let empty: [UnsafeMutableRawPointer]
    /// By worker; none until something has been learned.
    private var tables: [UnsafeMutableRawPointer] = []
    /// The keys of all tables, place by place; 0: not in use.
    private var keys: [UInt64] = []
    /// What was last stored as the `place` of each, on its way to the workers perhaps.
    private var places: [UInt64] = []
    private var count = 0
    private let seed = UInt64.random(in: 0...UInt64.max)

    /// With the header a power of two, as memory comes.
    private static let firstSize = 255

    init(memory: TableMemory, publisher: Publisher, settings: [UnsafeMutablePointer<WorkerSettings>]) {
        (self.memory, self.publisher, self.settings) = (memory, publisher, settings)
        empty = settings.map(\.pointee.addresses)
    }

    /// Lets packets for an address go to a port's slot from now on. False if there is no memory.
    func set(_ key: AddressKey, slot: UInt16) -> Bool {
        if keys.isEmpty || 2 * (count + 1) > keys.count, find(key) == nil, !grow() { return false }
        let place = UInt64(slot) << 48 | UInt64(Clock.now)
        let index = search(key.rawValue)
        places[index] = place
        store(index, \.place) { _ in place }
        if keys[index] == 0 {
            (keys[index], count) = (key.rawValue, count + 1)
            store(index, \.key) { _ in key.rawValue }
        }
        return true
    }

    /// Forgets an address. What lies behind it in the tables and would no longer be found moves to the gap.
    func remove(_ key: AddressKey) {
        guard var gap = find(key) else { return }
        var index = next(gap)
        while keys[index] != 0 {
            if distance(from: home(keys[index]), to: index) >= distance(from: gap, to: index) {
                let from = index
                store(gap, \.place) { [self] in place(of: from, in: tables[$0]) }
                store(gap, \.key) { [self] _ in keys[from] }
                (keys[gap], places[gap]) = (keys[from], places[from])
                gap = index
            }
            index = next(index)
        }
        keys[gap] = 0
        store(gap, \.key) { _ in 0 }
        count -= 1
        if count == 0 { clear() }
    }

    /// Gives the tables back, now that nothing is in them.
    private func clear() {
        for (worker, table) in tables.enumerated() {
            publisher.store(worker: worker, settings[worker].word(\.addresses), UInt64(UInt(bitPattern: empty[worker])))
            publisher.retire(table, AddressTable.size(entries: keys.count))
        }
        (tables, keys, places) = ([], [], [])
    }

    /// How long no worker has seen the address as a source; nil: it is not known.
    func age(of key: AddressKey) -> TimeAmount? {
        guard let index = find(key) else { return nil }
        let ages = tables.indices.map { worker in
            Clock.nanoseconds(since: UInt32(truncatingIfNeeded: place(of: index, in: tables[worker])))
        }
        return ages.min().map { .nanoseconds(Int64(clamping: $0)) }
    }

    private func find(_ key: AddressKey) -> Int? {
        guard !keys.isEmpty else { return nil }
        let index = search(key.rawValue)
        return keys[index] == 0 ? nil : index
    }

    /// The place of a key or, if it is not there, the free one where it would be.
    private func search(_ key: UInt64) -> Int {
        var index = home(key)
        while keys[index] != 0 && keys[index] != key { index = next(index) }
        return index
    }

    private func home(_ key: UInt64) -> Int { AddressTable.home(key, seed: seed, count: UInt64(keys.count)) }
    private func next(_ index: Int) -> Int { index + 1 == keys.count ? 0 : index + 1 }
    private func distance(from: Int, to: Int) -> Int { to >= from ? to - from : to - from + keys.count }

    /// What a worker has or will have as the `place` of an entry: the port as stored, and the later of the times, of which the
    /// worker's may be that of the store before.
    private func place(of index: Int, in table: UnsafeMutableRawPointer) -> UInt64 {
        let (stored, seen) = (places[index], glance(word(of: table, index, \.place)))
        let times = (UInt32(truncatingIfNeeded: stored), UInt32(truncatingIfNeeded: seen))
        let time = Int32(bitPattern: times.1 &- times.0) > 0 ? times.1 : times.0
        return (stored >> 48) << 48 | UInt64(time)
    }

    private func word(
        of table: UnsafeMutableRawPointer,
        _ index: Int,
        _ field: KeyPath<AddressTable.Entry, UInt64>
    ) -> UnsafeMutablePointer<UInt64> {
        (AddressTable.entries(table) + index).word(field)
    }

    private func store(_ index: Int, _ field: KeyPath<AddressTable.Entry, UInt64>, _ value: (Int) -> UInt64) {
        for worker in tables.indices {
            publisher.store(worker: worker, word(of: tables[worker], index, field), value(worker))
        }
    }

    /// Replaces the tables by larger ones. False if there is no memory.
    private func grow() -> Bool {
        let size = keys.isEmpty ? Self.firstSize : 2 * keys.count + 1
        let bytes = AddressTable.size(entries: size)
        var new: [UnsafeMutableRawPointer] = []
        for _ in settings {
            guard let table = memory.allocate(bytes) else {
                for table in new { memory.deallocate(table, bytes) }
                return false
            }
            AddressTable.initialize(table, entries: size, seed: seed)
            new.append(table)
        }
        let (oldKeys, oldTables) = (keys, tables)
        let known = oldKeys.indices.filter { oldKeys[$0] != 0 }.map { index in
            (key: oldKeys[index], stored: places[index], places: oldTables.map { place(of: index, in: $0) })
        }
        keys = Array(repeating: 0, count: size)
        places = keys
        for entry in known {
            let index = search(entry.key)
            (keys[index], places[index]) = (entry.key, entry.stored)
            for (worker, place) in entry.places.enumerated() {
                AddressTable.entries(new[worker])[index] = AddressTable.Entry(key: entry.key, place: place)
            }
        }
        tables = new
        for (worker, table) in new.enumerated() {
            publisher.store(worker: worker, settings[worker].word(\.addresses), UInt64(UInt(bitPattern: table)))
        }
        for table in oldTables { publisher.retire(table, AddressTable.size(entries: oldKeys.count)) }
        return true
    }
}

extension AddressKey {
    /// As the data plane searches for it: the address in the order in which it lies in the packet.
    init(_ learned: LearnedAddress) {
        self.init(vlan: learned.vlan, bytes: (learned.address.rawValue << 16).bigEndian)
    }

    /// What the control side calls it.
    var learned: LearnedAddress {
        LearnedAddress(vlan: vlan, address: EthernetAddress(rawValue: bytes.bigEndian >> 16))
    }
}
