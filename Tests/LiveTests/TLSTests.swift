// OpenFlow over TLS, with programs that were made by others: ovs-pki's certificates, ovs-ofctl, ovs-testcontroller, openssl.

import Foundation
import NIOCore
import OpenFlow
import Testing

extension LiveTests {
    @Suite(
        "TLS",
        .serialized,
        .enabled(if: Requirements.isInstalled("openssl"), "openssl is not installed")
    )
    struct TLSTests {
        private static let listener = "ptls:6653:127.0.0.1"

        /// A switch that listens for TLS, with the certificates in its directory's `pki`.
        private static func started(_ change: (inout LiveSwitch.Settings) -> Void = { _ in }) async throws -> LiveSwitch
        {
            var settings = LiveSwitch.Settings(ports: [1, 2])
            settings.listen.append(listener)
            change(&settings)
            let live = try await LiveSwitch(hosts: 2, settings: settings)
            try await live.makePKI()
            live.settings.openflow.append(
                "tls: {private_key: \(live.pki("switch-key.pem")), certificate: \(live.pki("switch-cert.pem")), ca_certificate: \(live.pki("ours-ca.pem"))}"
            )
            try await live.start()
            return live
        }

        // MARK: Tools

        @Test(
            "ovs-ofctl works with the files that ovs-pki makes",
            .enabled(if: Requirements.isInstalled("ovs-pki"), "ovs-pki is not installed")
        )
        func ovsTools() async throws {
            let live = try await LiveSwitch(hosts: 2)
            let pki = live.directory.appendingPathComponent("ovs-pki").path
            let made = try await Command.run(
                [
                    "sh", "-ec",
                    "cd \(live.directory.path); p='ovs-pki --dir=\(pki) --log=/dev/null'; $p init; $p req+sign sw switch; $p req+sign ctl controller",
                ],
                within: .seconds(60)
            )
            try #require(made.status == 0, "\(made)")
            let file = { live.directory.appendingPathComponent($0).path }
            live.settings.listen.append("pssl:")
            live.settings.openflow = [
                "tls: {private_key: \(file("sw-privkey.pem")), certificate: \(file("sw-cert.pem")), ca_certificate: \(pki)/controllerca/cacert.pem}"
            ]
            try await live.start()
            func ofctl(_ words: String...) async throws -> Command.Outcome {
                try await Command.run(
                    [
                        "ovs-ofctl", "-O", "OpenFlow13", "--timeout=20", "-p", file("ctl-privkey.pem"), "-c",
                        file("ctl-cert.pem"), "-C", "\(pki)/switchca/cacert.pem",
                    ] + words,
                    namespace: live.namespaces.ofSwitch
                )
            }
            let show = try await ofctl("show", "ssl:127.0.0.1:6653")
            #expect(show.status == 0 && show.output.contains("dpid:000000000000002a"), "\(show)")
            // More than a record's worth in both directions.
            let lines = (0..<2_000).map { "table=1,priority=1,ip,nw_dst=10.0.\($0 >> 8).\($0 & 255),actions=output:2" }
            let flows = try live.file("flows.txt", lines.joined(separator: "\n"))
            let added = try await ofctl("add-flows", "ssl:127.0.0.1:6653", flows)
            #expect(added.status == 0, "\(added)")
            let dumped = try await ofctl("--no-stats", "dump-flows", "ssl:127.0.0.1:6653", "table=1")
            #expect(dumped.status == 0 && dumped.lines.count == 2_000, "\(dumped.errors) \(dumped.lines.count) lines")
            let ping = try await ofctl("ping", "ssl:127.0.0.1:6653", "60000")
            #expect(ping.status == 0 && ping.output.contains("60000 bytes from"), "\(ping)")
        }

        // MARK: Whom it lets in

        /// Bytes as `printf` takes them: hello, and a features request with xid 7.
        private static let greeting = "\\004\\000\\000\\010\\000\\000\\000\\001\\004\\005\\000\\010\\000\\000\\000\\007"
        /// The beginning of the answer to it: a features reply of 32 bytes with xid 7, and the datapath ID.
        private static let answer = "04060020000000070000 00000000002a".replacing(" ", with: "")

