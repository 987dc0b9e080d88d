// A function's side of its port. What it does there is written once, for functions in C as well: netlib.h.

import CVMRing
import Glibc

/// Why a function cannot attach.
public struct AttachError: Error, CustomStringConvertible {
    public let description: String
}

/// Attached to the agent or not, at one VM's port. For one thread; of a function with a thread for each queue each has a part of its own.
public struct Attachment: ~Copyable {
    @usableFromInline let state: UnsafeMutablePointer<netlib>
    private let isPart: Bool

    /// Opens the memory that the agent has made for the VM; `attach` comes next.
    ///
    /// - Parameters:
    ///   - packets: On the host `<run directory>/<datapath>.vms/<group>/packets`; in a virtual machine `/sys/bus/pci/devices/…`.
    ///   - rings: On the host `<run directory>/<datapath>.vms/<group>/<vm>.rings`; in a virtual machine as above.
    public init(packets: String, rings: String) throws(AttachError) {
        state = try Self.opened { netlib_open($0, packets, rings) }
        isPart = false
    }

    /// Opens what RINGWAY_PACKETS and RINGWAY_RINGS name, as `ringway nf run` sets them; without these the memory that a virtual machine
    /// has as devices.
    ///
    /// - Parameter hasThreads: Whether each of the port's queues is to be served by a thread of its own (`serveQueues`).
    public init(hasThreads: Bool = false) throws(AttachError) {
        state = try Self.opened { netlib_open_found($0) }
        state.pointee.has_threads = hasThreads
        isPart = false
    }

    /// The part of an attached function that serves one queue.
    init(part queue: UInt32, of whole: UnsafePointer<netlib>) {
        state = UnsafeMutablePointer<netlib>.allocate(capacity: 1)
        netlib_share(state, whole, queue)
        isPart = true
    }

    private static func opened(
        _ open: (UnsafeMutablePointer<netlib>) -> Bool
    ) throws(AttachError) -> UnsafeMutablePointer<netlib> {
        let state = UnsafeMutablePointer<netlib>.allocate(capacity: 1)
        guard open(state) else {
            let error = error(of: state)
            state.deallocate()
            throw error
        }
        return state
    }

    private static func error(of state: UnsafeMutablePointer<netlib>) -> AttachError {
        withUnsafePointer(to: &state.pointee.error) {
            AttachError(description: String(cString: UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self)))
        }
    }

    /// What is wrong with the way that the memory is mapped; nil: nothing. Where the processor does not cache it, packets pass at a
    /// hundredth of the rate.
    public var complaint: String? { netlib_complaint(state).map { String(cString: $0) } }

    deinit {
        if !isPart { netlib_close(state) }
        state.deallocate()
    }

    // MARK: Attaching

    /// Attaches; waits until the agent has answered, for ever if it is not there.
    ///
    /// - Parameter isOver: Asked every millisecond; true ends the waiting.
    /// - Returns: False if `isOver` ended it.
    public mutating func attach(unless isOver: () -> Bool) throws(AttachError) -> Bool {
        while !isOver() {
            if netlib_attach(state) { return true }
            if state.pointee.error.0 != 0 { throw Self.error(of: state) }
            usleep(1_000)
        }
        return false
    }

    /// Whether the agent serves this attachment. Not so any more: the agent has begun anew, or has taken the function for dead, and it may
    /// attach again.
    public var isAttached: Bool { netlib_is_attached(state) }

    /// Tells the agent that the function leaves. What it had in hand goes back to the agent.
    public func detach() { netlib_detach(state) }

    /// The OpenFlow port number of the function, once it is attached.
    public var port: UInt32 { state.pointee.port }

    // MARK: Packets

    /// Takes a burst from each worker's ring and gives it back with the verdicts of `decide`; returns how many packets there were. To
    /// be called often: it is the heartbeat, too.
    @inlinable
    public mutating func poll(_ decide: (inout Packet) -> Verdict) -> Int {
        netlib_flush(state)
        netlib_beat(state)
        return poll(VMRING_RECEIVE, decide)
    }

    /// The same with messages of other functions: `inPort` is the sender's port.
    @inlinable
    public mutating func pollMessages(_ decide: (inout Packet) -> Verdict) -> Int { poll(VMRING_MESSAGES, decide) }

    @inlinable
    func poll(_ kind: vmring_kind, _ decide: (inout Packet) -> Verdict) -> Int {
        var count = 0
        for index in 0..<state.pointee.worker_count {
            let worker = netlib_worker_at(state, index)
            let ring = netlib_ring_of(worker, kind)
            let available = netlib_available(ring)
            guard available > 0 else { continue }
            for _ in 0..<available {
                var packet = Packet(netlib_take(state, worker, ring))
                let verdict = decide(&packet)
                netlib_give(worker, &packet.place, verdict.word)
            }
            netlib_publish(worker, ring)
            count += Int(available)
        }
        return count
    }

    // MARK: Making packets

    /// Makes a packet of `count` bytes in an empty buffer, and gives it away with the verdict of `fill`, which writes all its bytes. False:
    /// there is no empty buffer, and the agent hands out more as it takes what was given; or it would be longer than `Packet.longest`.
    @inlinable
    public mutating func makePacket(of count: Int, _ fill: (inout Packet) -> Verdict) -> Bool {
        guard (0...Packet.longest).contains(count), let worker = netlib_maker(state) else { return false }
        var packet = Packet(netlib_take(state, worker, netlib_ring_of(worker, VMRING_EMPTY)))
        packet.place.length = UInt16(count)
        let verdict = fill(&packet)
        netlib_give_made(state, worker, &packet.place, verdict.word)
        return true
    }

    /// Sends a message to the function of the same group at an OpenFlow port; false as above. If the receiver has no room, the agent drops
    /// it.
    @inlinable
    public mutating func send(_ message: some Collection<UInt8>, to port: UInt32) -> Bool {
        makePacket(of: message.count) { packet in
            packet.bytes.copyBytes(from: message)
            return .message(to: port)
        }
    }

    /// Sleeps until there is a packet, a message, or an empty buffer if one was wanted, but no longer than it takes for the next beat. In
    /// a virtual machine nobody can end that: there it is for 50 µs.
    public mutating func sleep() { netlib_sleep(state) }
}
