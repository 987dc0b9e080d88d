// Tables large enough for the forms that small ones never take, against a search through all rules.

import Agent
import DataPlane
import OpenFlow
import Testing

@Suite("Lookup forms", .timeLimit(.minutes(5)), .serialized)
struct LookupFormTests {
    /// A rule on IPv4 packets over UDP, as the test sees it. Its cookie is its index.
    private struct Rule {
        var source: (value: UInt32, mask: UInt32) = (0, 0)
        var destination: (value: UInt32, mask: UInt32) = (0, 0)
        var port: (value: UInt16, mask: UInt16)?
        var inPort: UInt32?
        var priority: UInt16

        func matches(_ packet: Packet) -> Bool {
            packet.source & source.mask == source.value && packet.destination & destination.mask == destination.value
                && port.map { packet.port & $0.mask == $0.value } ?? true && inPort.map { $0 == packet.inPort } ?? true
        }

        func mod(_ command: FlowModCommand, cookie: Int) -> FlowMod {
            var fields = inPort.map { [MatchField(.inPort, UInt128($0))] } ?? [MatchField(.ethType, 0x0800)]
            func add(_ field: OXMField, _ value: UInt32, _ mask: UInt32) {
                if mask != 0 {
                    fields.append(MatchField(field, UInt128(value), mask: mask == .max ? nil : UInt128(mask)))
                }
            }
            add(.ipv4Src, source.value, source.mask)
            add(.ipv4Dst, destination.value, destination.mask)
            if let port {
                fields.append(MatchField(.ipProto, 17))
                fields.append(
                    MatchField(.udpDst, UInt128(port.value), mask: port.mask == .max ? nil : UInt128(port.mask))
                )
            }
            var mod = FlowMod(
                tableID: 0,
                command: command,
                priority: priority,
                match: Match(fields),
                instructions: [.applyActions([.output(2, maxLength: 0)])]
            )
            mod.cookie = UInt64(cookie)
            return mod
        }
    }

    private struct Packet {
        var source: UInt32
        var destination: UInt32
        var port: UInt16
        var inPort: UInt32 = 1

