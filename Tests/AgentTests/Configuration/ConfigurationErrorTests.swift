// What is wrong with a configuration is told with file, line, column, key, the mistake and what is allowed; and all of it.

import Agent
import Foundation
import Testing

@Suite(.timeLimit(.minutes(1)))
struct ConfigurationErrorTests {
    /// The mistakes in a text, as `ringway check` prints them.
    private func mistakes(_ text: String) -> [String] {
        do throws(ConfigurationErrors) {
            _ = try parse(text)
            return []
        } catch {
            return error.errors.map(\.description)
        }
    }

    /// Each line is wrong in one way; `line` is put behind `datapath: {id: 1}` and the message is that of its only mistake.
    private static let table: [(line: String, message: String)] = [
        (
            "datapaths: {}",
            "2:1: datapaths: there is no such key: allowed is datapath, openflow, workers, memory, ports, vms, services, groups, metrics, run_directory"
        ),
        ("metrics: {lisen: 1}", "2:11: metrics.lisen: there is no such key: allowed is listen"),
        (
            "metrics: []",
            "2:10: metrics: a list is no mapping: a mapping is wanted, {key: value, …} or one line \"key: value\" for each"
        ),
        (
            "metrics:",
            "2:9: metrics: nothing is no mapping: a mapping is wanted, {key: value, …} or one line \"key: value\" for each"
        ),
        ("metrics: {listen: 9653}", "2:19: metrics.listen: \"9653\" names no port: HOST:PORT is wanted"),
        (
            "metrics: {listen: \"localhost:1\"}",
            "2:19: metrics.listen: \"localhost\" is no IP address: 127.0.0.1 or [::1], say, is wanted"
        ),
        (
            "metrics: {listen: \"1.1.1.1:65536\"}",
            "2:19: metrics.listen: \"65536\" is no port: a number from 0 to 65535 is wanted"
        ),
        (
            "openflow: {listen: ptcp}",
            "2:20: openflow.listen: \"ptcp\" is no list: a list is wanted, [a, b] or one line \"- a\" for each element"
        ),
        (
            "openflow: {listen: [tcp:1.1.1.1]}",
            "2:21: openflow.listen[0]: \"tcp:1.1.1.1\" is no address to listen at: ptcp:PORT[:HOST], ptls:PORT[:HOST] or punix:PATH is wanted"
        ),
        (
            "openflow: {listen: [\"ptcp:1:::1\"]}",
            "2:21: openflow.listen[0]: \"::1\" is no IP address: 127.0.0.1 or [::1], say, is wanted"
        ),
        (
            "openflow: {listen: [\"ptcp:070\"]}",
            "2:21: openflow.listen[0]: \"070\" is no port: a number from 0 to 65535 is wanted"
        ),
        (
            "openflow: {listen: [\"ptls:1\"]}",
            "2:21: openflow.listen[0]: ptls:1:127.0.0.1 speaks TLS: openflow.tls is wanted, with private_key, certificate and ca_certificate"
        ),
        (
            "openflow: {controllers: [\"ssl:c1\"]}",
            "2:26: openflow.controllers[0]: tls:c1:6653 speaks TLS: openflow.tls is wanted, with private_key, certificate and ca_certificate"
        ),
        (
            "openflow: {controllers: [\"udp:c1\"]}",
            "2:26: openflow.controllers[0]: \"udp:c1\" is no controller: tcp:HOST[:PORT] or tls:HOST[:PORT] is wanted"
        ),
        (
            "openflow: {controllers: [\"tls:c1\", \"ssl:c1:6653\"], tls: {private_key: /k, certificate: /c, ca_certificate: /a}}",
            "2:36: openflow.controllers[1]: tls:c1:6653 is in the list already: each address is wanted once"
        ),
        (
            "openflow: {tls: {private_key: /k, certificate: /c}}",
            "2:17: openflow.tls: the key ca_certificate is missing: it is required"
        ),
        (
            "openflow: {tls: {private_key: k, certificate: /c, ca_certificate: /a}}",
            "2:31: openflow.tls.private_key: \"k\" is no absolute path: it has to start with /"
        ),
        (
            "openflow: {tls: {private_key: /k, certificate: /c, ca_certificate: /a, password: x}}",
            "2:72: openflow.tls.password: there is no such key: allowed is private_key, certificate, ca_certificate"
        ),
        (
            "openflow: {listen: [punix:run]}",
            "2:21: openflow.listen[0]: \"run\" is no absolute path: it has to start with /"
        ),
        (
            "openflow: {listen: [\"ptcp:1\", \"ptcp:1:127.0.0.1\"]}",
            "2:31: openflow.listen[1]: ptcp:1:127.0.0.1 is in the list already: each address is wanted once"
        ),
        (
            "openflow: {controllers: [\"tcp:10.0.0.256\"]}",
            "2:26: openflow.controllers[0]: \"10.0.0.256\" is no host: an IP address (IPv6 in brackets) or a name is wanted"
        ),
        (
            "openflow: {controllers: [\"tcp:c:0\"]}",
            "2:26: openflow.controllers[0]: \"0\" is no port: a number from 1 to 65535 is wanted"
        ),
        (
            "openflow: {controllers: [\"tcp:[::1\"]}",
            "2:26: openflow.controllers[0]: \"[::1\" lacks the bracket that closes the host"
        ),
        ("openflow: {controllers: [null]}", "2:26: openflow.controllers[0]: nothing is no text: a text is wanted"),
        (
            "openflow: {fail_mode: standalone}",
            "2:23: openflow.fail_mode: standalone is for a switch with openflow.controllers, of which there are none"
        ),
        (
            "openflow: {fail_mode: safe}",
            "2:23: openflow.fail_mode: \"safe\" is not known here: allowed is secure, standalone"
        ),
        (
            "openflow: {max_backoff: 8}",
            "2:25: openflow.max_backoff: \"8\" is no duration from 1s to 1h: a whole number and ms, s, min or h is wanted"
        ),
        (
            "openflow: {inactivity_probe: 999ms}",
            "2:30: openflow.inactivity_probe: \"999ms\" is no duration from 1s to 1h: a whole number and ms, s, min or h is wanted, or 0 (no probes)"
        ),
        (
            "openflow: {flow_limit: \"10\"}",
            "2:24: openflow.flow_limit: \"10\" is no whole number: a number from 1 to 16777216 is wanted"
        ),
        (
            "openflow: {flow_limit: -1}",
            "2:24: openflow.flow_limit: \"-1\" is no whole number: a number from 1 to 16777216 is wanted"
        ),
        (
            "openflow: {flow_limit: 99999999999999999999}",
            "2:24: openflow.flow_limit: \"99999999999999999999\" is no whole number: a number from 1 to 16777216 is wanted"
        ),
        (
            "openflow: {meter_limit: 0}",
            "2:25: openflow.meter_limit: 0 is out of range: a number from 1 to 1048576 is wanted"
        ),
        (
            "openflow: {meter_band_limit: 256}",
            "2:30: openflow.meter_band_limit: 256 is out of range: a number from 1 to 255 is wanted"
        ),
        ("workers: {cores: [4]}", "2:19: workers.cores[0]: core 4 is not available: allowed is 0, 1, 2, 3"),
        ("workers: {cores: [1, 1]}", "2:22: workers.cores[1]: core 1 is in the list already: a core runs one worker"),
        ("workers: {cores: []}", "2:18: workers.cores: the list is empty: at least one core is wanted"),
        ("workers: {idle: lazy}", "2:17: workers.idle: \"lazy\" is not known here: allowed is adaptive, busy"),
        (
            "workers: {queues: {x: {0: 1}}}",
            "2:20: workers.queues.x: there is no such port: the name of one of the ports is wanted"
        ),
        (
            "memory: {size: 512MB}",
            "2:16: memory.size: \"512MB\" is no size from 64MiB to 1TiB: a whole number and KiB, MiB, GiB or TiB is wanted"
        ),
        ("run_directory: run", "2:16: run_directory: \"run\" is no absolute path: it has to start with /"),
        (
            "ports: {}",
            "2:8: ports: a mapping is no list: a list is wanted, [a, b] or one line \"- a\" for each element"
        ),
        ("ports: [{name: a, device: net_null0}]", "2:9: ports[0]: the key number is missing: it is required"),
        (
            "ports: [{number: 0, name: a, device: net_null0}]",
            "2:18: ports[0].number: 0 is out of range: a number from 1 to 4294967040, or LOCAL, is wanted"
        ),
        (
            "ports: [{number: 0xffffff01, name: a, device: net_null0}]",
            "2:18: ports[0].number: 0xffffff01 is out of range: a number from 1 to 4294967040, or LOCAL, is wanted"
        ),
        (
            "ports: [{number: 1, name: abcdefghijklmnop, device: net_null0}]",
            "2:27: ports[0].name: the name \"abcdefghijklmnop\" has 16 bytes: 1 to 15 are allowed"
        ),
        (
            "ports: [{number: 1, name: a, device: net_null0, tag: 1, trunks: [2]}]",
            "2:65: ports[0].trunks: the port has a tag: an access port is in that VLAN alone"
        ),
        (
            "ports: [{number: 1, name: a, device: net_null0, trunks: []}]",
            "2:57: ports[0].trunks: the list is empty: without it the port carries all VLANs"
        ),
        (
            "ports: [{number: 1, name: a, device: net_null0, rate: 100M}]",
            "2:55: ports[0].rate: \"100M\" is no rate from 64kbit/s to 1000Gbit/s: a whole number and kbit/s, Mbit/s or Gbit/s is wanted"
        ),
        (
            "ports: [{number: 1, name: a, device: net_null0, egress_queues: 4}]",
            "2:64: ports[0].egress_queues: \"4\" is no mapping: a mapping is wanted, {key: value, …} or one line \"key: value\" for each"
        ),
        (
            "ports: [{number: 1, name: a, device: net_null0, egress_queues: {4294967295: {}}}]",
            "2:65: ports[0].egress_queues.4294967295: 4294967295 is out of range: a number from 0 to 4294967294 is wanted"
        ),
        (
            "ports: [{number: 1, name: a, device: net_null0, egress_queues: {1: {min: 1Gbit/s}}}]",
            "2:69: ports[0].egress_queues.1.min: there is no such key: allowed is min_rate, max_rate"
        ),
        (
            "ports: [{number: 1, name: a, device: net_null0, egress_queues: {1: {min_rate: 3Mbit/s, max_rate: 2Mbit/s}}}]",
            "2:79: ports[0].egress_queues.1.min_rate: 3Mbit/s are more than the queue's max_rate of 2Mbit/s"
        ),
        (
            "ports: [{number: 1, name: a, device: net_null0, rate: 1Mbit/s, egress_queues: {1: {max_rate: 2Mbit/s}}}]",
            "2:94: ports[0].egress_queues.1.max_rate: 2Mbit/s are more than the port's rate of 1Mbit/s"
        ),
        (
            "ports: [{number: 1, name: a, device: net_null0, rate: 1Mbit/s, egress_queues: {1: {min_rate: 600kbit/s}, 0x2: {min_rate: 500kbit/s}}}]",
            "2:79: ports[0].egress_queues: the queues' min_rate are 1100kbit/s together: the port's rate of 1Mbit/s is the most"
        ),
        (
            "ports: [{number: 1, name: a, device: net_null0, egress_queues: {1: {}, 0x1: {}}}]",
            "2:72: ports[0].egress_queues.0x1: the queue 1 is there already: each is wanted once"
        ),
        (
            "ports: [{number: 1, name: a, device: net_null0, tag: 4095}]",
            "2:54: ports[0].tag: 4095 is out of range: a number from 1 to 4094 is wanted"
        ),
        (
            "ports: [{number: 1, name: a/b, device: net_null0}]",
            "2:27: ports[0].name: \"a/b\" is no name: letters, digits, and behind the first of them . _ - are allowed"
        ),
        (
            "ports: [{number: 1, name: a, device: \"net_null0, no-rx=1\"}]",
            "2:38: ports[0].device: \"net_null0, no-rx=1\" is no device: DPDK devargs without spaces are wanted, \"net_af_packet0,iface=veth1\" or a PCI address"
        ),
        (
            "groups: [{name: a, buffers: 0}]",
            "2:29: groups[0].buffers: 0 is out of range: a number from 1 to 1900000 is wanted"
        ),
        (
            "groups: [{name: a}, {name: a}]",
            "2:28: groups[1].name: the group a is in the list already: each is wanted once"
        ),
        (
            "vms: [{number: 1, name: a, group: g}]\nworkers: {cores: [0]}\ngroups: [{name: g, buffers: 1000}]",
            "4:29: groups[0].buffers: 1000 do not suffice: its ports and VMs need 1696"
        ),
        (
            "services: [{number: 1, name: s, replicas: []}]",
            "2:43: services[0].replicas: the list is empty: at least one VM is wanted"
        ),
        (
            "services: [{number: 1, name: s, replicas: [a]}]",
            "2:44: services[0].replicas[0]: there is no such VM: the name of one of the VMs is wanted"
        ),
        (
            "vms: [{number: 1, name: a, group: g}]\nservices: [{number: 2, name: s, replicas: [a, a]}]",
            "3:47: services[0].replicas[1]: a is a replica already"
        ),
        (
            "vms: [{number: 1, name: a, group: g}]\nservices: [{number: 1, name: s, replicas: [a]}]",
            "3:21: services[0].number: the number 1 is taken by vms[0].number in line 2: each port needs its own"
        ),
        (
            "vms: [{number: 1, name: a, group: g, empty: 8}]",
            "2:45: vms[0].empty: 8 is out of range: a number from 16 to 4096, or 0, is wanted"
        ),
        (
            "vms: [{number: 1, name: a, group: g, messages: 48}]",
            "2:48: vms[0].messages: 48 is no power of two: 64, 128, 256, … is wanted"
        ),
        ("a: {b", "3:1: this is no YAML: did not find expected ',' or '}' (while parsing a flow mapping, line 2)"),
        (
            "? [1]\n: 1",
            "2:3: ?: there is no such key: allowed is datapath, openflow, workers, memory, ports, vms, services, groups, metrics, run_directory"
        ),
        ("a: *b", "2:4: this is no YAML: found undefined alias"),
    ]