        /// What `openssl s_client` gets as an answer to the greeting, in hexadecimal digits, and what it says.
        private func client(_ live: LiveSwitch, _ options: String...) async throws -> Command.Outcome {
            let client = (["openssl s_client -quiet -no_ign_eof -connect 127.0.0.1:6653"] + options).joined(
                separator: " "
            )
            return try await Command.run(
                ["sh", "-c", "{ printf '\(Self.greeting)'; sleep 1; } | \(client) | od -An -v -tx1 | tr -d ' \\n'"],
                namespace: live.namespaces.ofSwitch
            )
        }

        private func member(_ live: LiveSwitch, _ name: String) -> String {
            "-cert \(live.pki("\(name)-cert.pem")) -key \(live.pki("\(name)-key.pem")) -verify_return_error -CAfile \(live.pki("ours-ca.pem"))"
        }

        @Test("lets in who has a certificate of its authority, by TLS 1.2 and 1.3, and nobody else")
        func admission() async throws {
            let live = try await Self.started()
            for version in ["-tls1_2", "-tls1_3"] {
                let good = try await client(live, member(live, "controller"), version)
                #expect(good.output.contains(Self.answer), "\(version): \(good)")
            }
            // Security level 0, or openssl itself would not try.
            for (options, reason) in [
                (member(live, "controller") + " -tls1_1 -cipher DEFAULT@SECLEVEL=0", "unsupported protocol"),
                (member(live, "controller") + " -tls1 -cipher DEFAULT@SECLEVEL=0", "unsupported protocol"),
                ("-tls1_2", "peer did not return a certificate"), ("-tls1_3", "peer did not return a certificate"),
                (member(live, "stranger") + " -tls1_2", "certificate verify failed"),
                (member(live, "stranger") + " -tls1_3", "certificate verify failed"),
                ("\(member(live, "controller")) -tls1_2 -cipher aNULL@SECLEVEL=0", "no shared cipher"),
            ] {
                let refused = try await client(live, options)
                #expect(refused.output.isEmpty && refused.errors.contains("alert"), "\(options): \(refused)")
                #expect(
                    try await eventually { live.agent?.printed.contains(reason) == true },
                    "\(options): \(live.agent?.printed ?? "")"
                )
            }
            #expect(try await live.ofctl("probe", over: .tcp).status == 0, "all else works on")
        }

        @Test("does not negotiate anew, nor go on with an old session")
        func extras() async throws {
            let live = try await Self.started()
            let session = live.directory.appendingPathComponent("session").path
            for version in ["-tls1_2", "-tls1_3"] {
                let options = "\(member(live, "controller")) \(version)"
                let first = try await client(live, options, "-sess_out", session)
                #expect(first.output.contains(Self.answer), "\(first)")
                // Without a ticket or a session's name there may be nothing to write.
                if FileManager.default.fileExists(atPath: session) {
                    let s = "openssl s_client -connect 127.0.0.1:6653 \(options) -sess_in \(session) </dev/null"
                    let second = try await Command.run(["sh", "-c", s], namespace: live.namespaces.ofSwitch)
                    #expect(second.output.contains("New, TLSv1"), "\(second)")
                    try FileManager.default.removeItem(atPath: session)
                }
            }
            // `R` at the beginning of a line asks for a renegotiation.
            let again = try await Command.run(
                [
                    "sh", "-c",
                    "{ sleep 0.5; echo R; sleep 1; } | openssl s_client -connect 127.0.0.1:6653 -tls1_2 \(member(live, "controller"))",
                ],
                namespace: live.namespaces.ofSwitch
            )
            #expect(again.description.contains("no renegotiation"), "\(again)")
        }

