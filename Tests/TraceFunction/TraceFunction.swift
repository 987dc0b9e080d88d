// A network function that says of each packet where it came from and in which buffer it lies, for the tests: along a chain that
// is the same one. Each packet goes on; with the number of a service's port as argument, to that service.

import Glibc
import NetLib

@main
enum TraceFunction {
    static func main() {
        let service = CommandLine.arguments.dropFirst().first.flatMap { UInt32($0) }
        NetworkFunction.run { packet in
            let line = "packet of \(packet.count) bytes from port \(packet.inPort) in buffer \(packet.buffer)\n"
            _ = line.withCString { write(STDERR_FILENO, $0, strlen($0)) }
            return service.map { .function(service: $0) } ?? .next
        }
    }
}
