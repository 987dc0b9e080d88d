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
    /// Which controller may change the switch; EQUAL until it asks for something else (OpenFlow 1.3.5 §6.3.4).
    var role = ControllerRole.equal
    var asyncConfig = AsyncConfig.initial
    private(set) var messages = MessageCounts()
    /// Packet-ins that it did not get.
    private(set) var packetInsDropped: UInt64 = 0
    let connectedSince = NIODeadline.now()

    /// Messages that wait for a barrier before them.
    private var inbox: CircularBuffer<Envelope> = []
    private var isWaiting = false
    private var isWorking = false
    /// Parts of a multipart request that came with OFPMPF_REQ_MORE.
    var tableFeatures: [TableFeatures] = []
    private var nextXID: UInt32 = 0x8000_0000

    /// Limits packet-ins; nil: no limit.
    private var packetInLimit: TokenBucket?

    init(endpoint: String, peer: String, certificate: String? = nil, channel: Channel, packetInRate: Int?) {
        packetInLimit = packetInRate.map { TokenBucket(rate: $0) }
        self.endpoint = endpoint
        self.peer = peer
        self.certificate = certificate
        self.channel = channel
    }

    // MARK: In

    /// Takes the messages of one read.
    func deliver(_ envelopes: [Envelope], to requests: SwitchRequests) {
        for envelope in envelopes {
            messages.received[envelope.message.type, default: 0] += 1
            inbox.append(envelope)
        }
        work(requests)
    }

    /// Carries out what has come in, up to a barrier that the workers have not reached yet: nothing behind a barrier is begun
    /// before everything in front of it is done (OpenFlow 1.3.5 §7.3.8). Nor is anything begun while the peer does not read its
    /// answers; `becameWritable` goes on.
    private func work(_ requests: SwitchRequests) {
        // A barrier that is reached at once calls back from within the loop.
        guard !isWorking else { return }
        isWorking = true
        defer { isWorking = false }
        defer { channel.flush() }
        while !isWaiting, channel.isWritable, let envelope = inbox.popFirst() {
            guard case .barrierRequest = envelope.message else {
                requests.carryOut(envelope, for: self)
                continue
            }
            isWaiting = true
            requests.barrier { [self] in
                isWaiting = false
                send(Envelope(xid: envelope.xid, message: .barrierReply))
                work(requests)
            }
        }
    }

    /// The peer has read enough of what was sent.
    func becameWritable(_ requests: SwitchRequests) { work(requests) }

    // MARK: Out

    /// Sends an answer; together with others at the end of the batch.
    func send(_ envelope: Envelope) {
        messages.sent[envelope.message.type, default: 0] += 1
        channel.write(envelope, promise: nil)
    }

    /// Counts a message that the connection's state machine sent or took by itself.
    func count(sent type: MessageType) { messages.sent[type, default: 0] += 1 }
    func count(received type: MessageType) { messages.received[type, default: 0] += 1 }

    /// A message that nobody asked for.
    func sendAsync(_ message: Message) {
        nextXID &+= 1
        send(Envelope(xid: nextXID, message: message))
        channel.flush()
    }

    /// Sends a packet-in, unless the controller has had as many as it may, or is behind with reading: what it does not read must
    /// not pile up here.
    func sendPacketIn(_ packetIn: PacketIn) {
        guard channel.isWritable, packetInLimit?.take() ?? true else {
            packetInsDropped += 1
            return
        }
        sendAsync(.packetIn(packetIn))
    }

    /// The masks that hold in the present role.
    var asyncMasks: AsyncMasks { role == .slave ? asyncConfig.slave : asyncConfig.equalOrMaster }

    func close() { channel.close(promise: nil) }
}

/// Messages by direction, seen from the agent, and type.
struct MessageCounts {
    var received: [MessageType: UInt64] = [:]
    var sent: [MessageType: UInt64] = [:]

    static func += (sum: inout MessageCounts, more: MessageCounts) {
        sum.received.merge(more.received, uniquingKeysWith: +)
        sum.sent.merge(more.sent, uniquingKeysWith: +)
    }
}
