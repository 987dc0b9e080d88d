// A region of shared memory as a function finds it: a file, if it is a process on the host, or the memory of a PCI device, if it
// is in a virtual machine.

import CVMRing
import Glibc

/// Why a function cannot attach.
public struct AttachError: Error, CustomStringConvertible {
    public let description: String
}

struct SharedRegion: ~Copyable {
    let memory: UnsafeMutableRawPointer
    /// Whether the agent runs on the same machine: then it sees locks, and may wake who sleeps.
    let isOnHost: Bool
    /// Of a file that can be locked for as long as this side lives.
    private let descriptor: Int32
    private static var size: Int { Int(VMRING_FILE_SIZE) }

    /// - Parameter place: The path of a file that the agent has made, or the folder of a PCI device in /sys/bus/pci/devices.
    init(at place: String) throws(AttachError) {
        if access("\(place)/resource", F_OK) == 0 {
            try self.init(device: PCIDevice(folder: place))
        } else {
            try self.init(file: place)
        }
    }

    private init(file path: String) throws(AttachError) {
        let descriptor = open(path, O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else {
            let hint = errno == ENOENT ? ": the agent has not made it" : ""
            throw AttachError(description: "\(path): \(String(cString: strerror(errno)))\(hint)")
        }
        guard let memory = Self.map(descriptor, at: 0) else {
            let text = String(cString: strerror(errno))
            close(descriptor)
            throw AttachError(description: "\(path): \(text)")
        }
        (self.memory, self.descriptor, isOnHost) = (memory, descriptor, true)
    }

    /// By way of /dev/mem, because a mapping of the device's `resource2` is uncached, which is a hundred times slower. Opened without
    /// O_SYNC, /dev/mem maps as the processor's memory type range registers say, and that is write-back for addresses above
    /// 4 GiB.
    private init(device: PCIDevice) throws(AttachError) {
        let range = try device.enabledMemory()
        guard range.count >= Self.size else {
            throw AttachError(
                description: "\(device.folder): its memory has \(range.count) bytes, \(Self.size) are wanted"
            )
        }
        let lock = open("\(device.folder)/config", O_RDWR | O_CLOEXEC)
        let descriptor = open("/dev/mem", O_RDWR | O_CLOEXEC)
        let memory = descriptor >= 0 ? Self.map(descriptor, at: range.lowerBound) : nil
        let text = String(cString: strerror(errno))
        // The mapping stays.
        if descriptor >= 0 { close(descriptor) }
        guard let memory else {
            if lock >= 0 { close(lock) }
            throw AttachError(description: "/dev/mem: \(text)")
        }
        (self.memory, self.descriptor, isOnHost) = (memory, lock, false)
    }

    /// All of it, of which only the beginning has memory: how much that is, the agent may change.
    private static func map(_ descriptor: Int32, at offset: Int) -> UnsafeMutableRawPointer? {
        let mapped = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, descriptor, offset)
        return mapped == MAP_FAILED ? nil : mapped
    }

    deinit {
        munmap(memory, Self.size)
        // With it goes the lock.
        close(descriptor)
    }

    /// Takes the lock by which others see that this process lives; false if another process has it.
    func lock() -> Bool { vmring_lock(descriptor) }

    /// Nanoseconds that it takes to read a line which the processor has in its cache, if it keeps any of this memory there: the least
    /// of some tries.
    var nanosecondsToRead: Int {
        let (tries, reads) = (20, 100)
        let word = memory.assumingMemoryBound(to: UInt64.self)
        var least = Int.max
        for _ in 0..<tries {
            let start = Self.nanoseconds
            for _ in 0..<reads { _ = vmring_load(word) }
            least = min(least, (Self.nanoseconds - start) / reads)
        }
        return least
    }

    private static var nanoseconds: Int {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return time.tv_sec * 1_000_000_000 + time.tv_nsec
    }
}
