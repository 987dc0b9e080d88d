// Drops IP packets that have one of the texts in them that a file names, one a line, byte for byte, behind their IP headers. If a
// firewall's port is named, too, that is told not to let their senders through.

import NetLib

/// All texts at once, by one step for each byte (Aho and Corasick, "Efficient string matching", CACM 1975).
struct Automaton {
    /// The next state by state and byte.
    private var steps = [Int32](repeating: -1, count: 256)
    private var isEnd = [false]

    init(_ texts: [[UInt8]]) {
        for text in texts {
            var state = 0
            for byte in text {
                if steps[state * 256 + Int(byte)] < 0 {
                    steps[state * 256 + Int(byte)] = Int32(isEnd.count)
                    isEnd.append(false)
                    steps += [Int32](repeating: -1, count: 256)
                }
                state = Int(steps[state * 256 + Int(byte)])
            }
            isEnd[state] = true
        }
        // Breadth first: where a state has no step, it has that of its longest suffix.
        var suffix = [Int](repeating: 0, count: isEnd.count)
        var states = [0]
        var next = 0
        while next < states.count {
            let state = states[next]
            next += 1
            for byte in 0..<256 {
                let other = state == 0 ? 0 : steps[suffix[state] * 256 + byte]
                let place = state * 256 + byte
                if steps[place] < 0 {
                    steps[place] = max(0, other)
                } else {
                    let to = Int(steps[place])
                    suffix[to] = Int(other)
                    isEnd[to] = isEnd[to] || isEnd[suffix[to]]
                    states.append(to)
                }
            }
        }
    }

    func finds(in bytes: some Sequence<UInt8>) -> Bool {
        var state = 0
        for byte in bytes {
            state = Int(steps[state * 256 + Int(byte)])
            if isEnd[state] { return true }
        }
        return false
    }
}

@main
enum PayloadScan {
    static func main() {
        let firewall = CommandLine.arguments.count == 3 ? UInt32(CommandLine.arguments[2]) : nil
        guard CommandLine.arguments.count == 2 || firewall != nil else {
            NetworkFunction.refuse("the file of texts is wanted, and perhaps the port of a firewall")
        }
        let automaton = Automaton(NetworkFunction.texts(of: CommandLine.arguments[1]).filter { !$0.isEmpty })
        var senders: [String] = []
        NetworkFunction.run(
            turn: { attachment in
                guard let firewall, let sender = senders.last,
                    attachment.send("deny from \(sender)".utf8, to: firewall)
                else { return 0 }
                senders.removeLast()
                return 1
            },
            packets: { packet in
                guard let (flow, payload) = packet.ip, automaton.finds(in: packet.bytes[payload...]) else {
                    return .next
                }
                // Who sends more of it is told of again.
                if firewall != nil, senders.count < 64 { senders.append(flow.sourceText) }
                return .drop
            }
        )
    }
}
