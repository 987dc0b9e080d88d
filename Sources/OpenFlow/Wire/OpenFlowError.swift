// The one error type of the module: what goes into an OFPT_ERROR. Its codes are in ErrorCodes.swift;
// the message that carries it is Messages/ErrorMessage.swift.

/// A refusal with the exact type and code of OpenFlow 1.3.5 §7.4.4 / A.4.4 to answer a controller with.
package struct OpenFlowError: Error, Sendable {
    /// `ofp_error_type`.
    package var type: UInt16
    /// The code; what it means depends on the type. An experimenter's `exp_type` if there is one.
    package var code: UInt16
    /// Whose error it is, if the type is OFPET_EXPERIMENTER (0xffff); nil otherwise.
    package var experimenter: UInt32?
    /// Text for logs, such as "OXM ipv4_src: 3 bytes, 4 wanted". Two errors are equal whatever they say here.
    package var reason: String

    package init(type: UInt16, code: UInt16, experimenter: UInt32? = nil, reason: String) {
        self.type = type
        self.code = code
        self.experimenter = experimenter
        self.reason = reason
    }

    private init<Code: ErrorCode>(_ code: Code, _ reason: String) {
        self.init(type: Code.errorType.rawValue, code: code.rawValue, reason: reason)
    }

    private init<Code: ExperimenterErrorCode>(_ code: Code, _ reason: String) {
        self.init(type: 0xffff, code: code.rawValue, experimenter: Code.experimenter, reason: reason)
    }

    /// OFPET_HELLO_FAILED: the hello protocol failed.
    package static func helloFailed(_ code: HelloFailedCode, _ reason: String = "") -> Self { Self(code, reason) }
    /// OFPET_BAD_REQUEST: a request was not understood.
    package static func badRequest(_ code: BadRequestCode, _ reason: String = "") -> Self { Self(code, reason) }
    /// OFPET_BAD_ACTION: an error in an action's description.
    package static func badAction(_ code: BadActionCode, _ reason: String = "") -> Self { Self(code, reason) }
    /// OFPET_BAD_INSTRUCTION: an error in the instruction list.
    package static func badInstruction(_ code: BadInstructionCode, _ reason: String = "") -> Self {
        Self(code, reason)
    }
    /// OFPET_BAD_MATCH: an error in a match.
    package static func badMatch(_ code: BadMatchCode, _ reason: String = "") -> Self { Self(code, reason) }
    /// OFPET_FLOW_MOD_FAILED: a flow entry could not be modified.
    package static func flowModFailed(_ code: FlowModFailedCode, _ reason: String = "") -> Self { Self(code, reason) }
    /// OFPET_GROUP_MOD_FAILED: a group entry could not be modified.
    package static func groupModFailed(_ code: GroupModFailedCode, _ reason: String = "") -> Self {
        Self(code, reason)
    }
    /// OFPET_PORT_MOD_FAILED: a port-mod request failed.
    package static func portModFailed(_ code: PortModFailedCode, _ reason: String = "") -> Self { Self(code, reason) }
    /// OFPET_TABLE_MOD_FAILED: a table-mod request failed.
    package static func tableModFailed(_ code: TableModFailedCode, _ reason: String = "") -> Self {
        Self(code, reason)
    }
    /// OFPET_QUEUE_OP_FAILED: a queue operation failed.
    package static func queueOpFailed(_ code: QueueOpFailedCode, _ reason: String = "") -> Self { Self(code, reason) }
    /// OFPET_SWITCH_CONFIG_FAILED: a switch config request failed.
    package static func switchConfigFailed(_ code: SwitchConfigFailedCode, _ reason: String = "") -> Self {
        Self(code, reason)
    }
    /// OFPET_ROLE_REQUEST_FAILED: a controller role request failed.
    package static func roleRequestFailed(_ code: RoleRequestFailedCode, _ reason: String = "") -> Self {
        Self(code, reason)
    }
    /// OFPET_METER_MOD_FAILED: an error in a meter.
    package static func meterModFailed(_ code: MeterModFailedCode, _ reason: String = "") -> Self {
        Self(code, reason)
    }
    /// OFPET_TABLE_FEATURES_FAILED: setting table features failed.
    package static func tableFeaturesFailed(_ code: TableFeaturesFailedCode, _ reason: String = "") -> Self {
        Self(code, reason)
    }
    /// An error of flow monitors, an experimenter's (ONF extension 187).
    package static func flowMonitorFailed(_ code: FlowMonitorFailedCode, _ reason: String = "") -> Self {
        Self(code, reason)
    }
    /// An error of bundles, an experimenter's (ONF extension 230).
    package static func bundleFailed(_ code: BundleFailedCode, _ reason: String = "") -> Self { Self(code, reason) }
}

extension OpenFlowError: Hashable {
    package static func == (left: Self, right: Self) -> Bool {
        left.type == right.type && left.code == right.code && left.experimenter == right.experimenter
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(type)
        hasher.combine(code)
        hasher.combine(experimenter)
    }
}

extension OpenFlowError: CustomStringConvertible {
    /// The specification's names of type and code, such as `OFPET_BAD_MATCH/OFPBMC_BAD_PREREQ`.
    package var name: String {
        if let experimenter {
            let own = experimenterErrorName(experimenter, code)
            return "OFPET_EXPERIMENTER/\(own ?? "\(Text.hex(experimenter))/\(code)")"
        }
        guard let errorType = ErrorType(rawValue: type) else { return "\(type)/\(code)" }
        return "\(errorType.specificationName)/\(errorType.specificationName(ofCode: code) ?? String(code))"
    }

    package var description: String { reason.isEmpty ? name : "\(name): \(reason)" }
}
