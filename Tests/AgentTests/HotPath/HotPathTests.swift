// The hot path has no lock, allocation, reference counting, exclusivity check or system call: read from the release binary,
// not believed. Follows direct calls from the poll loop through the functions of the program itself.

import Foundation
import Testing

@Suite("Hot path", .timeLimit(.minutes(5)))
struct HotPathTests {
    /// `Worker.poll()`.
    private static let root = "$s9DataPlane6WorkerV4pollyyF"

    /// What the loop may call and is not followed: DPDK's own functions for packet buffers and devices, and those that sleep and
    /// wake, which an idle worker and an answered delta reach (Sources/CDPDK/cdpdk.c). DPDK panics of a pool of no known kind.
    private static let exceptions: Set<String> = [
        "rte_pktmbuf_free_bulk", "rte_pktmbuf_copy", "rte_eth_call_rx_callbacks", "rte_eth_call_tx_callbacks",
        "rte_mempool_ops_dequeue_bulk", "rte_mempool_ops_enqueue_bulk", "__rte_pktmbuf_free_extbuf",
        "rte_mbuf_sanity_check", "__rte_panic",
        "cdpdk_before_sleep", "cdpdk_sleep", "cdpdk_wake", "cdpdk_wake_process", "cdpdk_notify", "memcpy", "memmove",
        "memset",
    ]

    @Test("calls nothing but itself, DPDK's packet functions, and what sleeps")
    func calls() throws {
        let program = try Disassembly(of: Products.ringway)
        var todo = [Self.root]
        var seen: Set<String> = []
        while let name = todo.popLast() {
            guard seen.insert(name).inserted, !Self.exceptions.contains(name) else { continue }
            // The program has Swift's runtime in it, so this, too, is a function of its own.
            guard !name.hasPrefix("swift_"), !name.hasPrefix("_swift_") else {
                Issue.record("\(name) is called from the hot path")
                continue
            }
            guard let body = try program.function(name) else {
                Issue.record(
                    "\(name) is called from the hot path, and neither a function of the program's own nor an exception"
                )
                continue
            }
            if name == Self.root {
                #expect(
                    body.count > 500,
                    "the loop has \(body.count) instructions only: not what is meant to be looked at"
                )
            }
            for instruction in body {
                for forbidden in ["lock ", "syscall", "sysenter", "int    $0x80"]
                where instruction.text.contains(forbidden) {
                    Issue.record("\(name): \(instruction.text)")
                }
                if let target = instruction.target, target != name { todo.append(target) }
            }
        }
        // The stages that a packet goes through are among what was looked at, so nothing has been left out by accident.
        for stage in [
            "execute", "packetIn", "freeDropped", "applyDeltas", "takeHandovers", "reparse", "sendQueued", "VMQueue",
            "isHeldBack", "handOutEmpty", "4pass_4from",
        ] {
            #expect(seen.contains { $0.contains(stage) }, "\(stage) was not reached")
        }
    }
}

/// The executable's functions, one at a time.
private struct Disassembly {
    struct Instruction {
        var text: String
        /// The function that it calls or jumps to; nil: none, or an address in a register.
        var target: String?
    }

    private let path: String
    private var ranges: [String: (start: UInt64, end: UInt64)] = [:]

    init(of path: String) throws {
        self.path = path
        // With sizes: behind a function's end may be code that has no symbol and is none of it.
        let lines = try Products.run("nm", ["--defined-only", "-n", "-S", path]).split(separator: "\n")
        for line in lines {
            let words = line.split(separator: " ")
            guard words.count == 4, "tT".contains(words[2]), let start = UInt64(words[0], radix: 16),
                let size = UInt64(words[1], radix: 16)
            else { continue }
            ranges[String(words[3])] = (start, start + size)
        }
    }

    /// The instructions of a function; nil if the program has none of that name.
    func function(_ name: String) throws -> [Instruction]? {
        guard let (start, end) = ranges[name] else { return nil }
        let text = try Products.run(
            "objdump",
            ["-d", "--no-show-raw-insn", "--start-address=\(start)", "--stop-address=\(end)", path]
        )
        return text.split(separator: "\n").filter { $0.hasPrefix("  ") }.map { line in
            Instruction(text: String(line), target: Self.target(line))
        }
    }

    /// `call 1234 <name>`, `jmp 1234 <name@plt>`, with an offset where it is a jump within a function.
    private static func target(_ line: Substring) -> String? {
        guard let open = line.lastIndex(of: "<"), let close = line.lastIndex(of: ">"), open < close else { return nil }
        let words = line[..<open].split(whereSeparator: \.isWhitespace)
        guard let operation = words.dropFirst().first, operation.hasPrefix("call") || operation.hasPrefix("j") else {
            return nil
        }
        let name = line[line.index(after: open)..<close]
        return String(name.prefix { $0 != "+" }.replacing("@plt", with: ""))
    }
}

/// What the build has made, and programs to look at it with.
enum Products {
    /// The executable beside the test bundle, or where RINGWAY_BINARY says.
    static var ringway: String {
        if let path = ProcessInfo.processInfo.environment["RINGWAY_BINARY"] { return path }
        return URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().appendingPathComponent(
            "ringway"
        ).path
    }

    static func run(_ tool: String, _ arguments: [String]) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [tool] + arguments
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw CocoaError(.executableLoad) }
        return String(decoding: data, as: UTF8.self)
    }
}
