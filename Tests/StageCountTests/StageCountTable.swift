// Fixtures/thresholds, and what ringway-stages prints: versions, then a line for each scenario and stage.

struct StageCountTable {
    struct Row: Hashable {
        var scenario: String
        var stage: String
    }

    /// What the counts depend on: words in the order of the file.
    private(set) var versions: [String] = []
    /// Instructions per packet.
    private(set) var counts: [Row: Double] = [:]
    private var order: [Row] = []

    init(_ text: String) {
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            let words = line.split(separator: " ").map(String.init)
            if words.count == 2 {
                versions.append(words.joined(separator: " "))
            } else if words.count == 3, let count = Double(words[2]) {
                let row = Row(scenario: words[0], stage: words[1])
                if counts.updateValue(count, forKey: row) == nil { order.append(row) }
            }
        }
    }

    /// What is not the same in `found`, a sentence each.
    func differences(to found: StageCountTable, tolerance: Double) -> [String] {
        let hint = "record that by `make thresholds`"
        let changed = order.compactMap { row -> String? in
            guard let (recorded, count) = counts[row].flatMap({ recorded in found.counts[row].map { (recorded, $0) } })
            else { return "\(row.scenario), \(row.stage): recorded, but not found; \(hint)" }
            guard abs(count - recorded) > recorded * tolerance else { return nil }
            let verdict = count > recorded ? "more" : "less; \(hint)"
            return
                "\(row.scenario), \(row.stage): recorded \(recorded) instructions per packet, found \(count): \(verdict)"
        }
        let new = found.order.filter { counts[$0] == nil }
        return changed + new.map { "\($0.scenario), \($0.stage): found, but not recorded; \(hint)" }
    }
}
