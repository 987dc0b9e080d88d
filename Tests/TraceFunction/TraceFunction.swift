// A network function that says of each packet and each message where it came from and in which buffer it lies, for the tests: along a
// chain that is the same one. Each goes on as a packet. With `message PORT` as arguments each packet goes as a message to the function
// there, with `service PORT` to that service; with `threads` each queue has a thread.

import Glibc
import NetLib

@main
enum TraceFunction {
    static func main() {
        if CommandLine.arguments.dropFirst().first == "threads" {
            NetworkFunction.runThreads { packet in
                trace("packet", packet)
                return .next
            }
        }
        let verdict = verdict
        NetworkFunction.run(messages: { message in
            trace("message", message)
            return .next
        }) { packet in
            trace("packet", packet)
            return verdict
        }
    }

    /// What the arguments say of each packet.
    private static var verdict: Verdict {
        let words = CommandLine.arguments
        guard words.count > 2, let port = UInt32(words[2]) else { return .next }
        return words[1] == "service" ? .function(service: port) : .message(to: port)
    }

    private static func trace(_ kind: String, _ packet: Packet) {
        let line =
            "\(kind) of \(packet.count) bytes from port \(packet.inPort) in buffer \(packet.buffer) of queue \(packet.queue)\n"
        _ = line.withCString { write(STDERR_FILENO, $0, strlen($0)) }
    }
}
