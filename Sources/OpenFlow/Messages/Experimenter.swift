// Somebody's extension, kept as it came.

import NIOCore

/// OFPT_EXPERIMENTER, and the body of OFPMP_EXPERIMENTER (OpenFlow 1.3.5 §7.5.4 / A.5.4, §7.3.5.15 / A.3.5.15).
package struct Experimenter: Hashable, Sendable {
    /// An OUI, or a number given out by the ONF.
    package var experimenter: UInt32
    package var type: UInt32
    package var body: ByteBuffer

    package init(experimenter: UInt32, type: UInt32, body: ByteBuffer) {
        self.experimenter = experimenter
        self.type = type
        self.body = body
    }
}

extension Experimenter {
    init(from reader: inout WireReader) throws(OpenFlowError) {
        experimenter = try reader.read()
        type = try reader.read()
        body = reader.rest()
    }

    /// What is to be read, if this is a request or a reply ONFMP_FLOW_MONITOR; nil otherwise.
    var bodyOfFlowMonitor: WireReader? {
        experimenter == ONF.experimenter && type == ONF.flowMonitor ? WireReader(body) : nil
    }

    func write(to writer: inout WireWriter) {
        writer.write(experimenter)
        writer.write(type)
        writer.write(body)
    }
}
