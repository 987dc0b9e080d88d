// A switch model on a recording data path and a clock that stands still: what the tests of model and reference begin
// with.

import Agent
import NIOCore
import OpenFlow
import Testing

/// Notes what it is asked to do; its counters are what the test says.
final class RecordingDatapath: Datapath {
    var queueCounters: [PortNumber: [QueueCounters]] = [:]
    func counters(ofQueuesOf port: PortNumber) -> [QueueCounters] { queueCounters[port] ?? [] }
    enum Change: Equatable {
        case add(String), modify(String), remove(String)
    }

    private(set) var changes: [Change] = []
    private(set) var portSettings: [[PortNumber: PortConfig]] = []
    private(set) var packetOuts: [PacketOut] = []
    private(set) var meterChanges: [[MeterChange]] = []
    var meterCounters: [UInt32: MeterCounters] = [:]
    var counters: [ObjectIdentifier: FlowCounters] = [:]
    var tableCounters: [UInt8: (lookups: UInt64, matches: UInt64)] = [:]
    var portCounters: [PortNumber: PortStatistics] = [:]
    /// What the next `apply` throws.
    var refusal: OpenFlowError?
    /// If set, `whenApplied` waits for `acknowledge`.
    var holdsBack = false
    private var waiting: [() -> Void] = []

    func counters(ofGroup id: GroupID) -> GroupCounters { GroupCounters() }

    func apply(_ changes: [FlowChange], groups: [GroupChange], atomically: Bool) throws(OpenFlowError) {
        if let refusal {
            self.refusal = nil
            throw refusal
        }
        self.changes += changes.map { change in
            switch change {
            case .add(let entry): .add(entry.instructions.description)
            case .modify(let entry): .modify(entry.instructions.description)
            case .remove(let entry): .remove(entry.instructions.description)
            }
        }
    }

    /// What output to NORMAL knows, and how long it has not been seen.
    private(set) var learned: [LearnedAddress: PortNumber] = [:]
    var ages: [LearnedAddress: TimeAmount] = [:]
    var hasMemoryForAddresses = true
    private(set) var isStandalone = false

    func learn(_ address: LearnedAddress, at port: PortNumber) -> Bool {
        if hasMemoryForAddresses { learned[address] = port }
        return hasMemoryForAddresses
    }

    func forget(_ addresses: [LearnedAddress]) { for address in addresses { learned[address] = nil } }
    func age(of address: LearnedAddress) -> TimeAmount { ages[address] ?? .zero }
    func setStandalone(_ standalone: Bool) { isStandalone = standalone }

    func configure(meters: [MeterChange]) { meterChanges.append(meters) }
    func counters(ofMeter id: UInt32) -> MeterCounters { meterCounters[id] ?? MeterCounters() }
    func configure(ports: [PortNumber: PortConfig]) { portSettings.append(ports) }

    func whenApplied(_ body: @escaping () -> Void) {
        if holdsBack { waiting.append(body) } else { body() }
    }

    func acknowledge() {
        for body in waiting { body() }
        waiting = []
    }

    func counters(of flow: FlowEntry) -> FlowCounters { counters[ObjectIdentifier(flow)] ?? FlowCounters() }
    func counters(ofTable id: UInt8) -> (lookups: UInt64, matches: UInt64) { tableCounters[id] ?? (0, 0) }
    func counters(ofPort port: PortNumber) -> PortStatistics? { portCounters[port] }

    func packetOut(inPort: PortNumber, actions: [Action], data: ByteBuffer) throws(OpenFlowError) {
        packetOuts.append(PacketOut(inPort: inPort, actions: actions, data: data))
    }
}

/// The model, and all that tests do with it.
final class SwitchModelFixture {
    let datapath = RecordingDatapath()
    private(set) var model: SwitchModel!
    private(set) var flowRemoved: [FlowRemoved] = []
    private(set) var portStatus: [PortStatus] = []
    var time = NIODeadline.uptimeNanoseconds(1_000_000_000_000)

