// What the switch is: its id, its tables, its abilities.

/// OFPT_FEATURES_REPLY (OpenFlow 1.3.5 §7.3.1 / A.3.1).
package struct Features: Hashable, Sendable {
    /// The low 48 bits are usually a MAC address of the switch.
    package var datapathID: UInt64
    /// How many packets the switch can keep for the controller.
    package var bufferCount: UInt32
    package var tableCount: UInt8
    /// 0: the main connection.
    package var auxiliaryID: UInt8
    package var capabilities: Capabilities

    package init(
        datapathID: UInt64,
        bufferCount: UInt32 = 0,
        tableCount: UInt8,
        auxiliaryID: UInt8 = 0,
        capabilities: Capabilities
    ) {
        self.datapathID = datapathID
        self.bufferCount = bufferCount
        self.tableCount = tableCount
        self.auxiliaryID = auxiliaryID
        self.capabilities = capabilities
    }
}

/// `ofp_capabilities`.
package struct Capabilities: OptionSet, Hashable, Sendable {
    package var rawValue: UInt32

    package init(rawValue: UInt32) { self.rawValue = rawValue }

    /// OFPC_FLOW_STATS.
    package static let flowStatistics = Self(rawValue: 1 << 0)
    /// OFPC_TABLE_STATS.
    package static let tableStatistics = Self(rawValue: 1 << 1)
    /// OFPC_PORT_STATS.
    package static let portStatistics = Self(rawValue: 1 << 2)
    /// OFPC_GROUP_STATS.
    package static let groupStatistics = Self(rawValue: 1 << 3)
    /// OFPC_IP_REASM.
    package static let ipReassembly = Self(rawValue: 1 << 5)
    /// OFPC_QUEUE_STATS.
    package static let queueStatistics = Self(rawValue: 1 << 6)
    /// OFPC_PORT_BLOCKED: the switch blocks looping ports.
    package static let portBlocked = Self(rawValue: 1 << 8)
}

extension Features {
    init(from reader: inout WireReader) throws(OpenFlowError) {
        datapathID = try reader.read()
        bufferCount = try reader.read()
        tableCount = try reader.read()
        auxiliaryID = try reader.read()
        try reader.pad(2)
        capabilities = try Capabilities(rawValue: reader.read())
        try reader.pad(4)
    }

    func write(to writer: inout WireWriter) {
        writer.write(datapathID)
        writer.write(bufferCount)
        writer.write(tableCount)
        writer.write(auxiliaryID)
        writer.pad(2)
        writer.write(capabilities.rawValue)
        writer.pad(4)
    }
}
