// The devices by which a virtual machine sees its regions: QEMU's `ivshmem-plain`, whose second base address register (BAR2) is
// the shared memory.

import Glibc

struct PCIDevice {
    /// In /sys/bus/pci/devices.
    let folder: String

    private static let all = "/sys/bus/pci/devices"
    /// QEMU, docs/specs/ivshmem-spec.txt.
    private static let (vendor, device) = (0x1af4, 0x1110)

    /// All devices with shared memory, by their addresses.
    static var present: [PCIDevice] {
        guard let directory = opendir(all) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            names.append(
                withUnsafePointer(to: &entry.pointee.d_name) {
                    String(cString: UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self))
                }
            )
        }
        return names.filter { !$0.hasPrefix(".") }.sorted().map { PCIDevice(folder: "\(all)/\($0)") }.filter {
            $0.number("vendor") == vendor && $0.number("device") == device
        }
    }

    /// The physical addresses of the shared memory, which answer from now on.
    func enabledMemory() throws(AttachError) -> Range<Int> {
        // A device that no driver has may be switched off. One that is on is not to be switched off by the end of another process, so
        // it stays as it is.
        if number("enable") == 0 { write("1", to: "enable") }
        // One line for each register: first address, last address, flags.
        let lines = text("resource").split(separator: "\n")
        let words = lines.count > 2 ? lines[2].split(separator: " ").map(Self.number) : []
        guard words.count > 1, let first = words[0], let last = words[1], first > 0, last > first else {
            throw AttachError(description: "\(folder): it has no shared memory")
        }
        return first..<last + 1
    }

    private func number(_ attribute: String) -> Int? { Self.number(text(attribute).prefix { $0 != "\n" }) }

    private static func number(_ text: Substring) -> Int? {
        text.hasPrefix("0x") ? Int(text.dropFirst(2), radix: 16) : Int(text)
    }

    /// What an attribute says; empty if there is none.
    private func text(_ attribute: String) -> String {
        let file = open("\(folder)/\(attribute)", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return "" }
        defer { close(file) }
        return String(unsafeUninitializedCapacity: 4096) { max(0, read(file, $0.baseAddress, $0.count)) }
    }

    private func write(_ text: String, to attribute: String) {
        let file = open("\(folder)/\(attribute)", O_WRONLY | O_CLOEXEC)
        guard file >= 0 else { return }
        _ = text.withCString { Glibc.write(file, $0, strlen($0)) }
        close(file)
    }
}
