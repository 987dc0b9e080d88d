// The text of `/metrics`: literally, by promtool, and against docs/metrics.md.

import Agent
import Foundation
import Testing

/// A snapshot in which every family has a series.
func fullSnapshot() -> MetricsSnapshot {
    var snapshot = MetricsSnapshot(version: "0.1.0", startTime: 1_700_000_000.25)
    var port = PortReport(number: 1, name: "h1", device: "net_af_packet0,iface=veth1")
    (port.receivePackets, port.receiveBytes, port.transmitPackets, port.transmitBytes) = (1, 64, 2, .max)
    (port.receiveDropped, port.transmitDropped, port.receiveErrors, port.transmitErrors) = (3, 4, 5, 6)
    (port.linkUp, port.linkSpeed) = (true, 10_000)
    snapshot.ports = [port, PortReport(number: 0xffff_ff00, name: "b", device: "net_null0")]
    var queue = QueueReport(port: 1, name: "h1", queue: 4, packets: 31, bytes: 32, dropped: 33)
    queue.waiting = 34
    snapshot.queues = [queue, QueueReport(port: 1, name: "h1", queue: nil, packets: 35, bytes: 36, dropped: 37)]
    var vm = VMReport(number: 10, name: "fw", group: "a", state: "attached", ring: 256)
    (vm.attachments, vm.lent, vm.copied, vm.wakes, vm.reclaimed) = (41, 42, 43, 44, 45)
    (vm.foreignBuffers, vm.badPlaces, vm.badVerdicts, vm.made) = (46, 47, 48, 90)
    (vm.messagesSent, vm.messagesReceived, vm.messagesFull, vm.messagesUnreachable) = (91, 92, 93, 94)
    snapshot.vms = [vm]
    snapshot.buffers = [BufferReport(group: "a", buffers: 100, free: 51, lent: 42)]
    var service = ServiceReport(number: 100, name: "firewall")
    (service.packets, service.bytes, service.connections, service.moved, service.unremembered) = (61, 62, 63, 64, 65)
    service.replicas = [.init(number: 10, name: "fw", state: "attached", lent: 42, connections: 66)]
    snapshot.services = [service]
    snapshot.drops = [
        DropReport(reason: "table_miss", port: 1, packets: 7), DropReport(reason: "no_buffer", port: nil, packets: 8),
    ]
    snapshot.tables = [
        TableReport(
            table: 0,
            activeEntries: 2,
            lookups: 10,
            matches: 9,
            forms: [.init(core: 1, form: "linear"), .init(core: 2, form: "linear")]
        )
    ]
    (snapshot.tables[0].masks, snapshot.tables[0].memory) = (3, 2_048)
    snapshot.tables[0].forms[1].cyclesPerLookup = 20.5
    var worker = WorkerReport(worker: 0, core: 1)
    (worker.cacheLookups, worker.cacheHits) = (8, 6)
    (worker.changeRatio, worker.longestStep, worker.busySeconds) = (0.125, 0.5, 2.5)
    worker.involuntarySwitches = 3
    worker.steps = [.init(seconds: 0.25, count: 6), .init(seconds: 0.5, count: 1), .init(seconds: nil, count: 2)]
    worker.receiveQueues = [.init(port: "h1", queue: 1, load: 0.75)]
    (worker.packets, worker.bursts, worker.emptyPolls, worker.busyRatio, worker.cyclesPerPacket) = (
        11, 12, 13, 0.25, 140.5
    )
    snapshot.workers = [worker, WorkerReport(worker: 1, core: 2)]
    snapshot.channels = [
        ChannelReport(endpoint: "tcp:127.0.0.1:6653", peer: "tcp:127.0.0.1:6653", role: "master", state: "backoff"),
        ChannelReport(endpoint: "ptcp:6654:127.0.0.1", peer: "tcp:127.0.0.1:40000", role: "equal", state: "active"),
        ChannelReport(endpoint: "ptcp:6654:127.0.0.1", peer: "tcp:127.0.0.1:40001", role: "equal", state: "active"),
    ]
    snapshot.messages = [
        .init(
            endpoint: "ptcp:6654:127.0.0.1",
            messages: [
                .init(direction: .receive, type: "flow_mod", count: 14),
                .init(direction: .transmit, type: "hello", count: 15),
            ]
        )
    ]
    (snapshot.learnedAddresses, snapshot.isStandalone) = (21, true)
    snapshot.packetIns = ["no_match": 16, "action": 17]
    snapshot.packetInsDropped = 18
    snapshot.flowMods = ["delete": 19, "add": 20]
    for seconds in [0, 0x1p-16, 0.75, 2] { snapshot.barriers.observe(seconds) }
    return snapshot
}

