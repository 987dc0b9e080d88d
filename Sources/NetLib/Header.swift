// The words at the beginning of a region of rings (vmring.h), where each lies.

import CVMRing

struct Header {
    /// Written by the agent.
    let fixed: UnsafeMutablePointer<vmring_header>
    let agentEpoch: UnsafeMutablePointer<UInt64>
    let attached: UnsafeMutablePointer<UInt64>
    /// Written by this side.
    let epoch: UnsafeMutablePointer<UInt64>
    let seenEpoch: UnsafeMutablePointer<UInt64>
    let heartbeat: UnsafeMutablePointer<UInt64>
    let attachFlags: UnsafeMutablePointer<UInt32>
    let needWakeup: UnsafeMutablePointer<UInt32>

    /// Whether an agent has written it.
    var isThere: Bool { fixed.pointee.magic == VMRING_MAGIC }

    init(_ memory: UnsafeMutableRawPointer) {
        func word<Word>(_ field: KeyPath<vmring_header, Word>) -> UnsafeMutablePointer<Word> {
            (memory + (MemoryLayout<vmring_header>.offset(of: field) ?? 0)).assumingMemoryBound(to: Word.self)
        }
        fixed = memory.assumingMemoryBound(to: vmring_header.self)
        (agentEpoch, attached) = (word(\.agent_epoch), word(\.attached))
        (epoch, seenEpoch, heartbeat) = (word(\.epoch), word(\.seen_epoch), word(\.heartbeat))
        (attachFlags, needWakeup) = (word(\.attach_flags), word(\.need_wakeup))
    }
}
