// What the configuration file says, as a plain value. Configuration+YAML.swift makes it from text and finds what is wrong
// in it; docs/configuration.md describes every key, and a test compares the two.

import CVMRing
import NIOCore
import TLS

/// A valid configuration. The initial values are the defaults.
package struct Configuration: Equatable, Sendable {
    package var datapath: Datapath
    package var openflow = OpenFlow()
    package var workers: Workers
    package var memory = Memory()
    /// In the order of the file; numbers, names and devices are unique.
    package var ports: [Port] = []
    /// In the order of the file; numbers and names are unique, those of ports included.
    package var vms: [VM] = []
    /// Names are unique.
    package var groups: [Group] = []
    /// In the order of the file; numbers and names are unique, those of ports and VMs included.
    package var services: [Service] = []
    package var metrics = Metrics()
    /// An absolute path without a slash at its end.
    package var runDirectory = "/run/ringway"

    package init(datapath: Datapath, workers: Workers) {
        self.datapath = datapath
        self.workers = workers
    }

    /// Where `ovs-ofctl` and the like find the agent: OpenFlow on a Unix socket, as Open vSwitch names it.
    package var managementSocket: String { "\(runDirectory)/\(datapath.name).mgmt" }
    /// Where `ringway show` and the like find the agent: JSON on a Unix socket.
    package var controlSocket: String { "\(runDirectory)/\(datapath.name).ctl" }

    /// Where the regions of memory are that VMs share: a file system for each trust group.
    package var regionFolder: String { "\(runDirectory)/\(datapath.name).vms" }

    /// `datapath`: how the switch presents itself.
    package struct Datapath: Equatable, Sendable {
        /// The datapath ID; not 0.
        package var id: UInt64
        /// 1 to 15 bytes, fit for a file name.
        package var name = "ringway"
        /// What OFPMP_DESC says in `dp_desc`; at most 255 bytes.
        package var description = ""
        /// How many addresses output to NORMAL knows at once.
        package var macTableSize = 8192
        /// How long it knows an address that is not seen any more.
        package var macAgingTime: TimeAmount = .seconds(300)

        package init(id: UInt64) { self.id = id }
    }

    /// `openflow`: the channels and their limits.
    package struct OpenFlow: Equatable, Sendable {
        package var listen: [ListenAddress] = [.tcp(host: "127.0.0.1", port: ListenAddress.defaultPort)]
        package var controllers: [ControllerAddress] = []
        /// The files that TLS is spoken with; nil: no address needs it.
        package var tls: TLSFiles?
        package var failMode = FailMode.secure
        /// How long a channel may be silent before it is probed by an echo request, and then until it is closed; nil: no probes.
        package var inactivityProbe: TimeAmount? = .seconds(5)
        /// The longest pause between two attempts to reach a controller.
        package var maxBackoff: TimeAmount = .seconds(8)
        /// Packet-ins a second to each controller; nil: no limit.
        package var packetInRate: Int? = 10_000
        /// Packet-ins that may go to a controller at once; nil: as many as half a second's.
        package var packetInBurst: Int?
        /// Flow entries of all tables together.
        package var flowLimit = 1_000_000
        /// Flow entries of one table; nil: as many as of all.
        package var tableFlowLimit: Int?
        /// Groups.
        package var groupLimit = 4096
        /// Buckets of a group, with those of the groups that it is chained to.
        package var bucketLimit = 4096
        /// Meters, the virtual ones among them.
        package var meterLimit = 65_536
        /// Bands of one meter.
        package var meterBandLimit = 16
        /// Connections to each controller besides the main one.
        package var auxiliaryConnections = 0
        /// Messages of one bundle.
        package var bundleLimit = 200_000
        /// How long nothing may come for a bundle before it is discarded.
        package var bundleTimeout: TimeAmount = .seconds(10)
        /// Connections that controllers and tools have open to the listeners together.
        package var maxConnections = 64
        /// The longest message accepted from a channel, in bytes with its header; at most what OpenFlow's length field can say.
        package var maxMessage = 65_535
    }

    /// `openflow.fail_mode`: what happens while no controller is connected.
    package enum FailMode: String, CaseIterable, Sendable {
        /// The installed rules forward on.
        case secure
        /// The switch is a learning one: all packets are output to NORMAL. The rules stay.
        case standalone
    }

    /// `workers`: the polling cores.
    package struct Workers: Equatable, Sendable {
        /// Core numbers, each once; worker i runs on `cores[i]`. Never empty.
        package var cores: [Int]
        package var idle = Idle.adaptive
        package var flowCache = FlowCache.auto
        /// Receive queues assigned by hand: port name, queue, core. Queues that are not here are spread over the workers.
        package var queues: [String: [Int: Int]] = [:]

        package init(cores: [Int]) { self.cores = cores }
    }

    /// `workers.flow_cache`: whether packets go by a cache of paths through the tables.
    package enum FlowCache: String, CaseIterable, Sendable {
        /// Where measuring shows that it pays.
        case auto
        case on
        case off
    }

    /// `workers.idle`: what a worker does when there is nothing to do.
    package enum Idle: String, CaseIterable, Sendable {
        /// It sleeps, longer and longer, up to 100 µs at a time.
        case adaptive
        /// It polls on, for the shortest delay.
        case busy
    }

    /// `memory`: what the data plane may take.
    package struct Memory: Equatable, Sendable {
        package var hugePages = HugePages.auto
        /// Bytes for packets and tables together.
        package var size = 512 << 20
    }

    /// `memory.huge_pages`.
    package enum HugePages: String, CaseIterable, Sendable {
        /// Huge pages if enough are free, ordinary memory otherwise.
        case auto
        /// The agent does not start without.
        case required
        /// Ordinary memory.
        case none
    }

    /// An entry of `ports`.
    package struct Port: Equatable, Sendable {
        /// The OpenFlow port number; 1 to OFPP_MAX, or OFPP_LOCAL.
        package var number: UInt32
        /// 1 to 15 bytes.
        package var name: String
        /// DPDK devargs: `net_af_packet0,iface=veth1`, `0000:03:00.0`, …
        package var device: String
        /// Receive queues; nil: one for each worker, if the device has so many.
        package var queues: Int?
        /// In bytes; nil: what the device comes with.
        package var mtu: Int?
        /// The trust group whose VMs see what is received here; nil: none.
        package var group: String?
        /// Where output to NORMAL may send it.
        package var vlans = PortVLANs.all
        /// What its packets wait in before they leave.
        package var egress = EgressQueues()

        package init(number: UInt32, name: String, device: String, queues: Int? = nil, mtu: Int? = nil) {
            (self.number, self.name, self.device, self.queues, self.mtu) = (number, name, device, queues, mtu)
        }

        /// The name that DPDK knows the device by: the devargs up to the first comma.
        package var deviceName: String { String(device.prefix { $0 != "," }) }
    }

    /// An entry of `vms`: a port whose other side is a network function, in a VM or a process.
    package struct VM: Equatable, Sendable {
        /// The OpenFlow port number; 1 to OFPP_MAX.
        package var number: UInt32
        /// 1 to 15 bytes.
        package var name: String
        /// The trust group; 1 to 15 bytes.
        package var group: String
        /// With each worker: as many threads of a function can work.
        package var queues = 1
        /// Packets that it may have in hand, for each worker and queue: places of a ring, a power of two.
        package var ring = usualRing
        /// Empty buffers that it gets, for packets that it makes, and messages that it may have in hand, for each worker and queue: 0, or a
        /// power of two.
        package var empty = 0
        package var messages = 0
        /// What it may say of a packet.
        package var verdicts: [Verdict] = [.drop, .next]
        /// Without a beat for this long it is taken for dead.
        package var heartbeat: TimeAmount = .seconds(1)
        /// After so many violations of what vmring.h demands it is detached; 0: never.
        package var violations = 1000

        static let usualRing = 256

        package init(number: UInt32, name: String, group: String) {
            (self.number, self.name, self.group) = (number, name, group)
        }
    }

    /// `vms[].verdicts`.
    package enum Verdict: String, CaseIterable, Sendable {
        case drop, next, out, function, message

        /// The `vmring_verdict`.
        package var number: UInt32 {
            switch self {
            case .drop: VMRING_DROP.rawValue
            case .next: VMRING_NEXT.rawValue
            case .out: VMRING_OUT.rawValue
            case .function: VMRING_FUNCTION.rawValue
            case .message: VMRING_MESSAGE.rawValue
            }
        }
    }

    /// An entry of `groups`: what a trust group has, besides what its ports and VMs say.
    package struct Group: Equatable, Sendable {
        package var name: String
        /// Packet buffers; nil: what its ports and VMs need, and room for more of them.
        package var buffers: Int?

        package init(name: String, buffers: Int? = nil) { (self.name, self.buffers) = (name, buffers) }
    }

    /// An entry of `services`: a port that stands for all replicas of a network function.
    package struct Service: Equatable, Sendable {
        /// The OpenFlow port number; 1 to OFPP_MAX.
        package var number: UInt32
        /// 1 to 15 bytes.
        package var name: String
        /// Names of VMs, each once.
        package var replicas: [String]
        /// How many connections each worker remembers.
        package var connections = 65_536
        /// How long after its last packet.
        package var idleTimeout: TimeAmount = .seconds(300)

        package init(number: UInt32, name: String, replicas: [String]) {
            (self.number, self.name, self.replicas) = (number, name, replicas)
        }
    }

    /// The trust groups of ports and VMs, in alphabetical order.
    package var groupNames: [String] { Set(ports.compactMap(\.group) + vms.map(\.group)).sorted() }

    /// `metrics`.
    package struct Metrics: Equatable, Sendable {
        /// Where `GET /metrics` is answered; nil: nowhere.
        package var listen: HTTPAddress?
    }
}
