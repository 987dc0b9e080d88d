// Any text as a configuration file: mistakes with their places, or a configuration.

import Agent

enum ConfigurationFuzzing {
    /// The examples of the documentation.
    static var seeds: [[UInt8]] {
        get throws {
            try ["README.md", "docs/configuration.md"].flatMap { path in
                try FuzzTarget.text(path).split(separator: "```").filter { $0.hasPrefix("yaml\n") }
                    .map { Array($0.dropFirst(5).utf8) }
            }
        }
    }

    static func run(_ input: UnsafeBufferPointer<UInt8>) throws {
        // As it is done with a file; what isn't UTF-8 does not come as far as this.
        guard let text = String(validating: input, as: UTF8.self) else { return }
        let configuration: Configuration
        do throws(ConfigurationErrors) {
            configuration = try Configuration.parse(text, file: "f", availableCores: [0, 1], checksFiles: false)
        } catch {
            for mistake in error.errors where mistake.problem.isEmpty || mistake.line.map({ $0 < 1 }) ?? false {
                throw FuzzFailure("\(mistake)")
            }
            if error.errors.isEmpty || error.description.isEmpty { throw FuzzFailure("a mistake without words") }
            return
        }
        let needed = configuration.memoryNeeded
        guard needed.atLeast > 0, needed.inAll >= needed.atLeast else { throw FuzzFailure("\(needed)") }
    }
}
