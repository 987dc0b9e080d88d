// An Ethernet device of DPDK, whatever its driver: made from its devargs, configured, started, stopped, removed. Control side.

import CDPDK
import Glibc

package struct EthernetDevice: Sendable {
    package let id: UInt16
    /// The name DPDK knows it by: the devargs up to the first comma.
    package let name: String
    package let devargs: String
    package let receiveQueues: Int
    package let transmitQueues: Int
    /// The Linux interface behind it (`iface=` of net_af_packet and net_tap, …); nil if there is none.
    package let interface: String?
    /// By receive queue: a descriptor that is readable while the queue has packets. Empty where the driver has none.
    private let receiveDescriptors: [Int32]

    package static let receiveRingSize: UInt16 = 1024
    package static let transmitRingSize: UInt16 = 1024

    package struct DeviceError: Error, CustomStringConvertible {
        package let description: String
    }

    /// Makes and starts a device with as many queues as the driver has, up to `receiveQueues` and `transmitQueues`. `mtu` in bytes;
    /// nil: what the device comes with. It receives into `pool`, or, if it is a port of a trust group, into the group's `region`, and
    /// sends what lies in any of the `regions`.
    package static func open(
        devargs: String,
        receiveQueues: Int,
        transmitQueues: Int,
        mtu: Int? = nil,
        pool: PacketPool,
        region: PacketRegion? = nil,
        regions: [PacketRegion] = []
    ) throws(DeviceError) -> EthernetDevice {
        let name = String(devargs.prefix { $0 != "," })
        func check(_ result: Int32, _ step: String) throws(DeviceError) {
            if result < 0 {
                throw DeviceError(description: "\(devargs): \(step): \(String(cString: strerror(-result)))")
            }
        }
        VhostSocket.removeStale(devargs)
        let socketsBefore = Set(PacketSockets.bound())
        try check(rte_dev_probe(devargs), "no driver takes this device")
        let sockets = PacketSockets.bound().filter { !socketsBefore.contains($0) }
        var id: UInt16 = 0
        guard rte_eth_dev_get_port_by_name(name, &id) == 0 else {
            throw DeviceError(description: "\(devargs): the driver made no Ethernet port named \(name)")
        }
        do throws(DeviceError) {
            for region in regions { try map(region, for: id, devargs) }
            return try start(
                id: id,
                name: name,
                devargs: devargs,
                receiveQueues: receiveQueues,
                transmitQueues: transmitQueues,
                mtu: mtu,
                pool: region?.pool ?? pool,
                sockets: sockets,
                check: check
            )
        } catch {
            remove(id)
            throw error
        }
    }

    /// Lets the device send what lies in the region, too.
    package func map(_ region: PacketRegion) throws(DeviceError) { try Self.map(region, for: id, devargs) }

    private static func map(_ region: PacketRegion, for id: UInt16, _ devargs: String) throws(DeviceError) {
        guard accessesMemory(devargs) else { return }
        var info = rte_eth_dev_info()
        let known = rte_eth_dev_info_get(id, &info)
        let result = known < 0 ? known : info.device.map(region.map(for:)) ?? -ENODEV
        guard result < 0 else { return }
        throw DeviceError(
            description: "\(devargs): a group's memory cannot be mapped for it: \(String(cString: strerror(-result)))"
        )
    }

    /// The region goes; nothing of it is sent any more.
    package func unmap(_ region: PacketRegion) {
        var info = rte_eth_dev_info()
        guard Self.accessesMemory(devargs), rte_eth_dev_info_get(id, &info) == 0, let device = info.device else {
            return
        }
        region.unmap(for: device)
    }

    /// Devices that are no programs access memory by themselves.
    private static func accessesMemory(_ devargs: String) -> Bool { !devargs.hasPrefix("net_") }

    private static func start(
        id: UInt16,
        name: String,
        devargs: String,
        receiveQueues: Int,
        transmitQueues: Int,
        mtu: Int?,
        pool: PacketPool,
        sockets: [Int32],
        check: (Int32, String) throws(DeviceError) -> Void
    ) throws(DeviceError) -> EthernetDevice {
        var info = rte_eth_dev_info()
        try check(rte_eth_dev_info_get(id, &info), "no device information")
        var receive = max(1, min(receiveQueues, Int(info.max_rx_queues)))
        var transmit = max(1, min(transmitQueues, Int(info.max_tx_queues)))
        if devargs.hasPrefix("net_tap") {
            // TAP wants as many of the one as of the other.
            transmit = min(receive, transmit)
            receive = transmit
        }
        var conf = rte_eth_conf()
        if receive > 1 {
            conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS
            conf.rx_adv_conf.rss_conf.rss_hf = cdpdk_rss_any() & info.flow_type_rss_offloads
        }
        try check(
            rte_eth_dev_configure(id, UInt16(receive), UInt16(transmit), &conf),
            "configure with \(receive) receive and \(transmit) transmit queues"
        )
        if let mtu { try check(rte_eth_dev_set_mtu(id, UInt16(clamping: mtu)), "MTU \(mtu)") }
        var receiveRingSize = receiveRingSize
        var transmitRingSize = transmitRingSize
        try check(rte_eth_dev_adjust_nb_rx_tx_desc(id, &receiveRingSize, &transmitRingSize), "descriptors")
        let socket = UInt32(bitPattern: rte_eth_dev_socket_id(id))
        for queue in 0..<receive {
            try check(
                rte_eth_rx_queue_setup(id, UInt16(queue), receiveRingSize, socket, nil, pool.mempool),
                "receive queue \(queue)"
            )
        }
        for queue in 0..<transmit {
            try check(
                rte_eth_tx_queue_setup(id, UInt16(queue), transmitRingSize, socket, nil),
                "transmit queue \(queue)"
            )
        }
        try check(rte_eth_dev_start(id), "start")
        // Some drivers have no promiscuous mode: they receive everything anyway.
        _ = rte_eth_promiscuous_enable(id)
        return EthernetDevice(
            id: id,
            name: name,
            devargs: devargs,
            receiveQueues: receive,
            transmitQueues: transmit,
            interface: interfaceName(devargs),
            receiveDescriptors: sockets.count == receive ? sockets : []
        )
    }

    /// A descriptor that is readable while the queue has packets; -1 if there is none.
    package func receiveDescriptor(ofQueue queue: Int) -> Int32 {
        receiveDescriptors.indices.contains(queue) ? receiveDescriptors[queue] : -1
    }

    /// Stops the device and gives its resources back. No worker may poll it any more.
    package func close() { Self.remove(id) }

    private static func remove(_ id: UInt16) {
        var info = rte_eth_dev_info()
        let known = rte_eth_dev_info_get(id, &info) == 0
        _ = rte_eth_dev_stop(id)
        _ = rte_eth_dev_close(id)
        if known, let device = info.device { _ = rte_dev_remove(device) }
    }

    /// The MAC address, its first byte highest.
    package var hardwareAddress: UInt64 {
        var address = rte_ether_addr()
        guard rte_eth_macaddr_get(id, &address) == 0 else { return 0 }
        return withUnsafeBytes(of: address) { $0.prefix(6).reduce(0) { $0 << 8 | UInt64($1) } }
    }

    /// Whether the link is up; for a device on a Linux interface what the kernel says, because the driver does not know.
    package var linkIsUp: Bool {
        if let interface, let carrier = Self.carrier(of: interface) { return carrier }
        var link = rte_eth_link()
        return rte_eth_link_get_nowait(id, &link) == 0 && link.link_status == 1
    }

    /// In Mbit/s; nil if unknown.
    package var linkSpeed: UInt32? {
        var link = rte_eth_link()
        guard rte_eth_link_get_nowait(id, &link) == 0, link.link_speed != 0, link.link_speed != UInt32.max else {
            return nil
        }
        return link.link_speed
    }

    /// What the device itself counts and a worker does not see: packets missed because nobody polled fast enough, errors;
    /// nil if it does not count.
    package var deviceCounters:
        (receiveMissed: UInt64, receiveErrors: UInt64, transmitErrors: UInt64, noBuffer: UInt64)?
    {
        var stats = rte_eth_stats()
        guard rte_eth_stats_get(id, &stats) == 0 else { return nil }
        return (stats.imissed, stats.ierrors, stats.oerrors, stats.rx_nombuf)
    }

    private static func interfaceName(_ devargs: String) -> String? {
        for argument in devargs.split(separator: ",").dropFirst() where argument.hasPrefix("iface=") {
            return String(argument.dropFirst("iface=".count))
        }
        return nil
    }

    private static func carrier(of interface: String) -> Bool? {
        guard let file = fopen("/sys/class/net/\(interface)/carrier", "r") else { return nil }
        defer { fclose(file) }
        // Reading fails while the interface is down.
        return fgetc(file) == Int32(UInt8(ascii: "1"))
    }
}
