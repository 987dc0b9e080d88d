// The process, put together: the data plane with its workers, the switch model, the channels, and what watches over them. Lives
// on one event loop, whose thread is DPDK's main lcore.

import CDPDK
import DataPlane
import Foundation
import Logging
import NIOCore
import NIOPosix
import OpenFlow

final class Agent {
    var configuration: Configuration
    private let group: any EventLoopGroup
    let loop: any EventLoop
    let log: Logger

    let environment: EAL.Environment
    let pool: PacketPool
    let workers: [UnsafeMutablePointer<Worker>]
    let datapath: CompiledDatapath
    let model: SwitchModel
    let vms: VMPorts
    let sessions = Sessions()
    let requests: SwitchRequests
    let endpoints: Endpoints
    /// The workers write to it when they have something for the control side that waits.
    private let controlPipe: (read: CInt, write: CInt)
    private var watch: RepeatedTask?
    private var vmWatch: RepeatedTask?
    /// When addresses are looked through that have not been seen for long.
    private var nextAgeing = NIODeadline.now()
    var metricsServer: MetricsServer?
    private var controlServer: ControlServer?
    /// The configuration's file, which a reload reads again.
    let path: String
    /// Done when no reload is at it any more.
    var lastReload: EventLoopFuture<Void>
    /// In seconds since 1970.
    let startTime = Date().timeIntervalSince1970
    /// For traces: a worker that looks at the first one's tables.
    lazy var observer = Worker.observer(of: workers[0], pool: pool)
    /// Each worker's counters when its load was last reported.
    var lastLoads: [WorkerLoad]
    /// Packets and cycles of each worker's tables when they were last reported; see `TableSlot`.
    var lastTableTimes: [[(packets: UInt64, cycles: UInt64)]]

    struct StartError: Error, CustomStringConvertible {
        let description: String
    }

    /// Starts DPDK and the workers. To be called on the loop, once per process.
    init(configuration: Configuration, path: String, group: any EventLoopGroup, loop: any EventLoop, log: Logger) throws
    {
        self.configuration = configuration
        self.path = path
        lastReload = loop.makeSucceededVoidFuture()
        self.group = group
        self.loop = loop
        self.log = log
        let memory = configuration.memoryNeeded
        environment = try EAL.start(
            cores: configuration.workers.cores,
            socket: ProcessorTopology().socket(ofWorkers: configuration.workers.cores),
            megabytes: configuration.memory.size >> 20,
            hugePages: EAL.HugePages(configuration.memory.hugePages),
            filePrefix: "\(configuration.datapath.name)-\(getpid())",
            pci: configuration.ports.contains { $0.isPCI }
        )
        guard let pool = PacketPool(count: memory.poolBuffers) else {
            throw StartError(
                description:
                    "memory.size: \(configuration.memory.size >> 20) MiB do not hold \(memory.poolBuffers) packet buffers"
            )
        }
        self.pool = pool
        var pipe: [CInt] = [-1, -1]
        guard cdpdk_pipe(&pipe) == 0 else { throw StartError(description: "no pipe: errno \(errno)") }
        controlPipe = (pipe[0], pipe[1])
        workers = Worker.make(
            count: configuration.workers.cores.count,
            pool: pool,
            controlPipe: pipe[1],
            idle: configuration.workers.idle == .busy ? .busy : .adaptive,
            flowCache: configuration.workers.flowCacheMode
        )
        lastLoads = workers.map { _ in WorkerLoad() }
        lastTableTimes = workers.map { _ in Array(repeating: (0, 0), count: Worker.tableCount) }
        datapath = CompiledDatapath(
            workers: workers,
            pool: pool,
            memory: TableMemory(limit: memory.tableLimit + memory.groupBytes, fromEAL: true)
        )
        vms = VMPorts(datapath: datapath, log: log)
        model = SwitchModel(
            datapathID: configuration.datapath.id,
            description: configuration.switchDescription,
            datapath: datapath
        )
        requests = SwitchRequests(
            model: model,
            datapath: datapath,
            sessions: sessions,
            settings: configuration.openflow,
            log: log
        )
        endpoints = Endpoints(
            group: group,
            loop: loop,
            requests: requests,
            settings: configuration.openflow,
            log: log
        )
        useLimits(configuration.openflow)
        useSwitching(configuration.datapath)
        model.onFlowRemoved = { [sessions] in sessions.flowRemoved($0) }
        model.onPortStatus = { [sessions] in sessions.portStatus($0) }
        datapath.onPacketIn = { [sessions] in sessions.packetIn($0) }
        datapath.onSighting = { [model] in model.learn($0, at: $1) }
        vms.onChange = { [model] in model.setPort($0.described) }
        sessions.onChange = { [unowned self] in chooseFailMode() }
        for worker in workers where !Worker.start(worker) {
            throw StartError(
                description:
                    "worker \(worker.pointee.index) does not start on core \(configuration.workers.cores[worker.pointee.index])"
            )
        }
        log.info(
            "started",
            metadata: [
                "memory": "\(environment.megabytes) MiB in \(environment.hugePages ? "huge" : "ordinary") pages",
                "socket": "\(environment.socket.map(String.init) ?? "any")",
                "workers": "\(configuration.workers.cores)", "packet buffers": "\(pool.count)",
            ]
        )
    }

