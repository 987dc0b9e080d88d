// What a reload changes, and what it refuses.

import Agent
import Testing

@Suite(.timeLimit(.minutes(1)))
struct ConfigurationChangeTests {
    private let base = """
        datapath: {id: 1}
        workers: {cores: [1, 2], queues: {b: {0: 2}}}
        openflow: {listen: ["ptcp:1", "punix:/a"], controllers: ["tcp:c1", "tcp:c2"]}
        ports:
          - {number: 1, name: a, device: net_null0}
          - {number: 2, name: b, device: net_null1}
          - {number: 3, name: c, device: net_null2}
        """

    private func change(_ edits: (String, String)...) throws -> ConfigurationChange {
        var text = base
        for (old, new) in edits {
            #expect(text.contains(old))
            text = text.replacing(old, with: new)
        }
        return try parse(base).change(to: parse(text))
    }

    @Test func theSameFileChangesNothing() throws {
        #expect(try change().isEmpty)
    }

    @Test func anotherOrderChangesNothing() throws {
        #expect(try change(("[\"tcp:c1\", \"tcp:c2\"]", "[\"tcp:c2\", \"tcp:c1:6653\"]")).isEmpty)
    }

    @Test func otherQueuesReplaceThePort() throws {
        let change = try change(
            ("name: a, device: net_null0", "name: a, device: net_null0, rate: 2Gbit/s, egress_queues: {3: {}}")
        )
        #expect(change.ports.changed.map(\.new.egress) == [EgressQueues(rate: 2_000_000_000, queues: [.init(id: 3)])])
        #expect(change.ports.added.isEmpty && change.ports.removed.isEmpty && !change.settingsChanged)
    }

    @Test func portsComeAndGo() throws {
        let change = try change(
            ("{number: 1, name: a, device: net_null0}", "{number: 4, name: a, device: net_null0}"),
            ("{number: 3, name: c, device: net_null2}", "{number: 3, name: c, device: \"net_null2,no-rx=1\"}")
        )
        var expected = ConfigurationChange()
        expected.ports.added = [Configuration.Port(number: 4, name: "a", device: "net_null0")]
        expected.ports.removed = [Configuration.Port(number: 1, name: "a", device: "net_null0")]
        expected.ports.changed = [
            ListChange.Pair(
                old: Configuration.Port(number: 3, name: "c", device: "net_null2"),
                new: Configuration.Port(number: 3, name: "c", device: "net_null2,no-rx=1")
            )
        ]
        #expect(change == expected)
    }

    private let vms = """

        vms:
          - {number: 10, name: fw, group: x}
          - {number: 11, name: ids, group: x, ring: 64}

        """

    private func changeOfVMs(_ edits: (String, String)...) throws -> ConfigurationChange {
        var text = base + vms
        for (old, new) in edits {
            #expect(text.contains(old))
            text = text.replacing(old, with: new)
        }
        return try parse(base + vms).change(to: parse(text))
    }

