// Network functions as processes: packets go through them in place, and whatever becomes of a function, its port goes down,
// its buffers come back, and nobody else notices.

import Foundation
import Testing

extension LiveTests {
    @Suite("Network functions", .serialized) struct FunctionTests {
        @Test("a ping goes through a function, and nothing is copied")
        func ping() async throws {
            let live = try await LiveSwitch.startedWithFunctions(["fw"])
            try await live.expectPing(false, from: 1, to: 2, count: 2, "no function runs yet")
            let drops = try await live.show("drops").first { $0.text("reason") == "vm_detached" }
            #expect((drops?.number("packets") ?? 0) > 0)
            let function = try await live.startFunction("fw")
            #expect(try await live.ofctl("show").output.contains(" 10(fw)"))
            try await live.expectPing(from: 1, to: 2, count: 50)
            let vm = try await live.vm("fw")
            #expect(vm.number("transmit_packets") >= 100 && vm.number("receive_packets") >= 100, "\(vm)")
            #expect(vm.number("copied") == 0 && vm.number("lent") == 0, "\(vm)")
            #expect(["foreign_buffers", "bad_places", "bad_verdicts"].allSatisfy { vm.number($0) == 0 }, "\(vm)")
            // As SIGTERM asks it to.
            function.send(SIGTERM)
            #expect(try await function.outcome().status == 0)
            #expect(try await eventually { try await live.vm("fw").text("last_end") == "detached itself" })
        }

