// Any bytes as a packet: the data plane's parser finds the fields that the reference finds, at every depth, and reads nothing behind
// the packet's end.

import Agent
import DataPlane
import Glibc
import OpenFlow

enum ParserFuzzing {
    /// Well-formed packets of all kinds, and some that are not.
    static var seeds: [[UInt8]] {
        var random = SeededGenerator(1)
        return (0..<200).map { _ in RandomPacket.make(&random) }
    }

    static func run(_ input: UnsafeBufferPointer<UInt8>) throws {
        guard input.count <= GuardedBytes.longest else { return }
        let guarded = try GuardedBytes()
        try compare(guarded.place(input))
        // Cut off as well: somewhere, by both parsers, and everywhere, so that one that reads on crashes.
        let sum = input.reduce(0) { $0 &* 31 &+ Int($1) }
        try compare(guarded.place(UnsafeBufferPointer(rebasing: input.prefix(Int(UInt(bitPattern: sum) % 256)))))
        for length in stride(from: 14, to: min(input.count, 128), by: 1) {
            _ = ParsedPacket(guarded.place(UnsafeBufferPointer(rebasing: input.prefix(length))), depth: .full)
        }
    }

    private static func compare(_ packet: UnsafeBufferPointer<UInt8>) throws {
        guard let fields = PacketFields(Array(packet)) else {
            if packet.count >= 14 { throw FuzzFailure("the reference finds no Ethernet header") }
            return
        }
        let expectations = expectations(of: fields)
        for depth in ParseDepth.allCases where depth != .port {
            let parsed = ParsedPacket(packet, depth: depth)
            for expected in expectations where expected.depth <= depth {
                let found = parsed.key[expected.place]
                guard found == expected.value else {
                    throw FuzzFailure(
                        "\(expected.field.name) of \(Array(packet)) at depth \(depth): \(found) instead of \(expected.value)"
                    )
                }
            }
            if depth >= .transport && parsed.isFragment != fields.isFragment {
                throw FuzzFailure("\(Array(packet)) is a fragment for one parser only, at depth \(depth)")
            }
        }
        if let plain = ParsedPacket(plain: packet), !ParsedPacket(packet, depth: .transport).agrees(withPlain: plain) {
            throw FuzzFailure("the short way differs from the long one in \(Array(packet))")
        }
    }

    private struct Expectation {
        var field: OXMField
        var place: KeyField
        var value: UInt64
        /// From which depth on the key has it.
        var depth: ParseDepth
    }

    /// What the key holds of each field that is there, and zero for one that the packet lacks though it has what the field requires.
    private static func expectations(of fields: PacketFields) -> [Expectation] {
        let present = OXMField.allCases.compactMap { field in fields.values[field].map { MatchField(field, $0) } }
        let ofItsWay: Set<OXMField> = [.inPort, .inPhyPort, .metadata, .tunnelID]
        return OXMField.allCases.filter { !ofItsWay.contains($0) }.flatMap { field -> [Expectation] in
            let value = fields.values[field] ?? 0
            if fields.values[field] == nil {
                let match = Match(present + [MatchField(field, 0)])
                guard (try? match.checkPrerequisites()) != nil else { return [] }
            }
            let depth = FlowKey.compile(Match([MatchField(field, 0)])).mask.depth
            let places = field.keyFields
            return places.enumerated().map { index, place in
                let shift = UInt128(64 * (places.count - 1 - index))
                return Expectation(
                    field: field,
                    place: place,
                    value: UInt64(truncatingIfNeeded: value >> shift),
                    depth: depth
                )
            }
        }
    }
}

/// A place for bytes behind which there is no memory: who reads on there crashes.
private final class GuardedBytes {
    static let longest = 0xffff
    private static let pageSize = 4096
    private static let size = 17 * pageSize

    private let memory: UnsafeMutableRawPointer
    private var end: UnsafeMutableRawPointer { memory + (Self.size - Self.pageSize) }

    init() throws {
        let flags = MAP_PRIVATE | MAP_ANONYMOUS
        guard let memory = mmap(nil, Self.size, PROT_READ | PROT_WRITE, flags, -1, 0), memory != MAP_FAILED else {
            throw FuzzFailure("no memory")
        }
        self.memory = memory
        mprotect(end, Self.pageSize, PROT_NONE)
    }

    deinit { munmap(memory, Self.size) }

    /// The bytes, up to the end. What was there before is overwritten.
    func place(_ bytes: UnsafeBufferPointer<UInt8>) -> UnsafeBufferPointer<UInt8> {
        let start = end - bytes.count
        if let source = bytes.baseAddress { start.copyMemory(from: source, byteCount: bytes.count) }
        return UnsafeBufferPointer(start: start.assumingMemoryBound(to: UInt8.self), count: bytes.count)
    }
}
