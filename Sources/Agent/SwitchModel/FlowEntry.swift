// One flow entry as the controller sees it. FlowTable holds them, the execution of flow-mods makes and changes them.

import NIOCore
import OpenFlow

/// A flow entry (OpenFlow 1.3.5 §5.2). It lives as long as its match and priority stay in the table: an ADD that
/// replaces it keeps the object.
package final class FlowEntry {
    package let tableID: UInt8
    /// What the entry is found by.
    let identity: FlowIdentity
    /// What a flow-mod may change.
    var contents: Contents
    /// The data path's own mark; the model does not look at it. -1: none.
    package var compiled = -1

    /// The data path's counters when they were last reset, which is taken off what is reported.
    var countersAtReset = FlowCounters()
    /// Index in the table's list.
    var position = -1
    /// Index in the queue of timeouts; -1: not in it.
    var timeoutPosition = -1
    /// The model's count of changes when it was added, and when it last changed: what a monitor has missed.
    var addedAt: UInt64 = 0
    var changedAt: UInt64 = 0
    /// What the transaction that is under way has done with it.
    var pending = FlowPending.nothing
    /// When its timeouts are to be looked at.
    var timeoutDue = NIODeadline.distantFuture

    init(_ mod: FlowMod, identity: FlowIdentity, installed: NIODeadline) {
        tableID = mod.tableID
        self.identity = identity
        contents = Contents(mod, installed: installed)
    }

    /// What an ADD of the same match and priority replaces.
    struct Contents {
        var match: Match
        var instructions: [Instruction]
        var cookie: UInt64
        var flags: FlowModFlags
        var idleTimeout: UInt16
        var hardTimeout: UInt16
        var installed: NIODeadline

        init(_ mod: FlowMod, installed: NIODeadline) {
            match = mod.match
            instructions = mod.instructions
            cookie = mod.cookie
            flags = mod.flags
            idleTimeout = mod.idleTimeout
            hardTimeout = mod.hardTimeout
            self.installed = installed
        }
    }

    package var priority: UInt16 { identity.priority }
    /// What the match means, however it was written.
    package var normalizedMatch: Match { identity.match }
    /// As the controller wrote it.
    package var match: Match { contents.match }
    /// As the controller wrote them.
    package var instructions: [Instruction] { contents.instructions }
    package var cookie: UInt64 { contents.cookie }
    package var flags: FlowModFlags { contents.flags }
    /// Seconds; 0: never.
    package var idleTimeout: UInt16 { contents.idleTimeout }
    /// Seconds; 0: never.
    package var hardTimeout: UInt16 { contents.hardTimeout }
    /// When the entry was added, or replaced by an ADD.
    package var installed: NIODeadline { contents.installed }

    /// Whether this is the table-miss entry: every packet, lowest priority (§5.4).
    package var isTableMiss: Bool { priority == 0 && normalizedMatch.fields.isEmpty }

    /// Why a packet goes to the controller that the entry outputs there: no other entry matched it (§5.4, §7.4.1), or
    /// because it says so.
    package var packetInReason: PacketInReason { isTableMiss ? .noMatch : .action }

    /// Whether one of its own actions, applied or written, is accepted by the filter.
    func hasAction(where isWanted: (Action) -> Bool) -> Bool {
        instructions.contains { instruction in
            switch instruction {
            case .applyActions(let actions), .writeActions(let actions): actions.contains(where: isWanted)
            case .gotoTable, .writeMetadata, .clearActions, .meter: false
            }
        }
    }
}

/// Priority and normalized match: no two entries of a table have the same (§5.2). Hashed once, because a flow-mod looks for it
/// several times.
struct FlowIdentity: Equatable {
    // Compared first: others in a table of hashes differ in it, and have much of their matches alike.
    let hash: UInt32
    let priority: UInt16
    let match: Match

    init(priority: UInt16, match: Match) {
        self.priority = priority
        self.match = match
        let seed = Self.seed
        var state = seed.start ^ UInt64(priority)
        func mix(_ word: UInt64) {
            let product = (state ^ word).multipliedFullWidth(by: seed.factor)
            state = product.high ^ product.low
        }
        func mix(_ number: UInt128, _ salt: UInt8) {
            let high = UInt64(truncatingIfNeeded: number >> 64)
            state &+= UInt64(salt)
            mix(UInt64(truncatingIfNeeded: number))
            if high != 0 { mix(high) }
        }
        for entry in match.fields {
            mix(entry.value, entry.field.rawValue)
            if let mask = entry.mask { mix(mask, ~entry.field.rawValue) }
        }
        hash = UInt32(truncatingIfNeeded: state ^ state >> 32)
    }

    /// Random at each start: nobody can make matches that share a hash.
    private static let seed = (start: UInt64.random(in: 0 ... .max), factor: UInt64.random(in: 0 ... .max) | 1)
}

extension FlowEntry: CustomStringConvertible {
    /// As `ovs-ofctl` writes a flow, with the priority always there: `priority=100,ip,nw_dst=10.0.0.0/8 actions=output:2`.
    package var description: String {
        let terms = ["priority=\(priority)", match.description].filter { !$0.isEmpty }.joined(separator: ",")
        let mark = cookie == 0 ? "" : "cookie=0x\(String(cookie, radix: 16)), "
        return "\(mark)\(terms) actions=\(Instruction.list(instructions))"
    }
}