        @Test("tells by whom a channel is used")
        func identity() async throws {
            let live = try await Self.started()
            let monitor = try live.startTLSOfctl("monitor")
            #expect(try await eventually { try await live.show("channels").contains { $0.messages("set_config") > 0 } })
            let channel = try #require(try await live.show("channels").first { $0.text("endpoint") == Self.listener })
            #expect(channel.text("certificate") == "CN=controller,O=Ringway tests")
            #expect(channel.text("peer").hasPrefix("127.0.0.1:"))
            let table = try await live.ringway("show", "channels").output
            #expect(table.contains("(CN=controller,O=Ringway tests)"), "\(table)")
            #expect(
                try await live.metrics()["ringway_channel_connected{peer=\"\(Self.listener)\",role=\"equal\"}"] == 1
            )
            monitor.end()
        }

        // MARK: Controllers

        @Test(
            "ovs-testcontroller learns over TLS, and one that is not trusted is left alone",
            .enabled(if: Requirements.isInstalled("ovs-testcontroller"), "ovs-testcontroller is not installed")
        )
        func testController() async throws {
            let live = try await Self.started {
                $0.listen.removeLast()
                $0.controllers = ["tls:127.0.0.1:6653"]
                $0.openflow = ["max_backoff: 1s"]
            }
            func startController(_ name: String) throws -> Command {
                try Command(
                    [
                        "ovs-testcontroller", "pssl:6653:127.0.0.1", "--max-idle=permanent",
                        "--unixctl=\(live.directory.path)/tc.ctl", "-p", live.pki("\(name)-key.pem"), "-c",
                        live.pki("\(name)-cert.pem"), "-C", live.pki("ours-ca.pem"),
                    ],
                    namespace: live.namespaces.ofSwitch
                )
            }
            func controller() async throws -> LiveSwitch.Row {
                try #require(try await live.show("channels").first { $0.text("endpoint") == "tls:127.0.0.1:6653" })
            }
            let stranger = try startController("stranger")
            #expect(
                try await eventually(within: .seconds(15)) {
                    try await controller().text("last_error").contains("certificate verify failed")
                }
            )
            #expect(try await controller().text("state") != "active")
            stranger.end()

            let first = try startController("controller")
            #expect(
                try await eventually(within: .seconds(15)) {
                    try await live.flows().contains { $0.contains("CONTROLLER") }
                }
            )
            try await live.expectPing(from: 1, to: 2, count: 10, "the controller learns")
            #expect(try await live.flows().count > 1, "rules for what it has learned")
            #expect(try await controller().text("certificate") == "CN=controller,O=Ringway tests")
            first.end()
            #expect(try await eventually { try await controller().text("state") != "active" })
            let second = try startController("controller")
            #expect(
                try await eventually(within: .seconds(15)) { try await controller().text("state") == "active" },
                "connects again"
            )
            try await live.expectPing(from: 2, to: 1, count: 5)
            second.end()
        }

        // MARK: Renewal

        @Test("takes renewed certificates up while another connection stays")
        func renewal() async throws {
            let live = try await Self.started()
            let monitor = try live.startTLSOfctl("monitor")
            #expect(try await eventually { try await live.show("channels").contains { $0.messages("set_config") > 0 } })
            func isLetIn(_ name: String, trusting authority: String) async throws -> Bool {
                try await live.tlsOfctl("probe", as: name, trusting: authority).status == 0
            }
            #expect(try await isLetIn("controller", trusting: "ours"))
            #expect(try await !isLetIn("stranger", trusting: "ours"))

            // Broken on the way: the old ones are used on, and it is said once.
            try live.replacePKI("switch-cert.pem", by: "stranger-cert.pem")
            for _ in 0..<3 { #expect(try await isLetIn("controller", trusting: "ours")) }
            let log = live.agent?.printed ?? ""
            #expect(log.components(separatedBy: "does not belong to the certificate").count == 2, "\(log)")
            let refused = try await live.ringway("reload")
            #expect(
                refused.status == 1 && refused.errors.contains("live.yaml:2:")
                    && refused.errors.contains("openflow.tls.private_key"),
                "\(refused)"
            )
            // Then the key that belongs to it, and another authority: noticed without a reload.
            try live.replacePKI("switch-key.pem", by: "stranger-key.pem")
            try live.replacePKI("ours-ca.pem", by: "theirs-ca.pem")
            #expect(try await isLetIn("stranger", trusting: "theirs"))
            #expect(try await !isLetIn("controller", trusting: "theirs"))
            #expect(live.agent?.printed.contains("certificates renewed") == true)

            // Back by a reload, which says so.
            try await live.makePKI()
            let reloaded = try await live.ringway("reload")
            #expect(reloaded.status == 0 && reloaded.output.contains("certificates renewed"), "\(reloaded)")
            #expect(try await isLetIn("controller", trusting: "ours"))
            let unchanged = try await live.ringway("reload")
            #expect(unchanged.output.contains("nothing changed"), "\(unchanged)")

            // The first connection, made with the first certificates, has stayed and is of use.
            try await live.addFlows("priority=1,in_port=1,actions=controller")
            try await live.expectPing(false, from: 1, to: 2, count: 1)
            #expect(try await eventually { monitor.printed.contains("(via action)") }, "\(monitor.printed)")
            monitor.end()
        }

        @Test("is told what is wrong with the files")
        func check() async throws {
            let live = try await Self.started()
            try FileManager.default.removeItem(atPath: live.pki("switch-key.pem"))
            for command in ["check", "run"] {
                let wrong = try await Command.run([Requirements.ringway, command, "--config", live.configurationPath])
                #expect(
                    wrong.status == 78 && wrong.errors.contains("live.yaml:2:")
                        && wrong.errors.contains("switch-key.pem: No such file or directory"),
                    "\(wrong)"
                )
            }
            // Asking the agent needs none of them.
            let show = try await Command.run([
                Requirements.ringway, "show", "channels", "--config", live.configurationPath,
            ])
            #expect(show.status == 0, "\(show)")
        }

        // MARK: Peers that are broken

        @Test("random bytes, plain OpenFlow, and handshakes that stall")
        func garbage() async throws {
            let live = try await Self.started()
            try await live.addFlows("priority=10,in_port=1,actions=output:2", "priority=10,in_port=2,actions=output:1")
            let memory = live.residentMemory
            func connect() throws -> OpenFlowConnection {
                try OpenFlowConnection(port: 6653, namespace: live.namespaces.ofSwitch)
            }
            let ping = try live.startPing(from: 1, to: 2, count: 300)
            let (silent, begun) = (try connect(), try connect())
            let start = ContinuousClock.now
            // A handshake record that says it has 512 bytes, and of which a few come.
            try await begun.send([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3])
            for round in 0..<100 {
                let connection = try connect()
                var bytes = (0..<Int.random(in: 16...40_000)).map { _ in UInt8.random(in: .min ... .max) }
                switch round % 4 {
                case 0: bytes.replaceSubrange(0..<5, with: [0x16, 3, UInt8(round % 5), 0x10, 0])
                case 1: bytes.replaceSubrange(0..<9, with: [0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc])
                case 2: bytes = try OpenFlowConnection.bytes(of: .hello(Hello())) + bytes
                default: break
                }
                try await connection.send(bytes, within: .seconds(1))
            }
            #expect(try await live.tlsOfctl("probe").status == 0)
            // A peer that is let in, and sends nonsense where records should be.
            let cut = try await Command.run(
                [
                    "sh", "-c",
                    "{ sleep 0.3; head -c 100000 /dev/urandom; sleep 0.5; } | openssl s_client -quiet -connect 127.0.0.1:6653 \(member(live, "controller"))",
                ],
                namespace: live.namespaces.ofSwitch
            )
            #expect(cut.status >= 0)
            for connection in [silent, begun] {
                #expect(try await connection.closes(within: .seconds(15)))
                #expect(ContinuousClock.now - start > .seconds(9), "not at once")
            }
            #expect(live.agent?.printed.contains("the handshake was not done within 10 s") == true)
            let outcome = try await ping.outcome()
            #expect(LiveSwitch.answers(outcome) == 300, "\(outcome)")
            try await live.expectPing(from: 1, to: 2)
            #expect(try await live.tlsOfctl("show").status == 0)
            #expect(live.residentMemory < memory + 65_536, "\(memory) KiB before, now \(live.residentMemory)")
        }

        @Test("a controller that asks without reading the answers")
        func askingWithoutReading() async throws {
            let live = try await Self.started { $0.openflow = ["inactivity_probe: 0"] }
            let lines = (0..<5_000).map { "table=1,priority=1,ip,nw_dst=10.0.\($0 >> 8).\($0 & 255),actions=output:2" }
            let flows = try live.file("flows.txt", lines.joined(separator: "\n"))
            #expect(try await live.ofctl("add-flows", flows).status == 0)
            let memory = live.residentMemory
            let request = try OpenFlowConnection.bytes(
                of: .multipartRequest(.flow(FlowStatisticsRequest()), more: false)
            )
            let hello = try OpenFlowConnection.bytes(of: .hello(Hello()))
            let file = live.directory.appendingPathComponent("requests")
            try Data(hello + (0..<1_000).flatMap { _ in request }).write(to: file)
            // Half a megabyte of answer each, into a pipe that nobody reads.
            let deaf = try Command(
                [
                    "sh", "-c",
                    "{ cat \(file.path); sleep 60; } | openssl s_client -quiet -connect 127.0.0.1:6653 \(member(live, "controller")) | sleep 60",
                ],
                namespace: live.namespaces.ofSwitch
            )
            #expect(
                try await eventually {
                    try await live.show("channels").contains { $0.messages("multipart_request") > 5 }
                }
            )
            try await Task.sleep(for: .seconds(2))
            #expect(live.residentMemory < memory + 65_536, "\(memory) KiB before, now \(live.residentMemory)")
            #expect(try await live.tlsOfctl("probe").status == 0)
            deaf.end()
        }
    }
}

