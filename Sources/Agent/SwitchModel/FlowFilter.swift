// Which entries a command or a request means: what FLOW_MOD and the flow statistics requests have in common.

import OpenFlow

/// The filters of OpenFlow 1.3.5 §6.4 and §7.3.5.2.
struct FlowFilter {
    /// `TableID.all`: every table.
    var tableID: UInt8
    /// Normalized. An entry fits if it says the same or more.
    var match: Match
    var cookie: UInt64
    /// 0: no filter.
    var cookieMask: UInt64
    /// `.any`: no filter. Only actions of the entry itself count, applied or written.
    var outPort = PortNumber.any
    /// `.any`: no filter.
    var outGroup = GroupID.any

    /// The filter of a modify or delete; out_port and out_group filter in deletes only.
    init(_ mod: FlowMod) {
        (tableID, match, cookie, cookieMask) = (mod.tableID, mod.match.normalized, mod.cookie, mod.cookieMask)
        guard mod.command == .delete || mod.command == .deleteStrict else { return }
        (outPort, outGroup) = (mod.outPort, mod.outGroup)
    }

    init(_ request: FlowStatisticsRequest) {
        (tableID, match) = (request.tableID, request.match.normalized)
        (cookie, cookieMask) = (request.cookie, request.cookieMask)
        (outPort, outGroup) = (request.outPort, request.outGroup)
    }

    /// Everything but table and match.
    func acceptsContents(of entry: FlowEntry) -> Bool {
        (entry.cookie ^ cookie) & cookieMask == 0
            && (outPort == .any
                || entry.hasAction { if case .output(outPort, _) = $0 { true } else { false } })
            && (outGroup == .any || entry.hasAction { $0 == .group(outGroup) })
    }
}

extension SwitchModel {
    /// The entries that a filter means, in one pass over the table or over all tables.
    func entries(selectedBy filter: FlowFilter) -> [FlowEntry] {
        let selected = filter.tableID == TableID.all ? tables[...] : tables[Int(filter.tableID)...Int(filter.tableID)]
        return selected.flatMap { table in
            table.entries.filter { filter.acceptsContents(of: $0) && filter.match.covers($0.normalizedMatch) }
        }
    }

    /// The one entry that a strict command means: match and priority as given, and the filter besides.
    func entry(strictly mod: FlowMod, _ filter: FlowFilter) -> [FlowEntry] {
        let identity = FlowIdentity(priority: mod.priority, match: filter.match)
        let selected = filter.tableID == TableID.all ? tables[...] : tables[Int(filter.tableID)...Int(filter.tableID)]
        return selected.compactMap { $0[identity] }.filter(filter.acceptsContents)
    }
}