    /// A switch with these ports.
    init(
        ports: [PortNumber] = [1, 2, 3],
        flowLimit: Int = 1_000_000,
        meterLimit: Int = 100,
        meterBandLimit: Int = 4
    ) {
        model = SwitchModel(
            datapathID: 1,
            description: SwitchDescription(
                manufacturer: "m",
                hardware: "h",
                software: "s",
                serialNumber: "n",
                datapath: "d"
            ),
            flowLimit: flowLimit,
            meterLimit: meterLimit,
            meterBandLimit: meterBandLimit,
            datapath: datapath,
            now: { [unowned self] in time }
        )
        for port in ports { model.setPort(Self.port(port)) }
        model.onFlowRemoved = { [unowned self] in flowRemoved.append($0) }
        model.onPortStatus = { [unowned self] in portStatus.append($0) }
    }

    static func port(_ number: PortNumber) -> Port {
        Port(number: number, hardwareAddress: EthernetAddress(rawValue: UInt64(number.rawValue)), name: "p\(number)")
    }

    /// Adds an entry, which must be accepted.
    @discardableResult
    func add(
        table: UInt8 = 0,
        _ priority: UInt16,
        _ match: [MatchField] = [],
        _ instructions: [Instruction] = [],
        cookie: UInt64 = 0,
        idle: UInt16 = 0,
        hard: UInt16 = 0,
        flags: FlowModFlags = []
    ) throws -> FlowEntry {
        try model.execute(
            FlowMod(
                cookie: cookie,
                tableID: table,
                command: .add,
                idleTimeout: idle,
                hardTimeout: hard,
                priority: priority,
                flags: flags,
                match: Match(match),
                instructions: instructions
            )
        )
        return try #require(
            model.tables[Int(table)].entries.first {
                $0.priority == priority && $0.normalizedMatch == Match(match).normalized
            }
        )
    }

    /// The error that a flow-mod is refused with; nil: it was accepted.
    func refusal(of mod: FlowMod) -> OpenFlowError? {
        do {
            try model.execute(mod)
            return nil
        } catch {
            return error
        }
    }

    func count(_ packets: UInt64, _ bytes: UInt64, by entry: FlowEntry) {
        datapath.counters[ObjectIdentifier(entry)] = FlowCounters(packets: packets, bytes: bytes, lastUsed: time)
    }

    func pass(_ amount: TimeAmount) { time = time + amount }

    /// Priorities and cookies of a table's entries, in ascending order.
    func contents(ofTable table: Int = 0) -> [String] {
        model.tables[table].entries.map { "\($0.priority)/\($0.cookie)" }.sorted()
    }

    /// What a multipart request for flows gets.
    func flows(_ request: FlowStatisticsRequest = FlowStatisticsRequest()) throws -> [FlowStatistics] {
        guard case .flow(let flows) = try model.answer(.flow(request)) else { return [] }
        return flows
    }
}

/// Shorthands for matches and instructions.
extension [MatchField] {
    static let ipv4: Self = [MatchField(.ethType, 0x0800)]
    static let ipv6: Self = [MatchField(.ethType, 0x86dd)]
    static let mpls = [MatchField(.ethType, 0x8847)]
    static let arp: Self = [MatchField(.ethType, 0x0806)]
    static let tcp: Self = ipv4 + [MatchField(.ipProto, 6)]
    static let udp: Self = ipv4 + [MatchField(.ipProto, 17)]
    static let icmp: Self = ipv4 + [MatchField(.ipProto, 1)]
    static let tagged: Self = [MatchField(.vlanVID, 0x1000, mask: 0x1000)]
    static let untagged: Self = [MatchField(.vlanVID, 0)]

    static func inPort(_ number: UInt32) -> Self { [MatchField(.inPort, UInt128(number))] }
    static func ipv4Dst(_ address: UInt32, mask: UInt32? = nil) -> Self {
        ipv4 + [MatchField(.ipv4Dst, UInt128(address), mask: mask.map { UInt128($0) })]
    }
}

extension Action {
    static func to(_ port: PortNumber) -> Action { .output(port, maxLength: 0) }
}

extension [Instruction] {
    static func output(_ port: PortNumber) -> Self { [.applyActions([.to(port)])] }
}
