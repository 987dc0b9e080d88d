// The properties of a table: lists of what may be used in it. TableFeatures.swift has the rest of the message.

/// `ofp_table_feature_prop_header` with its list (OpenFlow 1.3.5 §7.3.5.5.2 / A.3.5.5.2). `miss`: of the table-miss
/// entry; where a miss property is absent, it equals the other one.
package enum TableFeatureProperty: Hashable, Sendable {
    /// OFPTFPT_INSTRUCTIONS.
    case instructions([InstructionID], miss: Bool = false)
    /// OFPTFPT_NEXT_TABLES: the tables that a goto-table may name.
    case nextTables([UInt8], miss: Bool = false)
    /// OFPTFPT_WRITE_ACTIONS.
    case writeActions([ActionID], miss: Bool = false)
    /// OFPTFPT_APPLY_ACTIONS.
    case applyActions([ActionID], miss: Bool = false)
    /// OFPTFPT_MATCH: the fields that an entry may match.
    case match([OXMID])
    /// OFPTFPT_WILDCARDS: those that it need not match.
    case wildcards([OXMID])
    /// OFPTFPT_WRITE_SETFIELD: the fields that a set-field in the action set may set.
    case writeSetField([OXMID], miss: Bool = false)
    /// OFPTFPT_APPLY_SETFIELD: the fields that a set-field in an action list may set.
    case applySetField([OXMID], miss: Bool = false)
    /// OFPTFPT_EXPERIMENTER.
    case experimenter(Experimenter, miss: Bool = false)
}

/// An `ofp_instruction` without its body: a type, known or not.
package struct InstructionID: Hashable, Sendable {
    /// `InstructionType`, or what the sender has beyond it.
    package var type: UInt16
    /// Whose instruction, if the type is OFPIT_EXPERIMENTER.
    package var experimenter: UInt32?

    package init(type: UInt16, experimenter: UInt32? = nil) {
        self.type = type
        self.experimenter = experimenter
    }
}

/// An `ofp_action_header` without its body: a type, known or not.
package struct ActionID: Hashable, Sendable {
    /// `ActionType`, or what the sender has beyond it.
    package var type: UInt16
    /// Whose action, if the type is OFPAT_EXPERIMENTER.
    package var experimenter: UInt32?

    package init(type: UInt16, experimenter: UInt32? = nil) {
        self.type = type
        self.experimenter = experimenter
    }
}

/// An OXM header: a field, known or not.
package struct OXMID: Hashable, Sendable {
    /// Class, field, has-mask bit and length as on the wire.
    package var header: UInt32
    /// Whose field, if the class is OFPXMC_EXPERIMENTER.
    package var experimenter: UInt32?

    package init(header: UInt32, experimenter: UInt32? = nil) {
        self.header = header
        self.experimenter = experimenter
    }
}

extension TableFeatureProperty {
    /// `ofp_table_feature_prop_type`: the number of the property for ordinary entries; that for the table-miss entry
    /// is one higher.
    private enum Kind: UInt16 {
        case instructions = 0
        case nextTables = 2
        case writeActions = 4
        case applyActions = 6
        case match = 8
        case wildcards = 10
        case writeSetField = 12
        case applySetField = 14
        case experimenter = 0xfffe
    }

    /// One property and its padding.
    init(from reader: inout WireReader) throws(OpenFlowError) {
        let type: UInt16 = try reader.read()
        let length: UInt16 = try reader.read()
        guard length >= 4 else { throw .tableFeaturesFailed(.badLength, "table feature property length \(length)") }
        var body = try reader.slice(Int(length) - 4, scope: .tableFeatures)
        try reader.pad((8 - Int(length) % 8) % 8)
        let miss = type & 1 == 1
        guard let kind = Kind(rawValue: type & ~1), !miss || (kind != .match && kind != .wildcards) else {
            throw .tableFeaturesFailed(.badType, "table feature property type \(type)")
        }
        switch kind {
        case .instructions:
            self = try .instructions(body.list(InstructionID.read), miss: miss)
        case .nextTables:
            self = try .nextTables(body.list { list throws(OpenFlowError) in try list.read(UInt8.self) }, miss: miss)
        case .writeActions:
            self = try .writeActions(body.list(ActionID.read), miss: miss)
        case .applyActions:
            self = try .applyActions(body.list(ActionID.read), miss: miss)
        case .match:
            self = try .match(body.list(OXMID.read))
        case .wildcards:
            self = try .wildcards(body.list(OXMID.read))
        case .writeSetField:
            self = try .writeSetField(body.list(OXMID.read), miss: miss)
        case .applySetField:
            self = try .applySetField(body.list(OXMID.read), miss: miss)
        case .experimenter:
            self = try .experimenter(Experimenter(from: &body), miss: miss)
        }
    }

