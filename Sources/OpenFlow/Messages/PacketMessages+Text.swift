// Texts of the messages that carry packets, as `ovs-ofctl` prints them; the packet itself is left out.

extension PacketIn: CustomStringConvertible {
    /// Such as `table_id=3 cookie=0x9 total_len=60 in_port=1 (via action) data_len=60 (unbuffered)`.
    package var description: String {
        var terms: [String] = []
        if tableID != 0 { terms.append("table_id=\(tableID)") }
        if cookie != .max { terms.append("cookie=\(Text.hex(cookie))") }
        terms.append("total_len=\(totalLength)")
        terms.append(match.description)
        terms.append("(via \(reason.text))")
        terms.append("data_len=\(data.readableBytes)")
        terms.append(bufferID == BufferID.none ? "(unbuffered)" : "buffer=\(Text.hex(bufferID, digits: 8))")
        return terms.joined(separator: " ")
    }
}

extension PacketInReason {
    fileprivate var text: String {
        switch self {
        case .noMatch: "no_match"
        case .action: "action"
        case .invalidTTL: "invalid_ttl"
        }
    }
}

extension PacketOut: CustomStringConvertible {
    /// Such as `in_port=CONTROLLER actions=output:2 data_len=60`.
    package var description: String {
        let place =
            bufferID == BufferID.none ? "data_len=\(data.readableBytes)" : "buffer=\(Text.hex(bufferID, digits: 8))"
        return "in_port=\(inPort) actions=\(Action.list(actions)) \(place)"
    }
}
