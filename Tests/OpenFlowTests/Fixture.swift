// Reads the annotated messages under Fixtures/openflow. Each line is hexadecimal digits and, after `#`, what they
// mean. Before the bytes:
//
//     # where the bytes come from
//     # not for ovs-ofctl: why          (if Open vSwitch can't read the message)
//     # = what ovs-ofctl prints         (a line for each flow entry or packet)
//     # ! the error's name              (under rejected/)

import Foundation
import NIOCore
import OpenFlow
import Testing

/// One file under Fixtures/openflow.
struct Fixture: Sendable, CustomTestStringConvertible {
    var name: String
    var texts: [String] = []
    var error: String?
    var isForOvsOfctl = true
    var bytes: [UInt8] = []

    var buffer: ByteBuffer { ByteBuffer(bytes: bytes) }
    var testDescription: String { name }

    /// Messages that decode.
    static let accepted = load("openflow")
    /// Messages that are refused.
    static let rejected = load("openflow/rejected")

    private static func load(_ folder: String) -> [Fixture] {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let directory = root.appendingPathComponent("Fixtures").appendingPathComponent(folder)
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory.path)) ?? []
        return names.filter { $0.hasSuffix(".hex") }.sorted().compactMap { name in
            (try? String(contentsOf: directory.appendingPathComponent(name), encoding: .utf8))
                .map { Fixture(name: String(name.dropLast(4)), text: $0) }
        }
    }

    private init(name: String, text: String) {
        self.name = name
        for line in text.split(separator: "\n") {
            if line.hasPrefix("# = ") {
                texts.append(line.dropFirst(4).trimmingCharacters(in: .whitespaces))
            } else if line.hasPrefix("# ! ") {
                error = line.dropFirst(4).trimmingCharacters(in: .whitespaces)
            } else if line.hasPrefix("# not for ovs-ofctl") {
                isForOvsOfctl = false
            }
            let digits = Array(
                (line.split(separator: "#", omittingEmptySubsequences: false).first ?? "").filter { !$0.isWhitespace }
            )
            for index in stride(from: 0, to: digits.count - 1, by: 2) {
                bytes.append(UInt8(String(digits[index...index + 1]), radix: 16)!)
            }
        }
    }
}

extension Envelope {
    /// The message's bytes.
    func encoded() throws -> [UInt8] {
        var buffer = ByteBuffer()
        try encode(into: &buffer)
        return Array(buffer.readableBytesView)
    }
}

extension Message {
    /// What `ovs-ofctl` would say of each flow entry or packet in the message.
    var texts: [String] {
        switch self {
        case .flowMod(let flowMod): [flowMod.description]
        case .packetIn(let packetIn): [packetIn.description]
        case .packetOut(let packetOut): [packetOut.description]
        case .flowRemoved(let flowRemoved): [flowRemoved.description]
        case .multipartReply(.flow(let list), _): list.map(\.description)
        default: []
        }
    }
}

/// A generator of reproducible random numbers (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    /// The seed from the environment's `RINGWAY_TEST_SEED`, else a new one; printed either way.
    static func freshSeed(for test: String) -> UInt64 {
        let given = ProcessInfo.processInfo.environment["RINGWAY_TEST_SEED"].flatMap { UInt64($0) }
        let seed = given ?? UInt64.random(in: 0...UInt64.max)
        print("\(test): RINGWAY_TEST_SEED=\(seed)")
        return seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
        return value ^ value >> 31
    }
}
