// Reads a YAML document key by key, and keeps what is wrong with it with its place: one pass finds all mistakes. Knows
// nothing of the configuration: Configuration+YAML.swift says which keys there are.

import Yams

/// The mistakes found so far, and the keys asked for so far.
final class YAMLReader {
    let file: String
    private(set) var errors: [ConfigurationError] = []
    /// Every key that was asked for, whether the document has it or not: `ports[].number`.
    private(set) var knownKeys: Set<String> = []

    init(file: String) { self.file = file }

    /// Adds a mistake; without a mark it concerns the whole file.
    func fail(_ mark: Mark?, _ key: String, _ problem: String) {
        fail(line: mark?.line, column: mark?.column, key, problem)
    }

    private func fail(line: Int?, column: Int?, _ key: String, _ problem: String) {
        errors.append(ConfigurationError(file: file, line: line, column: column, key: key, problem: problem))
    }

    func note(_ path: String) {
        knownKeys.insert(path.replacing(/\[[0-9]+\]/, with: "[]"))
    }

    /// The document's top; nil if it has none, which is then among the errors.
    func document(_ text: String) -> YAMLValue? {
        do {
            guard let node = try compose(yaml: text), !node.isNull else {
                fail(nil, "", "the file is empty: a mapping with the key datapath, at least, is wanted")
                return nil
            }
            return YAMLValue(node: node, path: "", reader: self)
        } catch let error as YamlError {
            fail(error)
        } catch {
            fail(nil, "", "\(error)")
        }
        return nil
    }

    private func fail(_ error: YamlError) {
        switch error {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            let context = context.map { " (\($0.text), line \($0.mark.line))" } ?? ""
            fail(mark, "", "this is no YAML: \(problem)\(context)")
        case .duplicatedKeysInMapping(let duplicates, let context):
            let keys = duplicates.map { "\"\($0)\"" }.joined(separator: ", ")
            fail(context.mark, "", "the same mapping has the key \(keys) more than once")
        case .reader(let problem, let offset, _, let yaml):
            let before = offset.map { yaml.prefix($0).split(separator: "\n", omittingEmptySubsequences: false) }
            fail(
                line: before.map { max($0.count, 1) },
                column: before.map { ($0.last?.unicodeScalars.count ?? 0) + 1 },
                "",
                "this is no YAML: \(problem)"
            )
        default: fail(nil, "", "this is no YAML: \(error)")
        }
    }
}

/// A value in the document and its key. What it does not understand, it reports to the reader, and answers nil.
struct YAMLValue {
    let node: Node
    let path: String
    let reader: YAMLReader

    func fail(_ problem: String) { reader.fail(node.mark, path, problem) }

    /// A whole number, written without quotes.
    func number<Number: FixedWidthInteger>(_ range: ClosedRange<Number>, or alternative: String? = nil) -> Number? {
        let other = alternative.map { ", or \($0)," } ?? ""
        let wanted = "a number from \(range.lowerBound) to \(range.upperBound)\(other) is wanted"
        guard let scalar = node.scalar, scalar.style == .plain, let number = parseNumber(scalar.string) else {
            fail("\(shown) is no whole number: \(wanted)")
            return nil
        }
        guard let value = Number(exactly: number), range.contains(value) else {
            fail("\(scalar.string) is out of range: \(wanted)")
            return nil
        }
        return value
    }

    /// Any scalar but null, as it is written.
    var text: String? {
        guard let scalar = node.scalar, !node.isNull else {
            fail("\(shown) is no text: a text is wanted")
            return nil
        }
        return scalar.string
    }

    /// A text that `parse` understands.
    func parsed<Value>(_ parse: (String) throws(InvalidValue) -> Value) -> Value? {
        guard let text else { return nil }
        do throws(InvalidValue) {
            return try parse(text)
        } catch {
            fail(error.problem)
            return nil
        }
    }

    /// One of a few words.
    func choice<Choice: RawRepresentable<String> & CaseIterable>(_: Choice.Type) -> Choice? {
        let allowed = Choice.allCases.map(\.rawValue).joined(separator: ", ")
        guard let text = node.scalar?.string, let choice = Choice(rawValue: text) else {
            fail("\(shown) is not known here: allowed is \(allowed)")
            return nil
        }
        return choice
    }

    /// The elements of a list.
    var list: [YAMLValue]? {
        guard let sequence = node.sequence else {
            fail("\(shown) is no list: a list is wanted, [a, b] or one line \"- a\" for each element")
            return nil
        }
        return sequence.enumerated().map { YAMLValue(node: $1, path: "\(path)[\($0)]", reader: reader) }
    }

    /// The keys and values of a mapping whose keys are the user's own.
    var entries: [(key: YAMLValue, value: YAMLValue)]? {
        guard let mapping = node.mapping else {
            fail("\(shown) is no mapping: a mapping is wanted, {key: value, …} or one line \"key: value\" for each")
            return nil
        }
        return mapping.map { key, value in
            let path = path.isEmpty ? key.name : "\(path).\(key.name)"
            return (
                YAMLValue(node: key, path: path, reader: reader), YAMLValue(node: value, path: path, reader: reader)
            )
        }
    }

    /// Lets `body` ask for the keys that this mapping may have. Any other key is a mistake.
    func mapping(_ body: (inout YAMLMapping) -> Void) {
        guard let entries else { return }
        var mapping = YAMLMapping(
            owner: self,
            values: Dictionary(entries.map { ($0.key.node.name, $0.value) }) { first, _ in first }
        )
        body(&mapping)
        for (key, _) in entries where !mapping.asked.contains(key.node.name) {
            key.fail("there is no such key: allowed is \(mapping.asked.joined(separator: ", "))")
        }
    }

    /// How messages name the value.
    private var shown: String {
        switch node {
        case .scalar(let scalar): node.isNull ? "nothing" : "\"\(scalar.string)\""
        case .mapping: "a mapping"
        case .sequence: "a list"
        case .alias: "an alias"
        }
    }
}

/// A mapping whose keys are known.
struct YAMLMapping {
    let owner: YAMLValue
    fileprivate let values: [String: YAMLValue]
    /// The keys asked for, in the order in which messages list them.
    fileprivate(set) var asked: [String] = []

    /// The value of an optional key.
    subscript(key: String) -> YAMLValue? {
        mutating get {
            asked.append(key)
            owner.reader.note(owner.path.isEmpty ? key : "\(owner.path).\(key)")
            return values[key]
        }
    }

    /// The value of a key that has to be there; nil and a mistake if it is not.
    mutating func required(_ key: String) -> YAMLValue? {
        if let value = self[key] { return value }
        owner.fail("the key \(key) is missing: it is required")
        return nil
    }
}

extension Node {
    /// Whether nothing is written here, or `~`, or `null`.
    fileprivate var isNull: Bool { tag == Tag(.null) }

    /// A mapping key as messages show it.
    fileprivate var name: String { scalar?.string ?? "?" }
}
