// All connections that are open for use: who is master, and who hears of what happens.

import NIOCore
import OpenFlow

final class Sessions {
    private(set) var all: [ControllerSession] = []
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

    func add(_ session: ControllerSession) { all.append(session) }

    func remove(_ session: ControllerSession) {
        all.removeAll { $0 === session }
        bundleBytes -= session.bundles.byteCount
        closed[session.endpoint, default: MessageCounts()] += session.messages
        packetInsDroppedBefore += session.packetInsDropped
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
        for session in all where session.asyncMasks.flowRemoved & flowRemoved.reason.bit != 0 {
            session.sendAsync(.flowRemoved(flowRemoved))
        }
    }

    func portStatus(_ portStatus: PortStatus) {
        for session in all where session.asyncMasks.portStatus & portStatus.reason.bit != 0 {
            session.sendAsync(.portStatus(portStatus))
        }
    }

    func packetIn(_ event: PacketInEvent) {
        packetIns[event.reason, default: 0] += 1
        var fields = [MatchField(.inPort, UInt128(event.inPort.rawValue))]
        if event.metadata != 0 { fields.append(MatchField(.metadata, UInt128(event.metadata))) }
        let message = PacketIn(
            totalLength: UInt16(clamping: event.data.count),
            reason: event.reason,
            tableID: event.tableID,
            cookie: event.cookie,
            match: Match(fields),
            data: ByteBuffer(bytes: event.data)
        )
        let listeners = all.filter { $0.asyncMasks.packetIn & event.reason.bit != 0 }
        for session in listeners { session.sendPacketIn(message) }
        if listeners.isEmpty { packetInsDroppedBefore += 1 }
    }
}

extension PacketInReason { fileprivate var bit: UInt32 { 1 << UInt32(rawValue) } }
extension PortReason { fileprivate var bit: UInt32 { 1 << UInt32(rawValue) } }
extension FlowRemovedReason { fileprivate var bit: UInt32 { 1 << UInt32(rawValue) } }
