// A VM's port: who is at its other end, from the words in the region of rings. An attachment begins when the VM's side writes a
// new epoch, and ends with another one, with the lock of a process, or when no beat comes any more; then every buffer that the
// VM had in hand is taken back.
//
//   detached --a new epoch--> attaching --workers serve the rings--> attached
//      ^                                                                |
//      +------workers have left the rings, buffers are back------- detaching

import CVMRing
import DataPlane
import NIOCore
import OpenFlow

package final class VMPort {
    package enum State: String, Sendable { case detached, attaching, attached, detaching }

    /// Why an attachment ended, as the log and `ringway show vms` say it.
    package enum End: String, Sendable {
        case left = "detached itself"
        case anew = "attached anew"
        case gone = "the process ended"
        case silent = "no heartbeat"
        case violations = "too many violations"
        case broken = "claimed more than its ring holds"
        case removed = "removed from the configuration"
    }

    package private(set) var settings: Configuration.VM
    let group: TrustGroup
    private let rings: RingRegion
    /// By worker and then by queue; see `VMQueue.owner`.
    let owners: [UInt16]

    package private(set) var state = State.detached
    /// While it is detaching: whether a worker may not know that yet.
    private var isServed = false
    /// By worker, while it is attached: the first of its queues, behind which the others lie.
    private var firstQueues: [UnsafeMutablePointer<VMQueue>] = []
    private var epoch: UInt64 = 0
    private var lastBeat: UInt64 = 0
    private var lastBeatTime = NIODeadline.now()
    /// Before this nobody attaches (again).
    private var nextAttachment = NIODeadline.distantPast

    /// The time between two attachments of a port, at least: each costs the controllers two messages.
    static let attachInterval = TimeAmount.milliseconds(100)
    /// And after one that there was no memory for.
    static let retryInterval = TimeAmount.seconds(1)

    /// Of attachments that have ended.
    private var pastCounters = VMQueueCounters()
    package private(set) var attachments = 0
    /// Buffers that were taken back from attachments that ended.
    package private(set) var reclaimed = 0
    package private(set) var lastEnd: End?

    /// - Parameter owners: One for each worker and queue, none of which is another VM's.
    init(settings: Configuration.VM, group: TrustGroup, owners: [UInt16]) throws(TrustGroup.GroupError) {
        self.settings = settings
        self.group = group
        self.owners = owners
        rings = try group.makeRings(of: settings)
    }

    /// Takes what can change while a VM is attached: verdicts, heartbeat, violations.
    func adjust(to settings: Configuration.VM, at now: NIODeadline) {
        self.settings = settings
        rings.heartbeatMilliseconds = settings.heartbeatMilliseconds
        // It may have gone to sleep by the former limit: for at most so long.
        lastBeatTime = now + .milliseconds(100)
    }

    /// The verdicts that it may give: a bit for each.
    var verdicts: UInt64 { settings.verdicts.reduce(0) { $0 | 1 << UInt64($1.number) } }

    // MARK: Looking at the VM's side

    /// What the VM's side has come to want or to be.
    enum Event: Equatable {
        case wantsToAttach
        case ended(End)
        /// It has ended, but not all workers could be told.
        case mustLeave
    }

    /// Looks at the VM's words; to be asked often, as a beat is missed when none comes for the configured time.
    func look(at now: NIODeadline) -> Event? {
        switch state {
        case .attaching: return nil
        case .detaching: return isServed ? .mustLeave : nil
        case .detached:
            rings.describe()
            let wanted = rings.wanted
            return wanted != 0 && wanted != epoch && now >= nextAttachment ? .wantsToAttach : nil
        case .attached: return end(at: now).map { .ended($0) }
        }
    }

    private func end(at now: NIODeadline) -> End? {
        let wanted = rings.wanted
        if wanted != epoch { return wanted == 0 ? .left : .anew }
        if allQueues.contains(where: { $0.pointee.isBroken != 0 }) { return .broken }
        if rings.claimsLock, !rings.file.isLocked { return .gone }
        if settings.violations > 0, presentCounters.violations >= UInt64(settings.violations) { return .violations }
        let beat = rings.heartbeat
        if beat != lastBeat {
            (lastBeat, lastBeatTime) = (beat, now)
        } else if now - lastBeatTime > settings.heartbeat {
            return .silent
        }
        return nil
    }

    // MARK: Attaching and detaching

    /// Makes the queues by which workers serve what wants to attach; false if it does not want to any more, or if there is no memory for
    /// them.
    func beginAttaching(slot: UInt16, memory: TableMemory) -> Bool {
        let wanted = rings.wanted
        guard wanted != 0 else { return false }
        let count = settings.queues
        let sizes = Array(repeating: queueBytes, count: owners.count / count)
        guard let blocks = memory.allocate(sizes) else { return false }
        epoch = wanted
        rings.clear()
        let seed = UInt64.random(in: 0 ... .max)
        firstQueues = blocks.enumerated().map { worker, block in
            let queues = block.bindMemory(to: VMQueue.self, capacity: count)
            for queue in 0..<count {
                (queues + queue).initialize(
                    to: VMQueue(
                        region: group.region,
                        rings: rings.rings(ofWorker: worker, queue: queue),
                        owner: owners[worker * count + queue],
                        slot: slot,
                        queueCount: count,
                        seed: seed,
                        verdicts: verdicts,
                        sleeping: rings.claimsLock ? rings.sleepWord(ofQueue: queue) : nil
                    )
                )
            }
            return queues
        }
        state = .attaching
        return true
    }

    /// The workers serve the rings: now the VM may; false if the port was removed meanwhile.
    func didAttach(at now: NIODeadline) -> Bool {
        guard state == .attaching else { return false }
        (lastBeat, lastBeatTime) = (rings.heartbeat, now)
        nextAttachment = now + Self.attachInterval
        attachments += 1
        state = .attached
        rings.attached = epoch
        return true
    }

    /// There was no memory to attach what wants to: it is to be tried again.
    func didNotAttach(at now: NIODeadline) {
        epoch = 0
        nextAttachment = now + Self.retryInterval
    }

    /// Where a worker's packets for this port go.
    func destination(worker: Int) -> Destination {
        state == .attaching || state == .attached ? .vm(firstQueues[worker]) : .vmDetached
    }

    /// The queues that a worker is to serve.
    func served(byWorker worker: Int) -> [UnsafeMutablePointer<VMQueue>] {
        state == .attaching || state == .attached ? queues(ofWorker: worker) : []
    }

    /// While it is attached.
    func queues(ofWorker worker: Int) -> [UnsafeMutablePointer<VMQueue>] {
        firstQueues.isEmpty ? [] : (0..<settings.queues).map { firstQueues[worker] + $0 }
    }

    private var allQueues: [UnsafeMutablePointer<VMQueue>] { firstQueues.indices.flatMap(queues(ofWorker:)) }
    private var queueBytes: Int { settings.queues * MemoryLayout<VMQueue>.stride }

    /// Tells the VM that it is not attached any more, and why in the agent's words. The workers still serve the rings.
    func end(_ end: End) {
        rings.attached = 0
        lastEnd = end
    }

    /// From now on the workers are not to serve the rings.
    func beginDetaching() { (state, isServed) = (.detaching, true) }

    /// All of them have been told.
    func didLeave() { isServed = false }

    /// No worker serves the rings any more: takes back what the VM had, and frees the queues.
    func didDetach(memory: TableMemory) {
        for queue in allQueues {
            pastCounters += queue.pointee.counters
            reclaimed += group.region.reclaim(from: queue.pointee.owner)
        }
        for queues in firstQueues { memory.deallocate(queues, queueBytes) }
        firstQueues = []
        state = .detached
    }

    /// No worker serves the rings any more, and none will: gives them up.
    func giveUpRings() {
        rings.end()
        group.giveUp(rings.file)
    }

    /// When the agent ends: tells the VM so. What it has open stays for the next agent.
    func close() {
        rings.attached = 0
        rings.file.close()
    }

    // MARK: Counters

    private var presentCounters: VMQueueCounters {
        allQueues.reduce(into: VMQueueCounters()) { $0 += $1.pointee.counters }
    }

    /// Of all attachments.
    package var counters: VMQueueCounters {
        var sum = pastCounters
        sum += presentCounters
        return sum
    }

    /// Buffers that the VM has, in rings and in hand.
    package var lent: UInt64 { allQueues.reduce(0) { $0 + $1.pointee.lent } }
}

extension Configuration.VM {
    var heartbeatMilliseconds: UInt32 { UInt32(clamping: heartbeat.nanoseconds / 1_000_000) }
}
