// Services: which replica of a network function a connection goes to, and that it stays there.

import Agent
import CVMRing
import DataPlane
import Foundation
import Logging
import NIOCore
import NetLib
import OpenFlow
import Synchronization
import Testing

/// A switch whose port 100 stands for the ports 10, 11, … of VMs, with functions in the test's own thread. What comes in by port 1 goes to the
/// service, what comes back from a replica to port 2.
private final class ServiceLab: FunctionSwitch {
    let system: InProcessSwitch
    let vms: VMPorts
    let service: ServicePort
    let configuration: Configuration
    private var functions: [Int: Function] = [:]
    private var now = NIODeadline.now()
    /// Port numbers and whether they are up, as controllers are told.
    var changes: [(port: UInt32, isUp: Bool)] = []

    private static let count = Atomic(0)

    /// Swift Testing has another `Attachment`. A class, so that one can be let go.
    private final class Function {
        var attachment: NetLib.Attachment

        init(packets: String, rings: String) throws {
            attachment = try NetLib.Attachment(packets: packets, rings: rings)
        }
    }

    var region: PacketRegion { vms.groups.values.first.unsafelyUnwrapped.region }

    init(replicas: Int = 3, connections: Int = 4096, idle: TimeAmount = .seconds(300)) throws {
        system = try InProcessSwitch()
        try system.openDevices()
        var configuration = Configuration(datapath: .init(id: 1), workers: .init(cores: [0]))
        configuration.runDirectory = "/tmp/ringway-services-\(getpid())-\(UUID())"
        let group = "s\(Self.count.add(1, ordering: .relaxed).newValue)"
        configuration.vms = (0..<replicas).map { index in
            var vm = Configuration.VM(number: UInt32(10 + index), name: "fw\(index)", group: group)
            vm.ring = 64
            vm.verdicts = [.drop, .next, .function]
            return vm
        }
        var settings = Configuration.Service(
            number: 100,
            name: "firewall",
            replicas: configuration.vms.map(\.name)
        )
        (settings.connections, settings.idleTimeout) = (connections, idle)
        configuration.services = [settings]
        self.configuration = configuration
        vms = VMPorts(datapath: system.datapath, log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        try vms.makeGroups(configuration, isHuge: false)
        for vm in configuration.vms { system.model.setPort(try vms.add(vm).described) }
        let entry = try system.datapath.ports.add(service: settings)
        system.model.servicePorts.insert(entry.number)
        system.model.setPort(entry.described)
        service = try #require(entry.service)
        vms.onChange = { [unowned self] in changes.append(($0.number.rawValue, $0.described.state.contains(.live))) }
        system.settle()
        try system.datapath.portsChanged(entries: [FlowEntry]())
        system.settle()
        system.captureOutputs()
        try forward(from: 1, to: 100)
        for vm in configuration.vms { try forward(from: vm.number, to: 2) }
    }

    /// Lets the agent look at the VMs' words, and the worker take what comes of it.
    private func look() {
        now = now + .milliseconds(100)
        vms.look(at: now)
        system.settle()
        system.datapath.poll()
    }

    /// Starts a function in the place of a replica, counted from 0.
    func start(_ replica: Int) throws {
        let folder = "\(configuration.regionFolder)/\(configuration.vms[replica].group)"
        var function: Function?
        // A process that another test is just starting has the files open for a moment, and with them the lock.
        for _ in 0..<1000 where function == nil {
            function = try? Function(packets: "\(folder)/packets", rings: "\(folder)/fw\(replica).rings")
            if function == nil { usleep(1_000) }
        }
        let started = try #require(function)
        let isAttached = try started.attachment.attach(unless: {
            look()
            return false
        })
        #expect(isAttached)
        functions[replica] = started
    }

    func stop(_ replica: Int) {
        functions[replica]?.attachment.detach()
        functions[replica] = nil
        look()
        look()
    }

    /// The replica that a packet goes to; nil: none.
    func replica(of frame: [UInt8], from port: UInt32 = 1, at time: UInt64 = Clock.cycles) throws -> Int? {
        let before = vms.ports.map(\.lent)
        _ = system.receive(frame, port: port, at: time)
        let changed = vms.ports.indices.filter { vms.ports[$0].lent != before[$0] }
        #expect(changed.count < 2)
        return changed.first
    }

    /// Has the functions give back what they have.
    func work(_ verdict: Verdict = .next) -> [Outcome] {
        functions.keys.sorted().map { replica in
            _ = functions[replica]?.attachment.poll { _ in verdict }
            return receiveFromVM()
        }
    }

    /// The replica of each, in turn, after which the functions give the packet back.
    func replicas(of frames: [[UInt8]], from port: UInt32 = 1) throws -> [Int?] {
        try frames.map { frame in
            defer { _ = work() }
            return try replica(of: frame, from: port)
        }
    }

    var drops: (DropReason) -> UInt64 {
        { [system] reason in system.datapath.ports.counters(100)?.drops[reason.rawValue] ?? 0 }
    }

    deinit {
        functions = [:]
        system.closeDevices()
        vms.close()
        for vm in configuration.vms { umount2("\(configuration.regionFolder)/\(vm.group)", Int32(MNT_DETACH)) }
        try? FileManager.default.removeItem(atPath: configuration.runDirectory)
    }
}

@Suite("A service", .timeLimit(.minutes(2)), .serialized, .enabled(if: geteuid() == 0, "root is needed, to mount"))
struct ServiceTests {
    private static func frame(_ flow: String) throws -> [UInt8] {
        PacketBuilder.frame(try FlowSyntax.packet("in_port=1," + flow))
    }

