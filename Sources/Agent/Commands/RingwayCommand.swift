// The command line: one executable, `ringway`, with a subcommand for each thing it does.

import ArgumentParser
import Foundation

/// `ringway`. The process starts with `RingwayCommand.main()`.
package struct RingwayCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "ringway",
        abstract: "An OpenFlow 1.3 switch for network functions in virtual machines.",
        discussion: """
            EXIT STATUS: 0 done, 1 refused or failed, 64 wrong usage, 69 no agent answers, 78 the configuration is wrong.
            """,
        version: Version.text,
        subcommands: [
            RunCommand.self, CheckCommand.self, ReloadCommand.self, ShowCommand.self, FlushCommand.self,
            TraceCommand.self, NFCommand.self, VMCommand.self,
        ]
    )

    package init() {}
}

/// What is released.
package enum Version {
    package static let number = "0.1.0"
    static let text = "ringway \(number)"
}

/// Exit codes beside 0 and ArgumentParser's 64: those of sysexits.h.
extension ExitCode {
    /// No agent answers.
    static let unavailable = ExitCode(69)
    /// The configuration is wrong.
    static let badConfiguration = ExitCode(78)
}

enum Console {
    static func print(_ text: String) { write(text + "\n", to: .standardOutput) }
    static func printError(_ text: String) { write(text + "\n", to: .standardError) }

    /// Writes all of it; a reader that went away (`ringway show ports | head -1`) is no error.
    private static func write(_ text: String, to file: FileHandle) { try? file.write(contentsOf: Data(text.utf8)) }
}

/// Reads a configuration; what is wrong with it goes to standard error.
///
/// - Parameter ofAgent: It is that of an agent which runs somewhere else: the files that it names are not read, and its cores need not
///   be there for this process.
func loadConfiguration(_ path: String, ofAgent: Bool = false) throws -> Configuration {
    do {
        return try Configuration.load(
            path: path,
            availableCores: ofAgent ? Array(0...Limits.core) : ProcessorSet.available,
            checksFiles: !ofAgent
        )
    } catch {
        Console.printError(error.description)
        throw ExitCode.badConfiguration
    }
}
