// Writes the text format of Prometheus, version 0.0.4: https://prometheus.io/docs/instrumenting/exposition_formats/

/// A text that grows family by family.
package struct PrometheusText {
    package private(set) var text = ""
    private var name = ""

    package init() {}

    /// The kinds of series used here.
    package enum Kind: String, Sendable {
        case counter, gauge, histogram
    }

    /// Begins a family; its series follow.
    package mutating func family(_ name: String, _ kind: Kind, _ help: String) {
        self.name = name
        let help = help.replacing("\\", with: "\\\\").replacing("\n", with: "\\n")
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n"
    }

    /// One series of the family: a count.
    package mutating func series(_ labels: [(String, String)], _ value: UInt64) {
        line(name, labels, "\(value)")
    }

    /// One series of the family: a measurement.
    package mutating func series(_ labels: [(String, String)], _ value: Double) {
        line(name, labels, Self.number(value))
    }

    /// The series of a histogram.
    package mutating func series(_ labels: [(String, String)], _ histogram: Histogram) {
        var below: UInt64 = 0
        for (bound, count) in zip(histogram.bounds + [.infinity], histogram.counts) {
            below += count
            line(name + "_bucket", labels + [("le", Self.number(bound))], "\(below)")
        }
        line(name + "_sum", labels, Self.number(histogram.sum))
        line(name + "_count", labels, "\(below)")
    }

    private mutating func line(_ name: String, _ labels: [(String, String)], _ value: String) {
        text += name
        if !labels.isEmpty {
            text += "{" + labels.map { "\($0.0)=\"\(Self.escaped($0.1))\"" }.joined(separator: ",") + "}"
        }
        text += " \(value)\n"
    }

    /// A label's value: backslash, quote and line feed are written with a backslash.
    static func escaped(_ value: String) -> String {
        value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
    }

    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        // Below 2^53 every whole number is exact.
        if value == value.rounded(), value.magnitude < 9e15 { return "\(Int64(value))" }
        return "\(value)"
    }
}
