// A network function that says of each packet and each message where it came from and in which buffer it lies, for the tests: along a
// chain that is the same one. Each goes on as a packet, or, if a port is named, each packet as a message to the function there.

import Glibc
import NetLib

@main
enum TraceFunction {
    static func main() {
        let receiver = CommandLine.arguments.count > 1 ? UInt32(CommandLine.arguments[1]) : nil
        NetworkFunction.run(messages: { message in
            trace("message", message)
            return .next
        }) { packet in
            trace("packet", packet)
            return receiver.map { .message(to: $0) } ?? .next
        }
    }

    private static func trace(_ kind: String, _ packet: Packet) {
        let line = "\(kind) of \(packet.count) bytes from port \(packet.inPort) in buffer \(packet.buffer)\n"
        _ = line.withCString { write(STDERR_FILENO, $0, strlen($0)) }
    }
}
