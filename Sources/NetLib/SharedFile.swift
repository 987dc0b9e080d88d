// A region of shared memory as a process on the host finds it: a file that the agent has made.

import CVMRing
import Glibc

/// Why a function cannot attach.
public struct AttachError: Error, CustomStringConvertible {
    public let description: String
}

struct SharedFile: ~Copyable {
    let memory: UnsafeMutableRawPointer
    private let descriptor: Int32
    private static var size: Int { Int(VMRING_FILE_SIZE) }

    init(path: String) throws(AttachError) {
        descriptor = open(path, O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else {
            let hint = errno == ENOENT ? ": the agent has not made it" : ""
            throw AttachError(description: "\(path): \(String(cString: strerror(errno)))\(hint)")
        }
        // The whole file, of which only the beginning has memory: how much that is, the agent may change.
        let mapped = mmap(nil, Self.size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, descriptor, 0)
        guard let mapped, mapped != MAP_FAILED else {
            let text = String(cString: strerror(errno))
            close(descriptor)
            throw AttachError(description: "\(path): \(text)")
        }
        memory = mapped
    }

    deinit {
        munmap(memory, Self.size)
        // With it goes the lock.
        close(descriptor)
    }

    /// Takes the lock by which the agent sees that this process lives; false if another process has it.
    func lock() -> Bool { vmring_lock(descriptor) }
}
