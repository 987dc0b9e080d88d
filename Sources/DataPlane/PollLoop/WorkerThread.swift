// Workers as threads: made, joined by rings, started on their lcores, stopped. Control side.

import CDPDK

extension Worker {
    /// Makes `count` workers and the rings between them. They are never freed.
    package static func make(
        count: Int,
        pool: PacketPool,
        controlPipe: Int32,
        idle: IdleMode,
        flowCache: FlowCacheMode = .auto
    ) -> [UnsafeMutablePointer<Worker>] {
        let workers = (0..<count).map { index in
            let pointer = UnsafeMutablePointer<Worker>.allocate(capacity: 1)
            pointer.initialize(
                to: Worker(
                    index: index,
                    workerCount: count,
                    pool: pool.mempool,
                    controlPipe: controlPipe,
                    idle: idle,
                    flowCache: flowCache,
                    wakeDescriptor: cdpdk_event()
                )
            )
            return pointer
        }
        for from in 0..<count {
            for to in 0..<count { workers[from].pointee.peers[to] = workers[to] }
            for to in 0..<count where from != to {
                let ring = Ring<Handover>(capacity: 1024)
                workers[from].pointee.handoversOut[to] = ring
                workers[to].pointee.handoversIn[from] = ring
            }
        }
        return workers
    }

    /// A worker for looking only: it uses another one's tables, counts nothing and is never started.
    package static func observer(of worker: UnsafeMutablePointer<Worker>, pool: PacketPool) -> UnsafeMutablePointer<
        Worker
    > {
        let pointer = UnsafeMutablePointer<Worker>.allocate(capacity: 1)
        pointer.initialize(
            to: Worker(
                index: worker.pointee.index,
                workerCount: 1,
                pool: pool.mempool,
                controlPipe: -1,
                idle: .busy,
                flowCache: .off,
                counts: false
            )
        )
        return pointer
    }

    /// Starts a worker on its lcore, where it polls until it gets a `stop`.
    package static func start(_ worker: UnsafeMutablePointer<Worker>) -> Bool {
        rte_eal_remote_launch(
            { argument in
                guard let argument else { return 0 }
                cdpdk_exact_timers()
                let worker = argument.assumingMemoryBound(to: Worker.self)
                worker.pointee.thread.pointee = cdpdk_thread()
                worker.pointee.poll()
                return 0
            },
            worker,
            UInt32(worker.pointee.index)
        ) == 0
    }

    /// Waits until a worker that was told to stop has stopped.
    package static func join(_ worker: UnsafeMutablePointer<Worker>) {
        rte_eal_wait_lcore(UInt32(worker.pointee.index))
    }
}