    // MARK: Starting and stopping

    /// Opens ports, sockets and timers. What fails, fails the start.
    func open() -> EventLoopFuture<Void> {
        do {
            try FileManager.default.createDirectory(
                atPath: configuration.runDirectory,
                withIntermediateDirectories: true
            )
            _ = try endpoints.use(configuration.openflow)
            try vms.makeGroups(configuration, isHuge: environment.hugePages)
            for port in configuration.ports { try addPort(port) }
            for vm in configuration.vms { try addVM(vm) }
            for service in configuration.services { try addService(service) }
            chooseFailMode()
            try datapath.portsChanged(entries: model.entries)
        } catch {
            return loop.makeFailedFuture(error)
        }
        let bound = NIOLoopBound(self, eventLoop: loop)
        return openControlPipe().flatMap { bound.value.openSockets() }.map { bound.value.startWatch() }
    }

    private func openControlPipe() -> EventLoopFuture<Void> {
        let bound = NIOLoopBound(self, eventLoop: loop)
        return NIOPipeBootstrap(group: group)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(WakeHandler(agent: bound.value))
                }
            }
            .takingOwnershipOfDescriptor(input: controlPipe.read).map { _ in bound.value.datapath.arm() }
    }

    private func openSockets() -> EventLoopFuture<Void> {
        let listeners = [.unix(path: configuration.managementSocket)] + configuration.openflow.listen
        let bound = NIOLoopBound(self, eventLoop: loop)
        return openControlSocket()
            .flatMap {
                let agent = bound.value
                return EventLoopFuture.andAllSucceed(listeners.map { agent.endpoints.listen(at: $0) }, on: agent.loop)
            }
            .flatMap { bound.value.openMetrics() }
            .map {
                let agent = bound.value
                for controller in agent.configuration.openflow.controllers { agent.endpoints.connect(to: controller) }
            }
    }

    /// Looks after what nobody tells us: time-outs of flows, links that go up and down.
    private func startWatch() {
        let bound = NIOLoopBound(self, eventLoop: loop)
        watch = loop.scheduleRepeatedTask(initialDelay: .milliseconds(100), delay: .milliseconds(100)) { _ in
            let agent = bound.value
            agent.datapath.poll()
            agent.datapath.ports.letGo()
            agent.vms.letGo(groupNames: agent.configuration.groupNames)
            agent.model.expireFlows()
            agent.sessions.expireBundles(timeout: agent.configuration.openflow.bundleTimeout)
            agent.updateLinks()
            agent.expireAddresses()
        }
        watchVMs()
    }

    /// Looks after VMs as long as there are some.
    func watchVMs() {
        if configuration.vms.isEmpty {
            vmWatch?.cancel()
            vmWatch = nil
        } else if vmWatch == nil {
            let bound = NIOLoopBound(self, eventLoop: loop)
            vmWatch = loop.scheduleRepeatedTask(initialDelay: .zero, delay: VMPorts.interval) { _ in
                bound.value.vms.look()
                bound.value.datapath.poll()
            }
        }
    }

    private func expireAddresses() {
        guard NIODeadline.now() >= nextAgeing else { return }
        nextAgeing = .now() + .seconds(1)
        model.expireAddresses()
    }

    func useLimits(_ settings: Configuration.OpenFlow) {
        (model.flowLimit, model.tableFlowLimit) = (settings.flowLimit, settings.tableFlowLimit ?? .max)
        (model.groupLimit, model.bucketLimit) = (settings.groupLimit, settings.bucketLimit)
        (model.meterLimit, model.meterBandLimit) = (settings.meterLimit, settings.meterBandLimit)
    }

    func useSwitching(_ settings: Configuration.Datapath) {
        (model.addressLimit, model.addressAgeing) = (settings.macTableSize, settings.macAgingTime)
    }

    /// Fail standalone mode begins when the last of the controllers that the agent connects to is lost, and before the first is
    /// reached (OpenFlow 1.3.5 §6.3.2).
    func chooseFailMode() {
        let addresses = Set(configuration.openflow.controllers.map { "\($0)" })
        let isConnected = sessions.all.contains { addresses.contains($0.endpoint) }
        let isStandalone = configuration.openflow.failMode == .standalone && !isConnected
        guard isStandalone != model.isStandalone else { return }
        model.isStandalone = isStandalone
        log.info(isStandalone ? "no controller: a learning switch, whatever the rules say" : "forwarding by the rules")
    }

    /// Ends connections, workers and devices, in this order.
    func close() {
        watch?.cancel()
        vmWatch?.cancel()
        endpoints.closeAll()
        _ = metricsServer?.close()
        _ = controlServer?.close()
        datapath.stopWorkers()
        datapath.ports.close()
        vms.close()
        _ = rte_eal_cleanup()
    }

    // MARK: Ports

    func addPort(_ port: Configuration.Port) throws {
        let byHand = (configuration.workers.queues[port.name] ?? [:]).compactMapValues {
            configuration.workers.cores.firstIndex(of: $0)
        }
        let entry = try datapath.ports.add(
            number: PortNumber(rawValue: port.number),
            name: port.name,
            devargs: port.device,
            receiveQueues: port.queues ?? workers.count,
            byHand: byHand,
            mtu: port.mtu,
            vlans: port.vlans,
            egress: port.egress,
            region: try port.group.map(vms.region(ofGroup:)),
            regions: vms.groups.values.map(\.region)
        )
        model.setPort(entry.described)
        model.portVLANs[entry.number] = port.vlans
        model.setQueues(port.egress, of: entry.number)
    }

    func addService(_ service: Configuration.Service) throws {
        let entry = try datapath.ports.add(service: service)
        model.servicePorts.insert(entry.number)
        model.setPort(entry.described)
    }

    /// Of a device or a service.
    func removePort(_ number: PortNumber, done: @escaping () -> Void) {
        datapath.ports.remove(number, done: done)
        model.removePort(number)
    }

    func addVM(_ vm: Configuration.VM) throws { model.setPort(try vms.add(vm).described) }

    func removeVM(_ vm: Configuration.VM, done: @escaping () -> Void) {
        vms.remove(vm, done: done)
        model.removePort(PortNumber(rawValue: vm.number))
    }

    private func updateLinks() {
        for entry in datapath.ports.entries.values { model.setPort(entry.described) }
    }

    // MARK: Sockets for people and monitoring

    private func openControlSocket() -> EventLoopFuture<Void> {
        let bound = NIOLoopBound(self, eventLoop: loop)
        return ControlServer.start(path: configuration.controlSocket, on: loop, handler: self)
            .assumeIsolated().map { bound.value.controlServer = $0 }.nonisolated()
    }

    func openMetrics() -> EventLoopFuture<Void> {
        guard let address = configuration.metrics.listen else { return loop.makeSucceededVoidFuture() }
        let bound = NIOLoopBound(self, eventLoop: loop)
        return MetricsServer.start(at: address, on: loop, snapshot: { bound.value.metricsSnapshot() })
            .flatMapErrorThrowing { throw StartError(description: "metrics.listen \(address): \(reason(of: $0))") }
            .assumeIsolated().map { bound.value.metricsServer = $0 }.nonisolated()
    }
}

