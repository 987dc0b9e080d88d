// Every error type and code of OpenFlow 1.3.5 §7.4.4 / A.4.4, by name: one closed enum of codes for each type.
// OpenFlowError.swift makes errors of them.

/// `ofp_error_type`. OFPET_EXPERIMENTER (0xffff) is not here: its codes are in ExperimenterErrorCodes.swift.
enum ErrorType: UInt16, CaseIterable {
    /// OFPET_HELLO_FAILED: hello protocol failed.
    case helloFailed = 0
    /// OFPET_BAD_REQUEST: request was not understood.
    case badRequest = 1
    /// OFPET_BAD_ACTION: error in an action's description.
    case badAction = 2
    /// OFPET_BAD_INSTRUCTION: error in the instruction list.
    case badInstruction = 3
    /// OFPET_BAD_MATCH: error in a match.
    case badMatch = 4
    /// OFPET_FLOW_MOD_FAILED: problem modifying a flow entry.
    case flowModFailed = 5
    /// OFPET_GROUP_MOD_FAILED: problem modifying a group entry.
    case groupModFailed = 6
    /// OFPET_PORT_MOD_FAILED: port-mod request failed.
    case portModFailed = 7
    /// OFPET_TABLE_MOD_FAILED: table-mod request failed.
    case tableModFailed = 8
    /// OFPET_QUEUE_OP_FAILED: queue operation failed.
    case queueOpFailed = 9
    /// OFPET_SWITCH_CONFIG_FAILED: switch config request failed.
    case switchConfigFailed = 10
    /// OFPET_ROLE_REQUEST_FAILED: controller role request failed.
    case roleRequestFailed = 11
    /// OFPET_METER_MOD_FAILED: error in a meter.
    case meterModFailed = 12
    /// OFPET_TABLE_FEATURES_FAILED: setting table features failed.
    case tableFeaturesFailed = 13

    /// The name in the specification, such as `OFPET_BAD_MATCH`.
    var specificationName: String {
        switch self {
        case .helloFailed: "OFPET_HELLO_FAILED"
        case .badRequest: "OFPET_BAD_REQUEST"
        case .badAction: "OFPET_BAD_ACTION"
        case .badInstruction: "OFPET_BAD_INSTRUCTION"
        case .badMatch: "OFPET_BAD_MATCH"
        case .flowModFailed: "OFPET_FLOW_MOD_FAILED"
        case .groupModFailed: "OFPET_GROUP_MOD_FAILED"
        case .portModFailed: "OFPET_PORT_MOD_FAILED"
        case .tableModFailed: "OFPET_TABLE_MOD_FAILED"
        case .queueOpFailed: "OFPET_QUEUE_OP_FAILED"
        case .switchConfigFailed: "OFPET_SWITCH_CONFIG_FAILED"
        case .roleRequestFailed: "OFPET_ROLE_REQUEST_FAILED"
        case .meterModFailed: "OFPET_METER_MOD_FAILED"
        case .tableFeaturesFailed: "OFPET_TABLE_FEATURES_FAILED"
        }
    }

    /// The name of one of this type's codes, such as `OFPBMC_BAD_PREREQ`; nil for a number that has none.
    func specificationName(ofCode code: UInt16) -> String? {
        switch self {
        case .helloFailed: name(of: code, in: HelloFailedCode.self)
        case .badRequest: name(of: code, in: BadRequestCode.self)
        case .badAction: name(of: code, in: BadActionCode.self)
        case .badInstruction: name(of: code, in: BadInstructionCode.self)
        case .badMatch: name(of: code, in: BadMatchCode.self)
        case .flowModFailed: name(of: code, in: FlowModFailedCode.self)
        case .groupModFailed: name(of: code, in: GroupModFailedCode.self)
        case .portModFailed: name(of: code, in: PortModFailedCode.self)
        case .tableModFailed: name(of: code, in: TableModFailedCode.self)
        case .queueOpFailed: name(of: code, in: QueueOpFailedCode.self)
        case .switchConfigFailed: name(of: code, in: SwitchConfigFailedCode.self)
        case .roleRequestFailed: name(of: code, in: RoleRequestFailedCode.self)
        case .meterModFailed: name(of: code, in: MeterModFailedCode.self)
        case .tableFeaturesFailed: name(of: code, in: TableFeaturesFailedCode.self)
        }
    }