    @Test(arguments: table.indices)
    func mistake(row: Int) {
        let (line, message) = Self.table[row]
        #expect(mistakes("datapath: {id: 1}\n" + line) == ["ringway.yaml:" + message])
    }

    @Test(arguments: ["", "# nothing but a comment\n", "---\n...\n", "~"])
    func anEmptyFile(text: String) {
        #expect(
            mistakes(text) == ["ringway.yaml: the file is empty: a mapping with the key datapath, at least, is wanted"]
        )
    }

    @Test func aFileThatIsNoMapping() {
        #expect(mistakes("- datapath").map { $0.prefix(37) } == ["ringway.yaml:1:1: a list is no mappin"])
        #expect(mistakes("text").map { $0.prefix(38) } == ["ringway.yaml:1:1: \"text\" is no mapping"])
    }

    @Test func twoDocuments() {
        #expect(
            mistakes("datapath: {id: 1}\n---\na: 1\n").first?.hasPrefix(
                "ringway.yaml:2:1: this is no YAML: but found another document"
            ) == true
        )
    }

    @Test func aKeyTwiceInOneMapping() {
        #expect(
            mistakes("datapath: {id: 1, id: 2}") == [
                "ringway.yaml:1:12: the same mapping has the key \"id\" more than once"
            ]
        )
    }

    @Test func aControlCharacter() {
        let found = mistakes("datapath:\n  {id: \u{1}}")
        #expect(found == ["ringway.yaml:2:8: this is no YAML: control characters are not allowed"])
    }

    @Test func theDatapathIDIsRequired() {
        #expect(mistakes("ports: []") == ["ringway.yaml:1:1: the key datapath is missing: it is required"])
        #expect(
            mistakes("datapath: {name: a}") == ["ringway.yaml:1:11: datapath: the key id is missing: it is required"]
        )
    }

    @Test func portsThatShareANumberANameOrADevice() {
        let text = """
            datapath: {id: 1}
            ports:
              - {number: 1, name: a, device: "net_null0,no-rx=1"}
              - {number: 1, name: a, device: "net_null0"}
            """
        #expect(
            mistakes(text) == [
                "ringway.yaml:4:14: ports[1].number: the number 1 is taken by ports[0].number in line 3: each port needs its own",
                "ringway.yaml:4:23: ports[1].name: the name a is taken by ports[0].name in line 3: each port needs its own",
                "ringway.yaml:4:34: ports[1].device: the device net_null0 is taken by ports[0].device in line 3: each port needs its own",
            ]
        )
    }

    @Test func queuesByHandThatCannotBe() {
        let text = """
            datapath: {id: 1}
            workers: {cores: [1], queues: {a: {0: 2, 1: 1, x: 1}, b: 3}}
            ports: [{number: 1, name: a, device: net_null0}, {number: 2, name: b, device: net_null1}]
            """
        #expect(
            mistakes(text) == [
                "ringway.yaml:2:36: workers.queues.a.0: there is no worker on core 2: allowed is 1",
                "ringway.yaml:2:42: workers.queues.a.1: port a has 1 receive queues: a number from 0 to 0 is wanted",
                "ringway.yaml:2:48: workers.queues.a.x: \"x\" is no whole number: a number from 0 to 63 is wanted",
                "ringway.yaml:2:58: workers.queues.b: \"3\" is no mapping: a mapping is wanted, {key: value, …} or one line \"key: value\" for each",
            ]
        )
    }

    @Test func memoryThatDoesNotSuffice() {
        let text = """
            datapath: {id: 1}
            memory: {size: 64MiB}
            ports: [{number: 1, name: a, device: net_null0, queues: 64}]
            """
        let found = mistakes(text)
        #expect(found.count == 1)
        #expect(
            found.first?.hasPrefix(
                "ringway.yaml:2:16: memory.size: 64 MiB do not suffice: these ports and workers need 195 MiB"
            ) == true
        )
    }

    @Test func socketPathsThatDoNotFit() {
        let long = "/" + String(repeating: "x", count: 100)
        #expect(
            mistakes("datapath: {id: 1}\nrun_directory: \(long)").first?.contains(
                "2:16: run_directory: the path is too long"
            ) == true
        )
        #expect(
            mistakes("datapath: {id: 1}\nopenflow: {listen: [\"punix:\(long)/longer\"]}").first?.contains(
                "has 108 bytes"
            ) == true
        )
    }

    @Test func allMistakesAreToldInOrder() {
        let text = """
            datapath: {id: 0, nam: x}
            ports:
              - {number: 1, name: a, device: ""}
              - 7
            memory: {size: much}
            """
        #expect(
            mistakes(text).map { $0.split(separator: ":")[1...2].joined(separator: ":") } == [
                "1:16", "1:19", "3:34", "4:5", "5:16",
            ]
        )
    }

    @Test func filesThatCannotBeRead() throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        func mistake(_ path: String) -> String {
            do throws(ConfigurationErrors) {
                _ = try Configuration.load(path: path)
                return ""
            } catch {
                return error.description
            }
        }
        #expect(mistake("/nowhere.yaml") == "/nowhere.yaml: there is no such file: a readable file is wanted")
        #expect(mistake(directory.path) == "\(directory.path): cannot be read: a readable file is wanted")
        let file = directory.appending(path: "a.yaml")
        try Data([0xff, 0xfe, 0xfd]).write(to: file)
        #expect(mistake(file.path) == "\(file.path): the file is not UTF-8: a text is wanted")
        try Data(repeating: UInt8(ascii: "#"), count: (4 << 20) + 1).write(to: file)
        #expect(mistake(file.path) == "\(file.path): the file is too large: at most 4 MiB are read")
        try Data("datapath: {id: 7}".utf8).write(to: file)
        #expect(try Configuration.load(path: file.path).datapath.id == 7)
    }
}
