// The end of a step: account for the time it took, tell the control side what it waits for, and wait if there is nothing
// to do. An adaptive worker polls on for a while after the last packet, then sleeps; a delta wakes it at once, a packet
// finds it awake within 100 µs.

import CDPDK

extension Worker {
    /// Empty steps before a sleep: with a rule that follows each answer at once (as `ovs-ofctl add-flows` pushes them) the
    /// worker is still awake.
    private static var emptyStepsBeforeSleep: UInt64 { 2_000 }
    private static var shortestSleep: UInt32 { 20_000 }
    private static var longestSleep: UInt32 { 90_000 }

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
        counters.pointee.sleeps &+= 1
        let beyond = state.pointee.emptyInARow &- Self.emptyStepsBeforeSleep
        let nanoseconds = beyond < 10 ? Self.shortestSleep : Self.longestSleep
        let seen = cdpdk_load(deltas.tailWord)
        guard deltas.isEmpty else { return }
        cdpdk_sleep(sleeping, deltas.tailWord, seen, nanoseconds)
    }
}
