// A trust group: VMs, and ports that receive straight into the packets that these VMs see. One region of packets for all of
// them, one of rings for each VM, in a file system of the group's own.

import CDPDK
import DataPlane
import Glibc

package final class TrustGroup {
    package let name: String
    package let region: PacketRegion
    private let mount: RegionMount
    private let packets: RegionFile
    private var rings: [RingRegion] = []

    struct GroupError: Error, CustomStringConvertible {
        let description: String
    }

    /// Makes the packet region, in `<folder>/<name>/packets`.
    ///
    /// - Parameters:
    ///   - buffers: How many are needed at least.
    ///   - rings: The sizes of the rings of the group's VMs, by name.
    ///   - isHuge: Whether there are huge pages to be had.
    init(
        name: String,
        folder: String,
        buffers: Int,
        rings: [String: RingSizes],
        workers: Int,
        isHuge: Bool
    ) throws(GroupError) {
        self.name = name
        func bytes(_ pageSize: Int) -> (packets: Int, all: Int) {
            let packets = (buffers * PacketRegion.bufferSize).roundedUp(to: pageSize)
            let rest = rings.values.reduce(0) {
                $0 + RingRegion.bytes(workers: workers, sizes: $1, pageSize: pageSize)
            }
            return (packets, packets + rest)
        }
        let fits =
            isHuge
            && EAL.availableHugePageMegabytes() << 20 >= bytes(RegionMount.pageSize(isHuge: true)).all
        do {
            let wanted = bytes(RegionMount.pageSize(isHuge: fits))
            mount = try RegionMount(path: "\(folder)/\(name)", isHuge: fits, bytes: wanted.all)
            packets = try RegionFile(
                path: "\(mount.path)/packets",
                bytes: bytes(mount.pageSize).packets,
                isExclusive: true
            )
            mount.removeRings(exceptOf: Set(rings.keys))
            region = try PacketRegion(
                memory: packets.memory,
                bytes: packets.bytes,
                pageSize: mount.pageSize,
                name: "packets-\(name)"
            )
        } catch {
            throw GroupError(description: "group \(name): \(error)")
        }
    }

    var isHuge: Bool { mount.isHuge }

    /// Makes the rings of one VM, in `<folder>/<group>/<vm>.rings`.
    func makeRings(
        vm: String,
        workers: Int,
        sizes: RingSizes,
        port: UInt32,
        heartbeatMilliseconds: UInt32
    ) throws(GroupError) -> RingRegion {
        let bytes = RingRegion.bytes(workers: workers, sizes: sizes, pageSize: mount.pageSize)
        let file: RegionFile
        do { file = try RegionFile(path: "\(mount.path)/\(vm).rings", bytes: bytes) } catch {
            throw GroupError(description: "vm \(vm): \(error)")
        }
        let region = RingRegion(
            file: file,
            workers: workers,
            sizes: sizes,
            port: port,
            packets: packets,
            buffers: region.count,
            heartbeatMilliseconds: heartbeatMilliseconds
        )
        rings.append(region)
        return region
    }

    /// When no worker and no device uses it any more. What VMs still use stays for the next agent.
    func close() {
        region.close()
        for region in rings { region.file.close() }
        packets.close()
        mount.close()
    }
}
