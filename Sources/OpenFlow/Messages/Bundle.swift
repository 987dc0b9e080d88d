// Bundles: messages that take effect together or not at all. The ONF's extension 230 for OpenFlow 1.3, whose messages are
// those of OpenFlow 1.4 in the dress of experimenter messages.

/// Numbers given out by the ONF for its extensions of OpenFlow 1.3.
package enum ONF {
    /// ONF_EXPERIMENTER_ID.
    package static let experimenter: UInt32 = 0x4f4e_4600
    /// ONFT_BUNDLE_CONTROL.
    static let bundleControl: UInt32 = 2300
    /// ONFT_BUNDLE_ADD_MESSAGE.
    static let bundleAdd: UInt32 = 2301
}

/// ONFT_BUNDLE_CONTROL (extension 230; OpenFlow 1.4 §7.3.9.6): what is done with a bundle as a whole, and the answer.
package struct BundleControl: Hashable, Sendable {
    /// The controller's own number; each connection has numbers of its own.
    package var bundleID: UInt32
    /// `BundleControlType`, kept as a number: one that does not exist is refused with a code of bundles.
    package var type: UInt16
    /// As the bundle was opened with; 0 in answers.
    package var flags: BundleFlags

    package init(bundleID: UInt32, type: BundleControlType, flags: BundleFlags = []) {
        self.bundleID = bundleID
        self.type = type.rawValue
        self.flags = flags
    }
}

/// `onf_bundle_ctrl_type`.
package enum BundleControlType: UInt16, CaseIterable, Hashable, Sendable {
    case openRequest = 0, openReply, closeRequest, closeReply, commitRequest, commitReply, discardRequest, discardReply
}

/// `onf_bundle_flags`.
package struct BundleFlags: OptionSet, Hashable, Sendable {
    package var rawValue: UInt16

    package init(rawValue: UInt16) { self.rawValue = rawValue }

    /// ONFBF_ATOMIC: a packet goes by the tables from before the bundle or by those after it, never by a mixture.
    package static let atomic = Self(rawValue: 1 << 0)
    /// ONFBF_ORDERED: the messages are carried out in the order in which they were added.
    package static let ordered = Self(rawValue: 1 << 1)

    /// The flags that there are.
    package static let all: Self = [.atomic, .ordered]
}

/// ONFT_BUNDLE_ADD_MESSAGE (extension 230; OpenFlow 1.4 §7.3.9.7): one more message of a bundle.
package struct BundleAdd: Hashable, Sendable {
    package var bundleID: UInt32
    /// As the bundle was opened with.
    package var flags: BundleFlags
    /// What is to be carried out. It has the transaction id of the message that it comes in.
    package var message: Envelope

    package init(bundleID: UInt32, flags: BundleFlags = [], message: Envelope) {
        self.bundleID = bundleID
        self.flags = flags
        self.message = message
    }
}

extension MessageType {
    /// Whether a bundle may have messages of this type. Those that ask for an answer or belong to the connection can't be
    /// undone; what else there is changes no table.
    var isBundleable: Bool {
        switch self {
        case .flowMod, .groupMod, .meterMod, .portMod: true
        default: false
        }
    }
}

extension BundleControl {
    /// Throws OFPBRC_BAD_LEN, and what properties throw.
    init(from reader: inout WireReader) throws(OpenFlowError) {
        bundleID = try reader.read()
        type = try reader.read()
        flags = try BundleFlags(rawValue: reader.read())
        try reader.refuseBundleProperties()
    }

    func write(to writer: inout WireWriter) {
        writer.write(bundleID)
        writer.write(type)
        writer.write(flags.rawValue)
    }
}

extension BundleAdd {
    /// Throws OFPBFC_MSG_BAD_LEN, OFPBFC_MSG_BAD_XID, OFPBFC_MSG_UNSUP, OFPBRC_BAD_VERSION; what the message that is to be
    /// added throws by itself; and what properties throw.
    ///
    /// - Parameter xid: The transaction id of the message that is being read.
    init(xid: UInt32, from reader: inout WireReader) throws(OpenFlowError) {
        bundleID = try reader.read()
        try reader.pad(2)
        flags = try BundleFlags(rawValue: reader.read())
        guard let version = reader.peek(UInt8.self), let rawType = reader.peek(UInt8.self, at: 1),
            let length = reader.peek(UInt16.self, at: 2).map(Int.init), let innerXID = reader.peek(UInt32.self, at: 4),
            (MessageHeader.byteCount...reader.remaining).contains(length)
        else { throw .bundleFailed(.messageBadLength, "\(reader.remaining) bytes have no message, or part of one") }
        guard version == ProtocolVersion.openFlow13 else {
            throw .badRequest(.badVersion, "version \(version) in a bundle")
        }
        guard innerXID == xid else {
            throw .bundleFailed(.messageBadXID, "message \(innerXID) added by message \(xid)")
        }
        guard let type = MessageType(rawValue: rawType), type.isBundleable else {
            throw .bundleFailed(.messageUnsupported, "message type \(rawType) in a bundle")
        }
        var inner = try reader.slice(length, scope: .message)
        message = try Envelope(decoding: inner.rest())
        // Properties start at a multiple of 8 bytes.
        try reader.pad(min(reader.remaining, (8 - length % 8) % 8))
        try reader.refuseBundleProperties()
    }

    func write(to writer: inout WireWriter) {
        writer.write(bundleID)
        writer.pad(2)
        writer.write(flags.rawValue)
        message.write(to: &writer)
    }
}

extension WireReader {
    /// All properties that the extension has are experimenters', of which none is known here.
    fileprivate mutating func refuseBundleProperties() throws(OpenFlowError) {
        guard !isAtEnd else { return }
        let type: UInt16 = try read()
        let length: UInt16 = try read()
        guard length >= 4, Int(length) - 4 <= remaining else {
            throw .badRequest(.badLength, "property length \(length)")
        }
        guard type == 0xffff else { throw .badRequest(.badType, "bundle property \(type)") }
        let experimenter: UInt32 = try read()
        throw .badRequest(.badExperimenter, "bundle property of experimenter \(Text.hex(experimenter))")
    }
}
