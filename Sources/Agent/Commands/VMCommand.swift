// `ringway vm run`: a virtual machine under QEMU, with the two devices by which network functions in it see their memory.

import ArgumentParser
import CVMRing
import Foundation

struct VMCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "vm",
        abstract: "Virtual machines with network functions.",
        subcommands: [VMRunCommand.self]
    )
}

struct VMRunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run a virtual machine under QEMU, with its console here, until it ends.",
        discussion: """
            The machine has two devices with shared memory (ivshmem-plain), of which functions built on NetLib find the first to have the \
            packets and the second to have the rings. QEMU runs in the place of this process. For a machine that something else \
            starts, --print shows what is to be said to QEMU.
            """
    )

    enum Accelerator: String, ExpressibleByArgument, CaseIterable { case kvm, tcg }

    @OptionGroup
    var place: VMOptions

    @Option(help: "The machine's Linux kernel.", completion: .file())
    var kernel: String

    @Option(help: "Its initial file system.", completion: .file())
    var initrd: String

    @Option(help: "The kernel's command line.")
    var append = "console=ttyS0"

    @Option(help: "The machine's own memory, in MiB.")
    var memory = 256

    @Option(help: "How its processor runs. (default: kvm if /dev/kvm may be used, tcg otherwise)")
    var accel: Accelerator?

    @Option(help: "The QEMU to run.")
    var qemu = "qemu-system-x86_64"

    @Flag(help: "Only show the line, as it could be typed.")
    var print = false

    @Argument(parsing: .postTerminator, help: "More arguments for QEMU, behind --.")
    var arguments: [String] = []

    func run() throws {
        let words = try self.words(folder: place.folder())
        guard !print else { return Swift.print(words.map(Self.quoted).joined(separator: " ")) }
        try place.become(words)
    }

    private func words(folder: String) throws -> [String] {
        let accelerator = accel ?? (access("/dev/kvm", R_OK | W_OK) == 0 ? .kvm : .tcg)
        let machine = [
            qemu, "-name", place.vm, "-machine", "q35,accel=\(accelerator.rawValue)",
            "-cpu", accelerator == .kvm ? "host" : "max", "-m", "\(memory)",
            "-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio",
            // Who breaks out of the machine can start nothing.
            "-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
            "-kernel", kernel, "-initrd", initrd, "-append", append,
        ]
        let regions = [("packets", "packets", "0x10"), ("rings", "\(place.vm).rings", "0x11")]
        return try machine + regions.flatMap { try device($0, file: "\(folder)/\($1)", address: $2) } + arguments
    }

    /// A region as a device. QEMU takes the whole file, though most of it has no memory.
    private func device(_ name: String, file: String, address: String) throws -> [String] {
        var status = stat()
        guard stat(file, &status) == 0 else {
            let hint = errno == ENOENT ? ": the agent has not made it" : ""
            throw VMOptions.refusal("\(file): \(String(cString: strerror(errno)))\(hint)")
        }
        // A comma is doubled in QEMU's options.
        let path = file.replacingOccurrences(of: ",", with: ",,")
        return [
            "-object",
            "memory-backend-file,id=\(name),size=\(VMRING_FILE_SIZE),share=on,reserve=off,mem-path=\(path)",
            "-device", "ivshmem-plain,id=\(name)-device,memdev=\(name),addr=\(address)",
        ]
    }

    /// As a shell reads it.
    private static func quoted(_ word: String) -> String {
        let plain = word.utf8.allSatisfy { isLetterOrDigit($0) || "-_./=:,@%+".utf8.contains($0) }
        return plain && !word.isEmpty ? word : "'\(word.replacingOccurrences(of: "'", with: "'\\''"))'"
    }
}
