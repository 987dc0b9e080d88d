// The ranges that configuration values are checked against, in one place. docs/configuration.md states them, and a test
// tries both ends of each.

import CVMRing
import NIOCore

enum Limits {
    /// OFPP_MAX: numbers above are reserved (OpenFlow 1.3.5 §7.2.1).
    static let portNumber: UInt32 = 0xffff_ff00
    /// Bytes of a name: `ofp_port` has 16 with the terminating zero.
    static let name = 15
    /// Bytes of `dp_desc`: `ofp_desc` has 256 with the terminating zero.
    static let description = 255
    /// The data plane's port slots; the last one stands for packets of no port.
    static let ports = 511
    static let receiveQueues = 64
    /// Of one port: a packet's queue is looked for one by one.
    static let egressQueues = 16
    /// OFPQ_ALL stands for all.
    static let queueID: UInt32 = 0xffff_fffe
    /// In bits a second.
    static let rate: ClosedRange<UInt64> = 64_000...1_000_000_000_000
    /// 4095 is reserved (IEEE 802.1Q §9.6); 0 is no VLAN, but a priority alone, or no tag.
    static let vlan: ClosedRange<UInt16> = 1...4094
    static let trunk: ClosedRange<UInt16> = 0...4094
    static let macTable = 1...1_048_576
    /// As IEEE 802.1Q §8.8.3 has it.
    static let macAging = TimeAmount.seconds(10)...TimeAmount.seconds(1_000_000)
    /// From what IPv4 demands of a link to what fits into one packet buffer of 2,048 bytes with an Ethernet header (14), two
    /// VLAN tags (8) and a checksum (4).
    static let mtu = 68...2022
    static let core = 1023
    /// DPDK numbers its lcores up to 127; one of them is the control side.
    static let workers = 127
    static let memory = (64 << 20)...(1 << 40)
    static let probe = TimeAmount.seconds(1)...TimeAmount.hours(1)
    static let backoff = TimeAmount.seconds(1)...TimeAmount.hours(1)
    static let packetInRate = 100_000_000
    static let flows = 16_777_216
    /// Half of the data plane's group slots.
    static let groups = 4096
    static let buckets = 65_536
    static let meters = 1_048_576
    /// `ofp_meter_features` tells of them in a byte.
    static let meterBands = 255
    static let bundleMessages = 16_777_216
    /// Memory for the bundles of all connections together, about.
    static let bundleBytes = 512 << 20
    static let bundleTimeout = TimeAmount.seconds(1)...TimeAmount.hours(1)
    static let channels = 1024
    /// Connections to one controller besides the main one.
    static let auxiliaryConnections = 16
    /// OpenFlow's length field has 16 bits.
    static let message = 1024...65_535
    /// Packets that a VM may have in hand.
    static let vmRing = 64...4096
    static let vmQueues = Int(VMRING_QUEUES)
    /// Of one VM with all workers: as many as NetLib serves.
    static let vmPairs = NETLIB_MOST_WORKERS
    /// Empty buffers, or messages, that a VM may have, if any.
    static let vmBuffers = 16...4096
    /// Packet buffers of a trust group: the region's file has 4 GiB.
    static let groupBuffers = 1...1_900_000
    static let heartbeat = TimeAmount.milliseconds(100)...TimeAmount.minutes(10)
    static let violations = 1_000_000_000
    /// Of a service: a new connection's is looked for one by one.
    static let replicas = 64
    /// Connections that a worker remembers of a service.
    static let connections = 64...16_777_216
    /// The data plane's ages of connections are modulo some three weeks.
    static let connectionIdle = TimeAmount.seconds(1)...TimeAmount.hours(168)
}
