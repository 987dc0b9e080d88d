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
            let unreadable = try await Command.run(live.functionWords("fw", "firewall", ["/etc"]))
            #expect(unreadable.status == 1 && unreadable.errors.contains("/etc: Is a directory"), "\(unreadable)")
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
            let texts = try live.file("texts", "attack\n\nsmuggled  goods\nC# here\n")
            let function = try await live.startFunction("fw", "payload-scan", texts)
            func answers(_ text: String) async throws -> Int {
                let pattern = text.utf8.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
                let ping = ["ping", "-n", "-q", "-c", "3", "-i", "0.01", "-W", "1", "-p", pattern, "10.88.0.2"]
                return LiveSwitch.answers(try await Command.run(ping, namespace: live.namespaces.ofHost(1)))
            }
            #expect(try await answers("harmless") == 3)
            #expect(try await answers("attattack") == 0)
            for text in ["smuggled  goods", "C# here"] { #expect(try await answers(text) == 0) }
            for text in ["smuggled goods", "smuggled food", "C"] { #expect(try await answers(text) == 3) }
            function.end()
        }

        @Test("payload scan tells a firewall whom to keep out")
        func alarm() async throws {
            let live = try await LiveSwitch.startedWithFunctions(["scan", "fw"]) {
                $0.vmKeys = ", empty: 64, messages: 64, verdicts: [drop, next, message]"
            }
            let firewall = try await live.startFunction("fw", "firewall", try live.file("rules", ""))
            let scan = try await live.startFunction("scan", "payload-scan", try live.file("texts", "attack\n"), "11")
            try await live.expectPing(from: 1, to: 2)
            let attack = ["ping", "-n", "-q", "-c", "1", "-W", "1", "-p", "61747461636b", "-s", "60", "10.88.0.2"]
            _ = try await Command.run(attack, namespace: live.namespaces.ofHost(1))
            #expect(try await eventually { try await live.vm("fw").number("messages_received") > 0 })
            try await live.expectPing(false, from: 1, to: 2, count: 2, "its rule is the first one now")
            let (from, to) = (try await live.vm("scan"), try await live.vm("fw"))
            #expect(from.number("messages_sent") == to.number("messages_received"), "\(from)\(to)")
            for function in [firewall, scan] { function.end() }
        }

        @Test("length limit, in C")
        func lengthLimit() async throws {
            let live = try await LiveSwitch.startedWithFunctions(["fw"])
            let program = try await live.compile(Requirements.lengthLimit)
            let refused = try await Command.run(live.functionWords("fw", program, ["1k"]))
            #expect(refused.status == 1 && refused.errors.contains("a number of bytes is wanted"), "\(refused)")
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

        @Test("load generator: makes packets at a rate, and meters what comes back")
        func loadGenerator() async throws {
            let live = try await LiveSwitch.startedWithFunctions(["gen", "b"]) { $0.vmKeys = ", empty: 64" }
            let free = try await live.buffers().free
            try await live.addFlows(
                "priority=40000,in_port=10,udp,"
                    + "actions=mod_dl_dst:02:00:00:00:00:02,mod_nw_src:10.88.0.1,mod_nw_dst:10.88.0.2,output:2"
            )
            let server = try Command(
                ["nc", "-u", "-l", "-d", "-p", "7", "-s", "10.88.0.2"],
                namespace: live.namespaces.ofHost(2)
            )
            try await Task.sleep(for: .milliseconds(300))
            let generator = try await live.startFunction("gen", "load-generator", "100", "200")
            // The word by which it knows its packets.
            #expect(try await eventually { server.printed.contains("!yawgnir") }, "\(generator.printed)")
            server.end()

            // By another function, and back.
            try await live.addFlows("priority=50000,in_port=10,actions=output:11", "in_port=11,actions=output:10")
            let forward = try await live.startFunction("b")
            /// SENT, RECEIVED, BYTES, MISSING, LEAST, MEAN, MOST; nothing in place of words.
            func isMetered(_ line: Substring) -> Bool {
                let row = line.split(separator: "\t").compactMap { Double($0) }
                guard row.count == 7, row[1] > 0, row[2] == row[1] * 100 else { return false }
                return 0 < row[4] && row[4] <= row[5] && row[5] <= row[6]
            }
            let isBack = try await eventually { generator.printed.split(separator: "\n").contains { isMetered($0) } }
            #expect(isBack, "\(generator.printed)")
            generator.send(SIGKILL)
            #expect(try await eventually { try await live.vm("gen").text("last_end") == "the process ended" })
            let vm = try await live.vm("gen")
            #expect(vm.number("made") > 200 && vm.number("violations") == 0 && vm.number("copied") == 0, "\(vm)")
            // What it got is given back by it, too, and what it made besides.
            #expect(vm.number("receive_packets") > vm.number("made"), "\(vm)")
            #expect(try await eventually { try await live.vm("gen").number("lent") == 0 })
            forward.end()
            #expect(try await eventually { try await live.buffers().lent == 0 })
            #expect(try await eventually { abs(try await live.buffers().free - free) < 64 })
            let refused = try await Command.run(live.functionWords("gen", "load-generator", ["59"]))
            #expect(refused.status == 1 && refused.errors.contains("60 to 2048"), "\(refused)")
        }

        @Test("load generator: as much as goes, and no violation")
        func fullLoad() async throws {
            let live = try await LiveSwitch.startedWithFunctions(["gen", "b"]) { $0.vmKeys = ", empty: 256" }
            let forward = try await live.startFunction("b")
            try await live.addFlows("priority=50000,in_port=10,actions=output:11", "in_port=11,actions=output:10")
            let generator = try await live.startFunction("gen", "load-generator", "60", "0", "16")
            #expect(try await eventually(within: .seconds(30)) { try await live.vm("gen").number("made") > 100_000 })
            for function in [generator, forward] {
                function.send(SIGTERM)
                #expect(try await function.outcome().status == 0)
            }
            #expect(try await eventually { try await live.buffers().lent == 0 })
            for name in ["gen", "b"] {
                let vm = try await live.vm(name)
                #expect(["foreign_buffers", "bad_places", "bad_verdicts"].allSatisfy { vm.number($0) == 0 }, "\(vm)")
            }
            // Nothing is lost between the two but by names.
            let (gen, b) = (try await live.vm("gen"), try await live.vm("b"))
            let drops = try await live.show("drops")
            func dropped(_ port: Int, _ reasons: [String]) -> Int {
                drops.filter { $0.number("port") == port && reasons.contains($0.text("reason")) }
                    .reduce(0) { $0 + $1.number("packets") }
            }
            // What the generator got it drops; what it made went to the other one.
            #expect(
                gen.number("receive_packets") - dropped(10, ["verdict"])
                    == b.number("transmit_packets") + dropped(11, ["vm_full", "vm_detached", "no_buffer"]),
                "\(gen) \(b)"
            )
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
