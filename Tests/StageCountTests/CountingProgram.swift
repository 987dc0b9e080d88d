// The program that counts (Tests/StageCounts), and what keeps it from counting here.

import Foundation

enum CountingProgram {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    static let file = "Fixtures/thresholds"

    /// Why nothing can be compared; nil: nothing is in the way.
    static let obstacle: String? = {
        #if DEBUG
            return "this is no release build"
        #else
            guard FileManager.default.isExecutableFile(atPath: path) else { return "there is no \(path): build it" }
            guard (try? run(["valgrind", "--quiet", "--tool=none", "true"])) != nil else {
                return "valgrind is not installed, or does not run here"
            }
            do {
                let here = StageCountTable(try run([path, "--versions"])).versions
                let recorded = StageCountTable(try thresholds()).versions
                guard here != recorded else { return nil }
                return "\(file) is of \(recorded.joined(separator: ", ")), this is "
                    + "\(here.joined(separator: ", ")): record anew by `make thresholds`"
            } catch {
                // The test itself says what it is.
                return nil
            }
        #endif
    }()

    /// What is recorded.
    static func thresholds() throws -> String {
        let root = URL(fileURLWithPath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        return try String(contentsOf: root.appendingPathComponent(file), encoding: .utf8)
    }

    /// Counts.
    static func output() throws -> String { try run([path]) }

    /// Beside the test bundle.
    private static let path = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
        .appendingPathComponent("ringway-stages").path

    /// What a program prints; throws, with that, if it fails or takes more than two minutes.
    private static func run(_ words: [String]) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["timeout", "--kill-after=5", "120"] + words
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        guard process.terminationReason == .exit, process.terminationStatus == 0 else {
            throw Failure(description: "\(words.joined(separator: " ")) has failed:\n\(text)")
        }
        return text
    }
}
