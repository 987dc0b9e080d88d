// VMs and trust groups that come and go by reload, while the packets of others go through their functions.

import Foundation
import Testing

extension LiveTests {
    @Suite("Network functions at run time", .serialized) struct FunctionReloadTests {
        /// A switch between hosts 1 and 2 through `fw`, and host 3 outside of their group.
        private static func started() async throws -> LiveSwitch {
            let live = try await LiveSwitch.startedWithFunctions(["fw"], laterGroups: ["late"]) {
                $0.otherHosts = [3: nil]
            }
            // Hosts 1 and 3, past the function.
            try await live.addFlows(
                "in_port=3,actions=output:1",
                "priority=40000,in_port=1,dl_dst=02:00:00:00:00:03,actions=output:3"
            )
            return live
        }

        private static func reload(_ live: LiveSwitch) async throws -> String {
            try live.writeConfiguration()
            let outcome = try await live.ringway("reload")
            #expect(outcome.status == 0, "\(outcome)")
            return outcome.output
        }

        @Test("a function is added, used and removed, and another's traffic loses nothing")
        func addAndRemove() async throws {
            let live = try await Self.started()
            let fw = try await live.startFunction("fw")
            let monitor = try live.startOfctl("monitor", "65535")
            #expect(try await eventually { try await live.show("channels").contains { $0.messages("set_config") > 0 } })
            let ping = try live.startPing(from: 1, to: 2, count: 1500)
            let all = try await live.buffers().all

            // One in the same group, and one in a group that there was not.
            live.settings.otherVMs = [
                "{number: 11, name: ids, group: tenant, heartbeat: 10s}", "{number: 12, name: there, group: late}",
            ]
            let added = try await Self.reload(live)
            #expect(added.contains("vm 11 (ids) added") && added.contains("vm 12 (there) added"), "\(added)")
            let names = try await live.show("vms").map { $0.text("name") }
            #expect(names == ["fw", "ids", "there"])
            #expect(try await eventually { monitor.printed.contains("ADD: 12(there)") }, "\(monitor.printed)")
            var functions = [try await live.startFunction("ids"), try await live.startFunction("there")]
            for number in [11, 12] {
                try await live.addFlows("in_port=3,actions=output:\(number)", "in_port=\(number),actions=output:1")
                try await live.expectPing(from: 3, to: 1, count: 20, "through port \(number)")
            }
            #expect(try await live.vm("there").number("receive_packets") >= 20)
            #expect(try await live.buffers(ofGroup: "late").lent == 0)

            // Removed while it has packets in hand.
            try await live.addFlows("in_port=3,actions=output:11")
            functions[0].send(SIGSTOP)
            let stuck = try live.startPing(from: 3, to: 1, count: 20, wait: 1)
            #expect(try await eventually { try await live.vm("ids").number("lent") >= 20 })
            live.settings.otherVMs.removeFirst()
            #expect(try await Self.reload(live).contains("vm 11 (ids) removed"))
            #expect(try await eventually { monitor.printed.contains("DEL: 11(ids)") }, "\(monitor.printed)")
            #expect(try await eventually { try await live.buffers().lent == 0 })
            #expect(try await live.buffers().all == all)
            let metrics = try await live.metrics()
            #expect(!metrics.keys.contains { $0.contains("ids") }, "\(metrics.keys.filter { $0.contains("ids") })")
            _ = try await stuck.outcome()

            // It waits; a VM that takes its place gets it, with its number and name.
            functions[0].send(SIGCONT)
            let rings = "\(live.regionFolder())/ids.rings"
            #expect(functions[0].isRunning && access(rings, F_OK) == 0)
            live.settings.otherVMs.insert("{number: 11, name: ids, group: tenant, ring: 64}", at: 0)
            #expect(try await Self.reload(live).contains("vm 11 (ids) added"))
            #expect(try await eventually { try await live.vm("ids").text("state") == "attached" })
            try await live.expectPing(from: 3, to: 1, count: 20, "through the function that came back")

            // Both go, and with the last VM of a group its memory, when no function has it any more.
            live.settings.otherVMs = []
            _ = try await Self.reload(live)
            #expect(try await eventually { try await live.buffers(ofGroup: "late").all < 0 }, "it is not told of")
            let packets = "\(live.regionFolder(ofGroup: "late"))/packets"
            #expect(access(packets, F_OK) == 0 && access(rings, F_OK) == 0)
            for function in functions { function.end() }
            functions = []
            #expect(try await eventually { access(packets, F_OK) != 0 && access(rings, F_OK) != 0 })

            let outcome = try await ping.outcome()
            #expect(LiveSwitch.answers(outcome) == 1500, "\(outcome)\n\(live.agent?.printed ?? "")")
            #expect(try await live.vm("fw").number("attachments") == 1)
            #expect(try await eventually { try await live.buffers().lent == 0 })
            fw.end()
        }

        @Test("the first VM comes by reload, by a signal; what does not fit is refused, and nothing changes")
        func firstAndRefused() async throws {
            let live = try await LiveSwitch(hosts: 2, settings: .init(ports: [1, 2]))
            try await live.mountRegions(ofGroup: "late")
            try await live.start()
            try await live.addFlows("in_port=1,actions=output:2", "in_port=2,actions=output:1")
            live.settings.otherVMs = ["{number: 10, name: fw, group: late}"]
            try live.writeConfiguration()
            live.agent?.send(SIGHUP)
            #expect(try await eventually { try await live.show("vms").count == 1 })
            let function = try await live.startFunction("fw")
            try await live.addFlows("in_port=1,actions=output:10", "in_port=10,actions=output:2")
            try await live.expectPing(from: 1, to: 2, count: 10)

            live.settings.otherVMs = ["{number: 10, name: fw, group: late, violations: 7}"]
            #expect(try await Self.reload(live).contains("vm 10 (fw) changed"))
            #expect(try await live.vm("fw").number("attachments") == 1)

            live.settings.otherVMs.append("{number: 11, name: large, group: late, ring: 4096}")
            live.settings.ports = [1]
            try live.writeConfiguration()
            let refused = try await live.ringway("reload")
            #expect(
                refused.status == 1 && refused.errors.contains("group late: 5792 packet buffers are needed"),
                "\(refused)"
            )
            #expect(try await live.show("ports").map { $0.number("number") } == [1, 2, 10])
            try await live.expectPing(from: 1, to: 2, count: 10)

            // The port's number goes to a device.
            live.settings.otherVMs = []
            live.settings.ports = [1, 2]
            try await live.namespaces.addHost(3)
            live.settings.otherPorts = ["{number: 10, name: h3, device: \"net_af_packet3,iface=veth3\"}"]
            let moved = try await Self.reload(live)
            #expect(moved.contains("vm 10 (fw) removed") && moved.contains("port 10 (h3) added"), "\(moved)")
            #expect(try await live.show("vms").isEmpty)
            function.end()
        }
    }
}
