// The numbers of a running switch, from each place that tells them.

import Foundation
import Testing

extension LiveSwitch {
    /// One row of `ringway show WHAT --json`.
    struct Row {
        let values: [String: Any]

        func number(_ key: String) -> Int { (values[key] as? NSNumber)?.intValue ?? 0 }
        func text(_ key: String) -> String { values[key] as? String ?? "" }
        func rows(_ key: String) -> [Row] { (values[key] as? [[String: Any]] ?? []).map(Row.init) }
    }

    /// `ringway show WHAT --json`.
    func show(_ what: String) async throws -> [Row] {
        let outcome = try await ringway("show", what, "--json")
        try #require(outcome.status == 0, "\(outcome)")
        let object = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any]
        return try #require(object?["result"] as? [[String: Any]], "\(outcome)").map(Row.init)
    }

    /// The text of /metrics.
    func metricsText() async throws -> String {
        let outcome = try await Command.run(
            ["curl", "-sS", "--fail", "--max-time", "10", "http://127.0.0.1:9653/metrics"],
            namespace: namespaces.ofSwitch
        )
        try #require(outcome.status == 0, "\(outcome)")
        return outcome.output
    }

    /// The series of /metrics by name and labels as they stand there: `ringway_port_up{port="1",name="h1"}`.
    func metrics() async throws -> [String: Double] {
        let lines = try await metricsText().split(separator: "\n").filter { !$0.hasPrefix("#") }
        return Dictionary(
            lines.compactMap { line in
                guard let space = line.lastIndex(of: " "), let value = Double(line[line.index(after: space)...]) else {
                    return nil
                }
                return (String(line[..<space]), value)
            },
            uniquingKeysWith: { first, _ in first }
        )
    }

    /// What `dump-ports` says of a port: packets and bytes received and sent.
    func dumpedPort(_ number: Int) async throws -> [Int] {
        let outcome = try await ofctl("dump-ports", "\(number)")
        return Self.numbers(of: ["rx pkts=", " bytes=", "tx pkts=", " bytes="], in: outcome.output)
    }

    /// The numbers that stand behind these words, in their order; -1 where a word is missing.
    static func numbers(of words: [String], in text: String) -> [Int] {
        var rest = Substring(text)
        return words.map { word in
            guard let range = rest.range(of: word) else { return -1 }
            rest = rest[range.upperBound...]
            return Int(rest.prefix { $0.isNumber }) ?? -1
        }
    }

    /// The flows as `dump-flows` prints them, without what changes by itself.
    func flows(_ arguments: String..., over target: Target = .socket) async throws -> [String] {
        let outcome = try await ofctl(
            "dump-flows",
            arguments.joined(separator: ","),
            options: ["--no-stats"],
            over: target
        )
        #expect(outcome.status == 0, "\(outcome)")
        return outcome.lines.map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
    }
}
