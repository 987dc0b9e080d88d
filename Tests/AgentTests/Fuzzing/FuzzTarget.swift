// What is fuzzed: functions that take any bytes and find no fault with what the switch makes of them. `make fuzz` gives them bytes
// that libFuzzer thinks of, the tests what has been found so far.

import Foundation

/// One function to be fuzzed.
enum FuzzTarget: String, CaseIterable, Sendable, CustomStringConvertible {
    /// A connection's byte stream, cut anywhere.
    case stream
    /// One OpenFlow message.
    case message
    /// A packet, before the data plane's parser and the reference's.
    case parser
    /// OpenFlow messages and packets, before the compiled tables and the reference.
    case pipeline
    /// A configuration file.
    case configuration
    /// A line of the control socket.
    case control
    /// What a network function writes to the memory that it shares with the agent.
    case ring

    var description: String { rawValue }

    /// Throws `FuzzFailure` if something is wrong with what the code under test makes of the bytes.
    func run(_ input: UnsafeBufferPointer<UInt8>) throws {
        switch self {
        case .stream: try StreamFuzzing.run(input)
        case .message: try MessageFuzzing.run(input)
        case .parser: try ParserFuzzing.run(input)
        case .pipeline: try PipelineFuzzing.run(input)
        case .configuration: try ConfigurationFuzzing.run(input)
        case .control: try ControlFuzzing.run(input)
        case .ring: try RingFuzzing.run(input)
        }
    }

    func run(_ input: [UInt8]) throws { try input.withUnsafeBufferPointer { try run($0) } }

    /// Inputs to begin with: things of the kind that the target is about.
    var seeds: [[UInt8]] {
        get throws {
            switch self {
            case .stream: try StreamFuzzing.seeds
            case .message: try MessageFuzzing.seeds
            case .parser: ParserFuzzing.seeds
            case .pipeline: try PipelineFuzzing.seeds
            case .configuration: try ConfigurationFuzzing.seeds
            case .control: ControlFuzzing.seeds
            case .ring: RingFuzzing.seeds
            }
        }
    }

    /// Inputs that were found: what reaches code that the seeds do not, and what once failed.
    var corpus: [(name: String, bytes: [UInt8])] {
        get throws {
            let folder = Self.root.appendingPathComponent("Fixtures/fuzz").appendingPathComponent(rawValue)
            return try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted().map { name in
                (name, [UInt8](try Data(contentsOf: folder.appendingPathComponent(name))))
            }
        }
    }

    /// The repository.
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    /// A text file of the repository.
    static func text(_ path: String) throws -> String {
        try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
    }

    /// The annotated messages under Fixtures/openflow, by name; those that are refused as well.
    static func openFlowFixtures() throws -> [(name: String, bytes: [UInt8])] {
        try ["", "rejected/"].flatMap { folder in
            let path = "Fixtures/openflow/\(folder)"
            return try FileManager.default.contentsOfDirectory(atPath: root.appendingPathComponent(path).path)
                .filter { $0.hasSuffix(".hex") }.sorted()
                .map { (name: folder + $0, bytes: hexadecimal(try text(path + $0))) }
        }
    }

    /// The digits up to the `#` of each line.
    private static func hexadecimal(_ text: String) -> [UInt8] {
        text.split(separator: "\n").flatMap { line in
            let digits = line.prefix { $0 != "#" }.filter { !$0.isWhitespace }.compactMap(\.hexDigitValue)
            return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
        }
    }
}

/// What is wrong.
struct FuzzFailure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
