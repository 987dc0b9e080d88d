// VMs and trust groups come and go while the switch runs: what a VM that goes had in hand is back, its number, its owners and
// its group's memory can be used again, and the others notice nothing. Root mounts the groups' file systems.

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

    var isAttached: Bool { attachment.isAttached }
    var port: UInt32 { attachment.port }

    /// Gives all that there is back with a verdict; how many packets that were.
    @discardableResult
    func poll(_ verdict: Verdict) -> Int {
        var count = 0
        while true {
            let burst = attachment.poll { _ in verdict }
            guard burst > 0 else { return count }
            count += burst
        }
    }
}

@Suite(
    "VMs that come and go",
    .timeLimit(.minutes(2)),
    .serialized,
    .enabled(if: geteuid() == 0, "root is needed, to mount")
)
struct VMReloadTests {
    /// A switch whose configuration changes.
    private final class Lab: FunctionSwitch {
        let system: InProcessSwitch
        let vms: VMPorts
        private(set) var configuration = Configuration(datapath: .init(id: 1), workers: .init(cores: [0]))
        /// Goes only as fast as the test wants.
        var now = NIODeadline.now()
        /// Other suites have groups in the same process, and their names are those of DPDK's pools.
        let group = "r\(Lab.count.add(1, ordering: .relaxed).newValue)"

        private static let count = Atomic(0)

        var region: PacketRegion { vms.groups[group].unsafelyUnwrapped.region }
        var folder: String { "\(configuration.regionFolder)/\(group)" }

        init() throws {
            system = try InProcessSwitch()
            try system.openDevices()
            configuration.runDirectory = "/tmp/ringway-vms-\(getpid())-\(UUID())"
            vms = VMPorts(datapath: system.datapath, log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        }

        func makeVM(_ number: UInt32, _ name: String, in group: String? = nil) -> Configuration.VM {
            var vm = Configuration.VM(number: number, name: name, group: group ?? self.group)
            vm.ring = 64
            return vm
        }

        /// What the agent does of a reload, as far as VMs are concerned.
        func use(_ list: [Configuration.VM], groups: [Configuration.Group] = []) throws {
            var new = configuration
            (new.vms, new.groups) = (list, groups)
            let change = try configuration.change(to: new)
            try vms.makeGroups(new, isHuge: false)
            configuration = new
            for vm in change.adjustedVMs { vms.adjust(vm, at: now) }
            var left = 0
            for vm in change.vms.leaving { vms.remove(vm) { left += 1 } }
            settle()
            #expect(left == change.vms.leaving.count)
            for vm in change.vms.coming { _ = try vms.add(vm) }
            try system.datapath.portsChanged(entries: system.model.entries)
            settle()
        }

        func settle() {
            system.settle()
            system.datapath.poll()
            system.captureOutputs()
        }

        /// What the agent does from time to time.
        func letGo() {
            for _ in 0..<2 {
                vms.letGo(groupNames: configuration.groupNames)
                settle()
            }
        }

        func look() {
            vms.look(at: now)
            settle()
        }

        func port(_ name: String) throws -> VMPort { try #require(vms.ports.first { $0.settings.name == name }) }

        func makeFunction(_ name: String, group: String? = nil) throws -> Function {
            let folder = "\(configuration.regionFolder)/\(group ?? self.group)"
            // A process that another test is just starting has the files open for a moment, and with them the lock.
            for _ in 0..<1000 {
                if let function = try? Function(packets: "\(folder)/packets", rings: "\(folder)/\(name).rings") {
                    return function
                }
                usleep(1_000)
            }
            return try Function(packets: "\(folder)/packets", rings: "\(folder)/\(name).rings")
        }

        func attach(_ function: Function, to name: String) throws {
            var attempts = 0
            let isAttached = try function.attachment.attach(unless: {
                attempts += 1
                now = now + .milliseconds(100)
                look()
                return attempts > 1000
            })
            #expect(try isAttached && port(name).state == .attached)
        }

        /// Files, mounts and mappings of this process in the switch's folder.
        func traces() throws -> [String] {
            let files = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").compactMap {
                try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)")
            }
            let lines = try ["mounts", "maps"].flatMap {
                try String(contentsOfFile: "/proc/self/\($0)", encoding: .utf8).split(separator: "\n").map(String.init)
            }
            return (files + lines).filter { $0.contains(configuration.runDirectory) }
        }