        var frame: [UInt8] {
            func bytes(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * $0)) } }
            return [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0]
                + bytes(source) + bytes(destination) + [0, 7, UInt8(port >> 8), UInt8(port & 0xff), 0, 8, 0, 0]
        }
    }

    private static func mask(_ length: Int) -> UInt32 { length == 0 ? 0 : ~0 << UInt32(32 - length) }

    /// Whether the rule that the compiled table finds is the best of those that are in it.
    private func check(_ system: InProcessSwitch, _ rules: [Rule], _ isIn: [Bool], _ packets: [Packet]) -> Bool {
        for packet in packets {
            var best: Int?
            for index in rules.indices where isIn[index] && rules[index].matches(packet) {
                if best.map({ rules[$0].priority < rules[index].priority }) ?? true { best = index }
            }
            let outcome = system.receive(packet.frame, port: packet.inPort)
            let found = outcome?.steps.first?.record.flatMap { system.datapath.compiler.flows.entry(Int($0))?.cookie }
            guard found == best.map({ UInt64($0) }) else {
                Issue.record("\(packet): found \(String(describing: found)), best is \(String(describing: best))")
                return false
            }
        }
        return true
    }

    /// Puts in all rules, takes out and puts in again, and takes out all, and looks at each stage.
    private func run(_ rules: [Rule], _ packets: [Packet], _ parts: Set<LookupPartKind>) throws {
        let system = try InProcessSwitch()
        let before = system.datapath.memory.used
        var isIn = [Bool](repeating: false, count: rules.count)
        func set(_ index: Int, _ present: Bool) throws {
            try system.execute(rules[index].mod(present ? .add : .deleteStrict, cookie: index))
            isIn[index] = present
        }
        for index in rules.indices.shuffled() {
            try set(index, true)
            if index % 50 == 0 { guard check(system, rules, isIn, Array(packets.prefix(5))) else { return } }
        }
        #expect(
            parts.isSubset(of: system.datapath.lookup(ofTable: 0).parts),
            "\(system.datapath.lookup(ofTable: 0).parts)"
        )
        guard check(system, rules, isIn, packets) else { return }
        for index in rules.indices.shuffled().prefix(rules.count / 2) { try set(index, false) }
        guard check(system, rules, isIn, packets) else { return }
        for index in rules.indices where !isIn[index] { try set(index, true) }
        guard check(system, rules, isIn, packets) else { return }
        for index in rules.indices.shuffled() {
            try set(index, false)
            if index % 50 == 0 { guard check(system, rules, isIn, Array(packets.prefix(5))) else { return } }
        }
        system.settle()
        #expect(system.datapath.memory.used == before)
        #expect(system.datapath.form(ofTable: 0) == .constant)
    }

    @Test("2,000 prefixes of all lengths, whatever their priorities, are one trie", arguments: [true, false])
    func prefixes(longestIsBest: Bool) throws {
        var rules: [Rule] = []
        var seen: Set<UInt64> = []
        while rules.count < 2000 {
            // Many under few: so that nodes have neighbours, parents and children.
            let length = Int.random(in: 0...32)
            let address = UInt32.random(in: 0..<4) << 24 | UInt32.random(in: 0..<3) << 16 | .random(in: 0..<0x1_0000)
            let value = address & Self.mask(length)
            guard seen.insert(UInt64(value) << 8 | UInt64(length)).inserted else { continue }
            let priority = longestIsBest ? UInt16(100 + length) : UInt16(rules.count + 1)
            rules.append(Rule(destination: (value, Self.mask(length)), priority: priority))
        }
        let packets = (0..<2000).map { index in
            let near = rules[index].destination.value
            return Packet(
                source: 1,
                destination: index % 3 == 0 ? .random(in: 0...(.max)) : near | .random(in: 0..<4),
                port: 1
            )
        }
        try run(rules, packets, [.prefixes])
    }

    @Test("1,000 rules of many masks are merged")
    func manyMasks() throws {
        var rules: [Rule] = []
        var seen: Set<String> = []
        while rules.count < 1000 {
            let lengths = (
                source: [0, 8, 12, 16, 20, 24, 28, 32].randomElement()!, destination: Int.random(in: 14...32)
            )
            let source = UInt32.random(in: 0..<4) << 24 | .random(in: 0..<0x100_0000)
            let destination = UInt32.random(in: 10..<14) << 24 | .random(in: 0..<0x10_0000)
            let ports: [(UInt16, UInt16)?] = [nil, (80, .max), (443, .max), (1024, 0xfc00), (0x8000, 0x8000)]
            let rule = Rule(
                source: (source & Self.mask(lengths.source), Self.mask(lengths.source)),
                destination: (destination & Self.mask(lengths.destination), Self.mask(lengths.destination)),
                port: ports.randomElement()!,
                priority: UInt16(rules.count + 1)
            )
            guard seen.insert("\(rule.source) \(rule.destination) \(String(describing: rule.port))").inserted else {
                continue
            }
            rules.append(rule)
        }
        let packets = (0..<2000).map { index in
            let rule = rules[index % rules.count]
            return Packet(
                source: rule.source.value | ~rule.source.mask & .random(in: 0...(.max)),
                destination: rule.destination.value | ~rule.destination.mask & .random(in: 0...(.max)),
                port: rule.port?.value ?? .random(in: 0...(.max))
            )
        }
        try run(rules, packets, [.merged])
    }

    @Test("one large mask, prefixes and exceptions are each looked up in their own way")
    func mixed() throws {
        var rules: [Rule] = []
        for index in 0..<300 as Range<UInt32> {
            rules.append(
                Rule(
                    source: (0x0a00_0000 + index, .max),
                    destination: (0x0b00_0000 + index * 3, .max),
                    port: (UInt16(index), .max),
                    priority: UInt16(1000 + index)
                )
            )
        }
        for length in 8...27 {
            for value in 0..<3 as Range<UInt32> {
                let address = (0x0b00_0000 + value << 20) & Self.mask(length)
                guard !rules.contains(where: { $0.destination == (address, Self.mask(length)) }) else { continue }
                rules.append(Rule(destination: (address, Self.mask(length)), priority: UInt16(500 + rules.count)))
            }
        }
        rules.append(Rule(source: (0, 0xff), port: (0, 1), priority: 5000))
        rules.append(Rule(source: (7, 7), priority: 10))
        let packets = (0..<1000).map { _ in
            let index = UInt32.random(in: 0..<300)
            return Packet(
                source: 0x0a00_0000 + index,
                destination: 0x0b00_0000 + (Bool.random() ? index * 3 : .random(in: 0..<0x40_0000)),
                port: UInt16(index)
            )
        }
        try run(rules, packets, [.subtable, .prefixes, .linear])
    }

    /// Rules that make a table of each form.
    private static func rules(_ form: LookupForm) -> [Rule] {
        func host(_ index: Int) -> UInt32 { 0x0a00_0000 + UInt32(index) * 5 }
        switch form {
        case .constant: return []
        case .directIndex: return (1...20 as ClosedRange<UInt32>).map { Rule(inPort: $0, priority: 7) }
        case .linear:
            return (0..<5 as Range<UInt32>).map { index in
                let mask: UInt32 = 0xf << index | index
                return Rule(source: (index, mask), priority: UInt16(20 + index))
            }
        case .hash:
            return (0..<100).map { Rule(source: (host($0), .max), port: (UInt16($0), .max), priority: 40) }
        case .longestPrefix:
            return (0..<60).map { index in
                let mask = Self.mask(8 + index % 24)
                return Rule(destination: (host(index) << 4 & mask, mask), priority: UInt16(100 + index))
            }
        case .tupleSpace:
            return (0..<120).map { index in
                let (source, destination) = (Self.mask(index % 7 * 4), Self.mask(32 - index % 5 * 3))
                return Rule(
                    source: (host(index) & source, source),
                    destination: (host(index) << 4 & destination, destination),
                    priority: UInt16(200 + index)
                )
            }
        }
    }

    @Test("a table goes from each form to each other one, rule by rule, and every packet meets the best rule")
    func transitions() throws {
        let system = try InProcessSwitch()
        let before = system.datapath.memory.used
        let packets = (0..<40 as Range<UInt32>).map { index in
            let destination: UInt32 = 0x0a00_0000 + index * 3 % 50 * 5
            return Packet(
                source: 0x0a00_0000 + index % 30 * 5,
                destination: destination << 4,
                port: UInt16(index % 30),
                inPort: index % 4 + 1
            )
        }
        for from in LookupForm.allCases {
            for to in LookupForm.allCases where to != from {
                let old = Self.rules(from)
                let rules = old + Self.rules(to)
                var isIn = [Bool](repeating: false, count: rules.count)
                func toggle(_ index: Int) throws {
                    try system.execute(rules[index].mod(isIn[index] ? .deleteStrict : .add, cookie: index))
                    isIn[index].toggle()
                }
                for index in old.indices { try toggle(index) }
                #expect(system.datapath.form(ofTable: 0) == from)
                for (step, index) in rules.indices.shuffled().enumerated() {
                    try toggle(index)
                    let few = (0..<4).map { packets[(step * 4 + $0) % packets.count] }
                    guard check(system, rules, isIn, few) else {
                        Issue.record("from \(from) to \(to), step \(step)")
                        return
                    }
                }
                #expect(system.datapath.form(ofTable: 0) == to, "from \(from)")
                guard check(system, rules, isIn, packets) else { return }
                try system.execute(FlowMod(tableID: TableID.all, command: .delete))
            }
        }
        system.settle()
        #expect(system.datapath.memory.used == before)
    }
}
