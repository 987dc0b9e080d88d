// Instructions per packet and stage, as callgrind counts them, against those recorded in Fixtures/thresholds.

import Foundation
import Testing

@Suite("Stage counts", .timeLimit(.minutes(5)))
struct StageCountTests {
    /// How far from the recorded count is still the same, as a part of it.
    private static let tolerance = 0.03

    @Test(
        "instructions per packet are those recorded",
        .enabled(if: CountingProgram.obstacle == nil, Comment(rawValue: CountingProgram.obstacle ?? "callgrind runs"))
    )
    func counts() throws {
        let recorded = StageCountTable(try CountingProgram.thresholds())
        let found = StageCountTable(try CountingProgram.output())
        try #require(recorded.counts.count > 50, "\(CountingProgram.file) has hardly any counts")
        for difference in recorded.differences(to: found, tolerance: Self.tolerance) {
            Issue.record(Comment(rawValue: difference))
        }
    }

    @Test("a stage that takes more, takes less, comes or goes is told by name")
    func differences() {
        let recorded = StageCountTable("swift 6.3\ndpdk 22.11\n\na  total  100.0\na  parse  50.0\nb  total  10.0\n")
        #expect(recorded.versions == ["swift 6.3", "dpdk 22.11"])
        func differences(_ text: String) -> [String] {
            recorded.differences(to: StageCountTable(text), tolerance: 0.03)
        }
        #expect(differences("a total 102.9\na parse 48.6\nb total 10.0").isEmpty)
        #expect(
            differences("a total 103.1\na parse 48.4\nc total 1.0") == [
                "a, total: recorded 100.0 instructions per packet, found 103.1: more",
                "a, parse: recorded 50.0 instructions per packet, found 48.4: less; record that by `make thresholds`",
                "b, total: recorded, but not found; record that by `make thresholds`",
                "c, total: found, but not recorded; record that by `make thresholds`",
            ]
        )
    }
}
