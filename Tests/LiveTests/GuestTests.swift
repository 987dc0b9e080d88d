// Network functions in virtual machines: a stock guest under a stock QEMU between two hosts, and what it can and cannot do.

import Foundation
import Testing

extension LiveTests {
    @Suite("Guests", .serialized, .enabled(if: Guest.missing == nil, "\(Guest.reason)")) struct GuestTests {
        @Test("packets go through a guest and on through a process in the same buffers")
        func inPlace() async throws {
            let live = try await LiveSwitch.startedWithFunctions(["fw", "b"]) { $0.vmKeys = ", heartbeat: 3s" }
            let process = try await live.startFunction("b", "trace-function")
            let guest = try await Guest("fw", of: live, function: "trace-function")
            try await live.expectAttached("fw")
            try await live.expectPing(from: 1, to: 2, count: 20)
            for name in ["fw", "b"] {
                let vm = try await live.vm(name)
                #expect(vm.number("receive_packets") >= 40 && vm.number("copied") == 0, "\(vm)")
            }
            let (inGuest, inProcess) = (Guest.traced(guest.console), Guest.traced(process.printed))
            #expect(inGuest.count >= 40 && inGuest.elementsEqual(inProcess, by: ==), "\(inGuest)\n\(inProcess)")

            // Both regions are mapped as ordinary memory is, and there are no others.
            let types = try await guest.run("cat /sys/kernel/debug/x86/pat_memtype_list")
            let bases = try await guest.run(
                "for d in /sys/bus/pci/devices/*; do if grep -q 0x1110 $d/device; then sed -n 3p $d/resource; fi; done"
            ).split(separator: "\n").compactMap { $0.split(separator: " ").first?.dropFirst(2) }
            #expect(bases.count == 2)
            for base in bases {
                let line = types.split(separator: "\n").first { $0.contains("[mem 0x\(base)-") }
                #expect(line?.hasSuffix("write-back") == true, "\(base): \(types)")
            }
            #expect(!guest.console.contains("is not cached"), "\(guest.console)")
        }

        @Test("functions in guests send each other messages, and make packets")
        func messages() async throws {
            let live = try await LiveSwitch.startedWithFunctions(["a", "b"]) {
                $0.vmKeys = ", heartbeat: 5s, empty: 64, messages: 64, verdicts: [drop, next, message]"
            }
            let (a, b) = (try await Guest("a", of: live), try await Guest("b", of: live))
            a.type("mirror 11 &")
            b.type("mirror &")
            for name in ["a", "b"] { try await live.expectAttached(name) }
            // What the one lets through it also sends to the other one, which makes a packet of it.
            let ping = ["ping", "-n", "-q", "-c", "20", "-i", "0.05", "-W", "3", "10.88.0.2"]
            let outcome = try await Command.run(ping, namespace: live.namespaces.ofHost(1))
            #expect(outcome.output.contains("20 received") && outcome.output.contains("duplicates"), "\(outcome)")
            let (from, to) = (try await live.vm("a"), try await live.vm("b"))
            #expect(from.number("messages_sent") >= 40 && to.number("made") >= 40, "\(from)\(to)")
            for vm in [from, to] { #expect(vm.number("copied") == 0 && vm.number("violations") == 0, "\(vm)") }
        }

        @Test("a guest reaches the memory of its own group, and of no other")
        func isolation() async throws {
            let live = try await LiveSwitch.startedWithFunctions(["fw", "b"]) {
                $0.otherVMs = ["{number: 20, name: stranger, group: other}"]
            }
            let guest = try await Guest("fw", of: live)
            // Near the end of the regions, where no packet has come to lie.
            let text = "only-one-group-knows"
            let agent = try #require(live.agent)
            for (path, found) in [
                ("tenant/packets", 1), ("tenant/fw.rings", 2), ("tenant/b.rings", 2), ("other/packets", 2),
                ("other/stranger.rings", 2),
            ] {
                // Of the other group there is only what the agent sees in its mount namespace.
                let file = try #require(
                    FileHandle(forUpdatingAtPath: "/proc/\(agent.pid)/root\(live.runDirectory)/live.vms/\(path)")
                )
                try file.seek(toOffset: path.hasSuffix("rings") ? 4096 + 1024 : 1 << 20)
                try file.write(contentsOf: Data(text.utf8))
                try file.close()
                #expect(try await guest.run("probe find \(text)").contains("found \(found)"), "\(path)")
            }
            let maps = try String(contentsOfFile: "/proc/\(guest.command.pid)/maps", encoding: .utf8)
            let files = Set(maps.split(separator: "\n").compactMap { $0.split(separator: "/").last }.map(String.init))
            #expect(
                files.isSuperset(of: ["packets", "fw.rings"]) && files.isDisjoint(with: ["b.rings", "stranger.rings"])
            )
        }

