// Who is at the other end of a VM's port: attachments that begin and end in every way, with NetLib as the function, in the same
// thread. Root mounts the group's file system.

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

/// Swift Testing has another one.
private typealias Attachment = NetLib.Attachment

/// An attachment that a test may drop when it likes.
private final class Function {
    var attachment: Attachment

    init(packets: String, rings: String) throws { attachment = try Attachment(packets: packets, rings: rings) }
}

@Suite("A VM's port", .timeLimit(.minutes(2)), .serialized, .enabled(if: geteuid() == 0, "root is needed, to mount"))
struct VMPortTests {
    /// A switch whose port 10 is a VM's: what comes in by port 1 goes there, what comes back goes to port 2.
    private final class Lab: FunctionSwitch {
        let system: InProcessSwitch
        let vms: VMPorts
        let configuration: Configuration
        var states: [Bool] = []
        /// Goes only as fast as the test wants.
        var now = NIODeadline.now()

        private static let count = Atomic(0)
        private let group: String

        var port: VMPort { vms.ports[0] }
        var region: PacketRegion { vms.groups[group].unsafelyUnwrapped.region }
        var folder: String { "\(configuration.regionFolder)/\(group)" }
        var rings: String { "\(folder)/fw.rings" }

        init(queues: Int = 1) throws {
            system = try InProcessSwitch()
            try system.openDevices()
            configuration = Self.makeConfiguration(queues: queues)
            group = configuration.groupNames[0]
            vms = VMPortTests.makeVMPorts(system)
            try vms.makeGroups(configuration, isHuge: false)
            _ = try vms.add(configuration.vms[0])
            vms.onChange = { [unowned self] in states.append($0.vm?.state == .attached) }
            system.settle()
            try system.datapath.portsChanged(entries: [FlowEntry]())
            system.settle()
            try forward(from: 1, to: 10)
            try forward(from: 10, to: 2)
        }

        /// A VM in a group and a folder of its own.
        static func makeConfiguration(queues: Int = 1) -> Configuration {
            var configuration = Configuration(datapath: .init(id: 1), workers: .init(cores: [0]))
            configuration.runDirectory = "/tmp/ringway-vms-\(getpid())-\(UUID())"
            // DPDK keeps the name of a pool as long as it runs.
            let group = "g\(count.add(1, ordering: .relaxed).newValue)"
            var vm = Configuration.VM(number: 10, name: "fw", group: group)
            (vm.ring, vm.empty, vm.messages, vm.violations, vm.queues) = (64, 16, 16, 50, queues)
            vm.verdicts = [.drop, .next, .message]
            configuration.vms = [vm]
            return configuration
        }

        /// The agent looks at the VM's words, and the worker takes what comes of it.
        func look() {
            vms.look(at: now)
            system.settle()
            system.datapath.poll()
        }

        func makeFunction() throws -> Function {
            // A process that another test is just starting has the files open for a moment, and with them the lock.
            for _ in 0..<1000 {
                if let function = try? Function(packets: "\(folder)/packets", rings: rings) { return function }
                usleep(1_000)
            }
            return try Function(packets: "\(folder)/packets", rings: rings)
        }

        func attach(_ function: Function) throws {
            let isAttached = try function.attachment.attach(unless: {
                now = now + .milliseconds(100)
                look()
                return false
            })
            let number = function.attachment.port
            #expect(isAttached && port.state == .attached && number == 10)
        }

        func receive() -> Outcome? { system.receive(VMPortTests.frame, port: 1) }

        deinit {
            // The test may still have a file open, and then it stays mounted.
            vms.close()
            umount2(folder, Int32(MNT_DETACH))
            system.closeDevices()
            try? FileManager.default.removeItem(atPath: configuration.runDirectory)
        }
    }

