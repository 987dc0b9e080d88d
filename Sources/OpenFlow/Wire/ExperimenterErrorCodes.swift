// Error codes of extensions: OFPET_EXPERIMENTER (0xffff) with an experimenter's id and its own number of the error
// (`ofp_error_experimenter_msg`, OpenFlow 1.3.5 §7.4.4 / A.4.4).

/// `exp_type`s of one experimenter.
protocol ExperimenterErrorCode: RawRepresentable<UInt16>, CaseIterable, Sendable {
    /// Whose numbers they are.
    static var experimenter: UInt32 { get }
    /// The name by which `ovs-ofctl` knows the code.
    var specificationName: String { get }
}

/// Errors of bundles (ONF extension 230: ONFERR_ET_BUNDLE_*, named as in OpenFlow 1.4).
package enum BundleFailedCode: UInt16, CaseIterable, Sendable {
    /// OFPBFC_UNKNOWN: unspecified error.
    case unknown = 2300
    /// OFPBFC_EPERM: permissions error.
    case permissionError
    /// OFPBFC_BAD_ID: the bundle does not exist, or exists already.
    case badID
    /// OFPBFC_BUNDLE_EXIST: the bundle exists already.
    case bundleExists
    /// OFPBFC_BUNDLE_CLOSED: the bundle is closed.
    case bundleClosed
    /// OFPBFC_OUT_OF_BUNDLES: too many bundles.
    case outOfBundles
    /// OFPBFC_BAD_TYPE: unknown control type.
    case badType
    /// OFPBFC_BAD_FLAGS: flags that are not supported, or not those that the bundle was opened with.
    case badFlags
    /// OFPBFC_MSG_BAD_LEN: the length of the message to add is wrong.
    case messageBadLength
    /// OFPBFC_MSG_BAD_XID: the message to add has another transaction id than the message that it came in.
    case messageBadXID
    /// OFPBFC_MSG_UNSUP: a message of this type can't be in a bundle.
    case messageUnsupported
    /// OFPBFC_MSG_CONFLICT: a combination of messages that is not supported.
    case messageConflict
    /// OFPBFC_MSG_TOO_MANY: no room for so many messages.
    case messageTooMany
    /// OFPBFC_MSG_FAILED: a message of the bundle failed.
    case messageFailed
    /// OFPBFC_TIMEOUT: nothing came for the bundle for too long.
    case timeout
    /// OFPBFC_BUNDLE_IN_PROGRESS: another bundle has what this one needs.
    case bundleInProgress
}

extension BundleFailedCode: ExperimenterErrorCode {
    static var experimenter: UInt32 { ONF.experimenter }

    var specificationName: String {
        switch self {
        case .unknown: "OFPBFC_UNKNOWN"
        case .permissionError: "OFPBFC_EPERM"
        case .badID: "OFPBFC_BAD_ID"
        case .bundleExists: "OFPBFC_BUNDLE_EXIST"
        case .bundleClosed: "OFPBFC_BUNDLE_CLOSED"
        case .outOfBundles: "OFPBFC_OUT_OF_BUNDLES"
        case .badType: "OFPBFC_BAD_TYPE"
        case .badFlags: "OFPBFC_BAD_FLAGS"
        case .messageBadLength: "OFPBFC_MSG_BAD_LEN"
        case .messageBadXID: "OFPBFC_MSG_BAD_XID"
        case .messageUnsupported: "OFPBFC_MSG_UNSUP"
        case .messageConflict: "OFPBFC_MSG_CONFLICT"
        case .messageTooMany: "OFPBFC_MSG_TOO_MANY"
        case .messageFailed: "OFPBFC_MSG_FAILED"
        case .timeout: "OFPBFC_TIMEOUT"
        case .bundleInProgress: "OFPBFC_BUNDLE_IN_PROGRESS"
        }
    }
}

/// Errors of flow monitors. The extension names none; these are Nicira's, which Open vSwitch sends in OpenFlow 1.3, with their
/// names of OpenFlow 1.4.
package enum FlowMonitorFailedCode: UInt16, CaseIterable, Sendable {
    /// OFPMOFC_MONITOR_EXISTS: the monitor's number is taken.
    case monitorExists = 6
    /// OFPMOFC_BAD_FLAGS: flags that do not exist, or none that asks for anything.
    case badFlags
    /// OFPMOFC_UNKNOWN_MONITOR: there is no such monitor.
    case unknownMonitor
}

extension FlowMonitorFailedCode: ExperimenterErrorCode {
    /// NX_VENDOR_ID.
    static var experimenter: UInt32 { 0x2320 }

    var specificationName: String {
        switch self {
        case .monitorExists: "OFPMOFC_MONITOR_EXISTS"
        case .badFlags: "OFPMOFC_BAD_FLAGS"
        case .unknownMonitor: "OFPMOFC_UNKNOWN_MONITOR"
        }
    }
}

/// The specification's name of an experimenter's error; nil for one that is not known here.
func experimenterErrorName(_ experimenter: UInt32, _ code: UInt16) -> String? {
    switch experimenter {
    case BundleFailedCode.experimenter: BundleFailedCode(rawValue: code)?.specificationName
    case FlowMonitorFailedCode.experimenter: FlowMonitorFailedCode(rawValue: code)?.specificationName
    default: nil
    }
}