    private func name<Code: ErrorCode>(of code: UInt16, in codes: Code.Type) -> String? {
        code < Code.specificationNames.count ? Code.specificationNames[Int(code)] : nil
    }
}

/// What the enums of codes have in common: they know the type that they belong to, and their names.
protocol ErrorCode: RawRepresentable<UInt16>, Sendable {
    static var errorType: ErrorType { get }
    /// The specification's names of the codes, which are numbered from 0 without a gap.
    static var specificationNames: [String] { get }
}

/// `OFPET_HELLO_FAILED`, codes `OFPHFC_*`.
package enum HelloFailedCode: UInt16, CaseIterable, Sendable {
    /// OFPHFC_INCOMPATIBLE: no compatible version.
    case incompatible = 0
    /// OFPHFC_EPERM: permissions error.
    case permissionError = 1
}

extension HelloFailedCode: ErrorCode {
    static var errorType: ErrorType { .helloFailed }

    static var specificationNames: [String] {
        [
            "OFPHFC_INCOMPATIBLE", "OFPHFC_EPERM",
        ]
    }
}

/// `OFPET_BAD_REQUEST`, codes `OFPBRC_*`.
package enum BadRequestCode: UInt16, CaseIterable, Sendable {
    /// OFPBRC_BAD_VERSION: the header's version is not supported.
    case badVersion = 0
    /// OFPBRC_BAD_TYPE: the header's type is not supported.
    case badType = 1
    /// OFPBRC_BAD_MULTIPART: the multipart type is not supported.
    case badMultipart = 2
    /// OFPBRC_BAD_EXPERIMENTER: experimenter id not supported.
    case badExperimenter = 3
    /// OFPBRC_BAD_EXP_TYPE: experimenter type not supported.
    case badExperimenterType = 4
    /// OFPBRC_EPERM: permissions error.
    case permissionError = 5
    /// OFPBRC_BAD_LEN: wrong request length for the type.
    case badLength = 6
    /// OFPBRC_BUFFER_EMPTY: the buffer has already been used.
    case bufferEmpty = 7
    /// OFPBRC_BUFFER_UNKNOWN: the buffer does not exist.
    case bufferUnknown = 8
    /// OFPBRC_BAD_TABLE_ID: the table is invalid or does not exist.
    case badTableID = 9
    /// OFPBRC_IS_SLAVE: denied because the controller is slave.
    case isSlave = 10
    /// OFPBRC_BAD_PORT: invalid port.
    case badPort = 11
    /// OFPBRC_BAD_PACKET: invalid packet in a packet-out.
    case badPacket = 12
    /// OFPBRC_MULTIPART_BUFFER_OVERFLOW: the multipart request overflowed the buffer.
    case multipartBufferOverflow = 13
}

extension BadRequestCode: ErrorCode {
    static var errorType: ErrorType { .badRequest }

    static var specificationNames: [String] {
        [
            "OFPBRC_BAD_VERSION", "OFPBRC_BAD_TYPE", "OFPBRC_BAD_MULTIPART", "OFPBRC_BAD_EXPERIMENTER",
            "OFPBRC_BAD_EXP_TYPE", "OFPBRC_EPERM", "OFPBRC_BAD_LEN", "OFPBRC_BUFFER_EMPTY", "OFPBRC_BUFFER_UNKNOWN",
            "OFPBRC_BAD_TABLE_ID", "OFPBRC_IS_SLAVE", "OFPBRC_BAD_PORT", "OFPBRC_BAD_PACKET",
            "OFPBRC_MULTIPART_BUFFER_OVERFLOW",
        ]
    }
}