    private static func makeVMPorts(_ system: InProcessSwitch) -> VMPorts {
        VMPorts(datapath: system.datapath, log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    private static let frame: [UInt8] =
        [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5] + [UInt8](repeating: 7, count: 46)

    @Test("carries packets while a function is attached, and is down before and after")
    func attachment() throws {
        let lab = try Lab()
        #expect(lab.receive()?.drops == [.vmDetached])
        let function = try lab.makeFunction()
        try lab.attach(function)
        #expect(lab.receive()?.drops == [])
        var seen: [UInt8] = []
        let count = function.attachment.poll { packet in
            seen = [UInt8](packet.bytes)
            packet.bytes[20] = 9
            return packet.inPort == 1 ? .next : .drop
        }
        #expect(count == 1 && seen == Self.frame)
        let outputs = lab.receiveFromVM().outputs
        #expect(outputs.map(\.port) == [2] && outputs.first?.bytes[20] == 9)
        function.attachment.detach()
        lab.look()
        #expect(lab.port.state == .detached && lab.port.lastEnd == .left && lab.states == [true, false])
        #expect(lab.receive()?.drops == [.vmDetached])
        let isAttached = function.attachment.isAttached
        #expect(!isAttached && lab.missing == 0)
    }

    @Test("hands each connection to one of several queues, both ways, and takes back what each of them had")
    func queues() throws {
        let lab = try Lab(queues: 4)
        let function = try lab.makeFunction()
        try lab.attach(function)
        func frame(_ flow: String) throws -> [UInt8] { PacketBuilder.frame(try FlowSyntax.packet("in_port=1,\(flow)")) }
        var counts: [Int: Int] = [:]
        for port in 1...200 {
            var queues: Set<Int> = []
            for way in [
                "nw_src=10.0.0.1,nw_dst=10.0.0.2,tp_src=\(port),tp_dst=53",
                "nw_src=10.0.0.2,nw_dst=10.0.0.1,tp_src=53,tp_dst=\(port)",
            ] {
                #expect(lab.system.receive(try frame("udp,\(way)"), port: 1)?.drops == [])
                _ = function.attachment.poll { packet in
                    queues.insert(packet.queue)
                    return .next
                }
                #expect(lab.receiveFromVM().outputs.map(\.port) == [2])
            }
            #expect(queues.count == 1)
            counts[queues.first ?? -1, default: 0] += 1
        }
        #expect(counts.keys.sorted() == [0, 1, 2, 3] && counts.values.allSatisfy { $0 > 20 }, "\(counts)")
        // One of them full does not concern the others. It has 64 places, of each queue.
        for port in 1...400 {
            _ = lab.system.receive(try frame("udp,nw_src=10.0.0.1,nw_dst=10.0.0.2,tp_src=\(port),tp_dst=53"), port: 1)
        }
        #expect(lab.port.lent == 4 * 64 + 4 * 16 && lab.region.lent == 320 && lab.missing == 0, "\(lab.port.lent)")
        function.attachment.detach()
        lab.look()
        #expect(lab.port.state == .detached && lab.region.lent == 0 && lab.missing == 0)
        #expect(lab.region.pool.available == lab.region.count && lab.system.missingPackets == 0)
    }

    @Test("attaches a function that it took for dead before that knew")
    func lateness() throws {
        let lab = try Lab()
        let function = try lab.makeFunction()
        var turns = 0
        // It asks, and has no processor for longer than it may be silent.
        let isAttached = try function.attachment.attach(unless: {
            turns += 1
            return turns > 1
        })
        #expect(!isAttached)
        lab.look()
        #expect(lab.port.state == .attached)
        lab.now = lab.now + .milliseconds(1001)
        lab.look()
        #expect(lab.port.lastEnd == .silent)
        lab.look()
        let start = NIODeadline.now()
        try lab.attach(function)
        #expect(NIODeadline.now() - start < .seconds(10) && lab.states == [true, false, true])
    }

    @Test("moves a packet within its buffer, and makes it no longer than it may be")
    func moves() throws {
        let lab = try Lab()
        let function = try lab.makeFunction()
        try lab.attach(function)
        #expect(lab.receive()?.drops == [])
        var refused: [Bool] = []
        _ = function.attachment.poll { packet in
            refused = [
                packet.move(end: 2048 - 60 + 1), packet.move(start: -2000), packet.move(start: 61),
                packet.move(end: -61),
            ]
            return packet.move(start: -4, end: 2048 - 64) ? .next : .drop
        }
        #expect(refused == [false, false, false, false])
        #expect(lab.receiveFromVM().outputs.map(\.bytes.count) == [2048])
        #expect(lab.port.counters.violations == 0 && lab.missing == 0)
    }

    @Test("takes back what a function had in hand, however it ends, a thousand times")
    func churn() throws {
        let lab = try Lab()
        var generator = SeededGenerator(11)
        var ends: [VMPort.End: Int] = [:]
        var kept: Function?
        for _ in 0..<1000 {
            let function = try kept ?? lab.makeFunction()
            kept = function
            try lab.attach(function)
            for _ in 0..<Int.random(in: 0...80, using: &generator) {
                _ = lab.receive()
                if Bool.random(using: &generator) { _ = function.attachment.poll { _ in .next } }
                if Bool.random(using: &generator) { _ = lab.receiveFromVM() }
            }
            let lent = lab.region.lent
            #expect(lab.missing == 0 && lab.port.lent == UInt64(lent))
            switch Int.random(in: 0..<3, using: &generator) {
            case 0:
                function.attachment.detach()
            case 1:
                // Silent for longer than it may be, after a last beat.
                _ = function.attachment.poll { _ in .next }
                lab.look()
                lab.now = lab.now + .milliseconds(1001)
                lab.look()
                let isAttached = function.attachment.isAttached
                #expect(!isAttached)
            default:
                // Dropped at the end of this round: with it goes its lock, and its epoch is 0 then.
                kept = nil
                function.attachment.detach()
            }
            lab.look()
            ends[try #require(lab.port.lastEnd), default: 0] += 1
            #expect(lab.port.state == .detached && lab.region.lent == 0 && lab.missing == 0)
            guard lab.region.pool.available == lab.region.count else { return }
        }
        #expect(lab.port.attachments == 1000 && lab.system.missingPackets == 0)
        #expect(ends[.left, default: 0] > 100 && ends[.silent, default: 0] > 100, "\(ends)")
    }

    @Test("lets one function in at a time")
    func exclusion() throws {
        let lab = try Lab()
        var function: Function? = try lab.makeFunction()
        #expect(throws: AttachError.self) { _ = try Function(packets: "\(lab.folder)/packets", rings: lab.rings) }
        #expect(function != nil)
        function = nil
        _ = try lab.makeFunction()
    }

    @Test("has rings that one agent at a time uses, and no files of VMs that there are no more")
    func oneAgent() throws {
        let lab = try Lab()
        let memory = try #require(map(lab.rings))
        let header = memory.assumingMemoryBound(to: vmring_header.self)
        let epoch = header.pointee.agent_epoch
        #expect {
            try Self.makeVMPorts(lab.system).makeGroups(lab.configuration, isHuge: false)
        } throws: { error in
            "\(error)".contains("packets: another agent uses it")
        }
        #expect(header.pointee.agent_epoch == epoch)
        munmap(memory, 1 << 16)

        // What another agent has left behind, and what somebody still uses.
        let configuration = Lab.makeConfiguration()
        defer { try? FileManager.default.removeItem(atPath: configuration.runDirectory) }
        let first = Self.makeVMPorts(lab.system)
        try first.makeGroups(configuration, isHuge: false)
        let folder = "\(configuration.regionFolder)/\(configuration.groupNames[0])"
        let (stale, used) = ("\(folder)/gone.rings", "\(folder)/packets")
        try Data().write(to: URL(fileURLWithPath: stale))
        // A function waits there for its VM to come again.
        let waiting = open("\(folder)/waiting.rings", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        let file = open(used, O_RDONLY)
        var before = stat()
        fstat(file, &before)
        first.close()
        let second = Self.makeVMPorts(lab.system)
        try second.makeGroups(configuration, isHuge: false)
        var after = stat()
        stat(used, &after)
        #expect(access("\(folder)/waiting.rings", F_OK) == 0)
        close(waiting)
        #expect(access(stale, F_OK) != 0 && after.st_ino == before.st_ino && after.st_dev == before.st_dev)
        close(file)
        second.close()
        #expect(access(folder, F_OK) != 0, "unmounted and removed")
    }

    @Test("is not attached to by what was attached to another agent")
    func strangers() throws {
        let lab = try Lab()
        let memory = try #require(map(lab.rings))
        defer { munmap(memory, 1 << 16) }
        let header = memory.assumingMemoryBound(to: vmring_header.self)
        (header.pointee.seen_epoch, header.pointee.epoch) = (header.pointee.agent_epoch &+ 1, 5)
        lab.look()
        #expect(lab.port.state == .detached)
        header.pointee.seen_epoch = header.pointee.agent_epoch
        lab.look()
        #expect(lab.port.state == .attached && header.pointee.attached == 5)
        // Another function in the same place, as after a guest's reboot.
        header.pointee.epoch = 6
        lab.look()
        #expect(lab.port.lastEnd == .anew && header.pointee.attached == 0)
        lab.look()
        #expect(header.pointee.attached == 0, "not at once: who attaches all the time costs the controllers messages")
        lab.now = lab.now + .milliseconds(100)
        lab.look()
        #expect(header.pointee.attached == 6)
        // One that claims a lock and has none.
        header.pointee.attach_flags = UInt32(VMRING_LOCKED)
        lab.look()
        #expect(lab.port.lastEnd == .gone)
    }

    @Test("keeps its buffers and its head, whatever is written to the rings and their header")
    func scribbles() throws {
        let lab = try Lab()
        // The header and rings of 64, 128, 16 and 16 places. What lies behind has no memory.
        let size = 3 << 12
        let memory = try #require(map(lab.rings))
        defer { munmap(memory, 1 << 16) }
        let header = memory.assumingMemoryBound(to: vmring_header.self)
        let epoch = header.pointee.agent_epoch
        var generator = SeededGenerator(3)
        var ends: Set<VMPort.End> = []
        for step in 0..<20_000 {
            for _ in 0..<3 {
                let word = Int.random(in: 0..<size / 8, using: &generator) * 8
                let value: UInt64 =
                    Bool.random(using: &generator) ? .random(in: 0...100, using: &generator) : generator.next()
                memory.storeBytes(of: value, toByteOffset: word, as: UInt64.self)
            }
            if step % 50 == 0 {
                (header.pointee.seen_epoch, header.pointee.epoch) = (epoch, UInt64(step + 1))
                header.pointee.attach_flags = 0
            }
            if step % 7 == 0 { lab.now = lab.now + .milliseconds(100) }
            _ = lab.receive()
            _ = lab.receiveFromVM()
            lab.look()
            if let end = lab.port.lastEnd { ends.insert(end) }
            if step % 100 == 0 { #expect(lab.missing == 0) }
        }
        #expect(lab.port.attachments > 50 && ends.contains(.anew), "\(lab.port.attachments) \(ends)")
        (header.pointee.seen_epoch, header.pointee.epoch) = (epoch, 0)
        lab.look()
        lab.look()
        #expect(lab.port.state == .detached && lab.missing == 0 && lab.region.lent == 0)
        #expect(lab.system.missingPackets == 0)
        // An honest function finds what it needs.
        lab.look()
        let function = try lab.makeFunction()
        try lab.attach(function)
        _ = lab.receive()
        let count = function.attachment.poll { _ in .next }
        #expect(count == 1 && lab.receiveFromVM().outputs.map(\.port) == [2])
    }

    /// The rings as a function maps them.
    private func map(_ path: String) -> UnsafeMutableRawPointer? {
        let file = open(path, O_RDWR)
        defer { close(file) }
        let memory = mmap(nil, 1 << 16, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0)
        return memory == MAP_FAILED ? nil : memory
    }
}
