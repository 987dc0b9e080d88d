// A virtual machine under a stock QEMU, with Debian's kernel: started by `ringway vm run`, spoken to by its console.

import Foundation
import Testing

final class Guest {
    let command: Command
    /// What is written there is typed on the console.
    private let keyboard: FileHandle
    private let keyboardPath: String
    private var typed = 1000

    /// Why there are no guests on this machine; nil: there are.
    static let missing: String? = {
        let tools = ["qemu-system-x86_64", "busybox", "cpio", "gcc"].filter { !Requirements.isInstalled($0) }
        if !tools.isEmpty { return "not installed: \(tools.joined(separator: ", "))" }
        if access(Requirements.guestKernel, R_OK) != 0 { return "there is no \(Requirements.guestKernel): make setup" }
        return nil
    }()
    static let reason = missing ?? "everything is there"

    /// Starts a machine in the place of a VM of the switch, and waits until it is up. It runs a function at once, if one is named.
    convenience init(_ vm: String, of live: LiveSwitch, function: String = "") async throws {
        try await self.init(
            [
                Requirements.ringway, "vm", "run", "--config", live.configurationPath, "--vm", vm,
                "--kernel", Requirements.guestKernel, "--initrd", try await Self.initrd.value,
                "--accel", try await Self.accelerator.value, "--append", "\(Self.kernelArguments) function=\(function)",
            ],
            in: live.directory.path
        )
    }

    /// Starts a machine without shared regions, whose network card is the vhost-user port with this socket, and gives it the address of a
    /// host.
    convenience init(vhost socket: String, host: Int, of live: LiveSwitch) async throws {
        try await self.init(
            Self.qemu(accelerator: try await Self.accelerator.value, initrd: try await Self.initrd.value) + [
                "-machine", "q35,memory-backend=ram", "-object", "memory-backend-memfd,id=ram,size=256M,share=on",
                "-chardev", "socket,id=socket,path=\(socket),reconnect=1",
                "-netdev", "vhost-user,id=net,chardev=socket",
                // Without MSI-X: with it, QEMU 7.2 crashes where it emulates the processor.
                "-device", "virtio-net-pci,netdev=net,vectors=0,mac=02:00:00:00:00:0\(host)",
            ],
            in: live.directory.path
        )
        for module in try String(contentsOfFile: "\(Self.modules)/order", encoding: .utf8).split(separator: "\n") {
            type("insmod /modules/\(module)")
        }
        type("ip address add 10.88.0.\(host)/24 dev eth0; ip link set eth0 up")
        #expect(try await run("ip address").contains("10.88.0.\(host)/24"))
    }

    private init(_ words: [String], in folder: String) async throws {
        keyboardPath = "\(folder)/keyboard-\(UUID())"
        try #require(mkfifo(keyboardPath, 0o600) == 0)
        keyboard = try #require(FileHandle(forUpdatingAtPath: keyboardPath))
        command = try Command(words, input: keyboardPath)
        let isUp = try await eventually(within: .seconds(60)) { !command.isRunning || isReady }
        try #require(isUp && isReady, "\(command.printed)")
    }

    deinit { command.end() }

    private static let kernelArguments = "console=ttyS0 quiet panic=-1"

    private var isReady: Bool { command.printed.contains("the guest is ready") }

    /// What the console has shown.
    var console: String { command.printed.replacingOccurrences(of: "\r", with: "") }

    func type(_ line: String) { keyboard.write(Data("\(line)\n".utf8)) }

    /// Runs a command in the guest; what it prints.
    func run(_ line: String, within limit: Duration = .seconds(30)) async throws -> String {
        typed += 1
        let (start, end) = ("start \(typed)", "end \(typed)")
        // The console also shows what is typed, where the numbers are not yet computed.
        type("echo start $((\(typed - 1) + 1)); \(line); echo end $((\(typed - 1) + 1))")
        let isDone = try await eventually(within: limit) { !command.isRunning || console.contains("\n\(end)\n") }
        try #require(isDone && command.isRunning, "\(line):\n\(console)")
        let text = console
        let first = try #require(text.range(of: "\n\(start)\n")), last = try #require(text.range(of: "\n\(end)\n"))
        return first.upperBound <= last.lowerBound ? String(text[first.upperBound..<last.lowerBound]) : ""
    }

    /// The packets that `trace-function` tells of in a text: their bytes, buffers and queues.
    static func traced(_ text: String, _ kind: Substring = "packet") -> [(bytes: Int, buffer: Int, queue: Int)] {
        text.split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ")
            guard words.starts(with: [kind, "of"]), words.count == 13, let bytes = Int(words[2]),
                let buffer = Int(words[9]), let queue = Int(words[12])
            else { return nil }
            return (bytes, buffer, queue)
        }
    }

    // MARK: What it is made of

    private static let modules =
        URL(fileURLWithPath: Requirements.guestKernel).deletingLastPathComponent().path + "/modules"

    /// How guests run here: by KVM where that works, which takes a guest to find out.
    private static let accelerator = Task { () async throws -> String in
        guard access("/dev/kvm", R_OK | W_OK) == 0 else { return "tcg" }
        let trial = try Command(qemu(accelerator: "kvm", initrd: try await initrd.value))
        defer { trial.end() }
        _ = try await eventually(within: .seconds(10)) {
            !trial.isRunning || trial.printed.contains("the guest is ready")
        }
        return trial.printed.contains("the guest is ready") ? "kvm" : "tcg"
    }

    private static func qemu(accelerator: String, initrd: String) -> [String] {
        [
            "qemu-system-x86_64", "-accel", accelerator, "-cpu", accelerator == "kvm" ? "host" : "max", "-m", "256",
            "-nodefaults", "-display", "none", "-serial", "stdio", "-kernel", Requirements.guestKernel,
            "-initrd", initrd, "-append", kernelArguments,
        ]
    }

    /// Busybox, `Fixtures/guest`, and functions, as the machine's file system. Made once.
    private static let initrd = Task { () async throws -> String in
        let folder = "/tmp/\(Namespaces.prefix)\(getpid())-guest"
        let root = "\(folder)/root"
        for name in ["bin", "proc", "sys", "dev"] {
            try FileManager.default.createDirectory(atPath: "\(root)/\(name)", withIntermediateDirectories: true)
        }
        let built = URL(fileURLWithPath: Requirements.ringway).deletingLastPathComponent().path
        let busybox = try #require(Command.path(of: "busybox"))
        for (from, to) in [
            (busybox, "bin/busybox"), ("\(Requirements.guestFiles)/init", "init"),
            ("\(built)/simple-forward", "bin/simple-forward"), ("\(built)/trace-function", "bin/trace-function"),
            (modules, "modules"),
        ] {
            try FileManager.default.copyItem(atPath: from, toPath: "\(root)/\(to)")
        }
        let compiler = ["gcc", "-O1", "-static", "-I", Requirements.vmringFolder, "-o"]
        for words in [
            compiler + ["\(root)/bin/probe", "\(Requirements.guestFiles)/probe.c"],
            compiler + ["\(root)/bin/mirror", Requirements.mirror],
            ["sh", "-c", "cd \(root) && find . | cpio --quiet -o -H newc > ../initrd"],
        ] {
            let outcome = try await Command.run(words)
            try #require(outcome.status == 0, "\(words): \(outcome)")
        }
        return "\(folder)/initrd"
    }
}