        deinit {
            // The test may still have a file open, and then it stays mounted.
            vms.close()
            for group in (try? FileManager.default.contentsOfDirectory(atPath: configuration.regionFolder)) ?? [] {
                umount2("\(configuration.regionFolder)/\(group)", Int32(MNT_DETACH))
            }
            system.closeDevices()
            try? FileManager.default.removeItem(atPath: configuration.runDirectory)
        }
    }

    private static let frame: [UInt8] =
        [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5] + [UInt8](repeating: 7, count: 46)

    @Test("one that is removed with packets in hand gives them all back, and the other one's flow on")
    func removal() throws {
        let lab = try Lab()
        try lab.use([lab.makeVM(10, "goes"), lab.makeVM(11, "stays")])
        for (from, to) in [(1, 10), (2, 11), (11, 3)] as [(UInt32, UInt32)] { try lab.forward(from: from, to: to) }
        let (goes, stays) = (try lab.makeFunction("goes"), try lab.makeFunction("stays"))
        try lab.attach(goes, to: "goes")
        try lab.attach(stays, to: "stays")
        for _ in 0..<20 {
            _ = lab.system.receive(Self.frame, port: 1)
            _ = lab.system.receive(Self.frame, port: 2)
        }
        // Some in its ring, some given back, some neither.
        goes.poll(.next)
        for _ in 0..<20 { _ = lab.system.receive(Self.frame, port: 1) }
        #expect(lab.region.lent == 60 && lab.missing == 0)
        try lab.use([lab.makeVM(11, "stays")])
        #expect(!goes.isAttached && lab.region.lent == 20 && lab.missing == 0)
        #expect(lab.system.receive(Self.frame, port: 1)?.drops != [])
        #expect(lab.system.datapath.ports.entries[10] == nil)

        #expect(try lab.port("stays").attachments == 1 && stays.isAttached)
        #expect(stays.poll(.next) == 20)
        #expect(lab.receiveFromVM().outputs.count == 20 && lab.region.lent == 0 && lab.region.isWhole)

        // Its file stays as long as it has it open, and it attaches to a VM that takes its place, of another number and ring even.
        let file = "\(lab.folder)/goes.rings"
        lab.letGo()
        #expect(access(file, F_OK) == 0)
        var again = lab.makeVM(12, "goes")
        again.ring = 512
        try lab.use([lab.makeVM(11, "stays"), again])
        try lab.attach(goes, to: "goes")
        #expect(goes.port == 12)
        try lab.forward(from: 1, to: 12)
        for _ in 0..<300 { _ = lab.system.receive(Self.frame, port: 1) }
        #expect(try lab.port("goes").lent == 300)
        #expect(goes.poll(.drop) == 300)
        for _ in 0..<10 { _ = lab.receiveFromVM() }
        #expect(lab.region.isWhole)
    }

