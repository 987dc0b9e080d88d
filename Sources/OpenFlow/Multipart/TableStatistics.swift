// Multipart 3, OFPMP_TABLE: counters of tables.

/// `ofp_table_stats` (OpenFlow 1.3.5 §7.3.5.4 / A.3.5.4).
package struct TableStatistics: Hashable, Sendable {
    package var tableID: UInt8
    /// Entries in the table.
    package var activeCount: UInt32
    /// Packets looked up.
    package var lookupCount: UInt64
    /// Packets that hit an entry.
    package var matchedCount: UInt64

    package init(tableID: UInt8, activeCount: UInt32, lookupCount: UInt64, matchedCount: UInt64) {
        self.tableID = tableID
        self.activeCount = activeCount
        self.lookupCount = lookupCount
        self.matchedCount = matchedCount
    }
}

extension TableStatistics: MultipartElement {
    init(from reader: inout WireReader) throws(OpenFlowError) {
        tableID = try reader.read()
        try reader.pad(3)
        activeCount = try reader.read()
        lookupCount = try reader.read()
        matchedCount = try reader.read()
    }

    func write(to writer: inout WireWriter) {
        writer.write(tableID)
        writer.pad(3)
        writer.write(activeCount)
        writer.write(lookupCount)
        writer.write(matchedCount)
    }
}
