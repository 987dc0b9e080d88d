// swift-tools-version: 6.2
import Foundation
import PackageDescription

// SwiftPM's own `pkgConfig:` cannot read Debian's libdpdk.pc (it stops at the wrapped Description line), so the
// manifest asks pkg-config itself. DPDK's inline functions are inlined into Swift only if `-march` is a real flag:
// x86-64-v3 is chosen deliberately and checked at start (`EAL.swift`).
func pkgConfig(_ arguments: String...) -> [String] {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["pkg-config"] + arguments
    let output = Pipe()
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    guard (try? process.run()) != nil else { return [] }
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    return text.split(whereSeparator: \.isWhitespace).map(String.init)
}

let dpdkFlags =
    pkgConfig("--cflags", "libdpdk").filter { !$0.hasPrefix("-march") } + [
        "-march=x86-64-v3", "-DALLOW_EXPERIMENTAL_API",
    ]
let swift6: [SwiftSetting] = [.swiftLanguageMode(.v6)]
// `internal import CDPDK` does not hide the flags: each target that imports DataPlane needs them.
let dpdk: [SwiftSetting] = swift6 + [.unsafeFlags(dpdkFlags.flatMap { ["-Xcc", $0] })]
let nio: (String) -> Target.Dependency = { .product(name: $0, package: "swift-nio") }

// `make fuzz` builds a program of its own, with the functions that the tests have for it.
let isFuzzing = Context.environment["RINGWAY_FUZZ"] != nil
let fuzzSources =
    [
        "FuzzDriver", "AgentTests/Fuzzing", "AgentTests/SwitchModel/SwitchModel+Nameless.swift",
        "AgentTests/VMs/FunctionLab.swift",
    ]
    + ["InProcessSwitch", "RandomGroups", "RandomInstructions", "RandomPacket", "RandomRules", "SeededGenerator"]
    .map { "AgentTests/Compiler/\($0).swift" }
/// What lies in Tests but is no part of that program.
func otherTests() -> [String] {
    let paths = try? FileManager.default.subpathsOfDirectory(atPath: "\(Context.packageDirectory)/Tests")
    return (paths ?? []).filter { path in !fuzzSources.contains { path.hasPrefix($0) || $0.hasPrefix(path) } }
}
/// The example network functions, by the names of their programs.
let functionNames = [
    "firewall": "Firewall", "flow-monitor": "FlowMonitor", "load-generator": "LoadGenerator",
    "payload-scan": "PayloadScan", "rate-limiter": "RateLimiter",
    "simple-forward": "SimpleForward",
]
func networkFunction(_ name: String, in folder: String) -> Target {
    .executableTarget(
        name: name,
        dependencies: ["NetLib"],
        path: "\(folder)/\(name)",
        swiftSettings: swift6,
        // With all libraries in it, the C library too: in a virtual machine there is nothing beside it.
        linkerSettings: [.unsafeFlags(["-static-executable", "-use-ld=lld"])]
    )
}

let programs: [Target] =
    if isFuzzing {
        [
            .executableTarget(
                name: "Fuzz",
                dependencies: ["Agent", "CDPDK", "CVMRing", "OpenFlow", "DataPlane", nio("NIOCore")],
                path: "Tests",
                exclude: otherTests(),
                sources: fuzzSources,
                swiftSettings: dpdk
            )
        ]
    } else {
        [
            // With Swift's own libraries in it: calls of them are direct, which is a fifth of the agent's time, and no Swift
            // is wanted where it runs. lld, because gold warns of a function in Foundation that nothing calls.
            .executableTarget(
                name: "Ringway",
                dependencies: ["Agent", "CDPDK"],
                swiftSettings: dpdk + [.unsafeFlags(["-static-stdlib"])],
                linkerSettings: [.unsafeFlags(["-static-stdlib", "-use-ld=lld"])]
            ),
            .testTarget(
                name: "OpenFlowTests",
                dependencies: ["OpenFlow", nio("NIOCore"), nio("NIOEmbedded")],
                swiftSettings: swift6
            ),
            .testTarget(
                name: "TLSTests",
                dependencies: ["TLS", nio("NIOCore"), nio("NIOEmbedded")],
                swiftSettings: swift6
            ),
            .testTarget(name: "DataPlaneTests", dependencies: ["DataPlane"], swiftSettings: dpdk),
            .testTarget(
                name: "AgentTests",
                dependencies: [
                    "Agent", "CDPDK", "CVMRing", "NetLib", "OpenFlow", "DataPlane", "TLS", nio("NIOCore"),
                    nio("NIOPosix"), "Yams", .product(name: "Logging", package: "swift-log"),
                ],
                swiftSettings: dpdk
            ),
            .testTarget(name: "LiveTests", dependencies: ["OpenFlow", nio("NIOCore")], swiftSettings: swift6),
            .testTarget(name: "StageCountTests", swiftSettings: swift6),
            // Valgrind's header, for the program below.
            .systemLibrary(name: "CValgrind", path: "Tests/CValgrind", providers: [.apt(["valgrind"])]),
            networkFunction("TraceFunction", in: "Tests"),
            .executableTarget(
                name: "StageCounts",
                dependencies: ["Agent", "CDPDK", "CValgrind", "DataPlane", "OpenFlow"],
                path: "Tests/StageCounts",
                swiftSettings: dpdk,
                // Valgrind reads a program's symbols, but gives up at Swift's debug information.
                linkerSettings: [.unsafeFlags(["-Xlinker", "--strip-debug"])]
            ),
        ]
    }

let functions: [Target] = isFuzzing ? [] : functionNames.values.map { networkFunction($0, in: "Examples") }

let package = Package(
    name: "ringway",
    products: isFuzzing
        ? [.executable(name: "ringway-fuzz", targets: ["Fuzz"])]
        : [
            .executable(name: "ringway", targets: ["Ringway"]),
            .executable(name: "ringway-stages", targets: ["StageCounts"]),
            .executable(name: "trace-function", targets: ["TraceFunction"]),
        ] + functionNames.map { .executable(name: $0, targets: [$1]) },
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
    ],
    targets: [
        .target(
            name: "CDPDK",
            cSettings: [.unsafeFlags(dpdkFlags)],
            linkerSettings: [
                "rte_eal", "rte_ethdev", "rte_mbuf", "rte_mempool", "rte_ring", "rte_bus_vdev",
                "rte_bus_pci",
            ].map { .linkedLibrary($0) }
        ),
        // The contract with network functions, and what they do by it: headers alone.
        .systemLibrary(name: "CVMRing"),
        // The system's OpenSSL 3, with the distribution's security updates.
        .systemLibrary(name: "COpenSSL", providers: [.apt(["libssl-dev"])]),
        .target(
            name: "TLS",
            dependencies: ["COpenSSL", nio("NIOCore")],
            swiftSettings: swift6 + [.strictMemorySafety()]
        ),
        .target(name: "OpenFlow", dependencies: [nio("NIOCore")], swiftSettings: swift6 + [.strictMemorySafety()]),
        // What network functions are made with.
        .target(name: "NetLib", dependencies: ["CVMRing"], swiftSettings: swift6),
        .target(name: "DataPlane", dependencies: ["CDPDK", "CVMRing"], swiftSettings: dpdk),
        .target(
            name: "Agent",
            dependencies: [
                "CDPDK", "CVMRing", "OpenFlow", "DataPlane", "TLS", nio("NIOCore"), nio("NIOPosix"), nio("NIOHTTP1"),
                nio("NIOFoundationCompat"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"), "Yams",
            ],
            swiftSettings: dpdk
        ),
    ] + programs + functions
)