    @Test("a number is free at once, also for another group's VM, and owners are nobody else's")
    func numbers() throws {
        let lab = try Lab()
        try lab.forward(from: 1, to: 10)
        let other = "\(lab.group)-other"
        try lab.use([lab.makeVM(10, "a"), lab.makeVM(11, "b"), lab.makeVM(12, "c")])
        let b = try lab.makeFunction("b")
        try lab.attach(b, to: "b")
        try lab.forward(from: 2, to: 11)
        for _ in 0..<10 { _ = lab.system.receive(Self.frame, port: 2) }
        try lab.use([lab.makeVM(11, "b"), lab.makeVM(10, "new", in: other), lab.makeVM(13, "d")])
        // What b has in hand is still b's, whoever got the owners of a and c.
        let d = try lab.makeFunction("d")
        try lab.attach(d, to: "d")
        d.attachment.detach()
        lab.look()
        #expect(lab.region.lent == 10)
        let new = try lab.makeFunction("new", group: other)
        try lab.attach(new, to: "new")
        #expect(lab.system.receive(Self.frame, port: 1)?.drops == [])
        #expect(new.poll(.drop) == 1 && b.poll(.drop) == 10)
        _ = lab.receiveFromVM()
        #expect(lab.region.isWhole)
    }

    @Test("one that is attaching may be removed")
    func removalWhileAttaching() throws {
        let lab = try Lab()
        try lab.use([lab.makeVM(10, "a")])
        let function = try lab.makeFunction("a")
        var looks = 0
        _ = try function.attachment.attach(unless: {
            lab.now = lab.now + .milliseconds(100)
            lab.vms.look(at: lab.now)
            looks += 1
            return looks > 3
        })
        #expect(try lab.port("a").state == .attaching)
        try lab.use([])
        #expect(!function.isAttached && lab.vms.ports.isEmpty && lab.system.datapath.memory.used > 0)
    }

    @Test("stays attached while what it may say, its heartbeat and its violations change")
    func adjustment() throws {
        let lab = try Lab()
        var vm = lab.makeVM(10, "a")
        try lab.use([vm])
        let function = try lab.makeFunction("a")
        try lab.attach(function, to: "a")
        try lab.forward(from: 1, to: 10)
        (vm.verdicts, vm.heartbeat, vm.violations) = ([.out], .seconds(20), 3)
        try lab.use([vm])
        _ = lab.system.receive(Self.frame, port: 1)
        function.poll(.out(port: 3))
        #expect(lab.receiveFromVM().outputs.map(\.port) == [3])
        lab.now = lab.now + .seconds(10)
        lab.look()
        #expect(try lab.port("a").attachments == 1 && function.isAttached)
        for _ in 0..<3 { _ = lab.system.receive(Self.frame, port: 1) }
        function.poll(.next)
        #expect(lab.receiveFromVM().outputs.isEmpty)
        lab.look()
        #expect(try lab.port("a").lastEnd == .violations)
    }

