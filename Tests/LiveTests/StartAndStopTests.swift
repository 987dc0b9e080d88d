// How the agent starts, refuses to start, and ends: by exit status, with a word about what is wrong, and with nothing left behind.

import Foundation
import Testing

extension LiveTests {
    @Suite("Start and stop", .serialized) struct StartAndStopTests {
        @Test("ends on SIGTERM with status 0 within two seconds, and leaves nothing", arguments: [SIGTERM, SIGINT])
        func terminates(by signal: CInt) async throws {
            let live = try await LiveSwitch.started { $0.controllers = ["tcp:127.0.0.1:6653"] }
            let agent = try #require(live.agent)
            let monitor = try live.startOfctl("monitor", "65535")
            #expect(try await eventually { try await live.show("channels").contains { $0.messages("set_config") > 0 } })
            let start = ContinuousClock.now
            agent.send(signal)
            let outcome = try await agent.outcome(within: .seconds(20))
            #expect(outcome.status == 0, "\(outcome)")
            #expect(ContinuousClock.now - start < .seconds(2), "ended after \(ContinuousClock.now - start)")
            #expect(try FileManager.default.contentsOfDirectory(atPath: live.runDirectory) == [])
            _ = try await monitor.outcome(within: .seconds(10))
            // The same directory, port and devices serve the next one.
            try await live.start()
            #expect(try await live.ofctl("probe", over: .tcp).status == 0)
        }

        @Test("starts again after it was killed")
        func startsAfterKill() async throws {
            let live = try await LiveSwitch.started()
            live.agent?.end()
            #expect(FileManager.default.fileExists(atPath: live.controlSocket), "a killed agent leaves its sockets")
            try await live.start()
            #expect(try await live.ofctl("probe").status == 0)
            #expect(try await live.ringway("show", "ports").status == 0)
        }

        @Test("makes its run directory")
        func makesRunDirectory() async throws {
            let live = try await LiveSwitch(hosts: 1)
            try FileManager.default.removeItem(atPath: live.runDirectory)
            try await live.start()
            #expect(try await live.ofctl("probe").status == 0)
        }

        @Test("lets only its owner use its sockets")
        func socketModes() async throws {
            let live = try await LiveSwitch.started(hosts: 1)
            for path in [live.controlSocket, live.managementSocket] {
                let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
                #expect(mode == 0o600, "\(path): \(String(mode ?? 0, radix: 8))")
            }
        }

        @Test("refuses a run directory that another agent uses, and leaves that one alone")
        func secondAgent() async throws {
            let live = try await LiveSwitch.started()
            let other = try await live.launch().outcome(within: .seconds(30))
            #expect(other.status == 1 && other.errors.contains("live.ctl"), "\(other)")
            #expect(try await live.ofctl("probe", over: .socket).status == 0, "the first one's management socket")
            #expect(try await live.ofctl("probe", over: .tcp).status == 0)
            #expect(try await live.ringway("show", "ports").status == 0)
            #expect(live.agent?.isRunning == true)
        }

        @Test(
            "says what is wrong with a device, a TCP port or a core",
            arguments: ["device", "tcp", "core", "metrics"]
        )
        func refuses(_ what: String) async throws {
            let live = try await LiveSwitch(hosts: 1)
            var status: CInt = 1
            var text = ""
            var holder: Command?
            switch what {
            case "device":
                live.settings.otherPorts = ["{number: 9, name: gone, device: \"net_af_packet9,iface=nowhere0\"}"]
                text = "net_af_packet9"
            case "core":
                live.settings.workers = "{cores: [1000]}"
                (status, text) = (78, "workers.cores")
            default:
                let port = what == "tcp" ? "6654" : "9653"
                holder = try Command(
                    [
                        "python3", "-c",
                        "import socket,time;s=socket.socket();s.bind(('127.0.0.1',\(port)));s.listen();time.sleep(60)",
                    ],
                    namespace: live.namespaces.ofSwitch
                )
                let isHeld = try await eventually {
                    try await Command.run(["ss", "-ltnH"], namespace: live.namespaces.ofSwitch).output.contains(
                        ":\(port)"
                    )
                }
                #expect(isHeld)
                text = port
            }
            try live.writeConfiguration()
            let outcome = try await live.launch().outcome(within: .seconds(30))
            holder?.end()
            #expect(outcome.status == status, "\(outcome)")
            #expect(outcome.errors.contains("ringway: ") || status == 78, "\(outcome)")
            let lastLine = outcome.errors.split(separator: "\n").last { !$0.contains("[Agent]") } ?? ""
            #expect(lastLine.contains(text), "the message names \(text): \(outcome)")
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: live.runDirectory) == [],
                "nothing is left behind"
            )
        }
    }
}
