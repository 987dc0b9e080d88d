// Instructions as `ovs-ofctl` writes them: as one list with the actions, in the order of execution.

extension Instruction: CustomStringConvertible {
    package var description: String {
        switch self {
        case .gotoTable(let table): "goto_table:\(table)"
        case .writeMetadata(let value, .max): "write_metadata:\(Text.hex(value))"
        case .writeMetadata(let value, let mask): "write_metadata:\(Text.hex(value))/\(Text.hex(mask))"
        case .writeActions(let actions): "write_actions(\(Action.list(actions)))"
        case .applyActions(let actions): Action.list(actions)
        case .clearActions: "clear_actions"
        case .meter(let meter): "meter:\(meter)"
        }
    }

    /// All instructions of an entry, after `actions=`: in the order in which a switch executes them, whatever the
    /// order on the wire (OpenFlow 1.3.5 §5.9). Lists without actions are left out; `drop` if nothing is left.
    package static func list(_ instructions: [Instruction]) -> String {
        let terms = instructions.filter { !$0.isEmpty }.sorted { $0.rank < $1.rank }
        return terms.isEmpty ? "drop" : terms.map(\.description).joined(separator: ",")
    }

    private var isEmpty: Bool {
        switch self {
        case .writeActions(let actions), .applyActions(let actions): actions.isEmpty
        case .gotoTable, .writeMetadata, .clearActions, .meter: false
        }
    }

    private var rank: Int {
        switch self {
        case .meter: 0
        case .applyActions: 1
        case .clearActions: 2
        case .writeActions: 3
        case .writeMetadata: 4
        case .gotoTable: 5
        }
    }
}
