// The end of a step: account for the time it took, tell the control side what it waits for, and wait if there is nothing
// to do. An adaptive worker polls on for a while after the last packet, then sleeps. A delta, a packet from another worker
// and a packet in a queue with a descriptor wake it at once; if it has other queues it naps for less than 100 µs at a time.

import CDPDK

extension Worker {
    /// Empty steps before a sleep: with a rule that follows each answer at once (as `ovs-ofctl add-flows` pushes them) the
    /// worker is still awake.
    private static var emptyStepsBeforeSleep: UInt64 { 2_000 }
    /// Nanoseconds of a nap while there are queues that wake nobody: a packet waits for less than 100 µs.
    private static var shortNap: UInt32 { 20_000 }
    private static var longNap: UInt32 { 90_000 }
    /// Nanoseconds of a sleep that every queue ends: a bound for what should not happen.
    private static var longestSleep: UInt32 { 10_000_000 }

    @inline(__always)
    borrowing func endStep(worked: Bool) {
        let now = Clock.cycles
        if worked {
            counters.pointee.busyCycles &+= now &- state.pointee.stepStart
            state.pointee.emptyInARow = 0
            if state.pointee.notify {
                state.pointee.notify = false
                cdpdk_notify(controlWaits, controlPipe)
            }
        } else {
            state.pointee.emptyInARow &+= 1
            if state.pointee.emptyInARow > Self.emptyStepsBeforeSleep && idle == .adaptive {
                sleep()
            } else {
                cdpdk_pause()
            }
        }
        state.pointee.stepStart = now
    }

    @inline(never)
    private borrowing func sleep() {
        let memory = UnsafeMutableRawPointer(mutating: settings.pointee.receivePlan)
        let plan = memory.assumingMemoryBound(to: ReceivePlan.self)
        guard plan.pointee.descriptorCount > 0 else { return cdpdk_pause() }
        counters.pointee.sleeps &+= 1
        var nanoseconds = Self.longestSleep
        if !plan.pointee.allWake {
            let beyond = state.pointee.emptyInARow &- Self.emptyStepsBeforeSleep
            nanoseconds = beyond < 10 ? Self.shortNap : Self.longNap
        }
        cdpdk_before_sleep(sleeping)
        guard deltas.isEmpty && handoversAreEmpty() else {
            sleeping.pointee = 0
            return
        }
        cdpdk_sleep(
            sleeping,
            ReceivePlan.descriptors(memory, count: plan.pointee.count),
            UInt32(truncatingIfNeeded: plan.pointee.descriptorCount),
            nanoseconds
        )
    }

    private borrowing func handoversAreEmpty() -> Bool {
        for worker in 0..<workerCount {
            if let ring = handoversIn[worker], !ring.isEmpty { return false }
        }
        return true
    }
}
