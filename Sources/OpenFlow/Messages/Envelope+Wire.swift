// A whole message as bytes: `ofp_header` (OpenFlow 1.3.5 §7.1 / A.1) and, by its type, the body from that type's own
// file.

import NIOCore

/// `ofp_header`, as the first 8 bytes of a message say it, checked or not.
package struct MessageHeader: Hashable, Sendable {
    package var version: UInt8
    /// `MessageType`, or something that 1.3 does not have.
    package var type: UInt8
    /// Bytes of the message with this header.
    package var length: UInt16
    package var xid: UInt32

    /// How many bytes a header has.
    package static let byteCount = 8

    /// The header at the start of `buffer`'s readable bytes; nil if they are fewer than 8.
    package init?(startOf buffer: ByteBuffer) {
        let index = buffer.readerIndex
        guard let version = buffer.getInteger(at: index, as: UInt8.self),
            let type = buffer.getInteger(at: index + 1, as: UInt8.self),
            let length = buffer.getInteger(at: index + 2, as: UInt16.self),
            let xid = buffer.getInteger(at: index + 4, as: UInt32.self)
        else { return nil }
        self.version = version
        self.type = type
        self.length = length
        self.xid = xid
    }
}

extension Envelope {
    /// Decodes one message.
    ///
    /// Throws the error to answer with: OFPBRC_BAD_LEN if `bytes` and the header's length differ or the body is too
    /// short or too long, OFPBRC_BAD_VERSION for another version than 1.3 in anything but a hello, OFPBRC_BAD_TYPE
    /// for an unknown type, or what the body's parts throw.
    ///
    /// - Parameter bytes: The message, neither more nor less.
    package init(decoding bytes: ByteBuffer) throws(OpenFlowError) {
        guard let header = MessageHeader(startOf: bytes) else {
            throw .badRequest(.badLength, "\(bytes.readableBytes) bytes, a header has 8")
        }
        guard Int(header.length) == bytes.readableBytes else {
            throw .badRequest(.badLength, "\(bytes.readableBytes) bytes, the header says \(header.length)")
        }
        let type = MessageType(rawValue: header.type)
        guard header.version == ProtocolVersion.openFlow13 || (type == .hello && header.version > 0) else {
            throw .badRequest(.badVersion, "version \(header.version)")
        }
        guard let type else { throw .badRequest(.badType, "message type \(header.type)") }
        var reader = WireReader(bytes)
        try reader.pad(MessageHeader.byteCount)
        xid = header.xid
        message = try Message(type, header, from: &reader)
        try reader.expectEnd()
    }

    /// Appends the message to `buffer`.
    ///
    /// Throws OFPBRC_BAD_LEN, and leaves `buffer` as it was, if the message is longer than 65535 bytes.
    package func encode(into buffer: inout ByteBuffer) throws(OpenFlowError) {
        let start = buffer.writerIndex
        var writer = WireWriter(buffer)
        // The writer has the only reference while it writes, so that nothing is copied.
        buffer = ByteBuffer()
        write(to: &writer)
        buffer = writer.buffer
        if writer.isTooLong {
            buffer.moveWriterIndex(to: start)
            throw .badRequest(.badLength, "\(message.type) longer than 65535 bytes")
        }
    }

    /// The whole message, as it stands by itself or in another one.
    func write(to writer: inout WireWriter) {
        writer.write(message.version)
        writer.write(message.type.rawValue)
        // Version and type count into the length as well.
        writer.lengthPrefixed(after: 2) { writer in
            writer.write(xid)
            message.writeBody(to: &writer)
        }
    }
}

extension Message {
    fileprivate init(
        _ type: MessageType,
        _ header: MessageHeader,
        from reader: inout WireReader
    ) throws(OpenFlowError) {
        switch type {
        case .hello: self = try .hello(Hello(version: header.version, from: &reader))
        case .error: self = try .error(ErrorMessage(from: &reader))
        case .echoRequest: self = .echoRequest(reader.rest())
        case .echoReply: self = .echoReply(reader.rest())
        case .experimenter: self = try Message(experimenterWithXID: header.xid, from: &reader)
        case .featuresRequest: self = .featuresRequest
        case .featuresReply: self = try .featuresReply(Features(from: &reader))
        case .getConfigRequest: self = .getConfigRequest
        case .getConfigReply: self = try .getConfigReply(SwitchConfig(from: &reader))
        case .setConfig: self = try .setConfig(SwitchConfig(from: &reader))
        case .packetIn: self = try .packetIn(PacketIn(from: &reader))
        case .flowRemoved: self = try .flowRemoved(FlowRemoved(from: &reader))
        case .portStatus: self = try .portStatus(PortStatus(from: &reader))
        case .packetOut: self = try .packetOut(PacketOut(from: &reader))
        case .flowMod: self = try .flowMod(FlowMod(from: &reader))
        case .groupMod: self = try .groupMod(GroupMod(from: &reader))
        case .portMod: self = try .portMod(PortMod(from: &reader))
        case .tableMod: self = try .tableMod(TableMod(from: &reader))
        case .multipartRequest:
            let (request, more) = try MultipartRequest.read(from: &reader)
            self = .multipartRequest(request, more: more)
        case .multipartReply:
            let (reply, more) = try MultipartReply.read(from: &reader)
            self = .multipartReply(reply, more: more)
        case .barrierRequest: self = .barrierRequest
        case .barrierReply: self = .barrierReply
        case .queueGetConfigRequest:
            self = try .queueGetConfigRequest(reader.readPort())
            try reader.pad(4)
        case .queueGetConfigReply: self = try .queueGetConfigReply(QueueConfig(from: &reader))
        case .roleRequest: self = try .roleRequest(RoleRequest(from: &reader))
        case .roleReply: self = try .roleReply(RoleRequest(from: &reader))
        case .getAsyncRequest: self = .getAsyncRequest
        case .getAsyncReply: self = try .getAsyncReply(AsyncConfig(from: &reader))
        case .setAsync: self = try .setAsync(AsyncConfig(from: &reader))
        case .meterMod: self = try .meterMod(MeterMod(from: &reader))
        }
    }

