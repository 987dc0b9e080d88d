// Functions with a thread for each of the port's queues.

import CVMRing
import Glibc

extension Attachment {
    /// With each worker, once it is attached.
    public var queueCount: Int { Int(state.pointee.queue_count) }

    /// Starts a thread for each queue and returns when all have ended. Each has an attachment of its own, which serves that queue and is of
    /// use as long as this attachment lasts.
    public mutating func serveQueues(_ serve: @escaping @Sendable (inout Attachment) -> Void) throws(AttachError) {
        var threads: [pthread_t] = []
        for queue in 0..<state.pointee.queue_count {
            let thread = Unmanaged.passRetained(QueueThread(Attachment(part: queue, of: state), serve))
            var id = pthread_t()
            let error = pthread_create(&id, nil, { QueueThread.run($0) }, thread.toOpaque())
            guard error == 0 else {
                thread.release()
                netlib_detach(state)
                threads.forEach { pthread_join($0, nil) }
                throw AttachError(description: "a thread for queue \(queue): \(String(cString: strerror(error)))")
            }
            threads.append(id)
        }
        threads.forEach { pthread_join($0, nil) }
    }
}

/// What a new thread gets.
private final class QueueThread {
    private var part: Attachment
    private let serve: @Sendable (inout Attachment) -> Void

    init(_ part: consuming Attachment, _ serve: @escaping @Sendable (inout Attachment) -> Void) {
        self.part = part
        self.serve = serve
    }

    static func run(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
        guard let argument else { return nil }
        let thread = Unmanaged<QueueThread>.fromOpaque(argument).takeRetainedValue()
        thread.serve(&thread.part)
        return nil
    }
}
