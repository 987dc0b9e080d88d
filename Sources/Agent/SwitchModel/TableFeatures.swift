// What each table can do, and setting it (OpenFlow 1.3.5 §7.3.5.5). Unset, all tables are the same but for the tables that a
// goto may name.

import OpenFlow

extension SwitchModel {
    /// The features of all tables that there are.
    var tableFeatures: [TableFeatures] {
        guard let tableConfigurations else { return Self.possibleFeatures(maxEntries: maxTableEntries) }
        return tableConfigurations.values.map(\.features).sorted { $0.tableID < $1.tableID }
    }

    /// The tables that there are.
    var tableIDs: some Sequence<UInt8> { (0..<Self.tableCount).lazy.filter(hasTable) }

    func hasTable(_ id: UInt8) -> Bool {
        tableConfigurations.map { $0[id] != nil } ?? (id < Self.tableCount)
    }

    /// OFPMP_TABLE_FEATURES with a body: from now on the pipeline consists of these tables, each of which takes what is asked
    /// for and no more. Tables that are removed or changed lose their entries, of which nobody is told.
    ///
    /// Throws errors of type TABLE_FEATURES_FAILED; nothing has changed then.
    func setTableFeatures(_ requested: [TableFeatures]) throws(OpenFlowError) {
        let ids = Set(requested.map(\.tableID))
        guard ids.count == requested.count else { throw .tableFeaturesFailed(.badTable, "a table that comes twice") }
        guard ids.contains(0) else { throw .tableFeaturesFailed(.badTable, "no table 0, which all packets begin with") }
        for table in requested { try validate(table, among: ids) }
        let before = tableConfigurations ?? Self.configurations(tableFeatures)
        let after = Self.configurations(requested)
        tableConfigurations = after
        var doomed: [FlowEntry] = []
        for table in 0..<Self.tableCount where after[table] != before[table] { doomed += tables[Int(table)].entries }
        for entry in doomed { entry.contents.flags.remove(.sendFlowRemoved) }
        try remove(doomed.map { ($0, .delete) })
    }

    private static func configurations(_ features: [TableFeatures]) -> [UInt8: TableConfiguration] {
        Dictionary(uniqueKeysWithValues: features.map { ($0.tableID, TableConfiguration($0)) })
    }

    private var maxTableEntries: UInt32 { UInt32(clamping: min(flowLimit, tableFlowLimit)) }

    /// Whether a table can be what is asked for.
    private func validate(_ table: TableFeatures, among ids: Set<UInt8>) throws(OpenFlowError) {
        guard table.tableID < Self.tableCount else { throw .tableFeaturesFailed(.badTable, "table \(table.tableID)") }
        func refuse(_ what: String) -> OpenFlowError {
            .tableFeaturesFailed(.badArgument, "table \(table.tableID): \(what)")
        }
        guard table.config & ~3 == 0 else { throw refuse("config \(table.config)") }
        guard table.maxEntries <= maxTableEntries else {
            throw refuse("\(table.maxEntries) entries, where \(maxTableEntries) are possible")
        }
        for property in table.properties {
            switch property {
            case .instructions(let list, _):
                for id in list where !(id.instruction.map(SwitchCapabilities.instructions.contains) ?? false) {
                    throw refuse("instruction \(id.type) is not supported")
                }
            case .nextTables(let list, _):
                for next in list where next <= table.tableID || !ids.contains(next) {
                    throw refuse("table \(next) can't be next")
                }
            case .writeActions(let list, _), .applyActions(let list, _):
                for id in list where !(id.action.map(SwitchCapabilities.actions.contains) ?? false) {
                    throw refuse("action \(id.type) is not supported")
                }
            case .match(let list), .wildcards(let list):
                for id in list where !(id.field.map { !id.hasMask || $0.isMaskable } ?? false) {
                    throw refuse("field 0x\(String(id.header, radix: 16)) can't be matched")
                }
            case .writeSetField(let list, _), .applySetField(let list, _):
                for id in list where !(id.field.map(SwitchCapabilities.setFields.contains) ?? false) {
                    throw refuse("field 0x\(String(id.header, radix: 16)) can't be set")
                }
            case .experimenter(let experimenter, _):
                throw .tableFeaturesFailed(
                    .badType,
                    "table \(table.tableID): a property of experimenter \(experimenter)"
                )
            }
        }
    }

    /// What all tables can do. The table-miss entry may do what others may, so its properties are left out, which says that.
    private static func possibleFeatures(maxEntries: UInt32) -> [TableFeatures] {
        let matchFields = SwitchCapabilities.matchFields.inOrder
        let setFields = SwitchCapabilities.setFields.inOrder.map { OXMID($0) }
        let actions = SwitchCapabilities.actions.sorted { $0.rawValue < $1.rawValue }.map { ActionID($0) }
        let instructions = SwitchCapabilities.instructions.sorted { $0.rawValue < $1.rawValue }
        return (0..<tableCount).map { table in
            let isLast = table == tableCount - 1
            return TableFeatures(
                tableID: table,
                name: "table\(table)",
                metadataMatch: .max,
                metadataWrite: .max,
                maxEntries: maxEntries,
                properties: [
                    .instructions(instructions.filter { $0 != .gotoTable || !isLast }.map { InstructionID($0) }),
                    .nextTables(Array((table + 1)..<tableCount)),
                    .writeActions(actions),
                    .applyActions(actions),
                    .match(matchFields.map { OXMID($0, hasMask: $0.isMaskable) }),
                    .wildcards(matchFields.map { OXMID($0) }),
                    .writeSetField(setFields),
                    .applySetField(setFields),
                ]
            )
        }
    }
}

extension Set<OXMField> {
    fileprivate var inOrder: [OXMField] { sorted { $0.rawValue < $1.rawValue } }
}
