// Tables for people: columns as wide as what is in them, numbers to the right.

package struct TextTable: CustomStringConvertible {
    private var header: [String]
    private var alignsRight: [Bool]
    private var rows: [[String]] = []

    /// - Parameter columns: The headings; one that begins with `>` heads numbers.
    init(_ columns: [String]) {
        alignsRight = columns.map { $0.hasPrefix(">") }
        header = columns.map { $0.hasPrefix(">") ? String($0.dropFirst()) : $0 }
    }

    /// Adds a row with one cell a column.
    mutating func add(_ cells: String...) { add(cells) }

    mutating func add(_ cells: [String]) { rows.append(cells) }

    /// The lines, with two spaces between columns and none at the end.
    package var description: String {
        let lines = [header] + rows
        let widths = header.indices.map { column in lines.map { $0[column].count }.max() ?? 0 }
        return lines.map { line in
            var text = ""
            for (column, cell) in line.enumerated() {
                let padding = String(repeating: " ", count: widths[column] - cell.count)
                text += (column == 0 ? "" : "  ") + (alignsRight[column] ? padding + cell : cell + padding)
            }
            while text.hasSuffix(" ") { text.removeLast() }
            return text
        }.joined(separator: "\n")
    }
}
