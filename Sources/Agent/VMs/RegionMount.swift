// A file system of a trust group's own, in memory, with a limit of its size: a VM that touches what no region needs gets no page of
// the host's, and only that VM's QEMU fails. It stays mounted for as long as somebody uses a file of it, whatever becomes of
// the agent: the next one finds the files again. One that an operator has mounted there is used as it is; it is needed where the
// agent has a mount namespace of its own (`ip netns exec` makes one), whose mounts functions elsewhere would not see.

import DataPlane
import Foundation
import Glibc

struct RegionMount {
    /// Where the files are.
    let path: String
    let isHuge: Bool
    /// Whether an agent has mounted it, rather than an operator.
    private let isOwn: Bool
    /// What stands as the device of those.
    private static let source = "ringway"
    /// Bytes; each file takes whole pages.
    let pageSize: Int

    struct MountError: Error, CustomStringConvertible {
        let description: String
    }

    /// Bytes of a page of the kind that a mount has.
    static func pageSize(isHuge: Bool) -> Int {
        isHuge ? EAL.hugePageSize ?? 2 << 20 : Int(sysconf(Int32(_SC_PAGESIZE)))
    }

    /// Mounts a file system at `path`, or takes the one that is there.
    ///
    /// - Parameters:
    ///   - bytes: What the files take, in whole pages.
    ///   - isHuge: Whether huge pages are wanted. A file system that is in use stays of the kind that it is.
    init(path: String, isHuge: Bool, bytes: Int) throws(MountError) {
        self.path = path
        do { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) } catch {
            throw MountError(description: "\(path): \(reason(of: error))")
        }
        let type = isHuge ? "hugetlbfs" : "tmpfs"
        // An earlier agent's that nobody uses is made anew.
        if let present = Self.mounted(at: path), present.source != Self.source || umount(path) != 0 {
            isOwn = present.source == Self.source
            self.isHuge = present.type == "hugetlbfs"
            pageSize = Self.pageSize(isHuge: self.isHuge)
            // It may have been made for less. Where it cannot grow there will be no pages for the files, and that is said then.
            if isOwn { _ = mount(Self.source, path, present.type, Self.remountFlags, "size=\(bytes)") }
            return
        }
        isOwn = true
        self.isHuge = isHuge
        pageSize = Self.pageSize(isHuge: isHuge)
        let options = "size=\(bytes),mode=0700" + (isHuge ? ",pagesize=\(pageSize)" : "")
        guard mount(Self.source, path, type, Self.flags, options) == 0 else {
            throw MountError(
                description:
                    "\(path): a file system for VMs (\(type)) cannot be mounted: \(String(cString: strerror(errno)))"
            )
        }
    }

    /// Lets its files take so many bytes; false if it cannot: what an operator has mounted stays as large as it is, and so does a
    /// hugetlbfs.
    func grow(to bytes: Int) -> Bool {
        if isOwn, !isHuge, size < bytes { _ = mount(Self.source, path, "tmpfs", Self.remountFlags, "size=\(bytes)") }
        return size >= bytes
    }

    /// Bytes that its files may take.
    var size: Int {
        var status = statvfs()
        guard statvfs(path, &status) == 0 else { return 0 }
        // 0 blocks: there is no limit.
        return status.f_blocks == 0 ? .max : Int(clamping: status.f_blocks) * Int(status.f_frsize)
    }

    private static let flags = UInt(MS_NOSUID | MS_NODEV | MS_NOEXEC)
    private static let remountFlags = UInt(MS_REMOUNT) | flags

    /// Removes the rings of VMs that there are no more: their pages are needed. What a function has open stays: its VM may come again.
    func removeRings(exceptOf vms: Set<String>) {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
        for file in files where file.hasSuffix(".rings") && !vms.contains(String(file.dropLast(6))) {
            RegionFile.removeUnused("\(path)/\(file)")
        }
    }

    /// Unmounts what an agent has mounted; false, and it stays, if somebody still uses it.
    @discardableResult
    func close() -> Bool {
        guard isOwn else { return true }
        guard umount(path) == 0 else { return false }
        rmdir(path)
        // The folder of all groups, if this was the last.
        rmdir((path as NSString).deletingLastPathComponent)
        return true
    }

    /// The file system whose root is at this path; nil: none is mounted there.
    private static func mounted(at path: String) -> (source: String, type: String)? {
        let mounts = (try? String(contentsOfFile: "/proc/self/mounts", encoding: .utf8)) ?? ""
        // Device, path, type, options; the last one mounted at a path is the one that is seen. Paths have no links in them, and a
        // blank is `\040` there (fstab(5)).
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        let wanted = String(cString: resolved).replacingOccurrences(of: "\\", with: "\\134")
            .replacingOccurrences(of: " ", with: "\\040")
        let fields = mounts.split(separator: "\n").map { $0.split(separator: " ") }
        return fields.last { $0.count > 2 && $0[1] == wanted }.map { (String($0[0]), String($0[2])) }
    }
}
