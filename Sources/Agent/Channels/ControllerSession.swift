// One connection that speaks OpenFlow, once the version is agreed on: its role, what it wants to hear of, its messages in
// order. What it asks of the switch goes through `SwitchRequests`.

import NIOCore
import OpenFlow

final class ControllerSession {
    /// What the configuration calls it: the controller's address, or the listener's that it came in by.
    let endpoint: String
    /// The other side's address.
    let peer: String
    /// Whom the other side's certificate belongs to; nil: no TLS is spoken.
    let certificate: String?
    private let channel: Channel
    /// 0: a main connection.
    let auxiliaryID: UInt8
    /// The main connection of the controller, if this is an auxiliary one; role and asynchronous configuration are its
    /// (OpenFlow 1.3.5 §6.3.8).
    let main: ControllerSession?
    /// The auxiliary connections of a main one.
    private(set) var auxiliaries: [ControllerSession] = []
    /// Called when the controller first asks who this is.
    var onIdentified: (() -> Void)?
    /// Which controller may change the switch; EQUAL until it asks for something else (OpenFlow 1.3.5 §6.3.4).
    var role: ControllerRole {
        get { main?.role ?? ownRole }
        set { if let main { main.role = newValue } else { ownRole = newValue } }
    }
    private var ownRole = ControllerRole.equal
    var asyncConfig: AsyncConfig {
        get { main?.asyncConfig ?? ownAsyncConfig }
        set { if let main { main.asyncConfig = newValue } else { ownAsyncConfig = newValue } }
    }
    private var ownAsyncConfig = AsyncConfig.initial
    private(set) var messages = MessageCounts()
    /// Packet-ins that it did not get.
    private(set) var packetInsDropped: UInt64 = 0
    let connectedSince = NIODeadline.now()

    /// Messages that wait for a barrier before them.
    private var inbox: CircularBuffer<Envelope> = []
    private var isWaiting = false
    private var isWorking = false
    /// Parts of a multipart request that came with OFPMPF_REQ_MORE.
    var gathered: GatheredRequest?
    var bundles = Bundles()
    var monitors = FlowMonitors()
    private var nextXID: UInt32 = 0x8000_0000

    /// Limits packet-ins; nil: no limit.
    private var packetInLimit: TokenBucket?

    init(
        endpoint: String,
        peer: String,
        certificate: String? = nil,
        channel: Channel,
        packetInLimit: TokenBucket?,
        auxiliaryID: UInt8 = 0,
        main: ControllerSession? = nil
    ) {
        self.auxiliaryID = auxiliaryID
        self.main = main
        self.packetInLimit = packetInLimit
        self.endpoint = endpoint
        self.peer = peer
        self.certificate = certificate
        self.channel = channel
    }

    // MARK: Auxiliary connections

    /// This connection is open, or is no more.
    func opened() { main?.auxiliaries.append(self) }
    func ended() {
        main?.auxiliaries.removeAll { $0 === self }
        auxiliaries = []
    }

    /// The controller has asked for the features.
    func identified() {
        onIdentified?()
        onIdentified = nil
    }

    // MARK: In

    /// Takes the messages of one read.
    func deliver(_ envelopes: [Envelope], to requests: SwitchRequests) {
        messages.received.count(envelopes)
        inbox.append(contentsOf: envelopes)
        work(requests)
    }

    /// Carries out what has come in, up to a barrier (or the commit of a bundle) that the workers have not reached yet: nothing behind a barrier is begun
    /// before everything in front of it is done (OpenFlow 1.3.5 §7.3.8). Nor is anything begun while the peer does not read its
    /// answers; `becameWritable` goes on.
    private func work(_ requests: SwitchRequests) {
        // A barrier that is reached at once calls back from within the loop.
        guard !isWorking else { return }
        isWorking = true
        defer { isWorking = false }
        defer { channel.flush() }
        while !isWaiting, channel.isWritable, let envelope = inbox.popFirst() {
            switch envelope.message {
            case .barrierRequest:
                answerWhenApplied(Envelope(xid: envelope.xid, message: .barrierReply), requests)
            case .flowMod: requests.carryOut(flowMods: run(from: envelope), for: self)
            default: requests.carryOut(envelope, for: self)
            }
        }
    }

    /// The most flow-mods that are carried out together: what they touch stays in the processor's cache.
    private static let longestRun = 512

    /// A flow-mod and those that wait right behind it.
    private func run(from first: Envelope) -> [Envelope] {
        var run = [first]
        while run.count < Self.longestRun, let next = inbox.first, case .flowMod = next.message {
            run.append(inbox.removeFirst())
        }
        return run
    }

    /// Sends an answer when every worker forwards by everything carried out so far. Nothing that came in behind is begun before.
    func answerWhenApplied(_ answer: Envelope, _ requests: SwitchRequests) {
        isWaiting = true
        requests.barrier { [self] in
            isWaiting = false
            send(answer)
            work(requests)
        }
    }