@Suite(.timeLimit(.minutes(1)))
struct PrometheusTextTests {
    @Test func everySeries() {
        let series = fullSnapshot().prometheusText.split(separator: "\n").filter { !$0.hasPrefix("#") }.joined(
            separator: "\n"
        )
        #expect(
            series == """
                ringway_port_receive_packets_total{port="1",name="h1"} 1
                ringway_port_receive_packets_total{port="4294967040",name="b"} 0
                ringway_port_receive_bytes_total{port="1",name="h1"} 64
                ringway_port_receive_bytes_total{port="4294967040",name="b"} 0
                ringway_port_transmit_packets_total{port="1",name="h1"} 2
                ringway_port_transmit_packets_total{port="4294967040",name="b"} 0
                ringway_port_transmit_bytes_total{port="1",name="h1"} 18446744073709551615
                ringway_port_transmit_bytes_total{port="4294967040",name="b"} 0
                ringway_port_receive_dropped_total{port="1",name="h1"} 3
                ringway_port_receive_dropped_total{port="4294967040",name="b"} 0
                ringway_port_transmit_dropped_total{port="1",name="h1"} 4
                ringway_port_transmit_dropped_total{port="4294967040",name="b"} 0
                ringway_port_receive_errors_total{port="1",name="h1"} 5
                ringway_port_receive_errors_total{port="4294967040",name="b"} 0
                ringway_port_transmit_errors_total{port="1",name="h1"} 6
                ringway_port_transmit_errors_total{port="4294967040",name="b"} 0
                ringway_port_up{port="1",name="h1"} 1
                ringway_port_up{port="4294967040",name="b"} 0
                ringway_port_speed_bytes_per_second{port="1",name="h1"} 1250000000
                ringway_queue_transmit_packets_total{port="1",name="h1",queue="4"} 31
                ringway_queue_transmit_packets_total{port="1",name="h1",queue="default"} 35
                ringway_queue_transmit_bytes_total{port="1",name="h1",queue="4"} 32
                ringway_queue_transmit_bytes_total{port="1",name="h1",queue="default"} 36
                ringway_queue_dropped_total{port="1",name="h1",queue="4"} 33
                ringway_queue_dropped_total{port="1",name="h1",queue="default"} 37
                ringway_queue_waiting_packets{port="1",name="h1",queue="4"} 34
                ringway_queue_waiting_packets{port="1",name="h1",queue="default"} 0
                ringway_vm_attached{port="10",name="fw",group="a"} 1
                ringway_vm_attachments_total{port="10",name="fw",group="a"} 41
                ringway_vm_lent_packets{port="10",name="fw",group="a"} 42
                ringway_vm_made_packets_total{port="10",name="fw",group="a"} 90
                ringway_vm_copied_packets_total{port="10",name="fw",group="a"} 43
                ringway_vm_wakes_total{port="10",name="fw",group="a"} 44
                ringway_vm_reclaimed_packets_total{port="10",name="fw",group="a"} 45
                ringway_vm_violations_total{port="10",name="fw",kind="foreign_buffer"} 46
                ringway_vm_violations_total{port="10",name="fw",kind="bad_place"} 47
                ringway_vm_violations_total{port="10",name="fw",kind="bad_verdict"} 48
                ringway_vm_messages_total{port="10",name="fw",direction="sent"} 91
                ringway_vm_messages_total{port="10",name="fw",direction="received"} 92
                ringway_vm_message_drops_total{port="10",name="fw",reason="full"} 93
                ringway_vm_message_drops_total{port="10",name="fw",reason="unreachable"} 94
                ringway_group_buffers{group="a",state="free"} 51
                ringway_group_buffers{group="a",state="lent"} 42
                ringway_group_buffers{group="a",state="in_flight"} 7
                ringway_service_packets_total{port="100",name="firewall"} 61
                ringway_service_bytes_total{port="100",name="firewall"} 62
                ringway_service_connections_total{port="100",name="firewall"} 63
                ringway_service_moved_connections_total{port="100",name="firewall"} 64
                ringway_service_unremembered_packets_total{port="100",name="firewall"} 65
                ringway_service_replica_connections{port="100",name="firewall",replica="fw"} 66
                ringway_drops_total{reason="table_miss",port="1"} 7
                ringway_drops_total{reason="no_buffer",port=""} 8
                ringway_table_lookups_total{table="0"} 10
                ringway_table_matches_total{table="0"} 9
                ringway_table_entries{table="0",form="linear"} 2
                ringway_table_masks{table="0"} 3
                ringway_table_memory_bytes{table="0"} 2048
                ringway_table_lookup_cycles{table="0",core="2"} 20.5
                ringway_worker_packets_total{worker="0",core="1"} 11
                ringway_worker_packets_total{worker="1",core="2"} 0
                ringway_worker_bursts_total{worker="0",core="1"} 12
                ringway_worker_bursts_total{worker="1",core="2"} 0
                ringway_worker_empty_polls_total{worker="0",core="1"} 13
                ringway_worker_empty_polls_total{worker="1",core="2"} 0
                ringway_worker_injected_packets_total{worker="0",core="1"} 0
                ringway_worker_injected_packets_total{worker="1",core="2"} 0
                ringway_worker_copied_packets_total{worker="0",core="1"} 0
                ringway_worker_copied_packets_total{worker="1",core="2"} 0
                ringway_worker_packet_ins_total{worker="0",core="1"} 0
                ringway_worker_packet_ins_total{worker="1",core="2"} 0
                ringway_worker_busy_ratio{worker="0",core="1"} 0.25
                ringway_worker_busy_ratio{worker="1",core="2"} 0
                ringway_worker_cycles_per_packet{worker="0",core="1"} 140.5
                ringway_worker_flow_cache_lookups_total{worker="0",core="1"} 8
                ringway_worker_flow_cache_lookups_total{worker="1",core="2"} 0
                ringway_worker_flow_cache_hits_total{worker="0",core="1"} 6
                ringway_worker_flow_cache_hits_total{worker="1",core="2"} 0
                ringway_worker_change_ratio{worker="0",core="1"} 0.125
                ringway_worker_change_ratio{worker="1",core="2"} 0
                ringway_worker_queue_load_ratio{worker="0",core="1",port="h1",queue="1"} 0.75
                ringway_worker_step_seconds_bucket{worker="0",core="1",le="0.25"} 6
                ringway_worker_step_seconds_bucket{worker="0",core="1",le="0.5"} 7
                ringway_worker_step_seconds_bucket{worker="0",core="1",le="+Inf"} 9
                ringway_worker_step_seconds_sum{worker="0",core="1"} 2.5
                ringway_worker_step_seconds_count{worker="0",core="1"} 9
                ringway_worker_longest_step_seconds{worker="0",core="1"} 0.5
                ringway_worker_longest_step_seconds{worker="1",core="2"} 0
                ringway_worker_involuntary_switches_total{worker="0",core="1"} 3
                ringway_worker_involuntary_switches_total{worker="1",core="2"} 0
                ringway_channel_connected{peer="tcp:127.0.0.1:6653",role="master"} 0
                ringway_channel_connected{peer="ptcp:6654:127.0.0.1",role="equal"} 2
                ringway_channel_messages_total{peer="ptcp:6654:127.0.0.1",direction="receive",type="flow_mod"} 14
                ringway_channel_messages_total{peer="ptcp:6654:127.0.0.1",direction="transmit",type="hello"} 15
                ringway_packet_in_total{reason="action"} 17
                ringway_packet_in_total{reason="no_match"} 16
                ringway_packet_in_dropped_total 18
                ringway_flow_mods_total{command="add"} 20
                ringway_flow_mods_total{command="delete"} 19
                ringway_barrier_seconds_bucket{le="1e-05"} 1
                ringway_barrier_seconds_bucket{le="2.5e-05"} 2
                ringway_barrier_seconds_bucket{le="5e-05"} 2
                ringway_barrier_seconds_bucket{le="0.0001"} 2
                ringway_barrier_seconds_bucket{le="0.00025"} 2
                ringway_barrier_seconds_bucket{le="0.0005"} 2
                ringway_barrier_seconds_bucket{le="0.001"} 2
                ringway_barrier_seconds_bucket{le="0.0025"} 2
                ringway_barrier_seconds_bucket{le="0.005"} 2
                ringway_barrier_seconds_bucket{le="0.01"} 2
                ringway_barrier_seconds_bucket{le="0.025"} 2
                ringway_barrier_seconds_bucket{le="0.05"} 2
                ringway_barrier_seconds_bucket{le="0.1"} 2
                ringway_barrier_seconds_bucket{le="0.25"} 2
                ringway_barrier_seconds_bucket{le="1"} 3
                ringway_barrier_seconds_bucket{le="+Inf"} 4
                ringway_barrier_seconds_sum 2.7500152587890625
                ringway_barrier_seconds_count 4
                ringway_learned_addresses 21
                ringway_standalone 1
                ringway_build_info{version="0.1.0"} 1
                ringway_start_time_seconds 1700000000.25
                """
        )
    }

    @Test func labelsHelpAndNumbersAreEscaped() {
        var text = PrometheusText()
        text.family("a", .gauge, "one \\ two\nthree \"four\"")
        text.series([("x", "q\"b\\s\ne")], UInt64.max)
        text.series([], Double.nan)
        text.series([], -Double.infinity)
        text.series([], 1e300)
        text.series([], 0.1)
        #expect(
            text.text == #"""
                # HELP a one \\ two\nthree "four"
                # TYPE a gauge
                a{x="q\"b\\s\ne"} 18446744073709551615
                a NaN
                a -Inf
                a 1e+300
                a 0.1

                """#
        )
    }

    @Test func aHistogramCountsWhatIsOnABoundBelowIt() {
        var histogram = Histogram(bounds: [1, 2])
        for value in [1, 1.5, 2, 3.0] { histogram.observe(value) }
        #expect(histogram.counts == [1, 2, 1])
        #expect(histogram.count == 4)
        #expect(histogram.sum == 7.5)
    }

    private static let promtoolPath = ["/usr/bin/promtool", "/usr/local/bin/promtool"].first {
        FileManager.default.isExecutableFile(atPath: $0)
    }

    @Test(.enabled(if: promtoolPath != nil, "promtool is not installed (Debian: prometheus)"))
    func promtoolHasNothingToSay() throws {
        let full = try promtool(fullSnapshot().prometheusText)
        #expect(full.status == 0, "\(full.output)")
        #expect(full.output == "")
        let empty = try promtool(MetricsSnapshot(version: "a\"\\\n", startTime: 0).prometheusText)
        #expect(empty.status == 0, "\(empty.output)")
        // It does look.
        #expect(try promtool("# TYPE a counter\na 1\n").status != 0)
    }

    private func promtool(_ text: String) throws -> (status: Int32, output: String) {
        let process = Process()
        process.executableURL = URL(filePath: try #require(Self.promtoolPath))
        process.arguments = ["check", "metrics"]
        let (input, output) = (Pipe(), Pipe())
        (process.standardInput, process.standardOutput, process.standardError) = (input, output, output)
        try process.run()
        try input.fileHandleForWriting.write(contentsOf: Data(text.utf8))
        try input.fileHandleForWriting.close()
        let said = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return (process.terminationStatus, said)
    }

    @Test func thePageDescribesEverySeries() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
            .deletingLastPathComponent()
        let page = try String(contentsOf: root.appending(path: "docs/metrics.md"), encoding: .utf8)
        // "name type labels", from the page and from the text.
        let described = page.split(separator: "\n").filter { $0.hasPrefix("| `ringway_") }.compactMap {
            line -> String? in
            let cells = line.split(separator: "|", omittingEmptySubsequences: false).map {
                $0.trimmingCharacters(in: .whitespaces)
            }
            guard cells.count == 7 else { return nil }
            return "\(cells[1]) \(cells[2]) \(cells[4])".replacing("`", with: "")
        }
        var types: [String: String] = [:]
        var labels: [String: String] = [:]
        for line in fullSnapshot().prometheusText.split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.starts(with: ["#", "TYPE"]) {
                types[String(words[2])] = String(words[3])
            } else if !line.hasPrefix("#") {
                let name = String(line.prefix { $0 != "{" && $0 != " " }).replacing(/_(bucket|sum|count)$/, with: "")
                labels[name] = line.matches(of: /([a-z_]+)="/).map { String($0.1) }.filter { $0 != "le" }.joined(
                    separator: ", "
                )
            }
        }
        let written = types.map { "\($0.key) \($0.value) \(labels[$0.key] ?? "no series")" }
        #expect(described.sorted() == written.sorted())
    }
}