/// Reads the bytes that workers write to wake the control side.
private final class WakeHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private unowned let agent: Agent

    init(agent: Agent) { self.agent = agent }

    func channelReadComplete(context: ChannelHandlerContext) { agent.datapath.arm() }
}

extension EAL.HugePages {
    init(_ setting: Configuration.HugePages) {
        self =
            switch setting {
            case .auto: .auto
            case .required: .required
            case .none: .none
            }
    }
}

extension Configuration {
    /// What OFPMP_DESC says.
    var switchDescription: SwitchDescription {
        SwitchDescription(
            manufacturer: "Ringway",
            hardware: "DPDK",
            software: Version.text,
            serialNumber: "",
            datapath: datapath.description.isEmpty ? datapath.name : datapath.description
        )
    }
}

extension Configuration.Port {
    /// A PCI address, not a virtual device.
    var isPCI: Bool { !device.hasPrefix("net_") }
}

/// What an error says, without the name of the system call.
func reason(of error: any Error) -> String {
    guard let error = error as? IOError else { return "\(error)" }
    return String(cString: strerror(error.errnoCode))
}

extension Configuration.Workers {
    fileprivate var flowCacheMode: FlowCacheMode {
        switch flowCache {
        case .auto: .auto
        case .on: .on
        case .off: .off
        }
    }
}
