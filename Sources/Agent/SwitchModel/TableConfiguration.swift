// What a controller has set a table's features to (OpenFlow 1.3.5 §7.3.5.5): the table takes only what was asked for, and
// refuses the rest with the error that the specification has for each.

import OpenFlow

/// The features of one table as a controller set them.
struct TableConfiguration: Equatable {
    let features: TableFeatures
    private let matchFields: Set<OXMField>
    private let maskableFields: Set<OXMField>
    private let wildcards: Set<OXMField>
    private let ordinary: Lists
    private let miss: Lists

    /// What entries may use; the table-miss entry may have lists of its own.
    private struct Lists: Equatable {
        var instructions: Set<InstructionType> = []
        var nextTables: Set<UInt8> = []
        var writeActions: Set<ActionType> = []
        var applyActions: Set<ActionType> = []
        var writeSetFields: Set<OXMField> = []
        var applySetFields: Set<OXMField> = []

        mutating func set(_ property: TableFeatureProperty) {
            switch property {
            case .instructions(let list, _): instructions = Set(list.compactMap(\.instruction))
            case .nextTables(let list, _): nextTables = Set(list)
            case .writeActions(let list, _): writeActions = Set(list.compactMap(\.action))
            case .applyActions(let list, _): applyActions = Set(list.compactMap(\.action))
            case .writeSetField(let list, _): writeSetFields = Set(list.compactMap(\.field))
            case .applySetField(let list, _): applySetFields = Set(list.compactMap(\.field))
            case .match, .wildcards, .experimenter: break
            }
        }
    }

    /// A list that is not there is empty; one for the table-miss entry that is not there equals the ordinary one (§7.3.5.5.2).
    init(_ features: TableFeatures) {
        self.features = features
        var (matchFields, maskableFields, wildcards): (Set<OXMField>, Set<OXMField>, Set<OXMField>) = ([], [], [])
        var ordinary = Lists()
        for property in features.properties where !property.isOfMiss {
            switch property {
            case .match(let list):
                matchFields = Set(list.compactMap(\.field))
                maskableFields = Set(list.filter(\.hasMask).compactMap(\.field))
            case .wildcards(let list): wildcards = Set(list.compactMap(\.field))
            default: ordinary.set(property)
            }
        }
        var miss = ordinary
        for property in features.properties where property.isOfMiss { miss.set(property) }
        (self.matchFields, self.maskableFields, self.wildcards) = (matchFields, maskableFields, wildcards)
        (self.ordinary, self.miss) = (ordinary, miss)
    }

    /// Whether the table takes an entry.
    ///
    /// Throws errors of type BAD_MATCH, BAD_INSTRUCTION and BAD_ACTION.
    func validate(_ match: Match, priority: UInt16, _ instructions: [Instruction]) throws(OpenFlowError) {
        let isMiss = priority == 0 && match.fields.isEmpty
        if !isMiss { try validate(match) }
        try validate(instructions, isMiss ? miss : ordinary)
    }

    private func validate(_ match: Match) throws(OpenFlowError) {
        for entry in match.fields {
            guard matchFields.contains(entry.field) else {
                throw .badMatch(.badField, "table \(features.tableID) was set not to match \(entry.field.name)")
            }
            guard entry.mask == nil || maskableFields.contains(entry.field) else {
                throw .badMatch(.badMask, "table \(features.tableID) was set to match \(entry.field.name) without mask")
            }
            guard entry.field != .metadata || entry.significantMask & ~UInt128(features.metadataMatch) == 0 else {
                throw .badMatch(.badMask, "table \(features.tableID) was set to match fewer bits of the metadata")
            }
        }
        for field in matchFields.subtracting(wildcards) where match[field] == nil {
            throw .badMatch(.badWildcards, "table \(features.tableID) was set to match \(field.name) in each entry")
        }
    }

    private func validate(_ instructions: [Instruction], _ lists: Lists) throws(OpenFlowError) {
        for instruction in instructions {
            guard lists.instructions.contains(instruction.type) else {
                throw .badInstruction(
                    .unsupportedInstruction,
                    "table \(features.tableID) was set not to have \(instruction)"
                )
            }
            switch instruction {
            case .gotoTable(let next):
                guard lists.nextTables.contains(next) else {
                    throw .badInstruction(.badTableID, "table \(features.tableID) was set not to go to table \(next)")
                }
            case .writeMetadata(_, let mask):
                guard mask & ~features.metadataWrite == 0 else {
                    throw .badInstruction(
                        .unsupportedMetadataMask,
                        "table \(features.tableID) was set to write fewer bits of the metadata"
                    )
                }
            case .writeActions(let actions): try validate(actions, lists.writeActions, lists.writeSetFields)
            case .applyActions(let actions): try validate(actions, lists.applyActions, lists.applySetFields)
            case .clearActions, .meter: break
            }
        }
    }

    private func validate(
        _ actions: [Action],
        _ types: Set<ActionType>,
        _ fields: Set<OXMField>
    ) throws(OpenFlowError) {
        for action in actions {
            guard types.contains(action.type) else {
                throw .badAction(.badType, "table \(features.tableID) was set not to have \(action)")
            }
            if case .setField(let field, _) = action, !fields.contains(field) {
                throw .badAction(.badSetType, "table \(features.tableID) was set not to set \(field.name)")
            }
        }
    }
}

extension TableFeatureProperty {
    /// Whether it is a list for the table-miss entry.
    fileprivate var isOfMiss: Bool { type & 1 == 1 }
}
