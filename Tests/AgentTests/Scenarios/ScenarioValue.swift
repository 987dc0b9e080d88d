// A node of a scenario's YAML, with its line: everything is text until somebody who knows what it means reads it, so that
// `02:00:00:00:00:01` and `0x10` stay what the author wrote.

import Foundation
import Yams

/// Why a scenario can't be read.
struct ScenarioError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

struct ScenarioValue {
    indirect enum Content {
        case text(String)
        case list([ScenarioValue])
        case mapping([String: ScenarioValue])
    }

    var content: Content
    /// In the file, from 1.
    let line: Int

    init(_ content: Content, line: Int) { (self.content, self.line) = (content, line) }

    init(yaml: String) throws {
        guard let node = try Yams.compose(yaml: yaml) else { throw ScenarioError("empty file") }
        try self.init(node)
    }

    private init(_ node: Node) throws {
        line = node.mark?.line ?? 0
        switch node {
        case .scalar(let scalar): content = .text(scalar.string)
        case .sequence(let sequence): content = .list(try sequence.map { try ScenarioValue($0) })
        case .mapping(let mapping):
            var values: [String: ScenarioValue] = [:]
            for (key, value) in mapping {
                guard let name = key.scalar?.string, values[name] == nil else {
                    throw ScenarioError("line \(line): a key that is no text, or stands twice")
                }
                values[name] = try ScenarioValue(value)
            }
            content = .mapping(values)
        case .alias: throw ScenarioError("line \(line): aliases are not supported")
        }
    }

    /// Reads with `body`; what it throws gets this line.
    func failure(_ text: String) -> ScenarioError { ScenarioError("line \(line): \(text)") }

    func text() throws -> String {
        guard case .text(let text) = content else { throw failure("text expected") }
        return text
    }

    func list() throws -> [ScenarioValue] {
        guard case .list(let list) = content else { throw failure("a list expected") }
        return list
    }

    func texts() throws -> [String] { try list().map { try $0.text() } }

    func mapping() throws -> [String: ScenarioValue] {
        guard case .mapping(let mapping) = content else { throw failure("a mapping expected") }
        return mapping
    }

    /// A mapping with no keys but these.
    func mapping(of keys: String...) throws -> [String: ScenarioValue] {
        let mapping = try mapping()
        if let key = mapping.keys.first(where: { !keys.contains($0) }) {
            throw failure("no such key: \(key); allowed are \(keys.joined(separator: ", "))")
        }
        return mapping
    }

    /// Decimal, or hexadecimal after `0x`.
    func number<Number: FixedWidthInteger>(_: Number.Type = Number.self) throws -> Number {
        let text = try text()
        let value = text.hasPrefix("0x") ? Number(text.dropFirst(2), radix: 16) : Number(text)
        guard let value else { throw failure("\(text) is no number that fits") }
        return value
    }

    func flag() throws -> Bool {
        guard let value = Bool(try text()) else { throw failure("true or false expected") }
        return value
    }

    /// Hexadecimal digits with any blanks; `#` begins a comment that ends with its line.
    func hexBytes() throws -> [UInt8] {
        let digits = try text().split(separator: "\n").flatMap { $0.prefix { $0 != "#" } }.filter { !$0.isWhitespace }
        let bytes = stride(from: 0, to: digits.count, by: 2).compactMap {
            UInt8(String(digits[$0..<min($0 + 2, digits.count)]), radix: 16)
        }
        guard digits.count % 2 == 0, bytes.count * 2 == digits.count else {
            throw failure("hexadecimal digits expected")
        }
        return bytes
    }

    /// This value with what another one says instead: mappings key by key, all else as a whole.
    func overlaid(with other: ScenarioValue) -> ScenarioValue {
        guard case .mapping(var mine) = content, case .mapping(let theirs) = other.content else { return other }
        mine.merge(theirs) { $0.overlaid(with: $1) }
        return ScenarioValue(.mapping(mine), line: other.line)
    }
}
