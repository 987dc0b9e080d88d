// What a controller's messages ask of the switch: each goes to the part that answers it, and a refusal goes back.

import DataPlane
import Logging
import NIOCore
import OpenFlow

final class SwitchRequests {
    let model: SwitchModel
    let datapath: CompiledDatapath
    let sessions: Sessions
    /// Limits of bundles, for those to come too.
    var settings: Configuration.OpenFlow
    private let log: Logger

    /// Who has the message that is being carried out, and its transaction id or those of a bundle's messages; nil: nobody.
    private var origin: (session: ControllerSession, xids: [UInt32])?

    /// Flow-mods carried out, by the number of their command.
    private var flowModCounts = [UInt64](repeating: 0, count: FlowModCommand.allCases.count)
    /// From a barrier's arrival to its reply.
    private(set) var barriers = Histogram(bounds: MetricsSnapshot.barrierBounds)

    init(
        model: SwitchModel,
        datapath: CompiledDatapath,
        sessions: Sessions,
        settings: Configuration.OpenFlow,
        log: Logger
    ) {
        self.model = model
        self.datapath = datapath
        self.sessions = sessions
        self.settings = settings
        self.log = log
    }

    /// Runs `body` when every worker forwards by everything carried out so far. A bundle's commit counts as a barrier.
    func barrier(_ body: @escaping () -> Void) {
        let start = NIODeadline.now()
        datapath.whenApplied { [self] in
            barriers.observe(Double((NIODeadline.now() - start).nanoseconds) / 1e9)
            body()
        }
    }

    /// Flow-mods carried out.
    func flowMods(_ command: FlowModCommand) -> UInt64 { flowModCounts[Int(command.rawValue)] }

    /// Carries out flow-mods that came one right after the other: what they change is published once.
    func carryOut(flowMods envelopes: [Envelope], for session: ControllerSession) {
        guard envelopes.count > 1, session.role != .slave else {
            for envelope in envelopes { carryOut(envelope, for: session) }
            return
        }
        do throws(OpenFlowError) {
            var refused: [(refused: Envelope, error: OpenFlowError)] = []
            try changing(by: session, envelopes.map(\.xid)) { () throws(OpenFlowError) in
                refused = try model.execute(envelopes)
            }
            for case .flowMod(let mod) in envelopes.lazy.map(\.message) {
                flowModCounts[Int(mod.command.rawValue)] += 1
            }
            for (envelope, error) in refused {
                if case .flowMod(let mod) = envelope.message { flowModCounts[Int(mod.command.rawValue)] -= 1 }
                refuse(envelope, error, for: session)
            }
        } catch {
            // There is no room for all of them together: as many as there is room for.
            for envelope in envelopes { carryOut(envelope, for: session) }
        }
    }

    private func refuse(_ envelope: Envelope, _ error: OpenFlowError, for session: ControllerSession) {
        log.debug(
            "refused",
            metadata: ["peer": "\(session.peer)", "message": "\(envelope.message.type)", "error": "\(error)"]
        )
        session.send(envelope.refusal(error))
    }

    func carryOut(_ envelope: Envelope, for session: ControllerSession) {
        do throws(OpenFlowError) {
            if session.role == .slave && envelope.message.changesSwitch {
                throw .badRequest(.isSlave, "\(envelope.message.type) of a slave")
            }
            for reply in try answer(envelope, for: session) { session.send(reply) }
        } catch {
            refuse(envelope, error, for: session)
        }
    }

