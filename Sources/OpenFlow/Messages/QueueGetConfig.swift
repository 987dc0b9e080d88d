// Which queues a port has.

import NIOCore

/// OFPT_QUEUE_GET_CONFIG_REPLY (OpenFlow 1.3.5 §7.3.6 / A.3.6).
package struct QueueConfig: Hashable, Sendable {
    /// The port asked about.
    package var port: PortNumber
    package var queues: [PacketQueue]

    package init(port: PortNumber, queues: [PacketQueue]) {
        self.port = port
        self.queues = queues
    }
}

/// `ofp_packet_queue` (OpenFlow 1.3.5 §7.2.2 / A.2.2).
package struct PacketQueue: Hashable, Sendable {
    package var queueID: UInt32
    package var port: PortNumber
    package var properties: [QueueProperty]

    package init(queueID: UInt32, port: PortNumber, properties: [QueueProperty]) {
        self.queueID = queueID
        self.port = port
        self.properties = properties
    }
}

/// `ofp_queue_prop_header` with what follows. Rates are in tenths of a percent; above 1000: not limited.
package enum QueueProperty: Hashable, Sendable {
    /// OFPQT_MIN_RATE.
    case minRate(UInt16)
    /// OFPQT_MAX_RATE.
    case maxRate(UInt16)
    /// OFPQT_EXPERIMENTER.
    case experimenter(UInt32, data: ByteBuffer)
}

extension QueueConfig {
    init(from reader: inout WireReader) throws(OpenFlowError) {
        port = try reader.readPort()
        try reader.pad(4)
        queues = try reader.list { list throws(OpenFlowError) in try PacketQueue(from: &list) }
    }

    func write(to writer: inout WireWriter) {
        writer.write(port)
        writer.pad(4)
        for queue in queues {
            queue.write(to: &writer)
        }
    }
}

extension PacketQueue {
    init(from reader: inout WireReader) throws(OpenFlowError) {
        queueID = try reader.read()
        port = try reader.readPort()
        let length: UInt16 = try reader.read()
        try reader.pad(6)
        var list = try reader.slice(Int(length) - 16, scope: .message)
        properties = try list.list { list throws(OpenFlowError) in try QueueProperty(from: &list) }
    }

    func write(to writer: inout WireWriter) {
        writer.write(queueID)
        writer.write(port)
        writer.lengthPrefixed(after: 8) { writer in
            writer.pad(6)
            for property in properties {
                property.write(to: &writer)
            }
        }
    }
}

extension QueueProperty {
    /// `ofp_queue_properties`.
    private enum Kind: UInt16 {
        case minRate = 1, maxRate
        case experimenter = 0xffff
    }

    init(from reader: inout WireReader) throws(OpenFlowError) {
        let rawKind: UInt16 = try reader.read()
        let length: UInt16 = try reader.read()
        guard length >= 16, length % 8 == 0 else { throw .badRequest(.badLength, "queue property length \(length)") }
        var body = try reader.slice(Int(length) - 4, scope: .message)
        try body.pad(4)
        switch Kind(rawValue: rawKind) {
        case .minRate:
            self = try .minRate(body.read())
            try body.pad(6)
        case .maxRate:
            self = try .maxRate(body.read())
            try body.pad(6)
        case .experimenter:
            let experimenter: UInt32 = try body.read()
            try body.pad(4)
            self = .experimenter(experimenter, data: body.rest())
        case nil:
            throw .badRequest(.badType, "queue property \(rawKind)")
        }
        try body.expectEnd()
    }

    func write(to writer: inout WireWriter) {
        switch self {
        case .minRate(let rate): write(.minRate, to: &writer) { $0.write(rate) }
        case .maxRate(let rate): write(.maxRate, to: &writer) { $0.write(rate) }
        case .experimenter(let experimenter, let data):
            write(.experimenter, to: &writer) { writer in
                writer.write(experimenter)
                writer.pad(4)
                writer.write(data)
            }
        }
    }

    private func write(_ kind: Kind, to writer: inout WireWriter, body: (inout WireWriter) -> Void) {
        writer.write(kind.rawValue)
        writer.lengthPrefixed(after: 2, alignment: 8) { writer in
            writer.pad(4)
            body(&writer)
        }
    }
}
