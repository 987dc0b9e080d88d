// Requests and replies as they are written on the control socket.

import Agent
import Foundation
import Testing

@Suite(.timeLimit(.minutes(1)))
struct ControlRequestTests {
    @Test(arguments: [
        (#"{"command": "show", "what": "ports"}"#, ControlRequest.show(.ports)),
        (#"{"command":"show","what":"drops"}"#, .show(.drops)),
        (#"{"command":"show","what":"groups"}"#, .show(.groups)),
        (#" {"flow":"in_port=1", "command":"trace"} "#, .trace(flow: "in_port=1")),
        (#"{"command":"reload","more":1}"#, .reload),
        (#"{"command":"version"}"#, .version),
    ])
    func understood(line: String, request: ControlRequest) throws {
        #expect(try ControlRequest(parsing: Data(line.utf8)) == request)
        #expect(try ControlRequest(parsing: request.line) == request)
    }

    @Test(arguments: [
        ("GET / HTTP/1.1", "this is no JSON: one object on one line is wanted, {\"command\": …}"),
        ("{\"command\": \"show\"", "this is no JSON: one object on one line is wanted, {\"command\": …}"),
        ("[]", "a JSON object is wanted, {\"command\": …}"), ("7", "a JSON object is wanted, {\"command\": …}"),
        ("{}", "there is no \"command\": show, trace, reload, flush or version is wanted"),
        (#"{"command": 7}"#, "\"command\" is no text"),
        (#"{"command": "stop"}"#, "there is no command \"stop\": show, trace, reload, flush or version is wanted"),
        (
            #"{"command": "show"}"#,
            "show lacks \"what\": one of ports, tables, groups, meters, queues, workers, channels, drops, addresses, vms, services"
        ),
        (
            #"{"command": "show", "what": "x"}"#,
            "show does not know \"x\": one of ports, tables, groups, meters, queues, workers, channels, drops, addresses, vms, services is wanted"
        ),
        (#"{"command": "trace"}"#, "trace lacks \"flow\": \"in_port=1,…\", say"),
    ])
    func refused(line: String, reason: String) {
        #expect(throws: ControlRequest.Refusal(description: reason)) { try ControlRequest(parsing: Data(line.utf8)) }
    }

    @Test func bytesThatAreNoText() {
        #expect(throws: ControlRequest.Refusal.self) { try ControlRequest(parsing: Data([0xff, 0x00, 0x80])) }
        #expect(throws: ControlRequest.Refusal.self) {
            try ControlRequest(parsing: Data(repeating: UInt8(ascii: "["), count: 60_000))
        }
    }

    @Test func repliesAreOneLineWithSortedKeys() {
        let drops = [
            DropReport(reason: "table_miss", port: 1, packets: .max),
            DropReport(reason: "no_buffer", port: nil, packets: 0),
        ]
        #expect(
            String(decoding: ControlReply.result(drops).line, as: UTF8.self)
                == #"{"ok":true,"result":[{"packets":18446744073709551615,"port":1,"reason":"table_miss"},{"packets":0,"reason":"no_buffer"}]}"#
        )
        #expect(
            String(decoding: ControlReply.failure("a \"b\"\nc/d").line, as: UTF8.self)
                == #"{"error":"a \"b\"\nc/d","ok":false}"#
        )
        var worker = WorkerReport(worker: 0, core: 1)
        worker.busyRatio = .nan
        #expect(String(decoding: ControlReply.result([worker]).line, as: UTF8.self).contains(#""ok":false"#))
    }

    @Test func reportsAreReadBackAsTheyWere() throws {
        var port = PortReport(number: 1, name: "h1", device: "net_null0,a=/b")
        port.linkSpeed = 10_000
        port.receiveQueues = [PortReport.Queue(queue: 0, core: 1)]
        port.transmitCore = 1
        #expect(try ControlClient.result([PortReport].self, of: ControlReply.result([port]).line) == [port])
        var channel = ChannelReport(
            endpoint: "tcp:127.0.0.1:6653",
            peer: "tcp:127.0.0.1:6653",
            role: "equal",
            state: "active"
        )
        channel.messages = [ChannelReport.MessageCount(direction: .receive, type: "flow_mod", count: 3)]
        #expect(try ControlClient.result([ChannelReport].self, of: ControlReply.result([channel]).line) == [channel])
        let path = TraceReport.Path(
            steps: ["table 0: no match"],
            outputs: [TraceReport.Output(destination: "port 2", frame: "00ff")]
        )
        let trace = TraceReport(flow: "in_port=1", compiled: path, model: path, agree: true)
        #expect(try ControlClient.result(TraceReport.self, of: ControlReply.result(trace).line) == trace)
    }
}
