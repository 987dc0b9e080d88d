// How many instructions each stage of a packet's path takes: runs itself under callgrind, which counts them, and prints what
// Fixtures/thresholds records. Made by `make thresholds`, compared by StageCountTests.
//
//     ringway-stages               what to record
//     ringway-stages --versions    only the versions that the counts depend on

import Foundation

@main
enum StageCounts {
    static func main() {
        do {
            switch Array(CommandLine.arguments.dropFirst()) {
            case []: try report()
            case ["--versions"]: print(Versions.text, terminator: "")
            case ["--under-callgrind"]: try runScenarios()
            default: throw StageCountError(description: "usage: ringway-stages [--versions]")
            }
        } catch {
            FileHandle.standardError.write(Data("ringway-stages: \(error)\n".utf8))
            exit(1)
        }
    }

    private static func report() throws {
        print(
            """
            # Instructions per packet, by stage: docs/performance.md. Written by `make thresholds`.

            """,
            Versions.text,
            separator: "",
            terminator: ""
        )
        for profile in try Callgrind.profiles() {
            print()
            for (stage, count) in try profile.stages(packets: CountedSwitch.countedPackets) {
                let columns = [profile.name, stage.rawValue].map {
                    $0.padding(toLength: 24, withPad: " ", startingAt: 0)
                }
                print(columns.joined() + String(format: "%8.1f", count))
            }
        }
    }

    private static func runScenarios() throws {
        defer { CountedSwitch.stopDPDK() }
        for scenario in Scenario.all { try CountedSwitch(scenario).count() }
    }
}

struct StageCountError: Error, CustomStringConvertible {
    let description: String
}
