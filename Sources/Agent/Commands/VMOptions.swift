// What `ringway nf run` and `ringway vm run` have in common: the VM of the configuration in whose place something is to run, and
// the program that this process becomes.

import ArgumentParser
import CDPDK
import Foundation

struct VMOptions: ParsableArguments {
    @Option(name: [.long, .short], help: "The agent's configuration file.", completion: .file())
    var config: String

    @Option(help: "The name of the VM, as in the configuration.")
    var vm: String

    @Option(help: "The core to run on. (default: any)")
    var core: Int?

    /// The folder of the VM's group; its files are `packets` and `<vm>.rings`. What is not as it should be of the core is told.
    func folder() throws -> String {
        let configuration = try loadConfiguration(config, ofAgent: true)
        guard let port = configuration.vms.first(where: { $0.name == vm }) else {
            let names = configuration.vms.map(\.name).joined(separator: ", ")
            throw Self.refusal("\(config): there is no vm \(vm)\(names.isEmpty ? "" : ": there are \(names)")")
        }
        if let core {
            var roles = Dictionary(configuration.workers.cores.map { ($0, ["worker"]) }) { $0 + $1 }
            let others = ProcessorTopology().warnings(cores: roles)
            roles[core, default: []].insert(vm, at: 0)
            for warning in ProcessorTopology().warnings(cores: roles) where !others.contains(warning) {
                Console.printError("ringway: warning: \(warning)")
            }
        }
        return "\(configuration.regionFolder)/\(port.group)"
    }

    /// Becomes another program, on the core that was asked for.
    ///
    /// - Parameter words: The path of the program, or its name on PATH, and its arguments.
    func become(_ words: [String]) throws -> Never {
        if let core, cdpdk_run_on(Int32(clamping: core)) != 0 {
            throw Self.refusal("--core \(core): \(String(cString: strerror(errno)))")
        }
        // Threads of the runtime block signals, and the program would inherit that.
        var none = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, nil)
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) }
        arguments.append(nil)
        execvp(words[0], arguments)
        throw Self.refusal("\(words[0]): \(String(cString: strerror(errno)))")
    }

    static func refusal(_ text: String) -> ExitCode {
        Console.printError("ringway: \(text)")
        return .failure
    }
}
