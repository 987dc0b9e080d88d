// The control side's truth: tables, ports and settings as controllers see them. Plain data confined to one event loop;
// whatever forwards by it is behind Datapath, and what controllers are to hear goes out by two closures. Each kind of
// message has a file beside this one.

import NIOCore
import OpenFlow

/// One switch. Belongs to one event loop: every call, and every callback of the data path, is made there.
///
/// Which controller may do what, and who hears of an event, is the channels' business, not the model's.
package final class SwitchModel {
    /// Tables 0…253: the data path needs two numbers for itself.
    package static let tableCount: UInt8 = 254

    package let datapathID: UInt64
    /// What OFPMP_DESC answers.
    package let description: SwitchDescription
    /// How many entries all tables may hold together.
    package var flowLimit: Int
    /// How many entries one table may hold.
    package var tableFlowLimit: Int
    /// How many meters there may be.
    package var meterLimit: Int
    /// How many bands a meter may have.
    package var meterBandLimit: Int
    /// How many groups there may be; at most half as many as the data path has slots: those that go keep theirs for a while.
    package var groupLimit = 4096
    /// How many buckets a group may have, with those of the groups that it is chained to.
    package var bucketLimit = 4096
    let datapath: any Datapath
    /// The clock. Injected in tests.
    let now: () -> NIODeadline

    /// All tables, by number.
    package internal(set) var tables = [FlowTable](repeating: FlowTable(), count: Int(tableCount))
    /// What a controller has set the tables' features to; a table that is not there does not exist. Nil: nothing has been set.
    var tableConfigurations: [UInt8: TableConfiguration]?
    /// Of the flow entry added last.
    var lastInstructions: [Instruction] = []
    /// Entries in all tables.
    package internal(set) var flowCount = 0
    package internal(set) var ports: [PortNumber: SwitchPort] = [:]
    /// All meters, by number; the virtual ones are among them.
    package internal(set) var meters: [UInt32: Meter] = [:]
    /// How many flow entries refer to each meter that any refers to.
    var meterUsers: [UInt32: Int] = [:]
    /// Of the last meter-mod.
    var meterRevision: UInt64 = 0
    package internal(set) var config = SwitchConfig()
    /// Where output to NORMAL has seen addresses.
    package internal(set) var addresses: [LearnedAddress: PortNumber] = [:]
    /// How many addresses may be known at once.
    package var addressLimit = 8192
    /// How long an address is known that is not seen any more.
    package var addressAgeing = TimeAmount.seconds(300)
    /// Of ports that do not belong to all.
    package var portVLANs: [PortNumber: PortVLANs] = [:]
    /// Those that stand for others.
    package var servicePorts: Set<PortNumber> = []
    /// Of ports that have a rate or queues.
    package internal(set) var portQueues: [PortNumber: EgressQueues] = [:]
    /// The queues that actions may name: those that any port has.
    var queueIDs: Set<UInt32> = [SwitchModel.defaultQueue]
    /// Whether all packets are output to NORMAL, whatever the tables say: there is no controller (§6.3.2, fail standalone mode).
    package var isStandalone = false {
        didSet { if isStandalone != oldValue { datapath.setStandalone(isStandalone) } }
    }
    package internal(set) var groups: [GroupID: Group] = [:]
    /// Numbers groups and their revisions.
    var groupRevision: UInt64 = 0
    var timeouts = TimeoutQueue()

    /// Called when an entry that wants it said has gone and its last packet is counted.
    package var onFlowRemoved: (FlowRemoved) -> Void = { _ in }
    /// Called when flow entries have come, gone or changed, in the order in which that happened; nil: nobody wants to know.
    /// `since`: what `changeCount` was before.
    package var onFlowEvents: ((_ events: [FlowEvent], _ since: UInt64) -> Void)?
    /// How many steps have changed the tables.
    package internal(set) var changeCount: UInt64 = 0
    /// Called when a port has come, gone or changed.
    package var onPortStatus: (PortStatus) -> Void = { _ in }

    package init(
        datapathID: UInt64,
        description: SwitchDescription,
        flowLimit: Int = 1_000_000,
        tableFlowLimit: Int = .max,
        meterLimit: Int = 65_536,
        meterBandLimit: Int = 16,
        datapath: any Datapath,
        now: @escaping () -> NIODeadline = { .now() }
    ) {
        self.datapathID = datapathID
        self.description = description
        self.flowLimit = flowLimit
        self.tableFlowLimit = tableFlowLimit
        self.meterLimit = meterLimit
        self.meterBandLimit = meterBandLimit
        self.datapath = datapath
        self.now = now
    }

    /// What OFPT_FEATURES_REQUEST answers on the connection with this auxiliary id. Packets are not buffered.
    package func features(auxiliaryID: UInt8 = 0) -> Features {
        Features(
            datapathID: datapathID,
            bufferCount: 0,
            tableCount: Self.tableCount,
            auxiliaryID: auxiliaryID,
            capabilities: SwitchCapabilities.features
        )
    }

    /// OFPT_SET_CONFIG. The data path is told by the agent, which compares `config` before and after.
    ///
    /// Throws `SWITCH_CONFIG_FAILED/BAD_FLAGS` for reassembly of fragments.
    package func setConfig(_ config: SwitchConfig) throws(OpenFlowError) {
        guard SwitchCapabilities.fragmentHandling.contains(config.fragmentHandling) else {
            throw .switchConfigFailed(.badFlags, "fragments are not reassembled")
        }
        self.config = config
    }

    /// OFPT_TABLE_MOD (OpenFlow 1.3.5 §7.3.3): its only settings are deprecated ones, which are accepted and mean
    /// nothing.
    ///
    /// Throws `TABLE_MOD_FAILED/BAD_TABLE` or `BAD_CONFIG`.
    package func execute(_ mod: TableMod) throws(OpenFlowError) {
        guard hasTable(mod.tableID) || mod.tableID == TableID.all else {
            throw .tableModFailed(.badTable, "table \(mod.tableID)")
        }
        guard mod.config & ~3 == 0 else { throw .tableModFailed(.badConfig, "config \(mod.config)") }
    }

    /// OFPT_PACKET_OUT (OpenFlow 1.3.5 §7.3.7). A message without actions drops its packet, which the data path counts.
    ///
    /// Throws `BAD_REQUEST/BUFFER_UNKNOWN`, `BAD_PORT` or `BAD_PACKET`, errors of type BAD_ACTION, or what the data
    /// path refuses.
    package func execute(_ packetOut: PacketOut) throws(OpenFlowError) {
        guard packetOut.bufferID == BufferID.none else {
            throw .badRequest(.bufferUnknown, "buffer \(packetOut.bufferID); packets are not buffered")
        }
        guard packetOut.inPort == .controller || ports[packetOut.inPort] != nil else {
            throw .badRequest(.badPort, "in_port \(packetOut.inPort)")
        }
        guard let fields = PacketFields([UInt8](packetOut.data.readableBytesView)) else {
            throw .badRequest(.badPacket, "\(packetOut.data.readableBytes) bytes are no Ethernet frame")
        }
        var actions = ActionValidation(HeaderContext(fields), groups: groups, queues: queueIDs)
        actions.allowsTable = true
        try actions.validateList(packetOut.actions)
        try datapath.packetOut(inPort: packetOut.inPort, actions: packetOut.actions, data: packetOut.data)
    }
}

/// A duration as messages carry it.
struct WireDuration {
    var seconds: UInt32
    /// What `seconds` leaves of it.
    var nanoseconds: UInt32

    init(from start: NIODeadline, to end: NIODeadline) {
        let total = max(0, (end - start).nanoseconds)
        seconds = UInt32(clamping: total / 1_000_000_000)
        nanoseconds = UInt32(total % 1_000_000_000)
    }
}