    /// The messages of the extensions that are spoken here; all others as they came.
    private init(experimenterWithXID xid: UInt32, from reader: inout WireReader) throws(OpenFlowError) {
        let experimenter: UInt32 = try reader.read()
        let type: UInt32 = try reader.read()
        switch (experimenter, type) {
        case (ONF.experimenter, ONF.bundleControl): self = try .bundleControl(BundleControl(from: &reader))
        case (ONF.experimenter, ONF.bundleAdd): self = try .bundleAdd(BundleAdd(xid: xid, from: &reader))
        case (ONF.experimenter, ONF.flowMonitor): self = try .flowMonitorCancel(reader.read())
        case (ONF.experimenter, ONF.flowMonitorPaused): self = .flowMonitorPaused
        case (ONF.experimenter, ONF.flowMonitorResumed): self = .flowMonitorResumed
        default:
            self = .experimenter(Experimenter(experimenter: experimenter, type: type, body: reader.rest()))
        }
    }

    fileprivate func writeBody(to writer: inout WireWriter) {
        switch self {
        case .hello(let hello): hello.write(to: &writer)
        case .error(let error): error.write(to: &writer)
        case .echoRequest(let data), .echoReply(let data): writer.write(data)
        case .experimenter(let experimenter): experimenter.write(to: &writer)
        case .bundleControl(let control):
            writer.write(ofONF: ONF.bundleControl)
            control.write(to: &writer)
        case .bundleAdd(let add):
            writer.write(ofONF: ONF.bundleAdd)
            add.write(to: &writer)
        case .flowMonitorCancel(let id):
            writer.write(ofONF: ONF.flowMonitor)
            writer.write(id)
        case .flowMonitorPaused: writer.write(ofONF: ONF.flowMonitorPaused)
        case .flowMonitorResumed: writer.write(ofONF: ONF.flowMonitorResumed)
        case .featuresReply(let features): features.write(to: &writer)
        case .getConfigReply(let config), .setConfig(let config): config.write(to: &writer)
        case .packetIn(let packetIn): packetIn.write(to: &writer)
        case .flowRemoved(let flowRemoved): flowRemoved.write(to: &writer)
        case .portStatus(let portStatus): portStatus.write(to: &writer)
        case .packetOut(let packetOut): packetOut.write(to: &writer)
        case .flowMod(let flowMod): flowMod.write(to: &writer)
        case .groupMod(let groupMod): groupMod.write(to: &writer)
        case .portMod(let portMod): portMod.write(to: &writer)
        case .tableMod(let tableMod): tableMod.write(to: &writer)
        case .multipartRequest(let request, let more): request.write(more: more, to: &writer)
        case .multipartReply(let reply, let more): reply.write(more: more, to: &writer)
        case .queueGetConfigRequest(let port):
            writer.write(port)
            writer.pad(4)
        case .queueGetConfigReply(let config): config.write(to: &writer)
        case .roleRequest(let role), .roleReply(let role): role.write(to: &writer)
        case .getAsyncReply(let config), .setAsync(let config): config.write(to: &writer)
        case .meterMod(let meterMod): meterMod.write(to: &writer)
        case .featuresRequest, .getConfigRequest, .barrierRequest, .barrierReply, .getAsyncRequest: break
        }
    }

    /// The version for the header: a hello says its own.
    fileprivate var version: UInt8 {
        if case .hello(let hello) = self { return hello.version }
        return ProtocolVersion.openFlow13
    }
}

extension WireWriter {
    /// The head of an experimenter message of the ONF's.
    fileprivate mutating func write(ofONF type: UInt32) {
        write(ONF.experimenter)
        write(type)
    }
}
