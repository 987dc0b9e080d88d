// DPDK's environment abstraction layer: started once per process, before anything else of DPDK is used.

import CDPDK
import Glibc

package enum EAL {
    package struct StartError: Error, CustomStringConvertible {
        package let description: String
    }

    package enum HugePages: Sendable { case auto, required, none }

    /// What was started: said in one line of the log.
    package struct Environment: Sendable {
        package let hugePages: Bool
        package let megabytes: Int
        /// The socket on which all memory lies, as far as there is room; nil: on any.
        package let socket: Int?
    }

    /// Starts the EAL with a lcore pinned to each of `cores`, in that order: worker i is lcore i. The calling thread becomes the
    /// main lcore; it and the threads it makes later run on the other cores, or on all if there is no other. `megabytes` is DPDK's whole memory: packet buffers and tables.
    ///
    /// - Parameter socket: The socket (NUMA node) of all `cores`. DPDK's memory is taken there if it has huge pages enough, and what the
    ///   calling thread uses later is too.
    package static func start(
        cores: [Int],
        socket: Int? = nil,
        megabytes: Int,
        hugePages: HugePages,
        filePrefix: String,
        pci: Bool
    ) throws(StartError) -> Environment {
        guard cdpdk_processor_suffices() else {
            throw StartError(
                description: "this processor lacks AVX2 or BMI2 (x86-64-v3), which the data plane is compiled for"
            )
        }
        let available = availableHugePageMegabytes()
        if hugePages == .required && available < megabytes {
            throw StartError(
                description:
                    "memory.huge_pages is required, but only \(available) MiB of \(megabytes) MiB are free in huge pages"
            )
        }
        let useHugePages = hugePages != .none && available >= megabytes
        let online = 0..<max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
        let others = online.filter { !cores.contains($0) }
        let control = (others.isEmpty ? Array(online) : others).map(String.init).joined(separator: ",")
        let mainLcore = Int(RTE_MAX_LCORE) - 1
        let lcores = ["\(mainLcore)@(\(control))"] + cores.enumerated().map { "\($0.offset)@\($0.element)" }
        var memory = ["-m", "\(megabytes)"]
        if let socket, useHugePages, availableHugePageMegabytes(onSocket: socket) >= megabytes {
            memory = [
                "--socket-mem",
                (Array(repeating: 0, count: socket) + [megabytes]).map(String.init).joined(separator: ","),
            ]
        }
        var arguments = [
            "ringway", "--lcores", lcores.joined(separator: ","), "--main-lcore", "\(mainLcore)",
            "--file-prefix", filePrefix, "--no-telemetry", "--log-level", "lib.eal:error", "--log-level", "warning",
        ]
        arguments += memory
        arguments += useHugePages ? ["--in-memory"] : ["--no-huge"]
        if !pci { arguments.append("--no-pci") }
        var argv: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) }
        guard rte_eal_init(Int32(argv.count), &argv) >= 0 else {
            throw StartError(
                description:
                    "DPDK does not start: \(String(cString: rte_strerror(cdpdk_errno()))) (\(arguments.joined(separator: " ")))"
            )
        }
        // Not before: the EAL leaves no policy but its own.
        let isNear = socket.map { cdpdk_prefer_socket(UInt32($0)) == 0 } ?? false
        let flag = cdpdk_reserve_queue_flag()
        guard flag == 0 else {
            throw StartError(description: "DPDK has no flag for queues: \(String(cString: rte_strerror(-flag)))")
        }
        return Environment(hugePages: useHugePages, megabytes: megabytes, socket: isNear ? socket : nil)
    }

    /// Free huge pages of the default size, in MiB.
    package static func availableHugePageMegabytes() -> Int {
        let information = memoryInformation()
        return (information["HugePages_Free:"] ?? 0) * (information["Hugepagesize:"] ?? 0) / 1024
    }

    /// The same of one socket.
    private static func availableHugePageMegabytes(onSocket socket: Int) -> Int {
        guard let size = hugePageSize else { return 0 }
        let kind = "hugepages-\(size >> 10)kB"
        let path = "/sys/devices/system/node/node\(socket)/hugepages/\(kind)/free_hugepages"
        guard let file = fopen(path, "r") else { return 0 }
        defer { fclose(file) }
        var text = [CChar](repeating: 0, count: 32)
        guard fgets(&text, Int32(text.count), file) != nil else { return 0 }
        return strtol(text, nil, 10) * size >> 20
    }

    /// Bytes of a huge page of the default size; nil: there are none.
    package static var hugePageSize: Int? { memoryInformation()["Hugepagesize:"].map { $0 << 10 } }

    /// What /proc/meminfo says (proc(5)), in KiB but for numbers of pages.
    private static func memoryInformation() -> [String: Int] {
        guard let file = fopen("/proc/meminfo", "r") else { return [:] }
        defer { fclose(file) }
        var values: [String: Int] = [:]
        var line = [CChar](repeating: 0, count: 256)
        while fgets(&line, Int32(line.count), file) != nil {
            let words = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
                .split(whereSeparator: \.isWhitespace)
            if words.count >= 2, let value = Int(words[1]) { values[String(words[0])] = value }
        }
        return values
    }
}
