// All connections that are open for use: who is master, and who hears of what happens.

import NIOCore
import OpenFlow

final class Sessions {
    private(set) var all: [ControllerSession] = []
    /// Called when a connection has been opened or has ended.
    var onChange: () -> Void = {}
    /// Messages of connections that are no more, by endpoint.
    private var closed: [String: MessageCounts] = [:]
    /// The highest generation id that a MASTER or SLAVE request has named; nil: none yet (OpenFlow 1.3.5 §6.3.4).
    private var generationID: UInt64?

    private(set) var packetIns: [PacketInReason: UInt64] = [:]
    /// Packet-ins that connections of the past did not get, and those that nobody wanted.
    private var packetInsDroppedBefore: UInt64 = 0
    /// Packet-ins not sent: for each connection that could not take one, and once where no connection wanted it.
    var packetInsDropped: UInt64 { all.reduce(packetInsDroppedBefore) { $0 + $1.packetInsDropped } }

    /// About how many bytes of memory the bundles of all connections take.
    private var bundleBytes = 0

    /// One for each controller: auxiliary connections have no events of their own.
    private var mains: some Sequence<ControllerSession> { all.lazy.filter { $0.main == nil } }

    func add(_ session: ControllerSession) {
        all.append(session)
        session.opened()
        onChange()
    }

    func remove(_ session: ControllerSession) {
        all.removeAll { $0 === session }
        session.ended()
        bundleBytes -= session.bundles.byteCount
        closed[session.endpoint, default: MessageCounts()] += session.messages
        packetInsDroppedBefore += session.packetInsDropped
        onChange()
    }

    /// Messages of all connections since the start, those that are closed included, for each endpoint.
    var messages: [String: MessageCounts] {
        all.reduce(into: closed) { $0[$1.endpoint, default: MessageCounts()] += $1.messages }
    }

    // MARK: Bundles

    /// Memory for bundles that is left.
    var freeBundleBytes: Int { Limits.bundleBytes - bundleBytes }

    /// Changes a connection's bundles, and keeps account of their memory.
    func withBundles<Result>(
        of session: ControllerSession,
        _ body: (inout Bundles) throws(OpenFlowError) -> Result
    ) throws(OpenFlowError) -> Result {
        let before = session.bundles.byteCount
        defer { bundleBytes += session.bundles.byteCount - before }
        return try body(&session.bundles)
    }

    /// Discards bundles for which nothing has come in for `timeout`, and tells their controllers.
    func expireBundles(timeout: TimeAmount, now: NIODeadline = .now()) {
        for session in all where !session.bundles.isEmpty {
            let before = session.bundles.byteCount
            session.sendNow(session.bundles.expire(now: now, timeout: timeout))
            bundleBytes += session.bundles.byteCount - before
        }
    }

    // MARK: Roles

    /// OFPT_ROLE_REQUEST: the role from now on. A new master makes the old one a slave, without a word to it.
    ///
    /// Throws `ROLE_REQUEST_FAILED/STALE`.
    func changeRole(of session: ControllerSession, by request: RoleRequest) throws(OpenFlowError) -> RoleRequest {
        if request.role == .master || request.role == .slave {
            if let generationID, Int64(bitPattern: request.generationID &- generationID) < 0 {
                throw .roleRequestFailed(.stale, "generation \(request.generationID), \(generationID) is known")
            }
            generationID = request.generationID
        }
        if request.role == .master {
            for other in all where other.role == .master { other.role = .slave }
        }
        if request.role != .noChange { session.role = request.role }
        return RoleRequest(role: session.role, generationID: generationID ?? .max)
    }

    // MARK: Events

    func flowRemoved(_ flowRemoved: FlowRemoved) {
        for session in mains where session.asyncMasks.flowRemoved & flowRemoved.reason.bit != 0 {
            session.sendAsync(.flowRemoved(flowRemoved))
        }
    }

    func portStatus(_ portStatus: PortStatus) {
        for session in mains where session.asyncMasks.portStatus & portStatus.reason.bit != 0 {
            session.sendAsync(.portStatus(portStatus))
        }
    }

    func packetIn(_ event: PacketInEvent) {
        packetIns[event.reason, default: 0] += 1
        var fields = [MatchField(.inPort, UInt128(event.inPort.rawValue))]
        if event.metadata != 0 { fields.append(MatchField(.metadata, UInt128(event.metadata))) }
        if event.tunnelID != 0 { fields.append(MatchField(.tunnelID, UInt128(event.tunnelID))) }
        let message = PacketIn(
            totalLength: UInt16(clamping: event.data.count),
            reason: event.reason,
            tableID: event.tableID,
            cookie: event.cookie,
            match: Match(fields),
            data: ByteBuffer(bytes: event.data)
        )
        let listeners = mains.filter { $0.asyncMasks.packetIn & event.reason.bit != 0 }
        let flow = event.flow
        for session in listeners { session.sendPacketIn(message, flow: flow) }
        if listeners.isEmpty { packetInsDroppedBefore += 1 }
    }
}

extension PacketInEvent {
    /// A number that the packets of a flow have in common: of ingress port, Ethernet header and, behind it, IPv4's or IPv6's
    /// addresses, protocol and ports.
    var flow: Int {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325 ^ UInt64(inPort.rawValue)
        func add(_ range: Range<Int>) {
            for byte in data[range.clamped(to: 0..<data.count)] { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        }
        add(0..<14)
        if data.count >= 38, data[12] == 0x08, data[13] == 0x00 {
            add(23..<24)
            add(26..<38)
        } else if data.count >= 58, data[12] == 0x86, data[13] == 0xdd {
            add(20..<21)
            add(22..<58)
        }
        // The low bits of the product depend on the low bits of the bytes only.
        return Int(truncatingIfNeeded: hash ^ hash >> 32)
    }
}

extension PacketInReason { fileprivate var bit: UInt32 { 1 << UInt32(rawValue) } }
extension PortReason { fileprivate var bit: UInt32 { 1 << UInt32(rawValue) } }
extension FlowRemovedReason { fileprivate var bit: UInt32 { 1 << UInt32(rawValue) } }
