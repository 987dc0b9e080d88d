// What is said of cores and devices, on a machine that the test makes up: two sockets of two cores with two threads each.

import Agent
import Foundation
import Testing

@Suite("Processor topology", .timeLimit(.minutes(1)))
struct ProcessorTopologyTests {
    /// A folder like /sys.
    private final class Machine {
        let root = "/tmp/ringway-sys-\(getpid())-\(UUID())"

        init(isolated: String) throws {
            try write("devices/system/cpu/isolated", isolated)
            for core in 0..<8 {
                try write("devices/system/cpu/cpu\(core)/topology/thread_siblings_list", "\(core % 4),\(core % 4 + 4)")
            }
            try write("devices/system/node/node0/cpulist", "0-1,4-5")
            try write("devices/system/node/node1/cpulist", "2-3,6-7")
            try write("bus/pci/devices/0000:03:00.0/numa_node", "1")
            try write("bus/pci/devices/0000:04:00.0/numa_node", "-1")
        }

        deinit { try? FileManager.default.removeItem(atPath: root) }

        private func write(_ path: String, _ text: String) throws {
            let url = URL(fileURLWithPath: "\(root)/\(path)")
            try FileManager.default.createDirectory(
                at: url.deletingLastPathComponent(),
                withIntermediateDirectories: true
            )
            try Data("\(text)\n".utf8).write(to: url)
        }
    }

    @Test("has nothing to say of isolated cores on the device's socket")
    func silence() throws {
        let machine = try Machine(isolated: "2-3")
        let topology = ProcessorTopology(root: machine.root)
        var configuration = Configuration(datapath: .init(id: 1), workers: .init(cores: [2, 3]))
        configuration.ports = [
            .init(number: 1, name: "in", device: "03:00.0"), .init(number: 2, name: "out", device: "0000:04:00.0,x=1"),
        ]
        #expect(topology.warnings(configuration) == [])
    }

    @Test("warns of cores that are not isolated, shared, or threads of one, and of devices that are far")
    func warnings() throws {
        let machine = try Machine(isolated: "1,5")
        let topology = ProcessorTopology(root: machine.root)
        var configuration = Configuration(datapath: .init(id: 1), workers: .init(cores: [1, 3, 5]))
        configuration.ports = [.init(number: 7, name: "in", device: "0000:03:00.0,speed=fast")]
        #expect(
            topology.warnings(configuration) == [
                "cores 1 (worker) and 5 (worker) are threads of one core",
                "core 3 (worker) is not isolated: other programs may run there (isolcpus=3)",
                "workers are on several sockets (0, 1): tables and packets of some lie on another one",
                "port 7 (in): the device is on socket 1, workers on another one: cores 1, 5",
            ]
        )
        #expect(topology.socket(ofWorkers: [1, 5]) == 0 && topology.socket(ofWorkers: [2, 3]) == 1)
        #expect(topology.socket(ofWorkers: [1, 2]) == nil)
        #expect(topology.warnings(cores: [1: ["fw", "worker"]]) == ["core 1 is shared: fw, worker"])
    }

    @Test("says nothing of sockets where there is nothing to be known, and takes no core for isolated")
    func nothing() {
        let topology = ProcessorTopology(root: "/nowhere")
        #expect(topology.socket(ofCore: 0) == nil && topology.socket(ofDevice: "net_null0") == nil)
        #expect(topology.socket(ofWorkers: [0, 1]) == nil)
        #expect(topology.warnings(cores: [0: ["worker"]]).count == 1)
    }
}
