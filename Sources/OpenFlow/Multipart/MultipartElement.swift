// What a multipart reply is a list of, and how a long list is spread over several messages.

import NIOCore

/// An entry of a multipart reply's list.
protocol MultipartElement {
    init(from reader: inout WireReader) throws(OpenFlowError)
    func write(to writer: inout WireWriter)
}

extension WireReader {
    mutating func readElements<Element: MultipartElement>() throws(OpenFlowError) -> [Element] {
        try list { list throws(OpenFlowError) in try Element(from: &list) }
    }
}

extension WireWriter {
    mutating func write<Element: MultipartElement>(_ elements: [Element]) {
        for element in elements {
            element.write(to: &self)
        }
    }
}

extension Envelope {
    /// A reply as one message or, if it is too long for one, as several with OFPMPF_REPLY_MORE in all but the last
    /// (OpenFlow 1.3.5 §7.3.5 / A.3.5). An empty list is one empty message.
    ///
    /// - Parameter limit: The most bytes of one message with its header; at most 65535. An entry that is longer by
    ///   itself has a message of its own.
    package static func multipartReplies(xid: UInt32, _ reply: MultipartReply, limit: Int = 65535) -> [Envelope] {
        let parts: [MultipartReply]
        switch reply {
        case .flow(let list): parts = split(list, limit).map { .flow($0) }
        case .table(let list): parts = split(list, limit).map { .table($0) }
        case .portStatistics(let list): parts = split(list, limit).map { .portStatistics($0) }
        case .queue(let list): parts = split(list, limit).map { .queue($0) }
        case .group(let list): parts = split(list, limit).map { .group($0) }
        case .groupDescription(let list): parts = split(list, limit).map { .groupDescription($0) }
        case .meter(let list): parts = split(list, limit).map { .meter($0) }
        case .meterConfig(let list): parts = split(list, limit).map { .meterConfig($0) }
        case .tableFeatures(let list): parts = split(list, limit).map { .tableFeatures($0) }
        case .portDescription(let list): parts = split(list, limit).map { .portDescription($0) }
        // The experimenter's own header is in each message.
        case .flowMonitor(let list): parts = split(list, limit - 8).map { .flowMonitor($0) }
        case .description, .aggregate, .groupFeatures, .meterFeatures, .experimenter: parts = [reply]
        }
        return parts.enumerated().map { index, part in
            Envelope(xid: xid, message: .multipartReply(part, more: index < parts.count - 1))
        }
    }

    /// The list in runs that fit into a message each. Lengths are measured by writing, so that they can't disagree
    /// with what is sent.
    private static func split<Element: MultipartElement>(_ elements: [Element], _ limit: Int) -> [[Element]] {
        let room = limit - multipartHeaderLength
        var runs: [[Element]] = []
        var start = 0
        var used = 0
        var scratch = WireWriter(ByteBuffer())
        for (index, element) in elements.enumerated() {
            scratch.clear()
            element.write(to: &scratch)
            let length = scratch.buffer.readableBytes
            if used + length > room, index > start {
                runs.append(Array(elements[start..<index]))
                start = index
                used = 0
            }
            used += length
        }
        runs.append(Array(elements[start...]))
        return runs
    }

    /// Header, multipart type, flags and padding.
    private static var multipartHeaderLength: Int { 16 }
}
