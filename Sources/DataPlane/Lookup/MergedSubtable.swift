// For rules of many masks: one hash table for masks that have bits enough in common, hashed by these (the tuple), with a short
// list of rows behind each key, in descending order of priority, each with a mask of its own (Daly et al.: TupleMerge: Fast
// software packet processing for online packet classification, 2019).

package struct MergedSubtable {
    /// The hash table of the tuple; its slots lead to lists of rows instead of records.
    package var table: Subtable
    private var windowBase: UInt64
    private var vectorCount: UInt64

    private static let windowOffset = MemoryLayout<Subtable>.size

    /// - Parameter window: What the rows are compared by.
    package init(table: Subtable, window: KeyWindow) {
        self.table = table
        windowBase = UInt64(window.base)
        vectorCount = UInt64(window.vectorCount)
    }

    /// Looks up `count` keys at once, in stages, so that the cache misses of a burst overlap. Where it finds an entry that ranks
    /// higher than `scratch.best[i]`, it replaces that.
    @inline(never)
    static func find(
        _ merged: UnsafeRawPointer,
        keys: UnsafePointer<FlowKey>,
        list: some PacketList,
        count: Int,
        scratch: LookupScratch
    ) {
        let table = merged.assumingMemoryBound(to: Subtable.self)
        let windowBase = Int(truncatingIfNeeded: merged.load(fromByteOffset: windowOffset, as: UInt64.self))
        let vectorCount = Int(truncatingIfNeeded: merged.load(fromByteOffset: windowOffset + 8, as: UInt64.self))
        let wordCount = Int(truncatingIfNeeded: table.pointee.wordCount)
        let mask = KeyMask(table, wordCount: wordCount, vectorCount: vectorCount)
        Subtable.findCandidates(table, mask, keys, list, count, scratch)
        let best = scratch.best
        for i in 0..<count {
            let hash = scratch.hashes[i]
            let window = UnsafeRawPointer(Lookup.words(keys, list[i]) + windowBase)
            if let candidate = scratch.candidates[i] {
                let ranked = RowList.first(UnsafeRawPointer(candidate), window, vectorCount, above: best[i])
                if ranked != 0 {
                    best[i] = ranked
                    continue
                }
                // Seldom do two keys of a bucket have the same tag.
                if !Subtable.hasSeveral(table, hash: hash) && Subtable.endsInFirstBucket(table, hash: hash) { continue }
            } else if Subtable.endsInFirstBucket(table, hash: hash) {
                continue
            }
            best[i] = max(best[i], search(table, window, vectorCount, hash: hash, above: best[i]))
        }
    }

    /// The complete search.
    @inline(never)
    private static func search(
        _ table: UnsafePointer<Subtable>,
        _ window: UnsafeRawPointer,
        _ vectorCount: Int,
        hash: UInt32,
        above floor: UInt64
    ) -> UInt64 {
        let list = Subtable.firstCandidate(table, hash: hash) {
            RowList.first(UnsafeRawPointer($0), window, vectorCount, above: floor) != 0
        }
        return list.map { RowList.first(UnsafeRawPointer($0), window, vectorCount, above: floor) } ?? 0
    }
}

/// The rules of one key of a tuple, one row after the other in descending order of priority.
///
/// A row is, for each vector of the window, four words of mask and four of value; for most masks that is one cache line. The
/// first word of a window is in no mask (see `KeyWindow`); that of the row's first value holds the ranked record, and its
/// lowest bit says that it is the last row.
package enum RowList {
    private static let rankedOffset = 32
    private static let last: UInt64 = 1

    package struct Row {
        package var value: FlowKey
        package var mask: FlowKey
        package var ranked: UInt64

        package init(value: FlowKey, mask: FlowKey, ranked: UInt64) {
            (self.value, self.mask, self.ranked) = (value, mask, ranked)
        }
    }

    /// Bytes for a list of `rows`.
    package static func size(rows: Int, _ window: KeyWindow) -> Int { rows * rowSize(window.vectorCount) }

    @inline(__always)
    static func rowSize(_ vectorCount: Int) -> Int { 64 &* vectorCount }

    /// Makes a list, of at least one row, in `memory`.
    package static func initialize(_ memory: UnsafeMutableRawPointer, _ rows: [Row], _ window: KeyWindow) {
        var vector = memory.assumingMemoryBound(to: UInt64.self)
        for (index, row) in rows.enumerated() {
            for start in 0..<window.vectorCount {
                for word in 0..<KeyWindow.vectorWords {
                    let place = window.base + start * KeyWindow.vectorWords + word
                    vector[word] = row.mask.words[place]
                    vector[KeyWindow.vectorWords + word] = row.value.words[place] & row.mask.words[place]
                }
                if start == 0 {
                    vector[KeyWindow.vectorWords] = row.ranked | (index == rows.count - 1 ? last : 0)
                }
                vector += 2 * KeyWindow.vectorWords
            }
        }
    }

    /// The ranked record of the first row that a key matches; 0 if there is none that ranks above `floor`.
    @inline(__always)
    static func first(
        _ list: UnsafeRawPointer,
        _ window: UnsafeRawPointer,
        _ vectorCount: Int,
        above floor: UInt64
    ) -> UInt64 {
        var row = list
        while true {
            let ranked = row.load(fromByteOffset: rankedOffset, as: UInt64.self)
            guard ranked > floor else { return 0 }
            if sameUnder(row, window, row + 32) && (vectorCount == 1 || restIsSame(row, window, vectorCount)) {
                return ranked & ~last
            }
            if ranked & last != 0 { return 0 }
            row += rowSize(vectorCount)
        }
    }

    /// The same of all rows up to `end`, without a branch that depends on the key; 0 if it matches none.
    @inline(__always)
    static func best(
        _ list: UnsafeRawPointer,
        end: UnsafeRawPointer,
        _ window: UnsafeRawPointer,
        _ vectorCount: Int
    ) -> UInt64 {
        var row = end
        var best: UInt64 = 0
        while row > list {
            row -= rowSize(vectorCount)
            var isSame = sameUnder(row, window, row + 32)
            var v = 1
            while v < vectorCount {
                let vector = row + 64 &* v
                let restIsSame = sameUnder(vector, window + 32 &* v, vector + 32)
                isSame = isSame && restIsSame
                v &+= 1
            }
            let ranked = row.load(fromByteOffset: rankedOffset, as: UInt64.self)
            best = isSame ? ranked : best
        }
        return best & ~last
    }

    /// Whether a key matches a row in the vectors behind the first.
    @inline(__always)
    private static func restIsSame(_ row: UnsafeRawPointer, _ window: UnsafeRawPointer, _ vectorCount: Int) -> Bool {
        var v = 1
        while v < vectorCount {
            let vector = row + 64 &* v
            guard sameUnder(vector, window + 32 &* v, vector + 32) else { return false }
            v &+= 1
        }
        return true
    }
}
