// The control side's mirror of a node of a `PrefixTrie`.

import DataPlane

final class PrefixNode {
    /// The rules whose prefix ends in this node, by how far it reaches into its byte (1 to 8 bits) and these bits.
    private var prefixes: [UInt16: Int] = [:]
    private(set) var children: [UInt8: PrefixNode] = [:]
    /// What each worker has; empty if none has it yet.
    var blocks: [UnsafeMutableRawPointer] = []
    var blockSize = 0
    /// What `blocks` say of the best prefix that ends right above the node: a flow, or -1.
    var above = -1
    /// Whether `blocks` have to be made anew.
    private(set) var isDirty = true
    /// Whether that is so here or further down.
    private(set) var hasChanges = true

    private var isEmpty: Bool { prefixes.isEmpty && children.isEmpty }

    /// Puts the rule for a prefix in place, or takes it out (nil).
    ///
    /// - Parameters:
    ///   - depth: The byte of the field that the node is for.
    ///   - removed: Gets the nodes that are not needed any more.
    /// - Returns: Whether there is anything left in the node.
    func set(_ flow: Int?, at prefix: Prefix, depth: Int, removed: inout [PrefixNode]) -> Bool {
        hasChanges = true
        let reach = prefix.length - 8 * depth
        let byte = prefix.byte(depth)
        if reach <= 8 {
            prefixes[Self.index(byte, reach)] = flow
            isDirty = true
        } else if let child = children[byte] ?? (flow == nil ? nil : PrefixNode()) {
            let isNew = children.updateValue(child, forKey: byte) == nil
            if !child.set(flow, at: prefix, depth: depth + 1, removed: &removed) {
                children[byte] = nil
                removed.append(child)
            }
            isDirty = isDirty || isNew || children[byte] == nil
        }
        return !isEmpty
    }

    /// A leading 1, then the bits: ascending with the length.
    private static func index(_ byte: UInt8, _ reach: Int) -> UInt16 {
        1 << UInt16(reach) | UInt16(byte) >> UInt16(8 - reach)
    }

    /// The best rule of this node for each value of the byte; -1: none.
    func best(_ flows: FlowStore) -> [Int] {
        var best = [Int](repeating: -1, count: PrefixTrie.Node.cellCount)
        for index in prefixes.keys.sorted() {
            guard let flow = prefixes[index] else { continue }
            let reach = UInt16(15 - index.leadingZeroBitCount)
            let first = Int((index & ~(1 << reach)) << (8 - reach))
            for cell in first..<first + 1 << Int(8 - reach)
            where best[cell] < 0 || flows[best[cell]].priority <= flows[flow].priority {
                best[cell] = flow
            }
        }
        return best
    }

    /// Each worker has the node as it is now.
    func settled() { (isDirty, hasChanges) = (false, false) }

    /// This node and all below it.
    func forEach(_ body: (PrefixNode) -> Void) {
        body(self)
        for child in children.values { child.forEach(body) }
    }
}