    @Test("a group has room for some more, and refuses what does not fit before anything changes")
    func room() throws {
        let lab = try Lab()
        let other = "\(lab.group)-other"
        try lab.use(
            [lab.makeVM(10, "a"), lab.makeVM(9, "o", in: other)],
            groups: [.init(name: lab.group, buffers: 4000)]
        )
        let (needed, count) = (lab.configuration.buffersNeeded(ofGroup: lab.group), lab.region.count)
        #expect(needed == 1504 && count >= 4000)
        #expect(try #require(lab.vms.groups[other]).region.count >= 2256)
        var large = lab.makeVM(11, "b")
        large.ring = 4096
        #expect {
            try lab.use([lab.makeVM(10, "a"), large])
        } throws: { error in
            (error as? ReloadRefusal)?.reasons == [
                "group \(lab.group): \(needed + 4096) packet buffers are needed, it has \(count)"
                    + " (groups[].buffers makes it larger from the start)"
            ]
        }
        #expect(lab.vms.ports.map(\.settings.name) == ["a", "o"])
        #expect(throws: ReloadRefusal.self) {
            try lab.use([lab.makeVM(10, "a")], groups: [.init(name: lab.group, buffers: count + 1)])
        }
        // More rings than its file system was made for: it grows.
        let more = (0..<UInt32(30)).map { lab.makeVM(20 + $0, "more\($0)") }
        try lab.use([lab.makeVM(10, "a")] + more)
        #expect(lab.vms.ports.count == 31 && lab.region.count == count)
        // Where all leave, it is made anew, as large as is wanted.
        try lab.use([])
        lab.letGo()
        #expect(lab.vms.groups.isEmpty)
        try lab.use([lab.makeVM(10, "a"), large], groups: [.init(name: lab.group, buffers: 9000)])
        #expect(lab.region.count >= 9000)
    }

    @Test("a group that there is no memory for is told, and leaves nothing behind")
    func noMemory() throws {
        let lab = try Lab()
        try lab.use([lab.makeVM(10, "a")])
        let used = lab.system.datapath.memory.used
        let (first, second) = ("\(lab.group)-1", "\(lab.group)-2")
        // The first can be made; the second not, for want of memory and then because of what is in its place.
        for buffers in [1_000_000, 2_000] {
            #expect {
                try lab.use(
                    [lab.makeVM(10, "a"), lab.makeVM(11, "b", in: first), lab.makeVM(12, "c", in: second)],
                    groups: [.init(name: second, buffers: buffers)]
                )
            } throws: { error in
                "\(error)".hasPrefix("group \(second): ")
            }
            #expect(Set(lab.vms.groups.keys) == [lab.group] && lab.system.datapath.memory.used == used)
            #expect(try lab.traces().allSatisfy { !$0.contains(first) && !$0.contains(second) })
            try Data().write(to: URL(fileURLWithPath: "\(lab.configuration.regionFolder)/\(second)"))
        }
        #expect(lab.vms.ports.map(\.settings.name) == ["a"])
    }

    @Test("two hundred come and go with groups of their own, and nothing is left of them")
    func churn() throws {
        let lab = try Lab()
        try lab.use([lab.makeVM(10, "stays")])
        let stays = try lab.makeFunction("stays")
        try lab.attach(stays, to: "stays")
        try lab.forward(from: 1, to: 10)
        try lab.forward(from: 10, to: 2)
        try lab.forward(from: 3, to: 11)
        let other = "\(lab.group)-guest"
        func cycle(_ number: Int) throws {
            let group = number % 2 == 0 ? other : lab.group
            try lab.use([lab.makeVM(10, "stays"), lab.makeVM(11, "guest", in: group)])
            let guest = try lab.makeFunction("guest", group: group)
            try lab.attach(guest, to: "guest")
            for _ in 0..<number % 64 { #expect(lab.system.receive(Self.frame, port: 3)?.drops == []) }
            if number % 3 == 0 { guest.poll(.next) }
            #expect(lab.system.receive(Self.frame, port: 1)?.drops == [])
            if number % 5 == 0 { guest.attachment.detach() }
            try lab.use([lab.makeVM(10, "stays")])
            #expect(!guest.isAttached)
            #expect(stays.poll(.next) == 1 && lab.receiveFromVM().outputs.map(\.port) == [2])
            #expect(lab.region.isWhole)
            lab.letGo()
            // The function has its files open.
            #expect(
                lab.vms.groups.count == 1 && access("\(lab.configuration.regionFolder)/\(group)/guest.rings", F_OK) == 0
            )
        }
        func remains() throws -> [String] {
            // A process that another test is just starting has files open for a moment.
            for _ in 0..<1000 {
                lab.letGo()
                if try !lab.traces().contains(where: { $0.contains("guest") }) { break }
                usleep(1_000)
            }
            return try lab.traces()
        }
        try cycle(0)
        let (traces, memory) = (try remains(), lab.system.datapath.memory.used)
        try #require(!traces.contains { $0.contains("guest") }, "\(traces)")
        for number in 1...200 {
            try cycle(number)
            // The file system that stays may have grown.
            let present = try remains()
            try #require(present.count == traces.count && !present.contains { $0.contains("guest") }, "\(present)")
            try #require(lab.system.datapath.memory.used == memory)
        }
        #expect(lab.system.missingPackets == 0)
        #expect(try lab.port("stays").attachments == 1)
    }
}