    private func answer(_ envelope: Envelope, for session: ControllerSession) throws(OpenFlowError) -> [Envelope] {
        func reply(_ message: Message) -> [Envelope] { [Envelope(xid: envelope.xid, message: message)] }
        switch envelope.message {
        case .featuresRequest:
            defer { session.identified() }
            return reply(.featuresReply(model.features(auxiliaryID: session.auxiliaryID)))
        case .getConfigRequest: return reply(.getConfigReply(model.config))
        case .setConfig(let config):
            try model.setConfig(config)
            datapath.setDropsFragments(config.fragmentHandling == .drop)
        case .flowMod(let mod):
            try changing(by: session, [envelope.xid]) { () throws(OpenFlowError) in try model.execute(mod) }
            flowModCounts[Int(mod.command.rawValue)] += 1
        case .packetOut(let packetOut): try model.execute(packetOut)
        case .groupMod(let mod):
            try changing(by: session, [envelope.xid]) { () throws(OpenFlowError) in try model.execute(mod) }
        case .portMod(let mod): try model.execute(mod)
        case .tableMod(let mod): try model.execute(mod)
        case .meterMod(let mod):
            try changing(by: session, [envelope.xid]) { () throws(OpenFlowError) in try model.execute(mod) }
        case .multipartRequest(let request, let more):
            guard let request = try session.gather(request, more: more, xid: envelope.xid) else { return [] }
            let answer = try model.answer(request)
            if case .flowMonitor(let monitors) = request {
                try session.monitors.add(monitors)
                watchFlows()
            }
            return Envelope.multipartReplies(xid: envelope.xid, answer)
        case .queueGetConfigRequest(let port): return reply(.queueGetConfigReply(try model.queueConfig(ofPort: port)))
        case .roleRequest(let request): return reply(.roleReply(try sessions.changeRole(of: session, by: request)))
        case .getAsyncRequest: return reply(.getAsyncReply(session.asyncConfig))
        case .setAsync(let config): session.asyncConfig = config
        case .bundleControl(let control):
            let outcome = try sessions.withBundles(of: session) { bundles throws(OpenFlowError) in
                try bundles.control(control, in: envelope, now: .now())
            }
            func reply(_ type: BundleControlType) -> Envelope {
                Envelope(
                    xid: envelope.xid,
                    message: .bundleControl(BundleControl(bundleID: control.bundleID, type: type))
                )
            }
            switch outcome {
            case .reply(let type): return [reply(type)]
            case .commit(let bundle):
                try commit(bundle, for: session)
                session.answerWhenApplied(reply(.commitReply), self)
            }
        case .bundleAdd(let add):
            try model.check(forBundle: add.message.message)
            let allowance = Bundles.Allowance(messages: settings.bundleLimit, bytes: sessions.freeBundleBytes)
            try sessions.withBundles(of: session) { bundles throws(OpenFlowError) in
                try bundles.add(add, in: envelope, now: .now(), allowance: allowance)
            }
        case .flowMonitorCancel(let id):
            try session.monitors.cancel(id)
            watchFlows()
        case .experimenter(let message) where message.experimenter == ONF.experimenter:
            throw .badRequest(.badExperimenterType, "ONF message \(message.type)")
        case .experimenter(let message):
            throw .badRequest(.badExperimenter, "experimenter \(message.experimenter)")
        case .error(let error):
            log.warning("a controller sent an error", metadata: ["peer": "\(session.peer)", "error": "\(error.error)"])
        case .hello, .echoRequest, .echoReply, .barrierRequest:
            break  // the connection's own business
        case .flowMonitorPaused, .flowMonitorResumed, .featuresReply, .getConfigReply, .packetIn, .flowRemoved,
            .portStatus, .multipartReply, .barrierReply,
            .queueGetConfigReply, .roleReply, .getAsyncReply:
            throw .badRequest(.badType, "\(envelope.message.type) is for controllers")
        }
        return []
    }

    /// Carries out a bundle. The message that fails gets its error, with its own transaction id.
    ///
    /// Throws MSG_FAILED, which is about the commit; then nothing has changed.
    private func commit(_ bundle: BundleContents, for session: ControllerSession) throws(OpenFlowError) {
        let messages = bundle.messages.map(\.message)
        do throws(BundleFailure) {
            let xids = bundle.messages.map(\.xid)
            try changing(by: session, xids) { () throws(BundleFailure) in
                try model.execute(bundle: messages, atomically: bundle.flags.contains(.atomic))
            }
        } catch {
            // No room for all of them together: it was the last one that was too much.
            let index = error.message ?? messages.count - 1
            session.send(bundle.arrival(of: index).refusal(error.error))
            throw .bundleFailed(.messageFailed, "message \(index) of \(messages.count): \(error.error)")
        }
        for case .flowMod(let mod) in messages { flowModCounts[Int(mod.command.rawValue)] += 1 }
    }

    // MARK: Flow monitors

    /// A connection has ended.
    func ended(_ session: ControllerSession) {
        sessions.remove(session)
        watchFlows()
    }

    /// Notes whose change it is.
    private func changing<Failure: Error>(
        by session: ControllerSession,
        _ xids: @autoclosure () -> [UInt32],
        _ body: () throws(Failure) -> Void
    ) throws(Failure) {
        guard model.onFlowEvents != nil else { return try body() }
        origin = (session, xids())
        defer { origin = nil }
        try body()
    }

    /// Has the model tell of its changes while there is a monitor.
    private func watchFlows() {
        guard sessions.all.contains(where: { !$0.monitors.isEmpty }) else {
            model.onFlowEvents = nil
            return
        }
        guard model.onFlowEvents == nil else { return }
        model.onFlowEvents = { [unowned self] events, since in
            for session in sessions.all {
                session.report(events, ownXIDs: origin?.session === session ? origin?.xids : nil, since: since)
            }
        }
    }
}

extension Message {
    /// Whether a slave may not send it (OpenFlow 1.3.5 §6.3.4).
    fileprivate var changesSwitch: Bool {
        switch self {
        case .packetOut, .flowMod, .groupMod, .portMod, .tableMod, .meterMod, .bundleControl, .bundleAdd: true
        case .multipartRequest(.tableFeatures(let changes), _): !changes.isEmpty
        default: false
        }
    }
}
