// Counts packets and bytes of each flow that passes, and says every so many seconds (2, or the argument) which flows had most of them
// since the last time.

import Glibc
import NetLib

struct Usage {
    var packets = 0
    var bytes = 0
}

@main
enum FlowMonitor {
    /// Flows that are told of, and flows that are told apart: what goes beyond is counted together.
    static let (shown, most) = (10, 100_000)

    static func main() {
        guard let seconds = CommandLine.arguments.count > 1 ? Int(CommandLine.arguments[1]) : 2, 1...86_400 ~= seconds
        else {
            NetworkFunction.refuse("\"\(CommandLine.arguments[1])\" is no number of seconds, 1 to 86400")
        }
        var flows: [FiveTuple: Usage] = [:]
        var others = Usage()
        NetworkFunction.run(every: seconds * 1000) {
            guard !flows.isEmpty || others.packets > 0 else { return }
            print("PACKETS", "BYTES", "FLOW", separator: "\t")
            for (flow, usage) in flows.sorted(by: { $0.value.bytes > $1.value.bytes }).prefix(shown) {
                print(usage.packets, usage.bytes, flow, separator: "\t")
            }
            if others.packets > 0 { print(others.packets, others.bytes, "all others", separator: "\t") }
            fflush(nil)
            flows.removeAll(keepingCapacity: true)
            others = Usage()
        } packets: { packet in
            if let flow = packet.ip?.flow, flows.count < most || flows[flow] != nil {
                flows[flow, default: Usage()].packets += 1
                flows[flow, default: Usage()].bytes += packet.count
            } else {
                others.packets += 1
                others.bytes += packet.count
            }
            return .next
        }
    }
}
