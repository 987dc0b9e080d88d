// What each table can do (OpenFlow 1.3.5 §7.3.5.5). All tables are the same but for the tables that a goto may name.

import OpenFlow

extension SwitchModel {
    /// The features of all tables. The table-miss entry may do what others may, so its properties are left out, which
    /// says that.
    var tableFeatures: [TableFeatures] {
        let matchFields = SwitchCapabilities.matchFields.inOrder
        let setFields = SwitchCapabilities.setFields.inOrder.map { OXMID($0, hasMask: false) }
        let actions = SwitchCapabilities.actions.sorted { $0.rawValue < $1.rawValue }.map {
            ActionID(type: $0.rawValue)
        }
        let instructions = SwitchCapabilities.instructions.sorted { $0.rawValue < $1.rawValue }
        return (0..<Self.tableCount).map { table in
            let isLast = table == Self.tableCount - 1
            return TableFeatures(
                tableID: table,
                name: "table\(table)",
                metadataMatch: .max,
                metadataWrite: .max,
                maxEntries: UInt32(clamping: min(flowLimit, tableFlowLimit)),
                properties: [
                    .instructions(
                        instructions.filter { $0 != .gotoTable || !isLast }.map { InstructionID(type: $0.rawValue) }
                    ),
                    .nextTables(Array((table + 1)..<Self.tableCount)),
                    .writeActions(actions),
                    .applyActions(actions),
                    .match(matchFields.map { OXMID($0, hasMask: $0.isMaskable) }),
                    .wildcards(matchFields.map { OXMID($0, hasMask: false) }),
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

extension OXMID {
    /// The OXM header of a field. With a mask the length counts value and mask, as in a match.
    fileprivate init(_ field: OXMField, hasMask: Bool) {
        let length = UInt32(field.byteCount) * (hasMask ? 2 : 1)
        self.init(header: 0x8000_0000 | UInt32(field.rawValue) << 9 | (hasMask ? 0x100 : 0) | length)
    }
}