/// `OFPET_BAD_ACTION`, codes `OFPBAC_*`.
package enum BadActionCode: UInt16, CaseIterable, Sendable {
    /// OFPBAC_BAD_TYPE: unknown or unsupported action type.
    case badType = 0
    /// OFPBAC_BAD_LEN: length problem in actions.
    case badLength = 1
    /// OFPBAC_BAD_EXPERIMENTER: unknown experimenter id.
    case badExperimenter = 2
    /// OFPBAC_BAD_EXP_TYPE: unknown action for the experimenter id.
    case badExperimenterType = 3
    /// OFPBAC_BAD_OUT_PORT: problem validating the output port.
    case badOutPort = 4
    /// OFPBAC_BAD_ARGUMENT: bad action argument.
    case badArgument = 5
    /// OFPBAC_EPERM: permissions error.
    case permissionError = 6
    /// OFPBAC_TOO_MANY: can't handle this many actions.
    case tooMany = 7
    /// OFPBAC_BAD_QUEUE: problem validating the output queue.
    case badQueue = 8
    /// OFPBAC_BAD_OUT_GROUP: invalid group id in a group action.
    case badOutGroup = 9
    /// OFPBAC_MATCH_INCONSISTENT: the action can't apply for this match, or set-field misses its prerequisite.
    case matchInconsistent = 10
    /// OFPBAC_UNSUPPORTED_ORDER: the action order is not supported for an apply-actions instruction.
    case unsupportedOrder = 11
    /// OFPBAC_BAD_TAG: the action uses an unsupported tag or encapsulation.
    case badTag = 12
    /// OFPBAC_BAD_SET_TYPE: unsupported type in a set-field action.
    case badSetType = 13
    /// OFPBAC_BAD_SET_LEN: length problem in a set-field action.
    case badSetLength = 14
    /// OFPBAC_BAD_SET_ARGUMENT: bad argument in a set-field action.
    case badSetArgument = 15
}

extension BadActionCode: ErrorCode {
    static var errorType: ErrorType { .badAction }

    static var specificationNames: [String] {
        [
            "OFPBAC_BAD_TYPE", "OFPBAC_BAD_LEN", "OFPBAC_BAD_EXPERIMENTER", "OFPBAC_BAD_EXP_TYPE",
            "OFPBAC_BAD_OUT_PORT", "OFPBAC_BAD_ARGUMENT", "OFPBAC_EPERM", "OFPBAC_TOO_MANY", "OFPBAC_BAD_QUEUE",
            "OFPBAC_BAD_OUT_GROUP", "OFPBAC_MATCH_INCONSISTENT", "OFPBAC_UNSUPPORTED_ORDER", "OFPBAC_BAD_TAG",
            "OFPBAC_BAD_SET_TYPE", "OFPBAC_BAD_SET_LEN", "OFPBAC_BAD_SET_ARGUMENT",
        ]
    }
}

/// `OFPET_BAD_INSTRUCTION`, codes `OFPBIC_*`.
package enum BadInstructionCode: UInt16, CaseIterable, Sendable {
    /// OFPBIC_UNKNOWN_INST: unknown instruction.
    case unknownInstruction = 0
    /// OFPBIC_UNSUP_INST: the switch or table does not support the instruction.
    case unsupportedInstruction = 1
    /// OFPBIC_BAD_TABLE_ID: invalid table id.
    case badTableID = 2
    /// OFPBIC_UNSUP_METADATA: the datapath does not support the metadata value.
    case unsupportedMetadata = 3
    /// OFPBIC_UNSUP_METADATA_MASK: the datapath does not support the metadata mask.
    case unsupportedMetadataMask = 4
    /// OFPBIC_BAD_EXPERIMENTER: unknown experimenter id.
    case badExperimenter = 5
    /// OFPBIC_BAD_EXP_TYPE: unknown instruction for the experimenter id.
    case badExperimenterType = 6
    /// OFPBIC_BAD_LEN: length problem in instructions.
    case badLength = 7
    /// OFPBIC_EPERM: permissions error.
    case permissionError = 8
}

extension BadInstructionCode: ErrorCode {
    static var errorType: ErrorType { .badInstruction }

    static var specificationNames: [String] {
        [
            "OFPBIC_UNKNOWN_INST", "OFPBIC_UNSUP_INST", "OFPBIC_BAD_TABLE_ID", "OFPBIC_UNSUP_METADATA",
            "OFPBIC_UNSUP_METADATA_MASK", "OFPBIC_BAD_EXPERIMENTER", "OFPBIC_BAD_EXP_TYPE", "OFPBIC_BAD_LEN",
            "OFPBIC_EPERM",
        ]
    }
}