        @Test("a guest that touches memory which no region needs ends itself alone")
        func touches() async throws {
            // Long enough for a process that waits for a processor while QEMU gets page after page.
            let live = try await LiveSwitch.startedWithFunctions(["b", "fw"]) { $0.vmKeys = ", heartbeat: 5s" }
            // Past the guest.
            try await live.addFlows(
                "priority=40000,in_port=10,dl_src=02:00:00:00:00:01,actions=output:2",
                "priority=40000,in_port=10,dl_src=02:00:00:00:00:02,actions=output:1"
            )
            let process = try await live.startFunction("b")
            let guest = try await Guest("fw", of: live, function: "simple-forward")
            try await live.expectAttached("fw")
            let all = try await live.buffers().all
            let ping = try live.startPing(from: 1, to: 2, count: 400, wait: 2)
            guest.type("probe touch")
            let outcome = try await guest.command.outcome(within: .seconds(120))
            #expect(outcome.status == SIGBUS && !outcome.output.contains("touched all"), "\(outcome)")
            let pings = try await ping.outcome()
            let packets = try await live.packets()
            #expect(pings.output.contains(" 0% packet loss"), "\(pings)\(packets)")
            #expect(try await eventually { try await live.vm("fw").text("last_end") == "no heartbeat" })
            let buffers = try await live.buffers()
            #expect(process.isRunning && buffers.all == all && buffers.lent == 0)
            #expect(try await live.vm("b").number("attachments") == 1)
            // Nor is there less room for the next agent.
            try await live.restart(by: SIGTERM)
            #expect(try await eventually { try await live.vm("b").text("state") == "attached" })
        }

