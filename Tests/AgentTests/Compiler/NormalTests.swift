// Output to NORMAL: the data plane against the reference, over random ports in VLANs, stations that move and addresses that are
// forgotten; and the workers' tables of addresses against a dictionary.

import Agent
import DataPlane
import Foundation
import OpenFlow
import Testing

@Suite("Output to NORMAL", .timeLimit(.minutes(2)), .serialized)
struct NormalTests {
    @Test(
        "agrees with the reference over 20,000 random packets, with flow tables and without",
        arguments: [false, true]
    )
    func random(standalone: Bool) throws {
        let seed = ProcessInfo.processInfo.environment["RINGWAY_SEED"].flatMap { UInt64($0) } ?? .random(in: 0 ... .max)
        print("output to NORMAL: RINGWAY_SEED=\(seed)")
        var random = SeededGenerator(seed)
        let system = try InProcessSwitch()
        let normal = [Action.output(.normal, maxLength: 0)]
        try system.execute(FlowMod(instructions: [.applyActions(normal)]))
        try system.execute(
            FlowMod(priority: 9, match: Match([MatchField(.inPort, 2)]), instructions: [.writeActions(normal)])
        )
        system.model.isStandalone = standalone
        system.settle()
        system.worker.pointee.beginStep(at: Clock.cycles)
        var counts = (known: 0, flooded: 0, refused: 0)
        for step in 0..<20_000 {
            if step % 500 == 0 { Self.placePorts(system, &random) }
            if step % 100 == 0 {
                system.model.forgetAddresses(of: [nil, 1, 2].randomElement(using: &random) ?? nil)
                system.settle()
            }
            let frame = Self.frame(&random)
            let port = UInt32.random(in: 1...4, using: &random)
            let expected = ReferencePipeline.receive(frame, inPort: PortNumber(rawValue: port), by: system.model)
            // Each in a tick of its own, so that no sighting is one too many.
            let actual = try #require(system.receive(frame, port: port, at: UInt64(step + 1) << 20))
            let drops = expected.steps.compactMap { if case .drop(let reason) = $0 { DropReason(reason) } else { nil } }
            try #require(
                system.departures(actual) == system.departures(expected) && actual.drops == drops,
                """
                step \(step) of seed \(seed), in_port \(port), frame \(frame.hex), ports \(system.model.portVLANs)
                expected \(system.departures(expected)) \(drops), happened \(system.departures(actual)) \(actual.drops)
                """
            )
            let before = system.model.addresses
            system.settle()
            for address in expected.sightings { #expect(system.model.addresses[address]?.rawValue == port) }
            if expected.sightings.isEmpty { #expect(system.model.addresses == before) }
            if drops.contains(.vlan) { counts.refused += 1 }
            switch expected.outputs.count {
            case 1: counts.known += 1
            case 2...: counts.flooded += 1
            default: break
            }
        }
        #expect(counts.known > 2_000 && counts.flooded > 1_000 && counts.refused > 1_000, "\(counts)")
        #expect(system.missingPackets == 0)
    }

    /// Puts the ports into VLANs: access ports, trunks of some, trunks of all.
    private static func placePorts(_ system: InProcessSwitch, _ random: inout SeededGenerator) {
        for number in 1...4 {
            let vlans: PortVLANs
            switch Int.random(in: 0..<4, using: &random) {
            case 0: vlans = .access(10)
            case 1: vlans = .access(20)
            case 2: vlans = .trunk(Set([0, 10, 20, 4094].shuffled(using: &random).prefix(2)))
            default: vlans = .all
            }
            system.model.portVLANs[PortNumber(rawValue: UInt32(number))] = vlans
            let slot = system.worker.pointee.ports + (number - 1)
            (slot.pointee.accessVLAN, slot.pointee.trunks) = (0, 0)
            switch vlans {
            case .all: break
            case .access(let vlan): slot.pointee.accessVLAN = UInt64(vlan)
            case .trunk(let list):
                // Lives as long as the worker, as the test's workers do.
                let bitmap = UnsafeMutableRawPointer.allocate(byteCount: VLANBitmap.size, alignment: 8)
                VLANBitmap.initialize(bitmap, list)
                slot.pointee.trunks = UInt64(UInt(bitPattern: bitmap))
            }
        }
    }

    /// From one of a few stations to another one, to many, or to nobody whom a bridge serves; with a tag or two, or without.
    private static func frame(_ random: inout SeededGenerator) -> [UInt8] {
        func station() -> [UInt8] { [2, 0, 0, 0, 0, .random(in: 0..<6, using: &random)] }
        let destination: [UInt8] =
            switch Int.random(in: 0..<10, using: &random) {
            case 0: [0xff, 0xff, 0xff, 0xff, 0xff, 0xff]
            case 1: [1, 0x80, 0xc2, 0, 0, .random(in: 0...0x1f, using: &random)]
            default: station()
            }
        let source = Int.random(in: 0..<20, using: &random) == 0 ? [3, 0, 0, 0, 0, 1] : station()
        var frame = destination + source
        for _ in 0..<([0, 0, 1, 1, 2].randomElement(using: &random) ?? 0) {
            let vlan: UInt16 = [0, 10, 20, 30].randomElement(using: &random) ?? 0
            let priority = UInt8.random(in: 0..<16, using: &random) << 4
            frame += Bool.random(using: &random) ? [0x81, 0x00] : [0x88, 0xa8]
            frame += [priority | UInt8(vlan >> 8), UInt8(truncatingIfNeeded: vlan)]
        }
        frame += [0x08, 0x06]
        let length = [0, 1, 3, 46, 60].randomElement(using: &random) ?? 0
        return frame + (0..<length).map { UInt8($0) }
    }

    @Test("knows 5,000 addresses that come and go, on both workers alike")
    func table() throws {
        let pool = try #require(InProcessSwitch.pool)
        let workers = Worker.make(count: 2, pool: pool, controlPipe: -1, idle: .busy)
        let memory = TableMemory(limit: 8 << 20, fromEAL: false)
        let datapath = CompiledDatapath(workers: workers, pool: pool, memory: memory)
        datapath.publisher.onFullRing = { $0.pointee.takeDeltas() }
        let ports = Dictionary(uniqueKeysWithValues: (1...4).map { (PortNumber(rawValue: $0), UInt16($0 - 1)) })
        try datapath.compiler.setSlots(ports, entries: [FlowEntry]())
        var random = SeededGenerator(5)
        var expected: [LearnedAddress: PortNumber] = [:]
        let used = memory.used
        for step in 0..<40_000 {
            let address = LearnedAddress(
                vlan: .random(in: 0..<4, using: &random),
                address: EthernetAddress(rawValue: .random(in: 1..<(step < 20_000 ? 2_500 : 250), using: &random))
            )
            if step < 20_000 || Bool.random(using: &random) {
                let port = PortNumber(rawValue: .random(in: 1...4, using: &random))
                #expect(datapath.learn(address, at: port))
                expected[address] = port
            } else {
                let gone = expected.keys.prefix(20) + [address]
                for address in gone { expected[address] = nil }
                datapath.forget(Array(gone))
            }
            guard step % 1_000 == 999 else { continue }
            for worker in workers {
                worker.pointee.takeDeltas()
                #expect(Self.contents(of: worker) == expected)
            }
            datapath.publisher.collect()
        }
        datapath.forget(Array(expected.keys))
        for worker in workers {
            worker.pointee.takeDeltas()
            #expect(Self.contents(of: worker).isEmpty)
        }
        datapath.publisher.collect()
        #expect(memory.used == used, "the tables are given back")
    }

    /// What a worker's table knows, by looking at all of it. Whether it is found, too, is seen in the other test.
    private static func contents(of worker: UnsafeMutablePointer<Worker>) -> [LearnedAddress: PortNumber] {
        let table = worker.pointee.settings.pointee.addresses
        let size = Int(table.assumingMemoryBound(to: AddressTable.self).pointee.count)
        var contents: [LearnedAddress: PortNumber] = [:]
        for index in 0..<size {
            let entry = AddressTable.entries(table)[index]
            guard entry.key != 0 else { continue }
            let key = AddressKey(rawValue: entry.key)
            #expect(worker.pointee.slot(of: key).map(UInt64.init) == entry.place >> 48)
            let address = EthernetAddress(rawValue: key.bytes.bigEndian >> 16)
            contents[LearnedAddress(vlan: key.vlan, address: address)] = PortNumber(
                rawValue: UInt32(entry.place >> 48) + 1
            )
        }
        return contents
    }
}