extension LiveSwitch {
    /// A file of the directory `pki`.
    func pki(_ name: String) -> String { directory.appendingPathComponent("pki/\(name)").path }

    /// Makes all keys and certificates, anew if they are there.
    func makePKI() async throws {
        try FileManager.default.createDirectory(atPath: pki(""), withIntermediateDirectories: true)
        let outcome = try await Command.run([Requirements.makePKI, pki("")])
        guard outcome.status == 0 else { throw Command.Failure(description: "make-pki: \(outcome)") }
    }

    fileprivate func replacePKI(_ name: String, by other: String) throws {
        try Data(contentsOf: URL(fileURLWithPath: pki(other))).write(to: URL(fileURLWithPath: pki(name)))
    }

    private func tlsOfctlWords(_ command: String, as name: String, trusting authority: String) -> [String] {
        // The authorities as they were made, whatever the switch's file says.
        [
            "ovs-ofctl", "-O", "OpenFlow13", "--timeout=20", "-p", pki("\(name)-key.pem"), "-c",
            pki("\(name)-cert.pem"), "-C", pki("\(authority)-ca.pem"), command, "ssl:127.0.0.1:6653",
        ]
    }

    /// `ovs-ofctl COMMAND` over TLS.
    fileprivate func tlsOfctl(
        _ command: String,
        as name: String = "controller",
        trusting authority: String = "ours"
    ) async throws -> Command.Outcome {
        try await Command.run(
            tlsOfctlWords(command, as: name, trusting: authority),
            namespace: namespaces.ofSwitch,
            environment: ["OVS_RUNDIR": directory.path]
        )
    }

    /// The same, left running.
    fileprivate func startTLSOfctl(_ command: String) throws -> Command {
        try Command(
            tlsOfctlWords(command, as: "controller", trusting: "ours") + ["65535"],
            namespace: namespaces.ofSwitch,
            environment: ["OVS_RUNDIR": directory.path]
        )
    }
}
