// The main job: packets from host to host, by rules that ovs-ofctl has pushed.

import Testing

extension LiveTests {
    @Suite("Ping", .serialized) struct PingTests {
        @Test("through two rules, with a packet and byte count at each")
        func ping() async throws {
            let live = try await LiveSwitch.started()
            try await live.expectPing(false, from: 1, to: 2, count: 2, "there is no rule yet")
            try await live.addFlows("priority=10,in_port=1,actions=output:2", "priority=10,in_port=2,actions=output:1")
            try await live.expectPing(from: 1, to: 2, count: 20)
            try await live.expectPing(from: 2, to: 1, count: 20)
            let flows = try await live.ofctl("dump-flows", "icmp,in_port=1").output
            #expect(flows.isEmpty || !flows.contains("n_packets"), "the rules say nothing of ICMP: \(flows)")
            let all = try await live.ofctl("dump-flows").output
            for line in all.split(separator: "\n") where line.contains("in_port") {
                let packets = LiveSwitch.numbers(of: ["n_packets=", "n_bytes="], in: String(line))
                #expect(packets[0] >= 40 && packets[1] >= 40 * 98, "\(line)")
            }
        }

        @Test("with two workers", .enabled(if: Requirements.hasTwoCores, "two cores are needed"))
        func twoWorkers() async throws {
            let live = try await LiveSwitch.started(hosts: 3) { $0.workers = "{cores: [0, 1], idle: adaptive}" }
            try await live.addFlows(
                "priority=10,in_port=1,actions=output:2,output:3",
                "priority=10,in_port=2,actions=output:1",
                "priority=10,in_port=3,actions=output:1"
            )
            for host in 2...3 { try await live.expectPing(from: 1, to: host, count: 20) }
            #expect(try await live.show("workers").map { $0.number("core") } == [0, 1])
            #expect(
                try await live.show("workers").allSatisfy { $0.number("packets") > 0 },
                "each worker has a port's queue"
            )
        }
    }
}
