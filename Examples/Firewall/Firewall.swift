// Lets packets through or drops them by rules in a file, the first that fits. A rule is a line:
//
//     allow|deny [PROTOCOL] [from PREFIX] [to PREFIX] [port NUMBER]
//
// such as `deny tcp from 10.0.0.0/8 to 192.168.1.1 port 22`. The protocol is tcp, udp, sctp, icmp, icmp6 or a number, the port that of the
// destination. What no rule fits is let through, and so is what is not IP; IP whose headers are not all there is dropped, as no rule could
// be held against it. A message of another function is a rule, too, before all others.

import NetLib

struct Rule: Equatable {
    var verdict: Verdict
    var proto: UInt8?
    var source: Prefix?
    var destination: Prefix?
    var port: UInt16?

    private static let protocols: [Substring: UInt8] = ["icmp": 1, "tcp": 6, "udp": 17, "icmp6": 58, "sctp": 132]

    /// Nil: the words are no rule.
    init?(_ words: [Substring]) {
        var words = words[...]
        switch words.popFirst() {
        case "allow": verdict = .next
        case "deny": verdict = .drop
        default: return nil
        }
        if let first = words.first, let proto = Self.protocols[first] ?? UInt8(first) {
            self.proto = proto
            words.removeFirst()
        }
        while let key = words.popFirst() {
            guard let value = words.popFirst() else { return nil }
            switch key {
            case "from": source = Prefix(value)
            case "to": destination = Prefix(value)
            case "port": port = UInt16(value)
            default: return nil
            }
            guard key != "from" || source != nil, key != "to" || destination != nil, key != "port" || port != nil
            else { return nil }
        }
    }

    func fits(_ flow: FiveTuple) -> Bool {
        (proto == nil || proto == flow.proto) && (port == nil || port == flow.destinationPort)
            && source?.contains(flow.source, isIPv6: flow.isIPv6) ?? true
            && destination?.contains(flow.destination, isIPv6: flow.isIPv6) ?? true
    }
}

@main
enum Firewall {
    static func main() {
        guard CommandLine.arguments.count == 2 else {
            NetworkFunction.refuse("the file of rules is wanted, and nothing else")
        }
        let path = CommandLine.arguments[1]
        var rules = NetworkFunction.lines(of: path).map { line in
            Rule(line.words)
                ?? {
                    let text = line.words.joined(separator: " ")
                    NetworkFunction.refuse(
                        "\(path):\(line.number): \"\(text)\" is no rule: allow|deny [PROTOCOL] [from PREFIX] [to PREFIX] [port NUMBER] is wanted"
                    )
                }()
        }
        NetworkFunction.run(
            messages: { message in
                // A copy: the sender may still write to it.
                let words = String(decoding: [UInt8](message.bytes), as: UTF8.self).split(separator: " ")
                if rules.count < 10_000, let rule = Rule(words), !rules.contains(rule) { rules.insert(rule, at: 0) }
                return .drop
            },
            packets: { packet in
                guard let flow = packet.ip?.flow else { return packet.isIP ? .drop : .next }
                return rules.first { $0.fits(flow) }?.verdict ?? .next
            }
        )
    }
}
