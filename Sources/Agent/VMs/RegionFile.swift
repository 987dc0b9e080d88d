// A region of memory that VMs share with the agent, as a file: sparse, of the size that a guest's firmware wants to see, with the
// pages at its beginning that are used.

import CDPDK
import CVMRing
import Glibc

final class RegionFile {
    let path: String
    let memory: UnsafeMutableRawPointer
    /// Bytes in use, from the beginning.
    let bytes: Int
    private let descriptor: Int32

    struct FileError: Error, CustomStringConvertible {
        let description: String
    }

    /// Opens the file, or makes it, and maps its first `bytes`, which are whole pages and taken at once.
    ///
    /// - Parameter isExclusive: Whether to lock it, so that no other agent uses it; the lock of one that is just ending is waited for.
    init(path: String, bytes: Int, isExclusive: Bool = false) throws(FileError) {
        let isNew = access(path, F_OK) != 0
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Self.error(path, errno) }
        func check(_ result: Int32) throws(FileError) {
            guard result != 0 else { return }
            Glibc.close(descriptor)
            // The pages that it has got are others'.
            if isNew { unlink(path) }
            throw Self.error(path, result)
        }
        if isExclusive {
            var attempts = 0
            while !vmring_lock(descriptor) {
                attempts += 1
                guard attempts < 200 else {
                    Glibc.close(descriptor)
                    throw FileError(description: "\(path): another agent uses it")
                }
                usleep(10_000)
            }
        }
        try check(ftruncate(descriptor, off_t(VMRING_FILE_SIZE)) == 0 ? 0 : errno)
        // What a VM has touched beyond that, in an earlier agent's time.
        try check(cdpdk_release(descriptor, UInt64(bytes), VMRING_FILE_SIZE - UInt64(bytes)) == 0 ? 0 : errno)
        try check(posix_fallocate(descriptor, 0, off_t(bytes)))
        let mapped = mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)
        try check(mapped == MAP_FAILED ? errno : 0)
        (self.path, self.bytes, self.descriptor) = (path, bytes, descriptor)
        memory = mapped.unsafelyUnwrapped
    }

    /// Closes the file; nothing may use the memory any more.
    func close() {
        munmap(memory, bytes)
        Glibc.close(descriptor)
    }

    /// Removes the file, and closes it, if nobody else has it open.
    func remove() -> Bool {
        guard !cdpdk_is_open_elsewhere(descriptor) else { return false }
        unlink(path)
        close()
        return true
    }

    /// Removes a file that nobody has open.
    static func removeUnused(_ path: String) {
        let descriptor = open(path, O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        if !cdpdk_is_open_elsewhere(descriptor) { unlink(path) }
        Glibc.close(descriptor)
    }

    /// Whether a process holds the lock of a file of rings.
    var isLocked: Bool { vmring_is_locked(descriptor) }

    private static func error(_ path: String, _ number: Int32) -> FileError {
        FileError(description: "\(path): \(String(cString: strerror(number)))")
    }
}

extension Int {
    /// This many, rounded up to a multiple.
    func roundedUp(to multiple: Int) -> Int { (self + multiple - 1) / multiple * multiple }
}
