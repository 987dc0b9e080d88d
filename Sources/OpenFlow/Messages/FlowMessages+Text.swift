// Texts of the messages about flow entries, as `ovs-ofctl` prints them when it shows messages and dumps flows.

extension FlowMod: CustomStringConvertible {
    /// OFP_DEFAULT_PRIORITY of Open vSwitch, which texts leave out.
    static let defaultPriority: UInt16 = 0x8000

    /// Such as `ADD table:3 priority=100,ip,nw_dst=10.0.0.0/8 cookie:0x7 idle:5 send_flow_rem actions=output:2`.
    package var description: String {
        var terms = [command.text]
        if tableID != 0 { terms.append("table:\(tableID == TableID.all ? "255" : String(tableID))") }
        let what = match.described(withPriority: priority)
        if !what.isEmpty { terms.append(what) }
        if cookieMask != 0 {
            terms.append("cookie:\(Text.hex(cookie))/\(Text.hex(cookieMask))")
        } else if cookie != 0 {
            terms.append("cookie:\(Text.hex(cookie))")
        }
        if idleTimeout != 0 { terms.append("idle:\(idleTimeout)") }
        if hardTimeout != 0 { terms.append("hard:\(hardTimeout)") }
        if bufferID != BufferID.none { terms.append("buf:\(Text.hex(bufferID))") }
        if outPort != .any, outPort != 0 { terms.append("out_port:\(outPort)") }
        terms += flags.names
        terms.append("actions=\(Instruction.list(instructions))")
        return terms.joined(separator: " ")
    }
}

extension FlowModCommand {
    fileprivate var text: String {
        switch self {
        case .add: "ADD"
        case .modify: "MOD"
        case .modifyStrict: "MOD_STRICT"
        case .delete: "DEL"
        case .deleteStrict: "DEL_STRICT"
        }
    }
}

extension FlowModFlags {
    fileprivate var names: [String] {
        let all: [(FlowModFlags, String)] = [
            (.sendFlowRemoved, "send_flow_rem"), (.checkOverlap, "check_overlap"), (.resetCounts, "reset_counts"),
            (.noPacketCounts, "no_packet_counts"), (.noByteCounts, "no_byte_counts"),
        ]
        return all.filter { contains($0.0) }.map(\.1)
    }
}

extension FlowStatistics: CustomStringConvertible {
    /// A line of `ovs-ofctl dump-flows`:
    /// `cookie=0x0, duration=1.500s, table=0, n_packets=1, n_bytes=60, priority=100,ip actions=output:2`.
    package var description: String {
        var text = "cookie=\(Text.hex(cookie)), duration=\(Text.duration(durationSeconds, durationNanoseconds)), "
        text += "table=\(tableID), n_packets=\(Text.counter(packetCount)), n_bytes=\(Text.counter(byteCount)), "
        if idleTimeout != 0 { text += "idle_timeout=\(idleTimeout), " }
        if hardTimeout != 0 { text += "hard_timeout=\(hardTimeout), " }
        for name in flags.names { text += name + " " }
        let what = match.described(withPriority: priority)
        if !what.isEmpty { text += what + " " }
        return text + "actions=\(Instruction.list(instructions))"
    }
}

extension FlowRemoved: CustomStringConvertible {
    /// Such as `priority=100,ip reason=idle table_id=3 cookie:0x7 duration1.500s idle5 hard6 pkts1 bytes60`.
    package var description: String {
        var text = match.described(withPriority: priority)
        if !text.isEmpty { text += " " }
        text += "reason=\(reason.text) table_id=\(tableID)"
        if cookie != 0 { text += " cookie:\(Text.hex(cookie))" }
        text += " duration\(Text.duration(durationSeconds, durationNanoseconds)) idle\(idleTimeout)"
        if hardTimeout != 0 { text += " hard\(hardTimeout)" }
        return text + " pkts\(packetCount) bytes\(byteCount)"
    }
}

extension FlowRemovedReason {
    fileprivate var text: String {
        switch self {
        case .idleTimeout: "idle"
        case .hardTimeout: "hard"
        case .delete: "delete"
        case .groupDelete: "group_delete"
        }
    }
}
