// UDP flows from host 1 to host 2, with numbered packets (Fixtures/hosts/flows.py).

import Foundation
import Testing

extension LiveSwitch {
    func startFlows(first: Int, count: Int, rounds: Int) throws -> Command {
        try Command(
            ["python3", Requirements.flows, "send", "10.88.0.2"] + [first, count, rounds].map(String.init) + [
                "0.01"
            ],
            namespace: namespaces.ofHost(1)
        )
    }

    /// What comes until the sender has ended.
    func startFlowReceiver() async throws -> Command {
        let receiver = try Command(
            ["python3", Requirements.flows, "receive", "20"],
            namespace: namespaces.ofHost(2)
        )
        let isOpen = try await eventually {
            try await Command.run(["ss", "-Huln"], namespace: namespaces.ofHost(2)).output.contains(":7000")
        }
        #expect(isOpen)
        return receiver
    }

    /// By flow: the types of service in the order of the packets, and their numbers.
    func flows(_ receiver: Command) async throws -> [Int: (marks: [Int], numbers: [Int])] {
        let outcome = try await receiver.outcome()
        let flows = try JSONDecoder().decode([String: [[Int]]].self, from: Data(outcome.output.utf8))
        return Dictionary(
            uniqueKeysWithValues: flows.map { port, packets in
                (Int(port) ?? 0, (packets.map { $0[0] }, packets.map { $0[1] }))
            }
        )
    }
}
