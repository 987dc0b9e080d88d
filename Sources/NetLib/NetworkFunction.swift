// The main loop of a network function: attaches, polls, sleeps when there is nothing to do, attaches anew when the agent has,
// and leaves on SIGTERM or SIGINT.

import CVMRing
import Glibc
import Synchronization

/// Whether a signal has asked for the end.
private let signalled = Atomic(false)

/// A program that does one thing with packets:
///
///     NetworkFunction.run { packet in packet.count > 1000 ? .drop : .next }
public enum NetworkFunction {
    /// Runs until SIGTERM or SIGINT and ends the process: status 0, or 1 with a word on standard error about what is wrong. What it is
    /// attached to stands in the environment, where `ringway nf run` puts it: RINGWAY_PACKETS and RINGWAY_RINGS, the paths of the two
    /// files. Without these it is in a virtual machine and looks for the two devices.
    ///
    /// - Parameters:
    ///   - report: Done every so many milliseconds, packets or not.
    ///   - messages: What becomes of messages of other functions.
    ///   - turn: Done in each turn of the loop, such as to make packets and to send messages. Returns how much that was: with 0, and no
    ///     packets, the function sleeps.
    ///   - decide: What becomes of packets.
    @inlinable
    public static func run(
        every milliseconds: Int = .max,
        _ report: () -> Void = {},
        turn: (inout Attachment) -> Int = { _ in 0 },
        messages: (inout Packet) -> Verdict = { _ in .drop },
        packets decide: (inout Packet) -> Verdict
    ) -> Never {
        attach(hasThreads: false) { attachment in
            poll(&attachment, every: milliseconds, report) {
                $0.poll(decide) + $0.pollMessages(messages) + turn(&$0)
            }
        }
    }

    /// The same with a thread for each of the port's queues (`vms[].queues`). All packets of a connection, in both directions, come by
    /// the same queue, and so to the same thread; `queue` of the packet tells which.
    @inlinable
    public static func runThreads(packets decide: @escaping @Sendable (inout Packet) -> Verdict) -> Never {
        attach(hasThreads: true) { attachment throws(AttachError) in
            try attachment.serveQueues { part in poll(&part, every: .max, {}) { $0.poll(decide) } }
        }
    }

    /// Serves one attachment after the other, until the process is to end.
    @inlinable
    static func attach(hasThreads: Bool, _ serve: (inout Attachment) throws(AttachError) -> Void) -> Never {
        listenToSignals()
        do throws(AttachError) {
            var attachment = try Attachment(hasThreads: hasThreads)
            if let complaint = attachment.complaint { announce(complaint) }
            while try attachment.attach(unless: { isOver }) {
                announce("attached as port \(attachment.port)")
                try serve(&attachment)
            }
            attachment.detach()
        } catch {
            announce(error.description)
            exit(1)
        }
        exit(0)
    }

    /// Polls until the agent has let the function go, or the function is to end.
    @inlinable
    static func poll(
        _ attachment: inout Attachment,
        every milliseconds: Int,
        _ report: () -> Void,
        _ turn: (inout Attachment) -> Int
    ) {
        var idle = 0
        var reported = milliseconds == .max ? 0 : now
        while !isOver, attachment.isAttached {
            if milliseconds != .max, now - reported >= milliseconds {
                report()
                reported = now
            }
            if turn(&attachment) > 0 {
                idle = 0
            } else if idle < NETLIB_IDLE_POLLS {
                idle += 1
                vmring_pause()
            } else {
                attachment.sleep()
            }
        }
    }

    /// In milliseconds.
    @usableFromInline
    static var now: Int {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return time.tv_sec * 1000 + time.tv_nsec / 1_000_000
    }

    @usableFromInline
    static func announce(_ text: String) {
        let program = CommandLine.arguments.first.flatMap { $0.split(separator: "/").last } ?? "function"
        let line = "\(program): \(text)\n"
        line.withCString { _ = write(STDERR_FILENO, $0, strlen($0)) }
    }

    // MARK: Signals

    @usableFromInline
    static var isOver: Bool { signalled.load(ordering: .relaxed) }

    @usableFromInline
    static func listenToSignals() {
        // Made before a handler uses it.
        signalled.store(false, ordering: .relaxed)
        for number in [SIGTERM, SIGINT] { signal(number) { _ in signalled.store(true, ordering: .relaxed) } }
    }
}
