// A network function that says of each packet where it came from and in which buffer it lies, for the tests: along a chain that
// is the same one. Each packet goes on.

import Glibc
import NetLib

@main
enum TraceFunction {
    static func main() {
        NetworkFunction.run { packet in
            let line = "packet of \(packet.count) bytes from port \(packet.inPort) in buffer \(packet.buffer)\n"
            _ = line.withCString { write(STDERR_FILENO, $0, strlen($0)) }
            return .next
        }
    }
}