    /// The peer has read enough of what was sent.
    func becameWritable(_ requests: SwitchRequests) {
        resumeUpdates(of: requests.model)
        work(requests)
    }

    // MARK: Out

    /// Sends an answer; together with others at the end of the batch.
    func send(_ envelope: Envelope) {
        messages.sent[envelope.message.type] += 1
        channel.write(envelope, promise: nil)
    }

    /// Sends what no batch is waiting for.
    func sendNow(_ envelopes: [Envelope]) {
        guard !envelopes.isEmpty else { return }
        for envelope in envelopes { send(envelope) }
        channel.flush()
    }

    /// Counts a message that the connection's state machine sent or took by itself.
    func count(sent type: MessageType) { messages.sent[type] += 1 }
    func count(received type: MessageType) { messages.received[type] += 1 }

    /// The most messages nobody asked for that wait for a controller to read.
    static let asyncBacklog = 16_384
    /// Messages that nobody asked for since the peer was last seen to read.
    private var unread = 0

    /// A message that nobody asked for, and that can't be left out: a controller that lets too many of them wait is given up, and
    /// finds out what it missed when it comes again.
    func sendAsync(_ message: Message) {
        unread = channel.isWritable ? 0 : unread + 1
        guard unread <= Self.asyncBacklog else { return close() }
        nextXID &+= 1
        send(Envelope(xid: nextXID, message: message))
        channel.flush()
    }

    /// Sends a packet-in, unless the controller has had as many as it may, or is behind with reading: what it does not read must
    /// not pile up here. With auxiliary connections the packets of a flow go by one and the same of them all.
    ///
    /// - Parameter flow: The same number for packets of the same flow.
    func sendPacketIn(_ packetIn: PacketIn, flow: Int) {
        let place = auxiliaries.isEmpty ? 0 : Int(UInt(bitPattern: flow) % UInt(auxiliaries.count + 1))
        let connection = place == 0 ? self : auxiliaries[place - 1]
        guard connection.channel.isWritable, packetInLimit?.take() ?? true else {
            packetInsDropped += 1
            return
        }
        connection.sendAsync(.packetIn(packetIn))
    }

    // MARK: Flow monitors

    /// Sends the updates that its monitors ask for. If it is behind with reading, they are interrupted: what is sent then, that
    /// entries have gone, is no more than there were entries.
    ///
    /// - Parameters:
    ///   - ownXIDs: Of the messages by which it has caused the events itself.
    ///   - since: The model's count of changes before the events.
    func report(_ events: [FlowEvent], ownXIDs: [UInt32]?, since: UInt64) {
        guard !monitors.isEmpty else { return }
        var messages: [Envelope] = []
        if !channel.isWritable, monitors.pausedAt == nil {
            monitors.pause(at: since)
            messages.append(Envelope(xid: 0, message: .flowMonitorPaused))
        }
        let updates = monitors.updates(events, ownXIDs: ownXIDs)
        if !updates.isEmpty { messages += Envelope.multipartReplies(xid: 0, .flowMonitor(updates)) }
        sendNow(messages)
    }

    /// Makes up for updates that were interrupted.
    private func resumeUpdates(of model: SwitchModel) {
        guard monitors.pausedAt != nil else { return }
        let updates = monitors.resume(model.entries)
        let replies = updates.isEmpty ? [] : Envelope.multipartReplies(xid: 0, .flowMonitor(updates))
        sendNow(replies + [Envelope(xid: 0, message: .flowMonitorResumed)])
    }

    /// The masks that hold in the present role.
    var asyncMasks: AsyncMasks { role == .slave ? asyncConfig.slave : asyncConfig.equalOrMaster }

    func close() { channel.close(promise: nil) }
}

/// Messages by direction, seen from the agent, and type.
struct MessageCounts {
    var received = ByType()
    var sent = ByType()

    static func += (sum: inout MessageCounts, more: MessageCounts) {
        for type in MessageType.allCases {
            sum.received[type] += more.received[type]
            sum.sent[type] += more.sent[type]
        }
    }

    /// A number for each type of message.
    struct ByType {
        /// By the type's number: they are numbered from 0 without a gap.
        private var counts = [UInt64](repeating: 0, count: MessageType.allCases.count)

        /// All of a read at once.
        mutating func count(_ envelopes: [Envelope]) {
            for envelope in envelopes { counts[Int(envelope.message.type.rawValue)] += 1 }
        }

        subscript(type: MessageType) -> UInt64 {
            get { counts[Int(type.rawValue)] }
            set { counts[Int(type.rawValue)] = newValue }
        }

        /// The types that there were any of.
        var counted: [(type: MessageType, count: UInt64)] {
            MessageType.allCases.map { ($0, self[$0]) }.filter { $0.1 > 0 }
        }
    }
}
