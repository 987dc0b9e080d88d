// What the live tests need of the machine, and which of it is missing here: a test that cannot run says why.

import Foundation

enum Requirements {
    /// What every live test needs.
    static let missing: String? = {
        if geteuid() != 0 { return "root is needed, for network namespaces" }
        let tools = ["ip", "ethtool", "ping", "ovs-ofctl", "curl"].filter { Command.path(of: $0) == nil }
        if !tools.isEmpty { return "not installed: \(tools.joined(separator: ", "))" }
        if Command.path(of: ringway) == nil { return "there is no \(ringway): build it, or set RINGWAY_BINARY" }
        return nil
    }()

    /// For `.enabled`: why the tests are skipped.
    static let reason = missing ?? "everything is there"

    static func isInstalled(_ tool: String) -> Bool { Command.path(of: tool) != nil }

    static var hasTwoCores: Bool { ProcessInfo.processInfo.activeProcessorCount >= 2 }

    /// The executable to test: RINGWAY_BINARY, or the one that was built together with this test bundle.
    static let ringway: String = {
        if let path = ProcessInfo.processInfo.environment["RINGWAY_BINARY"] { return path }
        let besides = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().appendingPathComponent(
            "ringway"
        )
        return FileManager.default.isExecutableFile(atPath: besides.path)
            ? besides.path : root.appendingPathComponent(".build/release/ringway").path
    }()

    /// Faucet's executable: RINGWAY_FAUCET, or where `make setup` installs it.
    static let faucet: String =
        ProcessInfo.processInfo.environment["RINGWAY_FAUCET"]
        ?? root.appendingPathComponent(".build/venv/bin/faucet").path

    /// Where Faucet's environment has its programs.
    static let osKenFolder = URL(fileURLWithPath: faucet).deletingLastPathComponent().path

    /// An application for `osken-manager`.
    static let obedientController = root.appendingPathComponent("Fixtures/controllers/obedient.py").path

    /// Sends and receives numbered packets of many flows.
    static let flows = root.appendingPathComponent("Fixtures/hosts/flows.py").path

    /// What `make run` runs.
    static let demonstration = root.appendingPathComponent("Scripts/demo").path

    /// The Linux that guests run, which `make setup` gets.
    static let guestKernel = root.appendingPathComponent(".build/guest/vmlinuz").path
    /// The first process of guests, and what they do to their memory.
    static let guestFiles = root.appendingPathComponent("Fixtures/guest").path
    /// The headers of network functions in C, and one such function.
    static let vmringFolder = root.appendingPathComponent("Sources/CVMRing/include").path

    /// A function in C that makes packets and sends messages.
    static let mirror = root.appendingPathComponent("Fixtures/functions/mirror.c").path
    static let threads = root.appendingPathComponent("Fixtures/functions/threads.c").path
    static let lengthLimit = root.appendingPathComponent("Examples/LengthLimit/length-limit.c").path

    /// Makes certificates.
    static let makePKI = root.appendingPathComponent("Fixtures/pki/make-pki").path

    /// The repository.
    private static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
}
