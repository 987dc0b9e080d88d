// What is wrong with a configuration file, and where.

/// One mistake in a configuration file.
package struct ConfigurationError: Error, Hashable, Sendable, CustomStringConvertible {
    package var file: String
    /// Counted from 1; nil where the mistake has no place in the text: the file cannot be read, or is empty.
    package var line: Int?
    package var column: Int?
    /// The key as the documentation writes it, with indices: `ports[1].number`; empty for the whole file.
    package var key: String
    /// What is wrong, and what is allowed.
    package var problem: String

    /// `FILE:LINE:COLUMN: KEY: PROBLEM`, as compilers do, so that editors jump there.
    package var description: String {
        let place = [file, line.map(String.init), column.map(String.init)].compactMap(\.self).joined(separator: ":")
        return [place, key, problem].filter { !$0.isEmpty }.joined(separator: ": ")
    }
}

/// All mistakes found in a configuration file, in its order. Never empty.
package struct ConfigurationErrors: Error, Hashable, Sendable, CustomStringConvertible {
    package var errors: [ConfigurationError]

    /// One mistake a line.
    package var description: String { errors.map(\.description).joined(separator: "\n") }
}

/// Why a value's text is refused, without its place: `YAMLValue` adds that.
struct InvalidValue: Error {
    var problem: String

    init(_ problem: String) { self.problem = problem }
}
