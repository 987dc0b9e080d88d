// Every scenario on a running agent, with one worker and with two: needs root, Open vSwitch's ovs-ofctl, python3, and the
// executable. Where that is not there, they are skipped and say why.

import Testing

@Suite("Scenarios on a live agent", .timeLimit(.minutes(10)), .serialized)
struct LiveScenarioTests {
    static let skip = Comment(rawValue: LiveAgent.obstacle ?? "")

    @Suite("with one worker", .enabled(if: LiveAgent.obstacle == nil, skip), .liveAgent(workers: 1), .serialized)
    struct OneWorker {
        @Test(arguments: Scenario.live)
        func scenario(_ scenario: Scenario) throws { try LiveScenarioTests.play(scenario) }
    }

    @Suite(
        "with two workers",
        .enabled(if: LiveAgent.obstacle == nil, skip),
        .enabled(if: LiveAgent.processors >= 2, "needs two processors"),
        .liveAgent(workers: 2),
        .serialized
    )
    struct TwoWorkers {
        @Test(arguments: Scenario.live)
        func scenario(_ scenario: Scenario) throws { try LiveScenarioTests.play(scenario) }
    }

    private static func play(_ scenario: Scenario) throws {
        let agent = try #require(LiveAgent.current)
        try ScenarioRun.play(scenario, on: try LiveSwitch(agent))
    }
}