    /// Both directions of connections that differ in their source port alone.
    private static func connections(_ count: Int, from first: Int = 1) throws -> (there: [[UInt8]], back: [[UInt8]]) {
        let ports = first..<first + count
        return (
            try ports.map { try frame("udp,nw_src=10.0.0.1,nw_dst=10.0.0.2,tp_src=\($0),tp_dst=53") },
            try ports.map { try frame("udp,nw_src=10.0.0.2,nw_dst=10.0.0.1,tp_src=53,tp_dst=\($0)") }
        )
    }

    @Test("sends each connection to one replica, both ways, and each replica its share")
    func affinity() throws {
        let lab = try ServiceLab()
        for replica in 0..<3 { try lab.start(replica) }
        let (there, back) = try Self.connections(600)
        let first = try lab.replicas(of: there)
        #expect(!first.contains(nil))
        for replica in 0..<3 { #expect(first.filter { $0 == replica }.count == 200, "alike, they take turns") }
        #expect(try lab.replicas(of: back) == first)
        #expect(try lab.replicas(of: there) == first)
        let counters = lab.service.counters
        #expect(counters.packets == 1800 && counters.connections == 600)
        #expect(counters.bytes == UInt64(1800 * there[0].count))
        #expect(counters.moved == 0 && counters.unremembered == 0)
        #expect(lab.service.connections.values.sorted() == [200, 200, 200])
        let statistics = lab.system.datapath.counters(ofPort: 100)
        #expect(statistics?.transmittedPackets == 1800 && statistics?.receivedPackets == 0)
        #expect(lab.missing == 0 && lab.system.missingPackets == 0)
    }

    @Test(
        "knows the two directions of a connection, of every kind",
        arguments: [
            (
                "tcp,nw_src=10.0.0.1,nw_dst=10.0.0.2,tp_src=1,tp_dst=2",
                "tcp,nw_src=10.0.0.2,nw_dst=10.0.0.1,tp_src=2,tp_dst=1"
            ),
            (
                "tcp,dl_vlan=7,nw_src=10.0.0.1,nw_dst=10.0.0.2,tp_src=1,tp_dst=2",
                "tcp,dl_vlan=9,nw_src=10.0.0.2,nw_dst=10.0.0.1,tp_src=2,tp_dst=1"
            ),
            (
                "tcp6,ipv6_src=fd00::1,ipv6_dst=fd00::2,tp_src=1,tp_dst=2",
                "tcp6,ipv6_src=fd00::2,ipv6_dst=fd00::1,tp_src=2,tp_dst=1"
            ),
            (
                "sctp,nw_src=10.0.0.1,nw_dst=10.0.0.2,tp_src=1,tp_dst=2",
                "sctp,nw_src=10.0.0.2,nw_dst=10.0.0.1,tp_src=2,tp_dst=1"
            ),
            (
                "icmp,nw_src=10.0.0.1,nw_dst=10.0.0.2,icmp_type=8,icmp_code=0",
                "icmp,nw_src=10.0.0.2,nw_dst=10.0.0.1,icmp_type=0,icmp_code=0"
            ),
            (
                "dl_type=0x88b5,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02",
                "dl_type=0x88b5,dl_src=02:00:00:00:00:02,dl_dst=02:00:00:00:00:01"
            ),
        ]
    )
    func directions(there: String, back: String) throws {
        let lab = try ServiceLab()
        for replica in 0..<3 { try lab.start(replica) }
        _ = try lab.replicas(of: [Self.frame(there), Self.frame(back)])
        #expect(lab.service.counters.connections == 1)
    }

    @Test(
        "tells connections apart by each of their fields",
        arguments: [
            "tcp,nw_src=10.0.0.3,nw_dst=10.0.0.2,tp_src=1,tp_dst=2",
            "tcp,nw_src=10.0.0.1,nw_dst=10.0.0.3,tp_src=1,tp_dst=2",
            "tcp,nw_src=10.0.0.1,nw_dst=10.0.0.2,tp_src=3,tp_dst=2",
            "tcp,nw_src=10.0.0.1,nw_dst=10.0.0.2,tp_src=1,tp_dst=3",
            "tcp,nw_src=10.0.0.1,nw_dst=10.0.0.2,tp_src=2,tp_dst=1",
            "udp,nw_src=10.0.0.1,nw_dst=10.0.0.2,tp_src=1,tp_dst=2",
        ]
    )
    func distinction(other: String) throws {
        let lab = try ServiceLab(replicas: 1)
        try lab.start(0)
        let flow = "tcp,nw_src=10.0.0.1,nw_dst=10.0.0.2,tp_src=1,tp_dst=2"
        _ = try lab.replicas(of: [Self.frame(flow), Self.frame(other), Self.frame(flow)])
        #expect(lab.service.counters.connections == 2)
    }

    @Test("sends new connections to the replica that has the fewest packets in hand")
    func load() throws {
        let lab = try ServiceLab()
        for replica in 0..<3 { try lab.start(replica) }
        let connection = try Self.connections(1).there[0]
        let busy = try #require(try lab.replica(of: connection))
        for _ in 0..<40 { #expect(try lab.replica(of: connection) == busy) }
        // Nobody works meanwhile: the two others get 20 each, and are then loaded less by far.
        let others = try Self.connections(40, from: 100).there.map { try lab.replica(of: $0) }
        #expect(!others.contains(busy) && Set(others).count == 2)
        #expect(lab.vms.ports.map(\.lent).sorted() == [20, 20, 41])
        // A connection stays, however much its replica has to do.
        for _ in 0..<23 { #expect(try lab.replica(of: connection) == busy) }
        #expect(try lab.replica(of: connection) == nil, "the ring is full")
        _ = lab.work()
        #expect(try lab.replica(of: connection) == busy)
    }

    @Test("moves the connections of a replica that has gone, and no others")
    func departure() throws {
        let lab = try ServiceLab()
        #expect(try lab.replica(of: Self.connections(1).there[0]) == nil)
        #expect(lab.drops(.vmDetached) == 1 && lab.changes.isEmpty)
        try lab.start(0)
        #expect(lab.changes.map(\.port) == [10, 100] && lab.changes.allSatisfy(\.isUp))
        let (old, _) = try Self.connections(100)
        #expect(try lab.replicas(of: old).allSatisfy { $0 == 0 })
        // One more comes: what there was stays.
        try lab.start(1)
        #expect(try lab.replicas(of: old).allSatisfy { $0 == 0 })
        let (new, _) = try Self.connections(200, from: 1000)
        let places = try lab.replicas(of: new)
        #expect(places.filter { $0 == 1 }.count == 100)
        try lab.start(2)
        // The first one goes.
        lab.stop(0)
        let moved = try lab.replicas(of: old)
        #expect(!moved.contains(0) && !moved.contains(nil) && Set(moved).count == 2)
        for (before, after) in zip(places, try lab.replicas(of: new)) {
            #expect(before == 0 ? after != 0 && after != nil : after == before)
        }
        #expect(lab.service.counters.moved == 200)
        // It comes back: nothing moves back.
        try lab.start(0)
        #expect(try lab.replicas(of: old) == moved)
        #expect(lab.service.counters.moved == 200)
        lab.changes = []
        for replica in 0..<3 { lab.stop(replica) }
        #expect(lab.changes.filter { $0.port == 100 && !$0.isUp }.count == 1, "down with the last one")
        #expect(lab.missing == 0 && lab.system.missingPackets == 0)
    }

    @Test("lets those that are left take turns when replicas are taken from it", arguments: [(3, 1), (4, 2), (4, 1)])
    func fewer(before: Int, after: Int) throws {
        let lab = try ServiceLab(replicas: before)
        for replica in 0..<before { try lab.start(replica) }
        // The last one's turn is next.
        _ = try lab.replicas(of: Self.connections(2 * before - 1).there)
        var settings = lab.configuration.services[0]
        settings.replicas = Array(settings.replicas.prefix(after))
        lab.system.datapath.ports.adjust(settings)
        lab.system.settle()
        let (new, _) = try Self.connections(60, from: 1000)
        let places = try lab.replicas(of: new)
        for replica in 0..<after { #expect(places.filter { $0 == replica }.count == 60 / after, "\(places)") }
        #expect(lab.missing == 0 && lab.system.missingPackets == 0)
    }

    @Test("keeps what it remembers, however many connections come, and sends the others by their hash")
    func overflow() throws {
        let lab = try ServiceLab(connections: 64)
        for replica in 0..<2 { try lab.start(replica) }
        let (frames, _) = try Self.connections(5000)
        let first = try lab.replicas(of: frames)
        let counters = lab.service.counters
        #expect(counters.connections == 32 * 7 && counters.unremembered == 5000 - 32 * 7, "\(counters)")
        #expect(try lab.replicas(of: frames) == first, "as long as the replicas stay, all stay")
        #expect(lab.service.counters.connections == counters.connections)
        for replica in 0..<2 { #expect(first.filter { $0 == replica }.count > 2000) }
        try lab.start(2)
        let after = try lab.replicas(of: frames)
        let moved = zip(first, after).filter { $0 != $1 }
        #expect(moved.allSatisfy { $0.1 == 2 }, "a new replica takes, and nothing else changes")
        #expect(moved.count > 1200 && moved.count < 2000)
        #expect(lab.service.counters.moved == 0)
    }

    @Test("forgets a connection when it has been idle for long")
    func idle() throws {
        let lab = try ServiceLab(idle: .seconds(10))
        for replica in 0..<2 { try lab.start(replica) }
        let second = Clock.cyclesPerSecond
        let start = Clock.cycles
        let (frames, _) = try Self.connections(200)
        var first: [Int?] = []
        for frame in frames {
            first.append(try lab.replica(of: frame, at: start))
            _ = lab.work()
        }
        // The first half goes on, for longer than idle connections are remembered.
        for time in [5, 10, 15] {
            for (frame, replica) in zip(frames, first).prefix(100) {
                #expect(try lab.replica(of: frame, at: start + UInt64(time) * second) == replica)
                _ = lab.work()
            }
        }
        lab.stop(1)
        try lab.start(1)
        #expect(lab.service.counters.connections == 200)
        // What has been forgotten counts as new. Its place may have been used again meanwhile.
        _ = try lab.replica(of: frames[0], at: start + 15 * second)
        let (others, _) = try Self.connections(5000, from: 10_000)
        for frame in others {
            _ = try lab.replica(of: frame, at: start + 16 * second)
            _ = lab.work()
        }
        for (frame, replica) in zip(frames, first).prefix(100) where replica == 0 {
            #expect(try lab.replica(of: frame, at: start + 16 * second) == replica)
            _ = lab.work()
        }
    }

    @Test("takes what a function sends there, but returns nothing to where it came from")
    func verdicts() throws {
        let lab = try ServiceLab()
        try lab.start(0)
        try lab.start(1)
        let frames = try Self.connections(2).there
        let sender = try #require(try lab.replica(of: frames[0]))
        // Back to its own replica: as with a port, that takes IN_PORT.
        _ = lab.work(.function(service: 100))
        #expect(lab.drops(.outputToIngress) == 1 && lab.vms.ports.allSatisfy { $0.lent == 0 })
        // Of another function, which is no replica of the service, it would be taken.
        _ = try lab.replica(of: frames[0])
        for (service, reason) in [
            (UInt32(2), DropReason.noSuchPort), (99, .noSuchPort), (11 - UInt32(sender), .noSuchPort),
        ] {
            let number = PortNumber(rawValue: UInt32(10 + sender))
            let before = lab.system.datapath.ports.counters(number)?.drops[reason.rawValue]
            let outputs = lab.work(.function(service: service)).flatMap(\.outputs)
            #expect(outputs.isEmpty)
            #expect(
                lab.system.datapath.ports.counters(number)?.drops[reason.rawValue] == before.map { $0 + 1 },
                "\(service)"
            )
            _ = try lab.replica(of: frames[0])
        }
        // What it may not say is a violation: OUT is not among its verdicts.
        _ = lab.work(.out(port: 2))
        #expect(lab.vms.ports[sender].counters.badVerdicts == 1)
        #expect(lab.missing == 0 && lab.system.missingPackets == 0)
    }

    @Test("is left out of output to ALL, where its replicas are")
    func flood() throws {
        let lab = try ServiceLab(replicas: 2)
        try lab.start(0)
        try lab.start(1)
        try lab.forward(from: 3, to: PortNumber.all.rawValue)
        let outcome = try #require(lab.system.receive(Self.frame("tcp"), port: 3))
        #expect(Set(outcome.outputs.map(\.port)) == [1, 2, 4])
        #expect(lab.vms.ports.map(\.lent) == [1, 1] && lab.service.counters.packets == 0)
        let reference = ReferencePipeline.receive(try Self.frame("tcp"), inPort: 3, by: lab.system.model)
        #expect(Set(lab.system.departures(reference).map(\.destination)) == Set([1, 2, 4, 10, 11].map { .port($0) }))
    }

    @Test("goes, and what it had with it")
    func removal() throws {
        let lab = try ServiceLab(replicas: 1)
        try lab.start(0)
        let frame = try Self.connections(1).there[0]
        #expect(try lab.replica(of: frame) == 0)
        var isGone = false
        lab.system.datapath.ports.remove(100) { isGone = true }
        lab.system.settle()
        #expect(isGone)
        try lab.system.datapath.portsChanged(entries: lab.system.model.entries)
        lab.system.settle()
        #expect(try lab.replica(of: frame) == nil)
        _ = lab.work()
        #expect(lab.missing == 0 && lab.system.missingPackets == 0)
    }
}