        @Test("whatever a guest writes, others' packets arrive as they were sent")
        func hostile() async throws {
            // Ports 1 and 2 are of the guest's group, 3 and 4 of another one, where a process is between them, and 5 and 6 of none.
            let live = try await LiveSwitch.startedWithFunctions(["fw"]) {
                $0.vmKeys = ", heartbeat: 3s, violations: 1000"
                $0.otherHosts = [3: "other", 4: "other", 5: nil, 6: nil]
                $0.otherVMs = ["{number: 20, name: honest, group: other, heartbeat: 5s}"]
            }
            try await live.addFlows(
                "in_port=3,actions=output:20",
                "in_port=4,actions=output:20",
                "in_port=20,dl_src=02:00:00:00:00:03,actions=output:4",
                "in_port=20,dl_src=02:00:00:00:00:04,actions=output:3",
                "in_port=5,actions=output:6",
                "in_port=6,actions=output:5"
            )
            let honest = try await live.startFunction("honest")
            let guest = try await Guest("fw", of: live)
            let all = try await live.buffers().all
            let (seconds, count) = (12, 1000)
            guest.type("probe lie \(seconds)")
            try await live.expectAttached("fw")
            let victims = try [(3, 4), (5, 6), (4, 3)].map { try live.startPing(from: $0, to: $1, count: count) }
            // What the guest gets to lie about.
            let bait = try [(1, 2), (2, 1)].map { try live.startPing(from: $0, to: $1, count: count, wait: 1) }
            #expect(
                try await eventually(within: .seconds(60)) { guest.console.contains("probe: lied") },
                "\(guest.console)"
            )
            for victim in victims {
                let outcome = try await victim.outcome()
                #expect(
                    LiveSwitch.answers(outcome) == count && !outcome.description.contains("wrong data"),
                    "\(outcome)"
                )
                #expect(!outcome.description.contains("duplicates"), "\(outcome)")
            }
            for ping in bait { ping.end() }
            let vm = try await live.vm("fw")
            let violations = ["foreign_buffers", "bad_places", "bad_verdicts"].map { vm.number($0) }
            #expect(violations.allSatisfy { $0 > 0 } && vm.number("attachments") > 3, "\(vm)")
            #expect(try await live.vm("honest").number("attachments") == 1)

            // It goes, and an honest one comes.
            guest.command.end()
            #expect(try await eventually { try await live.vm("fw").text("state") == "detached" })
            #expect(try await eventually { try await live.buffers().lent == 0 })
            #expect(try await live.buffers().all == all)
            let process = try await live.startFunction("fw")
            // The hosts may have given up looking for each other, or have been told lies.
            for host in [1, 2] {
                _ = try await Command.run(["ip", "-n", live.namespaces.ofHost(host), "neigh", "flush", "all"])
            }
            try await live.expectPing(from: 1, to: 2, count: 20)
            for function in [honest, process] { function.end() }
        }

        @Test("a function that crashes in a living guest, a guest that starts anew, and an agent that does")
        func restarts() async throws {
            let live = try await LiveSwitch.startedWithFunctions(["fw"]) { $0.vmKeys = ", heartbeat: 1s" }
            let guest = try await Guest("fw", of: live, function: "simple-forward")
            try await live.expectAttached("fw")
            try await live.expectPing(from: 1, to: 2)

            guest.type("killall -9 simple-forward")
            #expect(try await eventually { try await live.vm("fw").text("last_end") == "no heartbeat" })
            #expect(try await live.buffers().lent == 0)
            guest.type("simple-forward &")
            try await live.expectAttached("fw")
            try await live.expectPing(from: 1, to: 2)

            let attachments = try await live.vm("fw").number("attachments")
            guest.type("reboot -f")
            #expect(
                try await eventually(within: .seconds(60)) {
                    try await live.vm("fw").number("attachments") > attachments
                }
            )
            try await live.expectPing(from: 1, to: 2)

            try await live.restart(by: SIGKILL)
            try await live.addChain()
            try await live.expectAttached("fw")
            try await live.expectPing(from: 1, to: 2)

            guest.type("poweroff -f")
            #expect(try await guest.command.outcome().status == 0)
        }

        @Test("an ordinary guest is reached by its virtio network card, and through a function")
        func vhost() async throws {
            let socket = "/tmp/\(Namespaces.prefix)\(getpid())-vhost"
            let live = try await LiveSwitch.startedWithFunctions(["fw"]) {
                $0.otherPorts = ["{number: 5, name: guest, device: \"net_vhost5,iface=\(socket)\"}"]
            }
            #expect(try await live.ofctl("show").output.contains("LINK_DOWN"))
            let process = try await live.startFunction("fw")
            // From the hosts' group into the guest and back: a copy each way, which the card costs, and one into the group.
            try await live.addFlows("in_port=1,actions=output:10", "in_port=5,actions=output:10")
            try await live.addFlows(
                "in_port=10,dl_src=02:00:00:00:00:01,actions=output:5",
                "in_port=10,dl_src=02:00:00:00:00:05,actions=output:1"
            )
            var guest = try await Guest(vhost: socket, host: 5, of: live)
            #expect(try await eventually { try await !live.ofctl("show").output.contains("LINK_DOWN") })
            try await live.expectPing(from: 1, to: 5, count: 20)
            #expect(try await guest.run("ping -c 5 10.88.0.1").contains(" 0% packet loss"))
            let vm = try await live.vm("fw")
            #expect(vm.number("copied") >= 25 && vm.number("copied") < vm.number("receive_packets") - 20, "\(vm)")
            // TCP, of which the guest leaves checksums to its card.
            let server = try Command(
                ["nc", "-l", "-d", "-p", "5001", "-s", "10.88.0.1"],
                namespace: live.namespaces.ofHost(1)
            )
            try await Task.sleep(for: .milliseconds(300))
            guest.type("seq 1 20000 | nc 10.88.0.1 5001")
            #expect(try await server.outcome().output == (1...20000).map { "\($0)\n" }.joined())

            // The guest is killed, and another one comes.
            guest.command.end()
            #expect(try await eventually { try await live.ofctl("show").output.contains("LINK_DOWN") })
            guest = try await Guest(vhost: socket, host: 5, of: live)
            try await live.expectPing(from: 1, to: 5, count: 5)

            // The agent is killed, and another one comes.
            try await live.restart(by: SIGKILL)
            try await live.addFlows("in_port=1,actions=output:5", "in_port=5,actions=output:1")
            #expect(try await eventually { try await !live.ofctl("show").output.contains("LINK_DOWN") })
            try await live.expectPing(from: 1, to: 5, count: 5)
            process.end()
        }

        @Test("who starts a guest is told what is wrong, and can see the line for QEMU")
        func refusals() async throws {
            let live = try await LiveSwitch.startedWithFunctions(["fw"])
            let words = [
                Requirements.ringway, "vm", "run", "--config", live.configurationPath, "--kernel", "k", "--initrd", "i",
            ]
            let line = try await Command.run(words + ["--vm", "fw", "--print", "--accel", "tcg", "--", "-smp", "2"])
                .output
            #expect(line.hasPrefix("qemu-system-x86_64 -name fw ") && line.hasSuffix(" -smp 2\n"), "\(line)")
            #expect(line.contains("mem-path=\(live.regionFolder())/packets"))
            try FileManager.default.removeItem(atPath: "\(live.regionFolder())/fw.rings")
            for (arguments, text) in [
                (["--vm", "gw"], "there is no vm gw: there are fw"), (["--vm", "fw"], "the agent has not made it"),
                (["--vm", "fw", "--accel", "xen"], "--accel"),
            ] {
                let outcome = try await Command.run(words + arguments)
                #expect(outcome.status != 0 && outcome.errors.contains(text), "\(arguments): \(outcome)")
            }
        }
    }
}

extension LiveSwitch {
    func expectAttached(_ name: String, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let isAttached = try await eventually(within: .seconds(30)) { try await vm(name).text("state") == "attached" }
        #expect(isAttached, "\(agent?.printed ?? "")", sourceLocation: sourceLocation)
    }
}