/// `OFPET_BAD_MATCH`, codes `OFPBMC_*`.
package enum BadMatchCode: UInt16, CaseIterable, Sendable {
    /// OFPBMC_BAD_TYPE: unsupported match type.
    case badType = 0
    /// OFPBMC_BAD_LEN: length problem in the match.
    case badLength = 1
    /// OFPBMC_BAD_TAG: the match uses an unsupported tag or encapsulation.
    case badTag = 2
    /// OFPBMC_BAD_DL_ADDR_MASK: unsupported datalink address mask.
    case badDatalinkAddressMask = 3
    /// OFPBMC_BAD_NW_ADDR_MASK: unsupported network address mask.
    case badNetworkAddressMask = 4
    /// OFPBMC_BAD_WILDCARDS: unsupported combination of masked-out and given bits.
    case badWildcards = 5
    /// OFPBMC_BAD_FIELD: unsupported field in the match.
    case badField = 6
    /// OFPBMC_BAD_VALUE: unsupported value in a match field.
    case badValue = 7
    /// OFPBMC_BAD_MASK: unsupported mask in a match field.
    case badMask = 8
    /// OFPBMC_BAD_PREREQ: a prerequisite was not met.
    case badPrerequisite = 9
    /// OFPBMC_DUP_FIELD: a field was duplicated.
    case duplicateField = 10
    /// OFPBMC_EPERM: permissions error.
    case permissionError = 11
}

extension BadMatchCode: ErrorCode {
    static var errorType: ErrorType { .badMatch }

    static var specificationNames: [String] {
        [
            "OFPBMC_BAD_TYPE", "OFPBMC_BAD_LEN", "OFPBMC_BAD_TAG", "OFPBMC_BAD_DL_ADDR_MASK",
            "OFPBMC_BAD_NW_ADDR_MASK", "OFPBMC_BAD_WILDCARDS", "OFPBMC_BAD_FIELD", "OFPBMC_BAD_VALUE",
            "OFPBMC_BAD_MASK", "OFPBMC_BAD_PREREQ", "OFPBMC_DUP_FIELD", "OFPBMC_EPERM",
        ]
    }
}

/// `OFPET_FLOW_MOD_FAILED`, codes `OFPFMFC_*`.
package enum FlowModFailedCode: UInt16, CaseIterable, Sendable {
    /// OFPFMFC_UNKNOWN: unspecified error.
    case unknown = 0
    /// OFPFMFC_TABLE_FULL: the table is full.
    case tableFull = 1
    /// OFPFMFC_BAD_TABLE_ID: the table does not exist.
    case badTableID = 2
    /// OFPFMFC_OVERLAP: an overlapping entry exists, and CHECK_OVERLAP was set.
    case overlap = 3
    /// OFPFMFC_EPERM: permissions error.
    case permissionError = 4
    /// OFPFMFC_BAD_TIMEOUT: unsupported idle or hard timeout.
    case badTimeout = 5
    /// OFPFMFC_BAD_COMMAND: unsupported or unknown command.
    case badCommand = 6
    /// OFPFMFC_BAD_FLAGS: unsupported or unknown flags.
    case badFlags = 7
}

extension FlowModFailedCode: ErrorCode {
    static var errorType: ErrorType { .flowModFailed }

    static var specificationNames: [String] {
        [
            "OFPFMFC_UNKNOWN", "OFPFMFC_TABLE_FULL", "OFPFMFC_BAD_TABLE_ID", "OFPFMFC_OVERLAP", "OFPFMFC_EPERM",
            "OFPFMFC_BAD_TIMEOUT", "OFPFMFC_BAD_COMMAND", "OFPFMFC_BAD_FLAGS",
        ]
    }
}

/// `OFPET_GROUP_MOD_FAILED`, codes `OFPGMFC_*`.
package enum GroupModFailedCode: UInt16, CaseIterable, Sendable {
    /// OFPGMFC_GROUP_EXISTS: the group exists already.
    case groupExists = 0
    /// OFPGMFC_INVALID_GROUP: the group's number is invalid.
    case invalidGroup = 1
    /// OFPGMFC_WEIGHT_UNSUPPORTED: unequal load sharing with select groups is not supported.
    case weightUnsupported = 2
    /// OFPGMFC_OUT_OF_GROUPS: the group table is full.
    case outOfGroups = 3
    /// OFPGMFC_OUT_OF_BUCKETS: too many action buckets for a group.
    case outOfBuckets = 4
    /// OFPGMFC_CHAINING_UNSUPPORTED: groups that forward to groups are not supported.
    case chainingUnsupported = 5
    /// OFPGMFC_WATCH_UNSUPPORTED: this group can't watch the port or group.
    case watchUnsupported = 6
    /// OFPGMFC_LOOP: the group entry would cause a loop.
    case loop = 7
    /// OFPGMFC_UNKNOWN_GROUP: the group does not exist.
    case unknownGroup = 8
    /// OFPGMFC_CHAINED_GROUP: another group forwards to this one.
    case chainedGroup = 9
    /// OFPGMFC_BAD_TYPE: unsupported or unknown group type.
    case badType = 10
    /// OFPGMFC_BAD_COMMAND: unsupported or unknown command.
    case badCommand = 11
    /// OFPGMFC_BAD_BUCKET: error in a bucket.
    case badBucket = 12
    /// OFPGMFC_BAD_WATCH: error in a watch port or group.
    case badWatch = 13
    /// OFPGMFC_EPERM: permissions error.
    case permissionError = 14
}

