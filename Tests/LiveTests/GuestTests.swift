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
            try await live.addFlows("in_port=1,actions=output:10", "in_port=2,actions=output:10")
            try await live.addFlows(
                "in_port=10,dl_src=02:00:00:00:00:01,actions=output:2",
                "in_port=10,dl_src=02:00:00:00:00:02,actions=output:1"
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
            #expect(pings.output.contains(" 0% packet loss"), "\(pings)")
            #expect(try await eventually { try await live.vm("fw").text("last_end") == "no heartbeat" })
            let buffers = try await live.buffers()
            #expect(process.isRunning && buffers.all == all && buffers.lent == 0)
            #expect(try await live.vm("b").number("attachments") == 1)
            // Nor is there less room for the next agent.
            try #require(live.agent).send(SIGTERM)
            _ = try await live.agent?.outcome()
            try await live.start()
            #expect(try await eventually { try await live.vm("b").text("state") == "attached" })
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

            let agent = try #require(live.agent)
            agent.send(SIGKILL)
            _ = try await agent.outcome()
            try await live.start()
            try await live.addChain()
            try await live.expectAttached("fw")
            try await live.expectPing(from: 1, to: 2)

            guest.type("poweroff -f")
            #expect(try await guest.command.outcome().status == 0)
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
            #expect(line.contains("mem-path=\(live.regionFolder)/packets"))
            try FileManager.default.removeItem(atPath: "\(live.regionFolder)/fw.rings")
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
