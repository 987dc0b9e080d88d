// What a valid configuration is read as: the README's example, the defaults, and every way to write a value.

import Agent
import NIOCore
import TLS
import Testing

/// A configuration on a machine with the cores 0 to 3, where all files that it names are good.
func parse(_ text: String) throws(ConfigurationErrors) -> Configuration {
    try Configuration.parse(text, file: "ringway.yaml", availableCores: [0, 1, 2, 3], checksFiles: false)
}

@Suite(.timeLimit(.minutes(1)))
struct ConfigurationTests {
    static let example = """
        datapath: {id: 1, name: ringway}
        openflow: {listen: ["ptcp:6654:127.0.0.1"], controllers: ["tcp:127.0.0.1:6653"], fail_mode: secure}
        workers: {cores: [1], idle: adaptive, queues: {h1: {0: 1}}}
        memory: {huge_pages: auto, size: 512MiB}
        ports:
          - {number: 1, name: h1, device: "net_af_packet0,iface=veth1"}
          - {number: 2, name: out, device: "net_null1,no-rx=1"}
        metrics: {listen: "127.0.0.1:9653"}
        run_directory: /run/ringway
        """

    @Test func theExampleIsRead() throws {
        let configuration = try parse(Self.example)
        #expect(configuration.datapath.id == 1)
        #expect(configuration.datapath.name == "ringway")
        #expect(configuration.openflow.listen == [.tcp(host: "127.0.0.1", port: 6654)])
        #expect(configuration.openflow.controllers == [ControllerAddress(host: "127.0.0.1", port: 6653)])
        #expect(configuration.workers.cores == [1])
        #expect(configuration.workers.queues == ["h1": [0: 1]])
        #expect(configuration.memory.size == 536_870_912)
        #expect(
            configuration.ports == [
                Configuration.Port(number: 1, name: "h1", device: "net_af_packet0,iface=veth1"),
                Configuration.Port(number: 2, name: "out", device: "net_null1,no-rx=1"),
            ]
        )
        #expect(configuration.ports[0].deviceName == "net_af_packet0")
        #expect(configuration.metrics.listen == HTTPAddress(host: "127.0.0.1", port: 9653))
        #expect(configuration.managementSocket == "/run/ringway/ringway.mgmt")
        #expect(configuration.controlSocket == "/run/ringway/ringway.ctl")
    }

    @Test func theShortestFileHasTheDefaults() throws {
        var expected = Configuration(datapath: .init(id: 0xab), workers: .init(cores: [3]))
        expected.openflow.listen = [.tcp(host: "127.0.0.1", port: 6654)]
        #expect(try parse("datapath: {id: 0xab}") == expected)
        #expect(expected.metrics.listen == nil)
        #expect(expected.openflow.inactivityProbe == .seconds(5))
    }

    @Test func everyKeyIsHeeded() throws {
        let configuration = try parse(
            """
            datapath:
              id: 18446744073709551615
              name: edge-1
              description: the switch at the edge
            openflow:
              listen: ["punix:/run/x.sock", "ptcp:0:[::1]"]
              controllers: [tcp:controller.example, "tcp:[fe80::1]:6633"]
              inactivity_probe: 0
              max_backoff: 2min
              packet_in_rate: 0
              flow_limit: 10
              packet_in_burst: 11
              table_flow_limit: 9
              meter_limit: 1048576
              meter_band_limit: 255
              auxiliary_connections: 2
              bundle_limit: 7
              bundle_timeout: 20s
              max_connections: 3
              max_message: 2048
              tls: {private_key: /a/key.pem, certificate: /a/cert.pem, ca_certificate: /b/ca.pem}
            workers:
              cores: [2, 0]
              idle: busy
              flow_cache: off
              queues:
                p7:
                  0: 2
                  3: 0
            memory: {huge_pages: none, size: 2GiB}
            ports:
            - number: 0xffffff00
              name: p7
              device: 0000:03:00.0
              queues: 4
              mtu: 1500
            metrics: {listen: "[::1]:0"}
            run_directory: /tmp/r/
            """
        )
        var expected = Configuration(datapath: .init(id: .max), workers: .init(cores: [2, 0]))
        expected.datapath.name = "edge-1"
        expected.datapath.description = "the switch at the edge"
        expected.openflow.listen = [.unix(path: "/run/x.sock"), .tcp(host: "::1", port: 0)]
        expected.openflow.controllers = [
            ControllerAddress(host: "controller.example"), ControllerAddress(host: "fe80::1", port: 6633),
        ]
        expected.openflow.inactivityProbe = nil
        expected.openflow.maxBackoff = .minutes(2)
        expected.openflow.packetInRate = nil
        expected.openflow.flowLimit = 10
        expected.openflow.packetInBurst = 11
        expected.openflow.tableFlowLimit = 9
        (expected.openflow.meterLimit, expected.openflow.meterBandLimit) = (1_048_576, 255)
        expected.openflow.auxiliaryConnections = 2
        expected.openflow.bundleLimit = 7
        expected.openflow.bundleTimeout = .seconds(20)
        expected.openflow.maxConnections = 3
        expected.openflow.maxMessage = 2048
        expected.openflow.tls = TLSFiles(
            privateKey: "/a/key.pem",
            certificate: "/a/cert.pem",
            caCertificate: "/b/ca.pem"
        )
        expected.workers.idle = .busy
        expected.workers.flowCache = .off
        expected.workers.queues = ["p7": [0: 2, 3: 0]]
        expected.memory.hugePages = .none
        expected.memory.size = 2 << 30
        expected.ports = [
            Configuration.Port(number: 0xffff_ff00, name: "p7", device: "0000:03:00.0", queues: 4, mtu: 1500)
        ]
        expected.metrics.listen = HTTPAddress(host: "::1", port: 0)
        expected.runDirectory = "/tmp/r"
        #expect(configuration == expected)
    }

    @Test(arguments: [
        ("ptcp:", "ptcp:6654:127.0.0.1"), ("ptcp:7000", "ptcp:7000:127.0.0.1"), ("ptcp::0.0.0.0", "ptcp:6654:0.0.0.0"),
        ("ptcp:6654:[::]", "ptcp:6654:[::]"), ("punix:/a/b", "punix:/a/b"), ("ptls:", "ptls:6653:127.0.0.1"),
        ("ptls:7000", "ptls:7000:127.0.0.1"), ("ptls::0.0.0.0", "ptls:6653:0.0.0.0"), ("pssl:1:[::]", "ptls:1:[::]"),
    ])
    func listenAddresses(text: String, canonical: String) throws {
        let configuration = try parse("{datapath: {id: 1}, openflow: {listen: [\"\(text)\"], \(Self.tls)}}")
        #expect(configuration.openflow.listen.map(\.description) == [canonical])
    }

    @Test(arguments: [
        ("tcp:10.0.0.1", "tcp:10.0.0.1:6653"), ("tcp:c1:7000", "tcp:c1:7000"), ("tcp:[::1]", "tcp:[::1]:6653"),
        ("tls:10.0.0.1", "tls:10.0.0.1:6653"), ("ssl:c1:7000", "tls:c1:7000"), ("tls:[::1]", "tls:[::1]:6653"),
    ])
    func controllerAddresses(text: String, canonical: String) throws {
        let configuration = try parse("{datapath: {id: 1}, openflow: {controllers: [\"\(text)\"], \(Self.tls)}}")
        #expect(configuration.openflow.controllers.map(\.description) == [canonical])
    }

    private static let tls = "tls: {private_key: /k, certificate: /c, ca_certificate: /a}"

    @Test func portsMayBeLocalAndInVLANs() throws {
        let ports = try parse(
            """
            {datapath: {id: 1, mac_table_size: 10, mac_aging_time: 1min}, ports: [
              {number: LOCAL, name: a, device: net_tap0, tag: 10}, {number: 2, name: b, device: net_null1, trunks: [0, 7]},
              {number: 3, name: c, device: net_null2}]}
            """
        )
        #expect(ports.ports.map(\.number) == [0xffff_fffe, 2, 3])
        #expect(ports.ports.map(\.vlans) == [.access(10), .trunk([0, 7]), .all])
        #expect(ports.datapath.macTableSize == 10 && ports.datapath.macAgingTime == .seconds(60))
    }

    @Test func portsMayHaveARateAndQueues() throws {
        let configuration = try parse(
            """
            {datapath: {id: 1}, ports: [
              {number: 1, name: a, device: net_null0, rate: 100Mbit/s, egress_queues: {
                0x2: {max_rate: 50Mbit/s}, 1: {min_rate: 64kbit/s, max_rate: 1Mbit/s}, 0: {}}},
              {number: 2, name: b, device: net_null1, rate: 1Gbit/s}, {number: 3, name: c, device: net_null2}]}
            """
        )
        #expect(
            configuration.ports.map(\.egress) == [
                EgressQueues(
                    rate: 100_000_000,
                    queues: [
                        .init(id: 0), .init(id: 1, minimum: 64_000, maximum: 1_000_000),
                        .init(id: 2, maximum: 50_000_000),
                    ]
                ), EgressQueues(rate: 1_000_000_000), EgressQueues(),
            ]
        )
        // Each place of three queues, and of the default queue of the second port, holds a buffer.
        let bare = try parse(
            "{datapath: {id: 1}, ports: [{number: 1, name: a, device: net_null0}, {number: 2, name: b, device: net_null1}, {number: 3, name: c, device: net_null2}]}"
        )
        #expect(configuration.memoryNeeded.packetBuffers - bare.memoryNeeded.packetBuffers == 4 * 512)
    }

    @Test func anEmptyListTurnsTheListenersOff() throws {
        #expect(try parse("{datapath: {id: 1}, openflow: {listen: []}}").openflow.listen == [])
    }

    /// `check` says so when the flow limit is out of reach, and following its advice helps.
    @Test(arguments: [1, 63, 100_000, 1_000_000, 16_777_216])
    func whatIsRecommendedSuffices(flowLimit: Int) throws {
        var configuration = try parse(
            "{datapath: {id: 1}, workers: {cores: [0, 1, 2]}, ports: [{number: 1, name: a, device: net_null0}]}"
        )
        configuration.openflow.flowLimit = flowLimit
        configuration.memory.size = configuration.memoryNeeded.inAll
        // Rounded up, as `check` does.
        configuration.memory.size = ((configuration.memory.size >> 20) + 1) << 20
        let needed = configuration.memoryNeeded
        #expect(needed.flowEntries == flowLimit)
        #expect(needed.poolBuffers * 2432 + needed.otherBytes + needed.tableLimit <= configuration.memory.size)
    }

    @Test func theMemoryNeededFollowsItsFormula() throws {
        // Two workers; port a has 3 receive queues, port b one for each worker.
        let configuration = try parse(
            """
            {datapath: {id: 1}, workers: {cores: [1, 2]}, openflow: {flow_limit: 1000}, ports: [
              {number: 1, name: a, device: net_null0, queues: 3}, {number: 2, name: b, device: net_null1}]}
            """
        )
        let needed = configuration.memoryNeeded
        #expect(needed.packetBuffers == 5 * 1024 + 4 * 1056 + 2 * 1440)
        #expect(needed.packetBytes == needed.packetBuffers * 2432)
        let other = (16 << 20) + (2 << 20) + 9 * (64 << 10)
        #expect(needed.otherBytes == other)
        #expect(needed.atLeast == needed.packetBytes + other + (16 << 20))
        #expect(needed.tableBytes == 16 << 20)
        #expect(needed.inAll == needed.packetBytes + other + (16 << 20))
        #expect(needed.flowEntries == 1000)
        // Two fifths of 512 MiB are more than these ports need, and tables get the rest.
        #expect(needed.poolBuffers == (512 << 20) / 5 * 2 / 2432)
        #expect(needed.tableLimit == (512 << 20) - other - needed.poolBuffers * 2432)
        // A million connections: 2^19 lines of seven places would be half full with more than that.
        var served = configuration
        served.services = [.init(number: 9, name: "s", replicas: [])]
        served.services[0].connections = 1_000_000
        #expect(served.memoryNeeded.serviceBytes == 2 * (32 << 20))
        #expect(served.memoryNeeded.atLeast == needed.atLeast + 2 * (32 << 20))
    }

    @Test func vmsNeedBuffersForAllThatTheyMayHave() throws {
        func otherBytes(_ keys: String) throws -> Int {
            try parse(
                "{datapath: {id: 1}, workers: {cores: [1, 2]}, vms: [{number: 1, name: a, group: g, ring: 64\(keys)}]}"
            ).memoryNeeded.otherBytes
        }
        let bare = try otherBytes("")
        #expect(try otherBytes(", empty: 0, messages: 0") == bare)
        // Of each worker, and half as many again.
        #expect(try otherBytes(", empty: 16, messages: 32, verdicts: [message]") == bare + 2 * (16 + 32) * 3 / 2 * 320)
    }

    @Test("a VM has at most 128 queues with all workers")
    func vmQueues() throws {
        func parse(_ queues: Int) throws -> Configuration {
            try Configuration.parse(
                """
                datapath: {id: 1}
                workers: {cores: [0, 1, 2, 3, 4, 5, 6, 7, 8]}
                memory: {size: 4GiB}
                vms: [{number: 1, name: a, group: g, queues: \(queues)}]
                """,
                file: "ringway.yaml",
                availableCores: Array(0..<9),
                checksFiles: false
            )
        }
        #expect(try parse(14).vms.first?.queues == 14)
        #expect {
            try parse(15)
        } throws: { error in
            "\(error)".contains(
                "4:46: vms[0].queues: 15 with each of 9 workers are too many: at most 128 are wanted"
            )
        }
    }
}
