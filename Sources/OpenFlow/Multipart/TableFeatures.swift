// Multipart 12, OFPMP_TABLE_FEATURES: what each table can do.
// The properties are in TableFeatureProperty.swift.

/// `ofp_table_features` (OpenFlow 1.3.5 §7.3.5.5.1 / A.3.5.5.1).
package struct TableFeatures: Hashable, Sendable {
    package var tableID: UInt8
    /// At most 31 bytes of UTF-8 go on the wire.
    package var name: String
    /// Bits of metadata that the table can match.
    package var metadataMatch: UInt64
    /// Bits of metadata that the table can write.
    package var metadataWrite: UInt64
    /// OFPTC_DEPRECATED_MASK or 0.
    package var config: UInt32
    package var maxEntries: UInt32
    package var properties: [TableFeatureProperty]

    package init(
        tableID: UInt8,
        name: String,
        metadataMatch: UInt64,
        metadataWrite: UInt64,
        config: UInt32 = 0,
        maxEntries: UInt32,
        properties: [TableFeatureProperty]
    ) {
        self.tableID = tableID
        self.name = name
        self.metadataMatch = metadataMatch
        self.metadataWrite = metadataWrite
        self.config = config
        self.maxEntries = maxEntries
        self.properties = properties
    }
}

extension TableFeatures: MultipartElement {
    /// OFP_MAX_TABLE_NAME_LEN.
    private static let nameLength = 32

    /// Throws errors of type OFPET_TABLE_FEATURES_FAILED: BAD_LEN, BAD_TYPE for an unknown property, BAD_ARGUMENT for
    /// a property that comes twice.
    init(from reader: inout WireReader) throws(OpenFlowError) {
        guard let length = reader.peek(UInt16.self) else {
            throw .tableFeaturesFailed(.badLength, "table features: \(reader.remaining) bytes left")
        }
        guard length >= 64, Int(length) <= reader.remaining else {
            throw .tableFeaturesFailed(.badLength, "table features: length \(length), \(reader.remaining) bytes left")
        }
        var body = try reader.slice(Int(length), scope: .tableFeatures)
        try body.pad(2)
        tableID = try body.read()
        try body.pad(5)
        name = try body.readText(byteCount: Self.nameLength)
        metadataMatch = try body.read()
        metadataWrite = try body.read()
        config = try body.read()
        maxEntries = try body.read()
        properties = []
        var seen: UInt16 = 0
        while !body.isAtEnd {
            let property = try TableFeatureProperty(from: &body)
            if case .experimenter = property {
            } else {
                let bit: UInt16 = 1 << property.type
                guard seen & bit == 0 else {
                    throw .tableFeaturesFailed(.badArgument, "table \(tableID): property \(property.type) twice")
                }
                seen |= bit
            }
            properties.append(property)
        }
    }

    func write(to writer: inout WireWriter) {
        writer.lengthPrefixed(after: 0) { writer in
            writer.write(tableID)
            writer.pad(5)
            writer.write(name, byteCount: Self.nameLength)
            writer.write(metadataMatch)
            writer.write(metadataWrite)
            writer.write(config)
            writer.write(maxEntries)
            for property in properties {
                property.write(to: &writer)
            }
        }
    }
}
