// The tables of `ringway show`, literally.

import Agent
import Testing

@Suite(.timeLimit(.minutes(1)))
struct TextTableTests {
    @Test func ports() {
        var first = PortReport(number: 1, name: "h1", device: "net_af_packet0,iface=veth1")
        (first.linkUp, first.linkSpeed, first.receivePackets, first.receiveBytes) = (true, 10_000, 123_456, 7)
        (first.receiveQueues, first.transmitQueues, first.transmitCore) = ([PortReport.Queue(queue: 0, core: 1)], 1, 1)
        var second = PortReport(number: 4_294_967_040, name: "out", device: "net_null1")
        (second.transmitQueues, second.transmitDropped, second.transmitErrors) = (2, 3, 4)
        #expect(
            TextTable(ports: [first, second]).description == """
                      PORT  NAME  DEVICE                      LINK       RX PACKETS  RX BYTES  RX LOST  TX PACKETS  TX BYTES  TX LOST  RX QUEUES    TX QUEUES
                         1  h1    net_af_packet0,iface=veth1  up 10000M      123456         7        0           0         0        0  0 on core 1  1, by core 1
                4294967040  out   net_null1                   down                0         0        0           0         0        7  -            2, one a worker
                """
        )
    }

    @Test func tables() {
        var report = TableReport(
            table: 7,
            activeEntries: 12,
            lookups: 100,
            matches: 99,
            forms: [.init(core: 1, form: "hash"), .init(core: 2, form: "hash"), .init(core: 3, form: "linear")]
        )
        #expect(
            TextTable(tables: [report]).description == """
                TABLE  ENTRIES  MASKS  BYTES/WORKER  LOOKUPS  MATCHES  CYCLES/LOOKUP  FORM
                    7       12      0             0      100       99        -, -, -  hash+linear
                """
        )
        var form = TableReport.Form(core: 1, form: "tuple_space")
        (form.parts, form.cyclesPerLookup) = (["prefixes", "merged", "prefixes"], 30.25)
        (report.forms, report.masks, report.memory) = ([form], 9, 4096)
        #expect(
            TextTable(tables: [report]).description == """
                TABLE  ENTRIES  MASKS  BYTES/WORKER  LOOKUPS  MATCHES  CYCLES/LOOKUP  FORM
                    7       12      9          4096      100       99           30.2  tuple_space: 2 prefixes, 1 merged
                """
        )
    }

    @Test func meters() {
        var report = MeterReport(meter: 7, flags: ["kbps", "stats"], flows: 2, packets: 100, bytes: 6_400)
        report.bands = [
            .init(type: "drop", rate: 1_000, burst: 0, packets: 12, bytes: 768),
            .init(type: "dscp_remark", rate: 500, burst: 20, packets: 30, bytes: 1_920),
        ]
        report.bands[1].precedenceLevels = 1
        #expect(
            TextTable(meters: [report, MeterReport(meter: 8, flags: [], flows: 0, packets: 0, bytes: 0)]).description
                == """
                METER  FLAGS       FLOWS  PACKETS  BYTES  BAND            RATE  BURST  EXCEEDED
                    7  kbps,stats      2      100   6400  drop            1000      0        12
                                                          dscp_remark +1   500     20        30
                    8                  0        0      0  -                  -      -         -
                """
        )
    }

    @Test func queues() {
        var report = QueueReport(port: 2, name: "out", queue: 1, packets: 100, bytes: 6_400, dropped: 3)
        (report.minRate, report.maxRate, report.waiting) = (1_500_000, 2_000_000_000, 7)
        #expect(
            TextTable(
                queues: [report, QueueReport(port: 2, name: "out", queue: nil, packets: 0, bytes: 0, dropped: 0)]
            ).description
                == """
                PORT  NAME    QUEUE    MIN RATE  MAX RATE  TX PACKETS  TX BYTES  DROPPED  WAITING
                   2  out         1  1500kbit/s   2Gbit/s         100      6400        3        7
                   2  out   default           -         -           0         0        0        0
                """
        )
    }

    @Test func workers() {
        var report = WorkerReport(worker: 0, core: 1)
        (report.packets, report.busyRatio, report.cyclesPerPacket) = (5, 0.256, 123.44)
        (report.packetsPerBurst, report.changeRatio, report.longestStep) = (31.98, 0.01, 0.000_012_34)
        report.cachedRatio = 0.75
        report.involuntarySwitches = 9
        report.receiveQueues = [.init(port: "h1", queue: 0, load: 0.2), .init(port: "out", queue: 0, load: 0)]
        #expect(
            TextTable(workers: [report, WorkerReport(worker: 1, core: 2)]).description == """
                WORKER  CORE  PACKETS  BURSTS  EMPTY POLLS    BUSY  CHANGES  LONGEST  SWITCHED  PACKETS/BURST  CYCLES/PACKET  CACHED  RX QUEUES
                     0     1        5       0            0  25.6 %    1.0 %  12.3 µs         9           32.0          123.4  75.0 %  h1:0 20.0 %, out:0 0.0 %
                     1     2        0       0            0   0.0 %    0.0 %   0.0 µs         0              -              -       -  -
                """
        )
    }

    @Test func groups() {
        let select = GroupReport(
            group: 7,
            type: "select",
            references: 2,
            packets: 5,
            bytes: 300,
            buckets: [
                .init(weight: 3, actions: ["output:2"], packets: 4, bytes: 240),
                .init(weight: 1, live: false, actions: [], packets: 1, bytes: 60),
            ]
        )
        let empty = GroupReport(group: 8, type: "all", references: 0, packets: 1, bytes: 64, buckets: [])
        let lines = TextTable(groups: [select, empty]).description.split(separator: "\n").map {
            $0.split(separator: " ").joined(separator: " ")
        }
        #expect(
            lines == [
                "GROUP TYPE REFERENCES BUCKET WEIGHT LIVE PACKETS BYTES ACTIONS",
                "7 select 2 0 3 yes 4 240 output:2", "7 select 2 1 1 no 1 60 drop", "8 all 0 - - - 1 64 -",
            ]
        )
    }

    @Test func channelsAndDrops() {
        var channel = ChannelReport(
            endpoint: "ptcp:6654:127.0.0.1",
            peer: "tcp:127.0.0.1:40000",
            role: "equal",
            state: "active"
        )
        channel.messages = [
            .init(direction: .receive, type: "hello", count: 1), .init(direction: .receive, type: "flow_mod", count: 8),
            .init(direction: .transmit, type: "hello", count: 1),
        ]
        #expect(
            TextTable(channels: [channel]).description == """
                ENDPOINT             PEER                 ROLE   STATE   SECONDS  RECEIVED  SENT  LAST ERROR
                ptcp:6654:127.0.0.1  tcp:127.0.0.1:40000  equal  active        0         9     1  -
                """
        )
        channel.certificate = "CN=switch1"
        #expect(
            TextTable(channels: [channel]).description == """
                ENDPOINT             PEER                              ROLE   STATE   SECONDS  RECEIVED  SENT  LAST ERROR
                ptcp:6654:127.0.0.1  tcp:127.0.0.1:40000 (CN=switch1)  equal  active        0         9     1  -
                """
        )
        #expect(
            TextTable(drops: [
                DropReport(reason: "table_miss", port: 1, packets: 10),
                DropReport(reason: "runt", port: nil, packets: 2),
            ]).description == """
                REASON      PORT  PACKETS
                table_miss     1       10
                runt           -        2
                """
        )
        #expect(TextTable(drops: []).description == "REASON  PORT  PACKETS")
    }

    @Test func traces() {
        let path = TraceReport.Path(
            steps: ["table 0: priority=1 actions=output:2"],
            outputs: [.init(destination: "port 2 (out)", frame: "0202")]
        )
        let other = TraceReport.Path(steps: ["table 0: no match"], outputs: [])
        #expect(
            TraceReport(flow: "in_port=1", compiled: path, model: path, agree: true).text == """
                packet: in_port=1
                table 0: priority=1 actions=output:2
                out: port 2 (out): 0202
                """
        )
        #expect(
            TraceReport(flow: "in_port=1", compiled: path, model: other, agree: false).text == """
                packet: in_port=1
                by the compiled tables:
                table 0: priority=1 actions=output:2
                out: port 2 (out): 0202
                by the switch model:
                table 0: no match
                out: nothing
                """
        )
    }
}