    @Test func vmsComeAndGo() throws {
        var expected = ConfigurationChange()
        expected.vms.added = [.init(number: 12, name: "new", group: "y")]
        expected.vms.removed = [.init(number: 10, name: "fw", group: "x")]
        #expect(
            try changeOfVMs(("{number: 10, name: fw, group: x}", "{number: 12, name: new, group: y}")) == expected
        )
        // The first ones, and none any more.
        #expect(try parse(base).change(to: parse(base + vms)).vms.added.map(\.number) == [10, 11])
        #expect(try parse(base + vms).change(to: parse(base)).vms.removed.map(\.number) == [10, 11])
    }

    @Test(arguments: [
        ("name: fw", "name: gw"), ("group: x}", "group: y}"), ("fw, group: x", "fw, ring: 512, group: x"),
    ])
    func whatMakesAVMAnotherReplacesIt(old: String, new: String) throws {
        let change = try changeOfVMs((old, new))
        #expect(change.vms.changed.map(\.old.number) == [10])
        #expect(change.vms.added.isEmpty && change.vms.removed.isEmpty && change.adjustedVMs.isEmpty)
    }

    @Test func whatAnAttachedVMCanTakeLeavesItAttached() throws {
        for keys in ["verdicts: [out]", "heartbeat: 3s", "violations: 5"] {
            let change = try changeOfVMs(("fw, group: x", "fw, \(keys), group: x"))
            #expect(change.adjustedVMs.map(\.name) == ["fw"] && change.vms == ListChange(), "\(keys)")
            #expect(!change.isEmpty)
        }
    }

    @Test func aNumberMayGoFromAPortToAVM() throws {
        let change = try change(
            ("  - {number: 3, name: c, device: net_null2}", "vms:\n  - {number: 3, name: c, group: x}")
        )
        #expect(change.ports.removed.map(\.number) == [3] && change.vms.added.map(\.number) == [3])
    }

    @Test func listenersAndControllersComeAndGo() throws {
        let change = try change(("punix:/a", "punix:/b"), ("tcp:c1", "tcp:c3"))
        var expected = ConfigurationChange()
        expected.addedListeners = [.unix(path: "/b")]
        expected.removedListeners = [.unix(path: "/a")]
        expected.addedControllers = [ControllerAddress(host: "c3")]
        expected.removedControllers = [ControllerAddress(host: "c1")]
        #expect(change == expected)
    }

    @Test func settingsChange() throws {
        var expected = ConfigurationChange()
        expected.settingsChanged = true
        #expect(try change(("controllers:", "max_backoff: 1s, controllers:")) == expected)
        #expect(try change(("{id: 1}", "{id: 1, description: x}")) == expected)
        let tls = "tls: {private_key: /k, certificate: /c, ca_certificate: /a}, controllers:"
        #expect(try change(("controllers:", tls)) == expected)
        expected = ConfigurationChange()
        expected.metricsChanged = true
        #expect(try change(("ports:", "metrics: {listen: \"127.0.0.1:1\"}\nports:")) == expected)
    }

    @Test(arguments: [
        ("{id: 1}", "{id: 2}", "datapath.id: 1 cannot become 2 at run time"),
        ("{id: 1}", "{id: 1, name: x}", "datapath.name: ringway cannot become x at run time"),
        ("[1, 2]", "[2, 1]", "workers.cores: [1, 2] cannot become [2, 1] at run time"),
        ("{cores", "{idle: busy, cores", "workers.idle: adaptive cannot become busy at run time"),
        ("{b: {0: 2}}", "{b: {0: 1, 1: 2}}", "workers.queues.b: {0: 2} cannot become {0: 1, 1: 2} at run time"),
        ("ports:", "memory: {huge_pages: none}\nports:", "memory.huge_pages: auto cannot become none at run time"),
        ("ports:", "memory: {size: 1GiB}\nports:", "memory.size: 512 MiB cannot become 1024 MiB at run time"),
        ("ports:", "run_directory: /x\nports:", "run_directory: /run/ringway cannot become /x at run time"),
    ])
    func whatNeedsAnotherStartIsRefused(old: String, new: String, reason: String) throws {
        #expect(throws: ReloadRefusal(reasons: [reason])) { try change((old, new)) }
    }

    @Test func queuesOfAPortThatChangesMayChange() throws {
        let change = try change(("device: net_null1", "device: net_null7"), ("{b: {0: 2}}", "{b: {0: 1}}"))
        #expect(change.ports.changed.map(\.new.device) == ["net_null7"])
    }

    @Test func allThatIsRefusedIsTold() throws {
        #expect(throws: ReloadRefusal.self) { try change(("{id: 1}", "{id: 2}"), ("[1, 2]", "[1, 2, 3]")) }
        do {
            _ = try change(("{id: 1}", "{id: 2}"), ("[1, 2]", "[1, 2, 3]"))
        } catch let refusal as ReloadRefusal {
            #expect(refusal.reasons.count == 2)
        }
    }
}
