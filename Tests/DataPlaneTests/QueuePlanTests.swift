import DataPlane
import Testing

@Suite("Queue plan", .timeLimit(.minutes(1)))
struct QueuePlanTests {
    @Test("gives each receive queue to the worker that has the fewest")
    func spreads() {
        var load = QueuePlan.Load(workers: 2)
        let first = QueuePlan(receiveQueues: 3, transmitQueues: 2, load: &load)
        #expect(first.receive == [0, 1, 0])
        let second = QueuePlan(receiveQueues: 2, transmitQueues: 2, load: &load)
        #expect(second.receive == [1, 0])
        second.leave(&load)
        #expect(QueuePlan(receiveQueues: 1, transmitQueues: 2, load: &load).receive == [1])
    }

    @Test("follows what was assigned by hand, and counts it")
    func byHand() {
        var load = QueuePlan.Load(workers: 2)
        #expect(QueuePlan(receiveQueues: 2, transmitQueues: 2, byHand: [0: 1], load: &load).receive == [1, 0])
        #expect(QueuePlan(receiveQueues: 2, transmitQueues: 2, byHand: [0: 1, 1: 1], load: &load).receive == [1, 1])
        #expect(QueuePlan(receiveQueues: 2, transmitQueues: 2, load: &load).receive == [0, 0])
    }

    @Test("lets each worker send by a queue of its own if there are enough, else one for all")
    func transmit() {
        var load = QueuePlan.Load(workers: 2)
        let enough = QueuePlan(receiveQueues: 1, transmitQueues: 2, load: &load)
        #expect(enough.transmit == .queuePerWorker)
        #expect(enough.destination(worker: 1, device: 7).rawValue == Destination.device(7, queue: 1).rawValue)
        let single = QueuePlan(receiveQueues: 1, transmitQueues: 1, load: &load)
        #expect(single.receive == [1])
        #expect(single.transmit == .owner(1))
        #expect(single.destination(worker: 1, device: 7).rawValue == Destination.device(7, queue: 0).rawValue)
        #expect(single.destination(worker: 0, device: 7).rawValue == Destination.worker(1).rawValue)
    }
}
