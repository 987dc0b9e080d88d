// The example functions, each between two hosts, as their users run them.

import Foundation
import Testing

extension LiveTests {
    @Suite("Examples", .serialized) struct ExampleTests {
        @Test("the demonstration shows a ping through two of them, and leaves nothing behind")
        func demonstration() async throws {
            let outcome = try await Command.run(
                [Requirements.demonstration, "--once"],
                environment: ["RINGWAY": Requirements.ringway],
                within: .seconds(90)
            )
            #expect(outcome.status == 0 && outcome.output.contains(" 0% packet loss"), "\(outcome)")
            #expect(outcome.output.contains("icmp 10.99.0.1 > 10.99.0.2"), "\(outcome)")
            #expect(access("/run/ringway-demo", F_OK) != 0)
        }

        @Test("firewall: rules of a file, the first that fits")
        func firewall() async throws {
            let live = try await LiveSwitch.startedWithFunctions(["fw"])
            let rules = try live.file(
                "rules",
                """
                # Host 1 may be pinged, and may not look for host 2's secret port.
                allow icmp from 10.88.0.0/24 to 10.88.0.1
                deny icmp to 10.88.0.3
                deny tcp port 5002

                """
            )
            let function = try await live.startFunction("fw", "firewall", rules)
            try await live.expectPing(from: 1, to: 2)
            for (port, isOpen) in [(5001, true), (5002, false)] {
                let server = try Command(
                    ["nc", "-l", "-d", "-p", "\(port)", "-s", "10.88.0.2"],
                    namespace: live.namespaces.ofHost(2)
                )
                try await Task.sleep(for: .milliseconds(300))
                let client = try await Command.run(
                    ["nc", "-z", "-w", "2", "10.88.0.2", "\(port)"],
                    namespace: live.namespaces.ofHost(1)
                )
                #expect((client.status == 0) == isOpen, "\(port): \(client)")
                server.end()
            }
            #expect(try await live.show("drops").contains { $0.text("reason") == "verdict" })
            function.end()
            let wrong = try live.file("wrong", "allow\n\ndeny tcp from here\n")
            let outcome = try await Command.run(live.functionWords("fw", "firewall", [wrong]))
            #expect(
                outcome.status == 1 && outcome.errors.contains("\(wrong):3: \"deny tcp from here\" is no rule"),
                "\(outcome)"
            )
        }

        @Test("flow monitor: who sends how much")
        func flowMonitor() async throws {
            let live = try await LiveSwitch.startedWithFunctions(["fw"])
            let function = try await live.startFunction("fw", "flow-monitor", "1")
            try await live.expectPing(from: 1, to: 2, count: 10)
            let isTold = try await eventually {
                let lines = function.printed.split(separator: "\n")
                return ["10\t980\ticmp 10.88.0.1 > 10.88.0.2", "10\t980\ticmp 10.88.0.2 > 10.88.0.1"].allSatisfy {
                    wanted in
                    lines.contains { $0 == wanted }
                }
            }
            // One that was asked in the middle of the pings tells of them in two parts.
            #expect(isTold || function.printed.contains("icmp 10.88.0.1 > 10.88.0.2"), "\(function.printed)")
            function.end()
        }

        @Test("payload scan: what has a text in it does not pass")
        func payloadScan() async throws {
            let live = try await LiveSwitch.startedWithFunctions(["fw"])
            let texts = try live.file("texts", "attack\nsmuggled goods # two words\n")
            let function = try await live.startFunction("fw", "payload-scan", texts)
            func answers(_ text: String) async throws -> Int {
                let pattern = text.utf8.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
                let ping = ["ping", "-n", "-q", "-c", "3", "-i", "0.01", "-W", "1", "-p", pattern, "10.88.0.2"]
                return LiveSwitch.answers(try await Command.run(ping, namespace: live.namespaces.ofHost(1)))
            }
            #expect(try await answers("harmless") == 3)
            #expect(try await answers("attattack") == 0)
            #expect(try await answers("smuggled goods") == 0)
            #expect(try await answers("smuggled food") == 3)
            function.end()
        }

        @Test("length limit, in C")
        func lengthLimit() async throws {
            let live = try await LiveSwitch.startedWithFunctions(["fw"])
            let program = "\(live.directory.path)/length-limit"
            let compiled = try await Command.run([
                "gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-I", Requirements.vmringFolder, "-o", program,
                Requirements.lengthLimit,
            ])
            #expect(compiled.status == 0, "\(compiled)")
            let function = try await live.startFunction("fw", program, "500")
            try await live.expectPing(from: 1, to: 2, count: 20)
            let long = ["ping", "-n", "-q", "-c", "3", "-i", "0.01", "-W", "1", "-s", "600", "10.88.0.2"]
            let outcome = try await Command.run(long, namespace: live.namespaces.ofHost(1))
            #expect(LiveSwitch.answers(outcome) == 0, "\(outcome)")
            let vm = try await live.vm("fw")
            #expect(vm.number("copied") == 0 && vm.number("lent") == 0, "\(vm)")

            // It sleeps and is woken, attaches to the next agent, and leaves when it is asked to.
            try await Task.sleep(for: .milliseconds(300))
            try await live.expectPing(from: 1, to: 2, count: 5)
            #expect(try await live.vm("fw").number("wakes") > 0)
            try await live.restart(by: SIGKILL)
            try await live.addChain()
            try await live.expectAttached("fw")
            try await live.expectPing(from: 1, to: 2, count: 5)
            function.send(SIGTERM)
            #expect(try await function.outcome().status == 0)
            #expect(try await eventually { try await live.vm("fw").text("last_end") == "detached itself" })
        }

        @Test("rate limiter: so much a second and no more")
        func rateLimiter() async throws {
            let live = try await LiveSwitch.startedWithFunctions(["fw"])
            let function = try await live.startFunction("fw", "rate-limiter", "16kbit/s")
            // 2,048 bytes at once and 2,000 a second, where 400 packets of 98 bytes come and as many of their answers go.
            let outcome = try await live.startPing(from: 1, to: 2, count: 400, wait: 1).outcome()
            #expect((10...80).contains(LiveSwitch.answers(outcome)), "\(outcome)")
            function.end()
            let refused = try await Command.run(live.functionWords("fw", "rate-limiter", ["fast"]))
            #expect(refused.status == 1 && refused.errors.contains("a rate is wanted"), "\(refused)")
        }
    }
}
