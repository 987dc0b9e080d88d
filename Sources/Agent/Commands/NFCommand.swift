// `ringway nf run`: a network function as a process on this host.

import ArgumentParser
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

    @OptionGroup
    var place: VMOptions

    @Argument(parsing: .postTerminator, help: "Arguments for the function, behind --.")
    var arguments: [String] = []

    func run() throws {
        let folder = try place.folder()
        setenv("RINGWAY_PACKETS", "\(folder)/packets", 1)
        setenv("RINGWAY_RINGS", "\(folder)/\(place.vm).rings", 1)
        try place.become([path()] + arguments)
    }

    /// The program: a path as it is, a name beside this executable.
    private func path() throws -> String {
        guard !function.contains("/") else { return function }
        let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        let path = URL(fileURLWithPath: own).deletingLastPathComponent().appendingPathComponent(function).path
        guard FileManager.default.isExecutableFile(atPath: path) else {
            throw VMOptions.refusal("there is no function \(function): \(path) is no program")
        }
        return path
    }
}