extension GroupModFailedCode: ErrorCode {
    static var errorType: ErrorType { .groupModFailed }

    static var specificationNames: [String] {
        [
            "OFPGMFC_GROUP_EXISTS", "OFPGMFC_INVALID_GROUP", "OFPGMFC_WEIGHT_UNSUPPORTED", "OFPGMFC_OUT_OF_GROUPS",
            "OFPGMFC_OUT_OF_BUCKETS", "OFPGMFC_CHAINING_UNSUPPORTED", "OFPGMFC_WATCH_UNSUPPORTED", "OFPGMFC_LOOP",
            "OFPGMFC_UNKNOWN_GROUP", "OFPGMFC_CHAINED_GROUP", "OFPGMFC_BAD_TYPE", "OFPGMFC_BAD_COMMAND",
            "OFPGMFC_BAD_BUCKET", "OFPGMFC_BAD_WATCH", "OFPGMFC_EPERM",
        ]
    }
}

/// `OFPET_PORT_MOD_FAILED`, codes `OFPPMFC_*`.
package enum PortModFailedCode: UInt16, CaseIterable, Sendable {
    /// OFPPMFC_BAD_PORT: the port does not exist.
    case badPort = 0
    /// OFPPMFC_BAD_HW_ADDR: the hardware address does not fit the port number.
    case badHardwareAddress = 1
    /// OFPPMFC_BAD_CONFIG: the config is invalid.
    case badConfig = 2
    /// OFPPMFC_BAD_ADVERTISE: the advertised features are invalid.
    case badAdvertise = 3
    /// OFPPMFC_EPERM: permissions error.
    case permissionError = 4
}

extension PortModFailedCode: ErrorCode {
    static var errorType: ErrorType { .portModFailed }

    static var specificationNames: [String] {
        [
            "OFPPMFC_BAD_PORT", "OFPPMFC_BAD_HW_ADDR", "OFPPMFC_BAD_CONFIG", "OFPPMFC_BAD_ADVERTISE",
            "OFPPMFC_EPERM",
        ]
    }
}

/// `OFPET_TABLE_MOD_FAILED`, codes `OFPTMFC_*`.
package enum TableModFailedCode: UInt16, CaseIterable, Sendable {
    /// OFPTMFC_BAD_TABLE: the table does not exist.
    case badTable = 0
    /// OFPTMFC_BAD_CONFIG: the config is invalid.
    case badConfig = 1
    /// OFPTMFC_EPERM: permissions error.
    case permissionError = 2
}

extension TableModFailedCode: ErrorCode {
    static var errorType: ErrorType { .tableModFailed }

    static var specificationNames: [String] {
        [
            "OFPTMFC_BAD_TABLE", "OFPTMFC_BAD_CONFIG", "OFPTMFC_EPERM",
        ]
    }
}

/// `OFPET_QUEUE_OP_FAILED`, codes `OFPQOFC_*`.
package enum QueueOpFailedCode: UInt16, CaseIterable, Sendable {
    /// OFPQOFC_BAD_PORT: the port is invalid or does not exist.
    case badPort = 0
    /// OFPQOFC_BAD_QUEUE: the queue does not exist.
    case badQueue = 1
    /// OFPQOFC_EPERM: permissions error.
    case permissionError = 2
}

extension QueueOpFailedCode: ErrorCode {
    static var errorType: ErrorType { .queueOpFailed }

    static var specificationNames: [String] {
        [
            "OFPQOFC_BAD_PORT", "OFPQOFC_BAD_QUEUE", "OFPQOFC_EPERM",
        ]
    }
}

/// `OFPET_SWITCH_CONFIG_FAILED`, codes `OFPSCFC_*`.
package enum SwitchConfigFailedCode: UInt16, CaseIterable, Sendable {
    /// OFPSCFC_BAD_FLAGS: the flags are invalid.
    case badFlags = 0
    /// OFPSCFC_BAD_LEN: the length is invalid.
    case badLength = 1
    /// OFPSCFC_EPERM: permissions error.
    case permissionError = 2
}