        @Test(
            "with two workers, each with rings of its own",
            .enabled(if: Requirements.hasTwoCores, "two cores are needed")
        )
        func twoWorkers() async throws {
            let live = try await LiveSwitch.startedWithFunctions(["a", "b"]) {
                $0.workers = "{cores: [0, 1], idle: adaptive}"
            }
            let functions = [try await live.startFunction("a"), try await live.startFunction("b")]
            for host in 1...2 { try await live.expectPing(from: host, to: 3 - host, count: 20) }
            #expect(
                try await live.show("workers").allSatisfy { $0.number("packets") > 0 },
                "each worker has a port's queue"
            )
            for name in ["a", "b"] {
                let vm = try await live.vm(name)
                #expect(
                    vm.number("receive_packets") >= 80 && vm.number("lent") == 0 && vm.number("copied") == 0,
                    "\(vm)"
                )
            }
            for function in functions { function.end() }
            #expect(try await eventually { try await live.vm("a").text("state") == "detached" })
            #expect(try await live.buffers().lent == 0)
        }

        @Test("a chain of functions is rules")
        func chain() async throws {
            let live = try await LiveSwitch.startedWithFunctions(["a", "b", "c"])
            var functions: [Command] = []
            for name in ["a", "b", "c"] { functions.append(try await live.startFunction(name)) }
            try await live.expectPing(from: 1, to: 2, count: 20)
            for name in ["a", "b", "c"] { #expect(try await live.vm(name).number("receive_packets") >= 40) }
            // Without the second one, while it runs.
            let before = try await live.vm("b").number("receive_packets")
            try await live.addFlows("in_port=10,actions=output:12")
            try await live.expectPing(from: 1, to: 2, count: 20)
            #expect(try await live.vm("b").number("receive_packets") == before)
        }

        @Test("a fast-failover group goes round a function that is down")
        func failover() async throws {
            let live = try await LiveSwitch.startedWithFunctions(["fw"])
            let group = "group_id=1,type=ff,bucket=watch_port:10,output:10,bucket=watch_port:2,output:2"
            #expect(try await live.ofctl("add-group", group).status == 0)
            try await live.addFlows("in_port=1,actions=group:1", "in_port=2,actions=output:1")
            try await live.expectPing(from: 1, to: 2)
            let function = try await live.startFunction("fw")
            try await live.expectPing(from: 1, to: 2)
            #expect(try await live.vm("fw").number("receive_packets") >= 5)
            function.end()
            #expect(try await eventually { try await live.vm("fw").text("state") == "detached" })
            try await live.expectPing(from: 1, to: 2)
        }

        @Test("what comes from outside the group is copied once")
        func copies() async throws {
            let live = try await LiveSwitch.startedWithFunctions(["fw"])
            let function = try await live.startFunction("fw")
            // A packet-out lies in the agent's own memory.
            let packet = "0200000000020200000000010800" + String(repeating: "00", count: 46)
            let outcome = try await live.ofctl("packet-out", "in_port=controller,packet=\(packet),actions=output:10")
            #expect(outcome.status == 0, "\(outcome)")
            #expect(try await eventually { try await live.vm("fw").number("copied") == 1 })
            #expect(try await eventually { try await live.vm("fw").number("receive_packets") == 1 })
            function.end()
        }

        @Test("between groups a packet is copied, once for each")
        func groups() async throws {
            let live = try await LiveSwitch.startedWithFunctions(["fw"]) {
                $0.otherHosts = [3: "other", 4: nil]
                $0.otherVMs = ["{number: 20, name: there, group: other}"]
            }
            let functions = [try await live.startFunction("fw"), try await live.startFunction("there")]
            // Through both groups, and back again from the other group's port.
            try await live.addFlows(
                "in_port=1,actions=output:10",
                "in_port=3,actions=output:20",
                "in_port=10,dl_src=02:00:00:00:00:01,actions=output:20",
                "in_port=20,dl_src=02:00:00:00:00:01,actions=output:3",
                "in_port=20,dl_src=02:00:00:00:00:03,actions=output:10",
                "in_port=10,dl_src=02:00:00:00:00:03,actions=output:1"
            )
            try await live.expectPing(from: 1, to: 3, count: 20)
            let (here, there) = (try await live.vm("fw"), try await live.vm("there"))
            // What comes from host 1 is copied on its way to the other group, and the answer on its way from there.
            #expect(here.number("receive_packets") == there.number("receive_packets"), "\(here) \(there)")
            #expect(
                (20...23).contains(here.number("copied")) && (20...23).contains(there.number("copied")),
                "\(here) \(there)"
            )
            // Nor does a port without a group receive into one.
            try await live.addFlows(
                "in_port=4,actions=output:10",
                "in_port=10,dl_src=02:00:00:00:00:04,actions=output:1"
            )
            try await live.addFlows("in_port=1,dl_dst=02:00:00:00:00:04,priority=40000,actions=output:4")
            try await live.expectPing(from: 4, to: 1, count: 20)
            #expect(try await live.vm("fw").number("copied") >= 40)
            for group in ["tenant", "other"] {
                #expect(try await eventually { try await live.buffers(ofGroup: group).lent == 0 })
            }
            for function in functions { function.end() }
        }

        @Test("a message goes from function to function in the same buffer")
        func messages() async throws {
            let live = try await LiveSwitch.startedWithFunctions(["a", "b"]) {
                $0.vmKeys = ", messages: 64, verdicts: [drop, next, message]"
            }
            let (a, b) = (
                try await live.startFunction("a", "trace-function", "message", "11"),
                try await live.startFunction("b", "trace-function")
            )
            try await live.expectPing(from: 1, to: 2, count: 20)
            let (sent, received) = (Guest.traced(a.printed), Guest.traced(b.printed, "message"))
            #expect(sent.count >= 40 && sent.elementsEqual(received, by: ==), "\(sent)\n\(received)")
            let (from, to) = (try await live.vm("a"), try await live.vm("b"))
            #expect(from.number("messages_sent") == to.number("messages_received") && from.number("copied") == 0)
            #expect(from.number("receive_packets") == 0 && to.number("transmit_packets") == 0, "\(from)\(to)")
            #expect(to.number("made") == to.number("messages_received"), "\(to)")
            let metrics = try await live.metrics()
            #expect(metrics["ringway_vm_messages_total{port=\"11\",name=\"b\",direction=\"received\"}"] ?? 0 >= 40)

            // Nobody is there any more.
            b.send(SIGKILL)
            #expect(try await eventually { try await live.vm("b").text("state") == "detached" })
            try await live.expectPing(false, from: 1, to: 2, count: 2, "who passes them on is gone")
            #expect(try await live.vm("a").number("messages_unreachable") > 0)
            #expect(try await eventually { try await live.buffers().lent == 0 })
            a.end()
        }

        @Test("functions in C make packets and send messages, too")
        func inC() async throws {
            let live = try await LiveSwitch.startedWithFunctions(["a", "b"]) {
                $0.vmKeys = ", empty: 64, messages: 64, verdicts: [drop, next, message]"
            }
            let program = try await live.compile(Requirements.mirror)
            let functions = [
                try await live.startFunction("a", program, "11"), try await live.startFunction("b", program),
            ]
            let ping = ["ping", "-n", "-q", "-c", "20", "-i", "0.01", "-W", "2", "10.88.0.2"]
            let outcome = try await Command.run(ping, namespace: live.namespaces.ofHost(1))
            #expect(outcome.output.contains("20 received") && outcome.output.contains("duplicates"), "\(outcome)")
            let (from, to) = (try await live.vm("a"), try await live.vm("b"))
            #expect(from.number("messages_sent") >= 40 && to.number("made") >= 40, "\(from)\(to)")
            for function in functions {
                function.send(SIGTERM)
                #expect(try await function.outcome().status == 0)
            }
            #expect(try await eventually { try await live.buffers().lent == 0 })
        }

        @Test("a function that hangs is let go, and attaches anew when it goes on")
        func hangs() async throws {
            let live = try await LiveSwitch.startedWithFunctions(["fw"]) { $0.vmKeys = ", heartbeat: 300ms, ring: 64" }
            let monitor = try live.startOfctl("monitor", "65535")
            let function = try await live.startFunction("fw")
            let free = try await live.buffers().free
            function.send(SIGSTOP)
            // More than it may have in hand.
            let ping = try live.startPing(from: 1, to: 2, count: 100, wait: 1)
            #expect(try await eventually { try await live.vm("fw").text("last_end") == "no heartbeat" })
            #expect(try await eventually { try await live.vm("fw").text("state") == "detached" })
            #expect(try await live.buffers().lent == 0)
            _ = try await ping.outcome()
            #expect(try await eventually { abs(try await live.buffers().free - free) < 64 })
            #expect(try await eventually { monitor.printed.contains("LINK_DOWN") }, "\(monitor.printed)")
            function.send(SIGCONT)
            #expect(try await eventually { try await live.vm("fw").text("state") == "attached" })
            try await live.expectPing(from: 1, to: 2)
            function.end()
        }

        @Test("functions outlive the agent, and attach to the next one")
        func agentRestarts() async throws {
            let live = try await LiveSwitch.startedWithFunctions(["a", "b"])
            let functions = [try await live.startFunction("a"), try await live.startFunction("b")]
            for signal in [SIGKILL, SIGTERM] {
                try await live.expectPing(from: 1, to: 2)
                try await live.restart(by: signal)
                try await live.addChain()
                for name in ["a", "b"] {
                    #expect(try await eventually { try await live.vm(name).text("state") == "attached" })
                }
            }
            try await live.expectPing(from: 1, to: 2)
            for function in functions {
                #expect(function.isRunning)
                function.end()
            }
        }

        @Test("a function may sleep, and is woken")
        func sleeps() async throws {
            let live = try await LiveSwitch.startedWithFunctions(["fw"])
            let function = try await live.startFunction("fw")
            try await live.expectPing(from: 1, to: 2, count: 10)
            try await Task.sleep(for: .milliseconds(300))
            let before = try Self.processorTime(of: function.pid)
            try await Task.sleep(for: .seconds(1))
            let used = try Self.processorTime(of: function.pid) - before
            #expect(used < 20, "\(used) hundredths of a second")
            try await live.expectPing(from: 1, to: 2, count: 10)
            #expect(try await live.vm("fw").number("wakes") > 0)
            function.end()
        }

        @Test("who is not allowed to attach is told why")
        func refusals() async throws {
            let live = try await LiveSwitch.startedWithFunctions(["fw"])
            let function = try await live.startFunction("fw")
            let words = [Requirements.ringway, "nf", "run"]
            let config = ["--config", live.configurationPath]
            for (arguments, text) in [
                (["simple-forward", "--vm", "fw"], "another process is attached"),
                (["simple-forward", "--vm", "gw"], "there is no vm gw: there are fw"),
                (["no-such-function", "--vm", "fw"], "there is no function no-such-function"),
                (["simple-forward", "--vm", "fw", "--core", "1000"], "--core 1000"),
            ] {
                let outcome = try await Command.run(words + arguments + config)
                #expect(outcome.status == 1 && outcome.errors.contains(text), "\(arguments): \(outcome)")
            }
            try await live.expectPing(from: 1, to: 2)
            function.end()
        }

        /// User and system time, in hundredths of a second (proc(5)).
        static func processorTime(of pid: pid_t) throws -> Int {
            let text = try String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)
            // Behind the name, which may have blanks in it.
            let fields = text[text.index(after: try #require(text.lastIndex(of: ")")))...].split(separator: " ")
            return try #require(Int(fields[11])) + #require(Int(fields[12]))
        }
    }
}
