// docs/configuration.md against the parser: every key is described, and what its row says is true.

import Agent
import Foundation
import Testing

@Suite(.timeLimit(.minutes(1)))
struct ConfigurationDocumentationTests {
    /// A row of the tables of docs/configuration.md.
    private struct Row {
        var key, presence, type, fallback, allowed: String
    }

    private static let text: String = {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
            .deletingLastPathComponent()
        let page = [root, URL(filePath: FileManager.default.currentDirectoryPath)]
            .map { $0.appending(path: "docs/configuration.md") }.lazy.compactMap {
                try? String(contentsOf: $0, encoding: .utf8)
            }.first
        return page ?? ""
    }()

    /// The rows whose first column is a key; those of other tables have another number of columns.
    private static let rows: [Row] = text.split(separator: "\n").compactMap { line in
        let cells = line.split(separator: "|", omittingEmptySubsequences: false).map {
            $0.trimmingCharacters(in: .whitespaces)
        }
        guard cells.count == 8, cells[1].hasPrefix("`") else { return nil }
        return Row(key: unquoted(cells[1]), presence: cells[2], type: cells[3], fallback: cells[4], allowed: cells[5])
    }

    private static func unquoted(_ text: String) -> String {
        text.trimmingCharacters(in: CharacterSet(charactersIn: "`"))
    }

    /// A configuration in which `key` has the given YAML; nil leaves it out.
    private func document(_ key: String, _ value: String?) -> String {
        var sections: [String: [String: String]] = [
            "datapath": ["id": "1"], "ports[]": ["number": "3", "name": "a", "device": "net_null0"],
            "vms[]": ["number": "2", "name": "b", "group": "g"], "groups[]": ["name": "unused"],
            "services[]": ["number": "4", "name": "c", "replicas": "[b]"],
        ]
        // Without VMs there are no replicas.
        if key == "vms" { sections["services[]"] = nil }
        var top: [String: String] = [:]
        let parts = key.split(separator: ".").map(String.init)
        switch parts.count {
        case 3:
            var mapping = ["private_key": "/k", "certificate": "/c", "ca_certificate": "/a"]
            mapping[parts[2]] = value
            let pairs = mapping.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }
            sections[parts[0], default: [:]][parts[1]] = "{\(pairs.joined(separator: ", "))}"
        case 2:
            // Some values need another key beside them, or a list around them.
            if value == "standalone" { sections["openflow", default: [:]]["controllers"] = "[tcp:127.0.0.1]" }
            sections[parts[0], default: [:]][parts[1]] = key == "ports[].trunks" ? value.map { "[\($0)]" } : value
        default: top[key] = value
        }
        for (section, keys) in sections where top[section] == nil && key != section {
            let mapping =
                "{" + keys.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }.joined(separator: ", ") + "}"
            if section.hasSuffix("[]") {
                let list = String(section.dropLast(2))
                top[list] = top[list] ?? "[\(mapping)]"
            } else {
                top[section] = mapping
            }
        }
        return top.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }.joined(separator: "\n")
    }

    @Test func everyKeyIsDescribedOnce() {
        #expect(Self.rows.map(\.key).sorted() == Configuration.knownKeys.sorted())
        #expect(Self.rows.count > 20)
    }

    @Test func theExampleOfThePageIsValid() throws {
        let example = try #require(
            Self.text.split(separator: "```yaml\n").dropFirst().first?.split(separator: "```").first
        )
        #expect(try parse(String(example)).ports.count == 2)
    }

    @Test func requiredKeysAreRequiredAndOthersAreNot() {
        for row in Self.rows {
            let isAccepted = (try? parse(document(row.key, nil))) != nil
            #expect(isAccepted == (row.presence == "optional"), "\(row.key): \(row.presence)")
        }
    }

    @Test func statedDefaultsAreTheDefaults() throws {
        var checked = 0
        for row in Self.rows where row.fallback.hasPrefix("`") {
            let without = try parse(
                document(row.key, ["ports", "vms", "groups", "services"].contains(row.key) ? "[]" : nil)
            )
            #expect(try parse(document(row.key, Self.unquoted(row.fallback))) == without, "\(row.key): \(row.fallback)")
            checked += 1
        }
        #expect(checked >= 14)
    }

    @Test func rangesEndWhereThePageSays() throws {
        var checked = 0
        for row in Self.rows {
            guard
                let match = row.allowed.firstMatch(
                    of: /^(0x[0-9a-f]+|[0-9]+)([A-Za-z\/]*) to (0x[0-9a-f]+|[0-9]+)([A-Za-z\/]*)/
                )
            else { continue }
            let (low, lowUnit, high, highUnit) = (String(match.1), match.2, String(match.3), match.4)
            func isAccepted(_ value: String) -> Bool {
                (try? parse("memory: {size: 1TiB}\n" + document(row.key, value))) != nil
            }
            func number(_ text: String) throws -> UInt64 {
                try #require(text.hasPrefix("0x") ? UInt64(text.dropFirst(2), radix: 16) : UInt64(text))
            }
            let memory = row.key == "memory.size"
            func accepted(_ value: String) -> Bool {
                memory ? (try? parse(document(row.key, value))) != nil : isAccepted(value)
            }
            let (first, last) = (try number(low), try number(high))
            // The lowest memory is for a switch without ports.
            #expect(accepted(low + lowUnit), "\(row.key): \(low)")
            #expect(accepted(high + highUnit), "\(row.key): \(high)")
            let isZeroAllowed = row.allowed.contains("or 0")
            if first > 0, !(isZeroAllowed && first == 1) {
                #expect(!accepted("\(first - 1)\(lowUnit)"), "\(row.key) below \(low)")
            }
            if last < .max { #expect(!accepted("\(last + 1)\(highUnit)"), "\(row.key) above \(high)") }
            checked += 1
        }
        #expect(checked >= 11)
    }

    @Test func wordsAreThoseOfThePage() {
        for row in Self.rows where row.type == "word" {
            let words = row.allowed.split(separator: ", ").map { Self.unquoted(String($0)) }
            for word in words { #expect((try? parse(document(row.key, word))) != nil, "\(row.key): \(word)") }
            #expect((try? parse(document(row.key, "nonsense"))) == nil)
        }
    }
}
