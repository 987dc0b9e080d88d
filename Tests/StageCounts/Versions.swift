// What the counts depend on beside the code: recorded with them, because with another compiler or another DPDK they are others.

import CDPDK
import Foundation

enum Versions {
    static var text: String { "swift \(swift)\ndpdk \(dpdk)\n" }

    /// Of the compiler on PATH, which is the one that has built this.
    private static var swift: String {
        let words = (try? Tool.output(of: ["swift", "--version"]))?.split(whereSeparator: \.isWhitespace) ?? []
        guard let index = words.firstIndex(of: "version"), index + 1 < words.count else { return "unknown" }
        return String(words[index + 1])
    }

    private static var dpdk: String { String(cString: rte_version()).replacingOccurrences(of: "DPDK ", with: "") }
}

/// Programs that this one runs.
enum Tool {
    /// What it prints; throws if it fails.
    static func output(of words: [String], environment: [String: String] = [:]) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = words
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationReason == .exit, process.terminationStatus == 0 else {
            throw StageCountError(description: "\(words.joined(separator: " ")): failed (\(process.terminationStatus))")
        }
        return String(decoding: data, as: UTF8.self)
    }
}
