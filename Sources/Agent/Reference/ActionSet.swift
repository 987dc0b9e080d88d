// The action set that a packet gathers on its way through the tables, and the order in which it is executed.

import OpenFlow

/// At most one action of each kind, set-field counted per field (OpenFlow 1.3.5 §5.10).
struct ActionSet {
    private var actions: [Place: Action] = [:]
    /// Why a packet-in goes out, if the output is one: as it is for the entry that wrote the output.
    private(set) var packetInReason = PacketInReason.action

    /// The order of execution. Within a group of the specification's list: by the registry's order of the fields.
    private enum Place: Hashable, Comparable {
        case copyTTLIn, pop, popMPLS, popPBB, pushMPLS, pushPBB, pushVLAN, copyTTLOut, decTTL, decMPLSTTL
        case setTTL, setMPLSTTL
        case setField(UInt8)
        case queue, group, output

        init(_ action: Action) {
            self =
                switch action {
                case .copyTTLIn: .copyTTLIn
                case .popVLAN: .pop
                case .popMPLS: .popMPLS
                case .popPBB: .popPBB
                case .pushMPLS: .pushMPLS
                case .pushPBB: .pushPBB
                case .pushVLAN: .pushVLAN
                case .copyTTLOut: .copyTTLOut
                case .decNWTTL: .decTTL
                case .decMPLSTTL: .decMPLSTTL
                case .setNWTTL: .setTTL
                case .setMPLSTTL: .setMPLSTTL
                case .setField(let field, _): .setField(field.rawValue)
                case .setQueue: .queue
                case .group: .group
                case .output: .output
                }
        }
    }

    /// Whether one action of a set runs before another.
    static func runsBefore(_ first: Action, _ second: Action) -> Bool { Place(first) < Place(second) }

    /// Write-Actions of an entry: an action replaces one of its kind.
    mutating func write(_ list: [Action], of entry: FlowEntry) {
        for action in list {
            actions[Place(action)] = action
            if case .output = action { packetInReason = entry.packetInReason }
        }
    }

    /// The actions of a bucket.
    mutating func write(_ list: [Action]) { for action in list { actions[Place(action)] = action } }

    /// Clear-Actions.
    mutating func clear() { actions.removeAll() }

    /// The actions in the order of §5.10. A group takes the output's place; without either the packet is dropped.
    var inOrder: [Action] {
        let sorted = actions.sorted { $0.key < $1.key }
        return sorted.filter { $0.key != .output || actions[.group] == nil }.map(\.value)
    }
}