    func write(to writer: inout WireWriter) {
        writer.write(type)
        writer.lengthPrefixed(after: 2, alignment: 8, countingPadding: false) { writer in
            switch self {
            case .instructions(let list, _):
                for id in list { writer.write(type: id.type, experimenter: id.experimenter) }
            case .nextTables(let tables, _):
                for table in tables { writer.write(table) }
            case .writeActions(let list, _), .applyActions(let list, _):
                for id in list { writer.write(type: id.type, experimenter: id.experimenter) }
            case .match(let list), .wildcards(let list), .writeSetField(let list, _), .applySetField(let list, _):
                for id in list { id.write(to: &writer) }
            case .experimenter(let experimenter, _):
                experimenter.write(to: &writer)
            }
        }
    }

    /// The property's type on the wire.
    package var type: UInt16 {
        switch self {
        case .instructions(_, let miss): Kind.instructions.rawValue + (miss ? 1 : 0)
        case .nextTables(_, let miss): Kind.nextTables.rawValue + (miss ? 1 : 0)
        case .writeActions(_, let miss): Kind.writeActions.rawValue + (miss ? 1 : 0)
        case .applyActions(_, let miss): Kind.applyActions.rawValue + (miss ? 1 : 0)
        case .match: Kind.match.rawValue
        case .wildcards: Kind.wildcards.rawValue
        case .writeSetField(_, let miss): Kind.writeSetField.rawValue + (miss ? 1 : 0)
        case .applySetField(_, let miss): Kind.applySetField.rawValue + (miss ? 1 : 0)
        case .experimenter(_, let miss): Kind.experimenter.rawValue + (miss ? 1 : 0)
        }
    }
}

extension InstructionID {
    package init(_ type: InstructionType) { self.init(type: type.rawValue) }

    /// The instruction, if it is one of the specification's own.
    package var instruction: InstructionType? { InstructionType(rawValue: type) }

    static func read(from reader: inout WireReader) throws(OpenFlowError) -> InstructionID {
        let (type, experimenter) = try reader.readTypeID()
        return InstructionID(type: type, experimenter: experimenter)
    }
}

extension ActionID {
    package init(_ type: ActionType) { self.init(type: type.rawValue) }

    /// The action, if it is one of the specification's own.
    package var action: ActionType? { ActionType(rawValue: type) }

    static func read(from reader: inout WireReader) throws(OpenFlowError) -> ActionID {
        let (type, experimenter) = try reader.readTypeID()
        return ActionID(type: type, experimenter: experimenter)
    }
}

extension OXMID {
    /// The header of a field without mask, or of one with a mask.
    package init(_ field: OXMField, hasMask: Bool = false) {
        self.init(header: OXMHeader(field, hasMask: hasMask).rawValue)
    }

    /// The field, if it is in the registry.
    package var field: OXMField? { OXMHeader(rawValue: header).field }

    /// Whether the field may have a mask.
    package var hasMask: Bool { OXMHeader(rawValue: header).hasMask }

    static func read(from reader: inout WireReader) throws(OpenFlowError) -> OXMID {
        let header = try OXMHeader(from: &reader)
        return try OXMID(header: header.rawValue, experimenter: header.isExperimenter ? reader.read() : nil)
    }

    func write(to writer: inout WireWriter) {
        writer.write(header)
        if let experimenter { writer.write(experimenter) }
    }
}

extension WireReader {
    /// The header of an instruction or action without a body: 4 bytes, 8 for an experimenter's.
    fileprivate mutating func readTypeID() throws(OpenFlowError) -> (type: UInt16, experimenter: UInt32?) {
        let type: UInt16 = try read()
        let length: UInt16 = try read()
        guard length == (type == 0xffff ? 8 : 4) else {
            throw .tableFeaturesFailed(.badLength, "type \(type) of length \(length) in a table feature property")
        }
        return try (type, type == 0xffff ? read() : nil)
    }
}

extension WireWriter {
    fileprivate mutating func write(type: UInt16, experimenter: UInt32?) {
        write(type)
        lengthPrefixed(after: 2) { writer in
            if let experimenter { writer.write(experimenter) }
        }
    }
}
