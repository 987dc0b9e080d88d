// `ringway nf run`: a network function as a process on this host.

import ArgumentParser
import CDPDK
import Foundation

struct NFCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "nf",
        abstract: "Network functions.",
        subcommands: [NFRunCommand.self]
    )
}

struct NFRunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run a network function as a process, until SIGINT or SIGTERM.",
        discussion: """
            The function attaches to the agent, which has made the files of its memory, and anew when that has been restarted. It runs \
            in the place of this process, with the files named in RINGWAY_PACKETS and RINGWAY_RINGS.
            """
    )

    @Argument(help: "An example's name, such as simple-forward, or the path of a program.")
    var function: String

    @Option(name: [.long, .short], help: "The agent's configuration file.", completion: .file())
    var config: String

    @Option(help: "The name of the VM, as in the configuration, in whose place the function runs.")
    var vm: String

    @Option(help: "The core that the function runs on. (default: any)")
    var core: Int?

    @Argument(parsing: .postTerminator, help: "Arguments for the function, behind --.")
    var arguments: [String] = []

    func run() throws {
        let configuration = try loadConfiguration(config, ofAgent: true)
        guard let port = configuration.vms.first(where: { $0.name == vm }) else {
            let names = configuration.vms.map(\.name).joined(separator: ", ")
            throw refusal("\(config): there is no vm \(vm)\(names.isEmpty ? "" : ": there are \(names)")")
        }
        let program = try path()
        if let core, cdpdk_run_on(Int32(clamping: core)) != 0 {
            throw refusal("--core \(core): \(String(cString: strerror(errno)))")
        }
        let folder = "\(configuration.regionFolder)/\(port.group)"
        setenv("RINGWAY_PACKETS", "\(folder)/packets", 1)
        setenv("RINGWAY_RINGS", "\(folder)/\(port.name).rings", 1)
        // Threads of the runtime block signals, and the function would inherit that.
        var none = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, nil)
        var words: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) }
        words.append(nil)
        execv(program, words)
        throw refusal("\(program): \(String(cString: strerror(errno)))")
    }

    /// The program: a path as it is, a name beside this executable.
    private func path() throws -> String {
        guard !function.contains("/") else { return function }
        let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        let path = URL(fileURLWithPath: own).deletingLastPathComponent().appendingPathComponent(function).path
        guard FileManager.default.isExecutableFile(atPath: path) else {
            throw refusal("there is no function \(function): \(path) is no program")
        }
        return path
    }

    private func refusal(_ text: String) -> ExitCode {
        Console.printError("ringway: \(text)")
        return .failure
    }
}