extension SwitchConfigFailedCode: ErrorCode {
    static var errorType: ErrorType { .switchConfigFailed }

    static var specificationNames: [String] {
        [
            "OFPSCFC_BAD_FLAGS", "OFPSCFC_BAD_LEN", "OFPSCFC_EPERM",
        ]
    }
}

/// `OFPET_ROLE_REQUEST_FAILED`, codes `OFPRRFC_*`.
package enum RoleRequestFailedCode: UInt16, CaseIterable, Sendable {
    /// OFPRRFC_STALE: stale message: old generation id.
    case stale = 0
    /// OFPRRFC_UNSUP: changing the controller's role is not supported.
    case unsupported = 1
    /// OFPRRFC_BAD_ROLE: the role is invalid.
    case badRole = 2
}

extension RoleRequestFailedCode: ErrorCode {
    static var errorType: ErrorType { .roleRequestFailed }

    static var specificationNames: [String] {
        [
            "OFPRRFC_STALE", "OFPRRFC_UNSUP", "OFPRRFC_BAD_ROLE",
        ]
    }
}

/// `OFPET_METER_MOD_FAILED`, codes `OFPMMFC_*`.
package enum MeterModFailedCode: UInt16, CaseIterable, Sendable {
    /// OFPMMFC_UNKNOWN: unspecified error.
    case unknown = 0
    /// OFPMMFC_METER_EXISTS: the meter exists already.
    case meterExists = 1
    /// OFPMMFC_INVALID_METER: the meter's number is invalid, or of a virtual meter that is not supported.
    case invalidMeter = 2
    /// OFPMMFC_UNKNOWN_METER: the meter does not exist.
    case unknownMeter = 3
    /// OFPMMFC_BAD_COMMAND: unsupported or unknown command.
    case badCommand = 4
    /// OFPMMFC_BAD_FLAGS: the flags are not supported.
    case badFlags = 5
    /// OFPMMFC_BAD_RATE: the rate is not supported.
    case badRate = 6
    /// OFPMMFC_BAD_BURST: the burst size is not supported.
    case badBurst = 7
    /// OFPMMFC_BAD_BAND: the band is not supported.
    case badBand = 8
    /// OFPMMFC_BAD_BAND_VALUE: the band's value is not supported.
    case badBandValue = 9
    /// OFPMMFC_OUT_OF_METERS: no more meters available.
    case outOfMeters = 10
    /// OFPMMFC_OUT_OF_BANDS: too many bands for a meter.
    case outOfBands = 11
}

extension MeterModFailedCode: ErrorCode {
    static var errorType: ErrorType { .meterModFailed }

    static var specificationNames: [String] {
        [
            "OFPMMFC_UNKNOWN", "OFPMMFC_METER_EXISTS", "OFPMMFC_INVALID_METER", "OFPMMFC_UNKNOWN_METER",
            "OFPMMFC_BAD_COMMAND", "OFPMMFC_BAD_FLAGS", "OFPMMFC_BAD_RATE", "OFPMMFC_BAD_BURST", "OFPMMFC_BAD_BAND",
            "OFPMMFC_BAD_BAND_VALUE", "OFPMMFC_OUT_OF_METERS", "OFPMMFC_OUT_OF_BANDS",
        ]
    }
}

/// `OFPET_TABLE_FEATURES_FAILED`, codes `OFPTFFC_*`.
package enum TableFeaturesFailedCode: UInt16, CaseIterable, Sendable {
    /// OFPTFFC_BAD_TABLE: the table does not exist.
    case badTable = 0
    /// OFPTFFC_BAD_METADATA: invalid metadata mask.
    case badMetadata = 1
    /// OFPTFFC_BAD_TYPE: unknown property type.
    case badType = 2
    /// OFPTFFC_BAD_LEN: length problem in properties.
    case badLength = 3
    /// OFPTFFC_BAD_ARGUMENT: unsupported property value.
    case badArgument = 4
    /// OFPTFFC_EPERM: permissions error.
    case permissionError = 5
}

extension TableFeaturesFailedCode: ErrorCode {
    static var errorType: ErrorType { .tableFeaturesFailed }

    static var specificationNames: [String] {
        [
            "OFPTFFC_BAD_TABLE", "OFPTFFC_BAD_METADATA", "OFPTFFC_BAD_TYPE", "OFPTFFC_BAD_LEN",
            "OFPTFFC_BAD_ARGUMENT", "OFPTFFC_EPERM",
        ]
    }
}
