// One part of a lookup by several masks, as the control side sees it; see `TupleSpace`.

import DataPlane

package enum LookupPartKind: String, CaseIterable, Sendable {
    case subtable, prefixes, merged, linear
}

enum LookupPart {
    case subtable(MaskGroup)
    case prefixes(PrefixGroup)
    case merged(MergedGroup)
    case linear(LinearPart)

    var maxPriority: UInt16 {
        switch self {
        case .subtable(let group): group.maxPriority
        case .prefixes(let prefixes): prefixes.maxPriority
        case .merged(let merged): merged.maxPriority
        case .linear(let rows): rows.maxPriority
        }
    }

    /// What a worker has of it.
    func part(_ worker: Int) -> TupleSpace.Part {
        switch self {
        case .subtable(let group): .subtable(group.subtables[worker])
        case .prefixes(let prefixes): .prefixes(prefixes.tries[worker])
        case .merged(let merged): .merged(merged.tables[worker])
        case .linear(let rows): .linear(rows.blocks[worker])
        }
    }

    var kind: LookupPartKind {
        switch self {
        case .subtable: .subtable
        case .prefixes: .prefixes
        case .merged: .merged
        case .linear: .linear
        }
    }

    /// The form of a lookup that has no other part.
    var form: LookupForm {
        switch self {
        case .subtable: .hash
        case .prefixes: .longestPrefix
        case .merged, .linear: .tupleSpace
        }
    }

    /// Of each worker's memory.
    var bytes: Int {
        switch self {
        case .subtable(let group): group.mirror.slots.count * 8 + MemoryLayout<Subtable>.size
        case .prefixes(let prefixes): prefixes.bytes
        case .merged(let merged): merged.bytes
        case .linear(let rows): rows.size
        }
    }

    private var identity: ObjectIdentifier {
        switch self {
        case .subtable(let group): ObjectIdentifier(group)
        case .prefixes(let prefixes): ObjectIdentifier(prefixes)
        case .merged(let merged): ObjectIdentifier(merged)
        case .linear(let rows): ObjectIdentifier(rows)
        }
    }

    func isSame(as other: LookupPart) -> Bool { identity == other.identity }
    func isSubtable(of group: MaskGroup) -> Bool { identity == ObjectIdentifier(group) }
}

/// A short list of the rules of masks that have few.
final class LinearPart {
    let blocks: [UnsafeMutableRawPointer]
    let size: Int
    let maxPriority: UInt16

    init(blocks: [UnsafeMutableRawPointer], size: Int, maxPriority: UInt16) {
        (self.blocks, self.size, self.maxPriority) = (blocks, size, maxPriority)
    }
}
