// What the kernel says of the machine's cores: which are kept free of other programs, which are threads of one core, and what
// socket cores and devices belong to. A polling core that is shared loses packets whenever the other program has its turn.

import Foundation

package struct ProcessorTopology {
    /// Where sysfs is mounted.
    private let root: String

    package init(root: String = "/sys") { self.root = root }

    /// Cores that the scheduler gives to no program which does not ask for them (`isolcpus=`).
    package var isolated: Set<Int> { Set(list("devices/system/cpu/isolated")) }

    /// The cores, itself included, that are threads of the same physical one.
    package func siblings(of core: Int) -> [Int] { list("devices/system/cpu/cpu\(core)/topology/thread_siblings_list") }

    /// The socket (NUMA node) of a core; nil: the kernel does not say.
    package func socket(ofCore core: Int) -> Int? {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "\(root)/devices/system/node")) ?? []
        let nodes = names.compactMap { $0.hasPrefix("node") ? Int($0.dropFirst(4)) : nil }.sorted()
        return nodes.first { list("devices/system/node/node\($0)/cpulist").contains(core) }
    }

    /// The socket of all these cores; nil: they are on several, or the kernel does not say.
    package func socket(ofWorkers cores: [Int]) -> Int? {
        let sockets = Set(cores.map(socket(ofCore:)))
        return sockets.count == 1 ? sockets.first ?? nil : nil
    }

    /// The socket of a PCI device; nil: it is none, or the kernel does not say.
    package func socket(ofDevice address: String) -> Int? {
        let full = address.split(separator: ":").count == 2 ? "0000:\(address)" : address
        guard let node = text("bus/pci/devices/\(full)/numa_node").flatMap({ Int($0) }), node >= 0 else { return nil }
        return node
    }

    /// What is not as it should be for cores that poll, in words.
    ///
    /// - Parameter roles: By core: who polls there.
    package func warnings(cores roles: [Int: [String]]) -> [String] {
        let isolated = isolated
        var warnings: [String] = []
        for (core, names) in roles.sorted(by: { $0.key < $1.key }) {
            if names.count > 1 { warnings.append("core \(core) is shared: \(names.joined(separator: ", "))") }
            if !isolated.contains(core) {
                warnings.append(
                    "core \(core) (\(names[0])) is not isolated: other programs may run there (isolcpus=\(core))"
                )
            }
            for other in siblings(of: core) where other > core {
                guard let others = roles[other] else { continue }
                warnings.append("cores \(core) (\(names[0])) and \(other) (\(others[0])) are threads of one core")
            }
        }
        return warnings
    }

    /// The same of a configuration's workers, and of the devices that they poll.
    package func warnings(_ configuration: Configuration) -> [String] {
        let workers = configuration.workers.cores
        var warnings = warnings(cores: Dictionary(workers.map { ($0, ["worker"]) }) { $0 + $1 })
        let sockets = Set(workers.compactMap(socket(ofCore:))).sorted()
        if sockets.count > 1 {
            let names = sockets.map(String.init).joined(separator: ", ")
            warnings.append("workers are on several sockets (\(names)): tables and packets of some lie on another one")
        }
        for port in configuration.ports {
            guard let socket = socket(ofDevice: port.deviceName) else { continue }
            let far = workers.filter { core in self.socket(ofCore: core).map { $0 != socket } ?? false }
            if !far.isEmpty {
                let cores = far.map(String.init).joined(separator: ", ")
                warnings.append(
                    "port \(port.number) (\(port.name)): the device is on socket \(socket), workers on another one: cores \(cores)"
                )
            }
        }
        return warnings
    }

    private func list(_ path: String) -> [Int] { text(path).map { ProcessorSet.parse(list: $0) } ?? [] }

    private func text(_ path: String) -> String? {
        FileManager.default.contents(atPath: "\(root)/\(path)").map {
            String(decoding: $0, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        }
    }
}
