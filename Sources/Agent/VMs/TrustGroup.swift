// A trust group: VMs, and ports that receive straight into the packets that these VMs see. One region of packets for all of
// them, one of rings for each VM, in a file system of the group's own. The packet buffers are as many as there were made at
// first, with some to spare for VMs and ports that come later.

import CDPDK
import DataPlane
import Glibc

package final class TrustGroup {
    package let name: String
    package let region: PacketRegion
    private let mount: RegionMount
    private let packets: RegionFile
    private let workers: Int
    /// Bytes of DPDK's memory that its packet buffers take.
    let bytesBesides: Int
    /// Of what there is no more, and somebody may still have open.
    private var leftFiles: [RegionFile] = []

    /// Rings of the usual size that the file system has room for besides those that it is made with. A hugetlbfs cannot grow.
    private static let spareRings = 8

    struct GroupError: Error, CustomStringConvertible {
        let description: String
    }

    /// Makes the packet region, in `<folder>/<name>/packets`.
    ///
    /// - Parameter isHuge: Whether there are huge pages to be had.
    init(name: String, of configuration: Configuration, isHuge: Bool) throws(GroupError) {
        self.name = name
        workers = configuration.workers.cores.count
        bytesBesides = configuration.buffers(ofGroup: name) * PacketRegion.bytesBesides
        func packetBytes(_ pageSize: Int) -> Int {
            (configuration.buffers(ofGroup: name) * PacketRegion.bufferSize).roundedUp(to: pageSize)
        }
        func bytes(_ isHuge: Bool) -> Int {
            let pageSize = RegionMount.pageSize(isHuge: isHuge)
            return packetBytes(pageSize) + configuration.ringBytes(ofGroup: name, pageSize: pageSize)
        }
        let fits = isHuge && EAL.availableHugePageMegabytes() << 20 >= bytes(true)
        let spare = RingRegion.bytes(
            workers: workers,
            queues: 1,
            sizes: RingSizes(packets: Configuration.VM.usualRing),
            pageSize: RegionMount.pageSize(isHuge: fits)
        )
        var (openMount, openFile): (RegionMount?, RegionFile?)
        do {
            mount = try RegionMount(
                path: "\(configuration.regionFolder)/\(name)",
                isHuge: fits,
                bytes: bytes(fits) + Self.spareRings * spare
            )
            openMount = mount
            packets = try RegionFile(
                path: "\(mount.path)/packets",
                bytes: packetBytes(mount.pageSize),
                isExclusive: true
            )
            openFile = packets
            mount.removeRings(exceptOf: Set(configuration.vms.filter { $0.group == name }.map(\.name)))
            region = try PacketRegion(
                memory: packets.memory,
                bytes: packets.bytes,
                pageSize: mount.pageSize,
                name: "packets-\(name)"
            )
        } catch {
            if let openFile, !openFile.remove() { openFile.close() }
            openMount?.close()
            throw GroupError(description: "group \(name): \(error)")
        }
    }

    var isHuge: Bool { mount.isHuge }

    /// What a configuration wants of the group and it has no room for; nil: nothing.
    func refusal(of configuration: Configuration) -> String? {
        let needed = max(
            configuration.buffersNeeded(ofGroup: name),
            configuration.groups.first { $0.name == name }?.buffers ?? 0
        )
        guard needed <= region.count else {
            return "group \(name): \(needed) packet buffers are needed, it has \(region.count)"
                + " (groups[].buffers makes it larger from the start)"
        }
        let bytes = packets.bytes + configuration.ringBytes(ofGroup: name, pageSize: mount.pageSize)
        guard mount.grow(to: bytes) else {
            return "group \(name): \(sizeText(bytes)) are needed in \(mount.path), which has \(sizeText(mount.size))"
        }
        return nil
    }

    // MARK: Rings

    /// Makes the rings of one VM, in `<folder>/<group>/<vm>.rings`.
    func makeRings(of vm: Configuration.VM) throws(GroupError) -> RingRegion {
        let path = "\(mount.path)/\(vm.name).rings"
        leave(path)
        let bytes = vm.ringBytes(workers: workers, pageSize: mount.pageSize)
        let file: RegionFile
        do { file = try RegionFile(path: path, bytes: bytes) } catch {
            throw GroupError(description: "vm \(vm.name): \(error)")
        }
        return RingRegion(file: file, of: vm, workers: workers, packets: packets, buffers: region.count)
    }

    /// Takes the rings of a VM that there is no more. As long as a function has their file open it stays: a VM of that name that
    /// comes (again) uses it, and the function attaches to that.
    func giveUp(_ rings: RegionFile) {
        leftFiles.append(rings)
        removeLeftFiles()
    }

    /// Removes the files that there is no use for, as far as nobody has them open any more; false if some are left.
    @discardableResult
    func removeLeftFiles() -> Bool {
        leftFiles.removeAll { $0.remove() }
        return leftFiles.isEmpty
    }

    /// Closes a file that is wanted again.
    private func leave(_ path: String) {
        leftFiles.removeAll { file in
            guard file.path == path else { return false }
            file.close()
            return true
        }
    }

    // MARK: The end

    /// Gives up the packets: no worker and no device uses them any more, but functions may.
    func giveUpPackets() {
        region.close()
        giveUp(packets)
    }

    /// After that: removes what is left, as far as nobody uses it any more; false if somebody does.
    func remove() -> Bool { removeLeftFiles() && mount.close() }

    /// The same, but closes what cannot be removed: it stays.
    func close() {
        for file in leftFiles { file.close() }
        leftFiles = []
        mount.close()
    }

    /// When the agent ends: the next one finds the files of what is still there.
    func closeForNextAgent() {
        region.close()
        packets.close()
        close()
    }
}

extension Configuration {
    /// Bytes that the rings of a trust group's VMs take.
    fileprivate func ringBytes(ofGroup name: String, pageSize: Int) -> Int {
        vms.filter { $0.group == name }.reduce(0) {
            $0 + $1.ringBytes(workers: workers.cores.count, pageSize: pageSize)
        }
    }
}

extension Configuration.VM {
    /// Bytes that its region of rings takes.
    fileprivate func ringBytes(workers: Int, pageSize: Int) -> Int {
        RingRegion.bytes(workers: workers, queues: queues, sizes: ringSizes, pageSize: pageSize)
    }
}
