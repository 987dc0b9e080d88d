// The settings that a controller may change: fragments, and how much of a packet it gets.

/// OFPT_GET_CONFIG_REPLY and OFPT_SET_CONFIG (OpenFlow 1.3.5 §7.3.2 / A.3.2).
package struct SwitchConfig: Hashable, Sendable {
    package var fragmentHandling: FragmentHandling
    /// Bytes of a buffered packet that go to the controller; OFPCML_NO_BUFFER: all of it.
    package var missSendLength: UInt16

    package init(fragmentHandling: FragmentHandling = .normal, missSendLength: UInt16 = 128) {
        self.fragmentHandling = fragmentHandling
        self.missSendLength = missSendLength
    }
}

/// `ofp_config_flags`: what happens to IP fragments.
package enum FragmentHandling: UInt16, CaseIterable, Hashable, Sendable {
    /// OFPC_FRAG_NORMAL.
    case normal = 0
    /// OFPC_FRAG_DROP.
    case drop = 1
    /// OFPC_FRAG_REASM, only with OFPC_IP_REASM.
    case reassemble = 2
}

extension SwitchConfig {
    /// Throws OFPET_SWITCH_CONFIG_FAILED/OFPSCFC_BAD_FLAGS for flags that 1.3 does not have.
    init(from reader: inout WireReader) throws(OpenFlowError) {
        let flags: UInt16 = try reader.read()
        guard let fragmentHandling = FragmentHandling(rawValue: flags) else {
            throw .switchConfigFailed(.badFlags, "flags \(Text.hex(flags))")
        }
        self.fragmentHandling = fragmentHandling
        missSendLength = try reader.read()
    }

    func write(to writer: inout WireWriter) {
        writer.write(fragmentHandling.rawValue)
        writer.write(missSendLength)
    }
}
