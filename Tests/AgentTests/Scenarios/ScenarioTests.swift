// Every file of Fixtures/scenarios as a test of its own, on each kind of switch.

import Testing

@Suite("Scenarios", .timeLimit(.minutes(5)), .serialized)
struct ScenarioTests {
    private static let skip = Comment(rawValue: "there is no ovs-ofctl (Debian: openvswitch-switch)")

    @Test("on the model", .enabled(if: ToolProcess.ovsOfctl != nil, skip), arguments: Scenario.all)
    func model(_ scenario: Scenario) throws {
        try ScenarioRun.play(scenario, on: ModelSwitch(ports: scenario.ports))
    }

    @Test("on compiled tables", .enabled(if: ToolProcess.ovsOfctl != nil, skip), arguments: Scenario.all)
    func compiled(_ scenario: Scenario) throws {
        try ScenarioRun.play(scenario, on: try CompiledSwitch(ports: scenario.ports))
    }
}
