// Actions as bytes (OpenFlow 1.3.5 §7.2.5 / A.2.5).

extension Action {
    /// One action and its padding.
    ///
    /// Throws errors of type OFPET_BAD_ACTION: BAD_LEN, BAD_TYPE for an unknown action, BAD_EXPERIMENTER for any
    /// experimenter's, BAD_SET_TYPE, BAD_SET_LEN and BAD_SET_ARGUMENT for what a set-field action sets.
    init(from reader: inout WireReader) throws(OpenFlowError) {
        guard let rawType = reader.peek(UInt16.self), let length = reader.peek(UInt16.self, at: 2) else {
            throw .badAction(.badLength, "action: \(reader.remaining) bytes left, 4 wanted")
        }
        guard length >= 8, length % 8 == 0 else { throw .badAction(.badLength, "action length \(length)") }
        guard let type = ActionType(rawValue: rawType) else {
            throw .badAction(.badType, "action type \(rawType)")
        }
        var body = try reader.slice(Int(length), scope: .action)
        try body.pad(4)
        switch type {
        case .output:
            self = try .output(body.readPort(), maxLength: body.read())
            try body.pad(6)
        case .copyTTLOut:
            self = .copyTTLOut
            try body.pad(4)
        case .copyTTLIn:
            self = .copyTTLIn
            try body.pad(4)
        case .setMPLSTTL:
            self = try .setMPLSTTL(body.read())
            try body.pad(3)
        case .decMPLSTTL:
            self = .decMPLSTTL
            try body.pad(4)
        case .pushVLAN:
            self = try .pushVLAN(body.read())
            try body.pad(2)
        case .popVLAN:
            self = .popVLAN
            try body.pad(4)
        case .pushMPLS:
            self = try .pushMPLS(body.read())
            try body.pad(2)
        case .popMPLS:
            self = try .popMPLS(body.read())
            try body.pad(2)
        case .setQueue:
            self = try .setQueue(body.read())
        case .group:
            self = try .group(body.readGroup())
        case .setNWTTL:
            self = try .setNWTTL(body.read())
            try body.pad(3)
        case .decNWTTL:
            self = .decNWTTL
            try body.pad(4)
        case .setField:
            var content = try body.slice(body.remaining, scope: .setField)
            self = try Self.setField(from: &content)
        case .pushPBB:
            self = try .pushPBB(body.read())
            try body.pad(2)
        case .popPBB:
            self = .popPBB
            try body.pad(4)
        case .experimenter:
            let experimenter: UInt32 = try body.read()
            throw .badAction(.badExperimenter, "action of experimenter \(Text.hex(experimenter))")
        }
        try body.expectEnd()
    }

    /// The TLV of a set-field action and the padding after it.
    private static func setField(from reader: inout WireReader) throws(OpenFlowError) -> Action {
        let header = try OXMHeader(from: &reader)
        guard let field = header.field, field.isSettable, !header.hasMask else {
            throw .badAction(.badSetType, "set-field of OXM header \(Text.hex(header.rawValue))")
        }
        let byteCount = field.byteCount
        guard header.length == byteCount else {
            throw .badAction(.badSetLength, "set-field \(field.name): \(header.length) bytes, \(byteCount) wanted")
        }
        let value = try reader.read(byteCount: byteCount)
        guard value & ~field.allOnes == 0 else {
            throw .badAction(.badSetArgument, "set-field \(field.name): \(Text.hex(value)) in \(field.bits) bits")
        }
        guard field != .vlanVID || value & MatchField.vlanPresent != 0 else {
            throw .badAction(.badSetArgument, "set-field vlan_vid: \(value) without OFPVID_PRESENT")
        }
        guard reader.remaining < 8 else {
            throw .badAction(.badSetLength, "set-field \(field.name): \(reader.remaining) bytes of padding")
        }
        try reader.pad(reader.remaining)
        return .setField(field, value)
    }

    func write(to writer: inout WireWriter) {
        writer.write(type.rawValue)
        writer.lengthPrefixed(after: 2, alignment: 8) { writer in
            switch self {
            case .output(let port, let maxLength):
                writer.write(port)
                writer.write(maxLength)
            case .copyTTLOut, .copyTTLIn, .decMPLSTTL, .popVLAN, .decNWTTL, .popPBB:
                writer.pad(4)
            case .setMPLSTTL(let ttl), .setNWTTL(let ttl):
                writer.write(ttl)
            case .pushVLAN(let etherType), .pushMPLS(let etherType), .popMPLS(let etherType), .pushPBB(let etherType):
                writer.write(etherType)
            case .setQueue(let queue):
                writer.write(queue)
            case .group(let group):
                writer.write(group)
            case .setField(let field, let value):
                MatchField(field, value).write(to: &writer)
            }
        }
    }

    /// The action's type on the wire.
    package var type: ActionType {
        switch self {
        case .output: .output
        case .copyTTLOut: .copyTTLOut
        case .copyTTLIn: .copyTTLIn
        case .setMPLSTTL: .setMPLSTTL
        case .decMPLSTTL: .decMPLSTTL
        case .pushVLAN: .pushVLAN
        case .popVLAN: .popVLAN
        case .pushMPLS: .pushMPLS
        case .popMPLS: .popMPLS
        case .setQueue: .setQueue
        case .group: .group
        case .setNWTTL: .setNWTTL
        case .decNWTTL: .decNWTTL
        case .setField: .setField
        case .pushPBB: .pushPBB
        case .popPBB: .popPBB
        }
    }
}

extension WireReader {
    /// Actions up to the end.
    mutating func readActions() throws(OpenFlowError) -> [Action] {
        guard !isAtEnd else { return [] }
        var actions: [Action] = []
        // Most actions have 8 or 16 bytes: room for all of them at once, for a few bytes too much now and then.
        actions.reserveCapacity((remaining + 15) / 16)
        while !isAtEnd {
            try actions.append(Action(from: &self))
        }
        return actions
    }
}

extension WireWriter {
    mutating func write(_ actions: [Action]) {
        for action in actions {
            action.write(to: &self)
        }
    }
}
