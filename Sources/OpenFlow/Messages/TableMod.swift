// The command that configures a table. In 1.3 its only setting is a deprecated one.

/// OFPT_TABLE_MOD (OpenFlow 1.3.5 §7.3.3 / A.3.3).
package struct TableMod: Hashable, Sendable {
    /// `TableID.all`: every table.
    package var tableID: UInt8
    /// OFPTC_DEPRECATED_MASK (3) may be set and means nothing.
    package var config: UInt32

    package init(tableID: UInt8, config: UInt32 = 0) {
        self.tableID = tableID
        self.config = config
    }
}

extension TableMod {
    /// Throws OFPTMFC_BAD_CONFIG for bits outside of OFPTC_DEPRECATED_MASK.
    init(from reader: inout WireReader) throws(OpenFlowError) {
        tableID = try reader.read()
        try reader.pad(3)
        config = try reader.read()
        guard config & ~3 == 0 else { throw .tableModFailed(.badConfig, "table-mod config \(Text.hex(config))") }
    }

    func write(to writer: inout WireWriter) {
        writer.write(tableID)
        writer.pad(3)
        writer.write(config)
    }
}
