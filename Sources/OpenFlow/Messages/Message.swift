// All message types of OpenFlow 1.3, and the envelope that a message travels in. Each payload has a file of its own
// beside this one; bytes of the envelope are in Envelope+Wire.swift.

import NIOCore

/// `ofp_type` (OpenFlow 1.3.5 §7.1.1 / A.1).
package enum MessageType: UInt8, CaseIterable, Hashable, Sendable {
    case hello = 0, error, echoRequest, echoReply, experimenter
    case featuresRequest, featuresReply, getConfigRequest, getConfigReply, setConfig
    case packetIn, flowRemoved, portStatus
    case packetOut, flowMod, groupMod, portMod, tableMod
    case multipartRequest, multipartReply
    case barrierRequest, barrierReply
    case queueGetConfigRequest, queueGetConfigReply
    case roleRequest, roleReply
    case getAsyncRequest, getAsyncReply, setAsync
    case meterMod
}

/// A message with what it says. Indirect, so that it is one word wide: it passes through a NIO pipeline without being
/// boxed.
package indirect enum Message: Hashable, Sendable {
    case hello(Hello)
    case error(ErrorMessage)
    case echoRequest(ByteBuffer)
    case echoReply(ByteBuffer)
    case experimenter(Experimenter)
    /// On the wire an experimenter message.
    case bundleControl(BundleControl)
    /// On the wire an experimenter message.
    case bundleAdd(BundleAdd)
    /// ONFT_FLOW_MONITOR_CANCEL with a monitor's number. On the wire an experimenter message.
    case flowMonitorCancel(UInt32)
    /// ONFT_FLOW_MONITOR_PAUSED: no flow updates for now. On the wire an experimenter message.
    case flowMonitorPaused
    /// ONFT_FLOW_MONITOR_RESUMED: all flow updates have been made up for. On the wire an experimenter message.
    case flowMonitorResumed
    case featuresRequest
    case featuresReply(Features)
    case getConfigRequest
    case getConfigReply(SwitchConfig)
    case setConfig(SwitchConfig)
    case packetIn(PacketIn)
    case flowRemoved(FlowRemoved)
    case portStatus(PortStatus)
    case packetOut(PacketOut)
    case flowMod(FlowMod)
    case groupMod(GroupMod)
    case portMod(PortMod)
    case tableMod(TableMod)
    /// `more`: OFPMPF_REQ_MORE, more messages of this request follow.
    case multipartRequest(MultipartRequest, more: Bool)
    /// `more`: OFPMPF_REPLY_MORE, more messages of this reply follow.
    case multipartReply(MultipartReply, more: Bool)
    case barrierRequest
    case barrierReply
    case queueGetConfigRequest(PortNumber)
    case queueGetConfigReply(QueueConfig)
    case roleRequest(RoleRequest)
    case roleReply(RoleRequest)
    case getAsyncRequest
    case getAsyncReply(AsyncConfig)
    case setAsync(AsyncConfig)
    case meterMod(MeterMod)
}

/// A message with the transaction id by which its replies refer to it; 0 is an id like any other.
package struct Envelope: Hashable, Sendable {
    package var xid: UInt32
    package var message: Message

    package init(xid: UInt32, message: Message) {
        self.xid = xid
        self.message = message
    }
}

extension Message {
    /// The message's type on the wire.
    package var type: MessageType {
        switch self {
        case .hello: .hello
        case .error: .error
        case .echoRequest: .echoRequest
        case .echoReply: .echoReply
        case .experimenter, .bundleControl, .bundleAdd, .flowMonitorCancel, .flowMonitorPaused, .flowMonitorResumed:
            .experimenter
        case .featuresRequest: .featuresRequest
        case .featuresReply: .featuresReply
        case .getConfigRequest: .getConfigRequest
        case .getConfigReply: .getConfigReply
        case .setConfig: .setConfig
        case .packetIn: .packetIn
        case .flowRemoved: .flowRemoved
        case .portStatus: .portStatus
        case .packetOut: .packetOut
        case .flowMod: .flowMod
        case .groupMod: .groupMod
        case .portMod: .portMod
        case .tableMod: .tableMod
        case .multipartRequest: .multipartRequest
        case .multipartReply: .multipartReply
        case .barrierRequest: .barrierRequest
        case .barrierReply: .barrierReply
        case .queueGetConfigRequest: .queueGetConfigRequest
        case .queueGetConfigReply: .queueGetConfigReply
        case .roleRequest: .roleRequest
        case .roleReply: .roleReply
        case .getAsyncRequest: .getAsyncRequest
        case .getAsyncReply: .getAsyncReply
        case .setAsync: .setAsync
        case .meterMod: .meterMod
        }
    }
}
