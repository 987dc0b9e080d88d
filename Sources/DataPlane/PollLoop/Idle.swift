// The end of a step: account for the time it took, tell the control side what it waits for, and wait if there is nothing
// to do. An adaptive worker polls on for a while after the last packet, then sleeps. A delta, a packet from another worker
// and a packet in a queue with a descriptor wake it at once; if it has other queues, VMs' among them, it naps for less than
// 100 µs at a time.

import CDPDK

extension Worker {
    /// Empty steps between the last packets and a sleep.
    private static var stepsAfterPackets: UInt64 { 2_000 }
    /// Empty steps between the last delta and a sleep, about a millisecond: who pushes rules one by one, each when the one
    /// before is answered (as `ovs-ofctl add-flows` does), finds the worker awake.
    static var stepsAfterDeltas: UInt64 { 20_000 }
    /// Nanoseconds of a nap while there are queues that wake nobody: a packet waits for less than 100 µs.
    private static var shortNap: UInt32 { 20_000 }
    private static var longNap: UInt32 { 90_000 }
    /// Nanoseconds of a sleep that every queue ends: a bound for what should not happen.
    private static var longestSleep: UInt32 { 10_000_000 }

    @inline(__always)
    borrowing func endStep(worked: Bool) {
        var now = Clock.cycles
        if worked {
            let length = now &- state.pointee.stepStart
            counters.pointee.busyCycles &+= length
            counters.pointee.longestStep = max(counters.pointee.longestStep, length)
            let magnitude = UInt64.bitWidth &- (length >> UInt64(WorkerCounters.shortestStep)).leadingZeroBitCount
            counters.pointee.steps[min(magnitude, WorkerCounters.stepBuckets &- 1)] &+= 1
            state.pointee.naps = 0
            state.pointee.stepsToSleep = max(state.pointee.stepsToSleep, Self.stepsAfterPackets)
            if state.pointee.notify {
                state.pointee.notify = false
                cdpdk_notify(controlWaits, controlPipe)
            }
        } else if state.pointee.stepsToSleep > 0 {
            state.pointee.stepsToSleep &-= 1
            cdpdk_pause()
        } else if idle == .adaptive {
            sleep()
            now = Clock.cycles
        } else {
            cdpdk_pause()
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
        if !plan.pointee.allWake || settings.pointee.vmQueues.load(as: Int.self) > 0 {
            state.pointee.naps &+= 1
            nanoseconds = state.pointee.naps < 10 ? Self.shortNap : Self.longNap
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
