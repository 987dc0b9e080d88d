// Network namespaces: one for the switch, one for each host, joined by veth pairs. LiveSwitch runs an agent in them.

import Foundation

/// A switch's namespace `<name>-sw` with veth1, veth2, …, whose other ends are eth0 in `<name>-h1`, `<name>-h2`, …
///
/// Host n is 10.88.0.n, 02:00:00:00:00:0n. IPv6 is off: nothing is sent but what a test sends.
final class Namespaces {
    let name: String
    private var made: [String] = []

    var ofSwitch: String { "\(name)-sw" }
    func ofHost(_ number: Int) -> String { "\(name)-h\(number)" }

    /// Removes what runs of these tests that are gone have left behind, too.
    init(name: String, hosts: Int) async throws {
        self.name = name
        Self.removeStale()
        try await make(ofSwitch)
        for host in 1...max(1, hosts) { try await addHost(host) }
    }

    deinit {
        for namespace in made { Self.remove(namespace) }
    }

    func addHost(_ number: Int) async throws {
        try await make(ofHost(number))
        // No network card completes the half checksums that leave with `tx on`.
        try await run(
            """
            ip link add veth\(number) netns \(ofSwitch) type veth peer name eth0 netns \(ofHost(number))
            ip -n \(ofHost(number)) link set eth0 address 02:00:00:00:00:0\(number)
            ip -n \(ofHost(number)) address add 10.88.0.\(number)/24 dev eth0
            ip netns exec \(ofHost(number)) ethtool -K eth0 tx off >/dev/null
            ip -n \(ofHost(number)) link set eth0 up
            ip -n \(ofSwitch) link set veth\(number) up
            """
        )
    }

    private func make(_ namespace: String) async throws {
        made.append(namespace)
        try await run(
            """
            ip netns add \(namespace)
            ip netns exec \(namespace) sh -c 'for f in all default; do
                f=/proc/sys/net/ipv6/conf/$f/disable_ipv6; if [ -w $f ]; then echo 1 >$f; fi; done'
            ip -n \(namespace) link set lo up
            """
        )
    }

    private func run(_ script: String) async throws {
        let outcome = try await Command.run(["sh", "-ec", script])
        guard outcome.status == 0 else { throw Command.Failure(description: "\(script): \(outcome)") }
    }

    // MARK: Removing, which waits for no task

    private static let folder = "/run/netns"
    static let prefix = "ringway-live-"

    /// What test processes that are no more have left: namespaces with the switches in them, and directories.
    private static func removeStale() {
        for namespace in names(in: folder) where isStale(namespace) { remove(namespace) }
        for directory in names(in: "/tmp") where isStale(directory) {
            removeDirectory("/tmp/\(directory)")
        }
    }

    /// Removes a switch's directory, with the file systems that are mounted in it.
    static func removeDirectory(_ path: String) {
        let mounts = (try? String(contentsOfFile: "/proc/self/mounts", encoding: .utf8)) ?? ""
        for line in mounts.split(separator: "\n") {
            let place = line.split(separator: " ")[1]
            if place.hasPrefix(path + "/") { umount2(String(place), CInt(MNT_DETACH)) }
        }
        try? FileManager.default.removeItem(atPath: path)
    }

    private static func names(in folder: String) -> [String] {
        (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    }

    private static func isStale(_ name: String) -> Bool {
        guard name.hasPrefix(prefix), let owner = pid_t(name.dropFirst(prefix.count).prefix { $0 != "-" }) else {
            return false
        }
        return kill(owner, 0) != 0 && errno == ESRCH
    }

    /// Ends what still runs in a namespace, and removes it; the veth pairs go with it.
    private static func remove(_ namespace: String) {
        for pid in output("netns", "pids", namespace).split(whereSeparator: \.isWhitespace).compactMap({ pid_t($0) }) {
            kill(pid, SIGKILL)
        }
        _ = output("netns", "delete", namespace)
    }

    private static func output(_ words: String...) -> String {
        guard let command = try? Command(["ip"] + words) else { return "" }
        while command.isRunning { usleep(2_000) }
        return command.printed
    }
}
