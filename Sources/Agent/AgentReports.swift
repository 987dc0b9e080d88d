// What `ringway show` and `/metrics` tell of the agent: numbers of one moment, from the same counters that OpenFlow reports.

import DataPlane
import NIOCore
import OpenFlow

/// What a worker had counted when its load was last reported.
struct WorkerLoad {
    var cycles = Clock.cycles
    var busyCycles: UInt64 = 0
    var packets: UInt64 = 0
    var bursts: UInt64 = 0
    var deltaCycles: UInt64 = 0
    var cacheHits: UInt64 = 0
    /// By port slot; see `PortCounters.timedCycles`.
    var timedCycles = [UInt64](repeating: 0, count: PortSlot.limit)
}

extension Agent {
    func portReports() -> [PortReport] {
        datapath.ports.entries.values.sorted { $0.number < $1.number }.map { entry in
            var report = PortReport(
                number: entry.number.rawValue,
                name: entry.name,
                device: entry.device?.devargs ?? (entry.vm == nil ? "service" : "vm")
            )
            let port = model.ports[entry.number]?.port
            report.hardwareAddress = port.map { "\($0.hardwareAddress)" } ?? report.hardwareAddress
            report.linkUp = port.map { !$0.state.contains(.linkDown) } ?? false
            report.linkSpeed = entry.device?.linkSpeed
            report.receiveQueues = entry.plan.receive.enumerated().map {
                .init(queue: $0.offset, core: core(of: $0.element))
            }
            report.transmitQueues = entry.device?.transmitQueues ?? workers.count
            if case .owner(let owner) = entry.plan.transmit { report.transmitCore = core(of: owner) }
            guard let statistics = datapath.counters(ofPort: entry.number) else { return report }
            report.receivePackets = statistics.receivedPackets
            report.receiveBytes = statistics.receivedBytes
            report.transmitPackets = statistics.transmittedPackets
            report.transmitBytes = statistics.transmittedBytes
            // What the device does not count is all ones in OpenFlow, and 0 here.
            func known(_ counter: UInt64) -> UInt64 { counter == .max ? 0 : counter }
            report.receiveDropped = known(statistics.receiveDropped)
            report.transmitDropped = statistics.transmitDropped
            report.receiveErrors = known(statistics.receiveErrors)
            report.transmitErrors = known(statistics.transmitErrors)
            return report
        }
    }

    /// Tables that have entries, or had packets.
    func tableReports() -> [TableReport] {
        model.tables.indices.compactMap { index in
            let table = UInt8(index)
            let counters = datapath.counters(ofTable: table)
            let entries = model.tables[index].entries.count
            guard entries > 0 || counters.lookups > 0 || index == 0 else { return nil }
            let lookup = datapath.lookup(ofTable: table)
            let forms = workers.indices.map { worker in
                var form = TableReport.Form(core: core(of: worker), form: lookup.form.name)
                form.parts = lookup.form == .tupleSpace ? lookup.parts.map(\.rawValue) : []
                form.cyclesPerLookup = cyclesPerLookup(index, worker)
                return form
            }
            var report = TableReport(
                table: table,
                activeEntries: entries,
                lookups: counters.lookups,
                matches: counters.matches,
                forms: forms
            )
            (report.masks, report.memory) = (lookup.masks, lookup.bytes)
            return report
        }
    }

    /// Since it was last asked for.
    private func cyclesPerLookup(_ table: Int, _ worker: Int) -> Double? {
        let slot = workers[worker].pointee.tables + table
        let now = (packets: glance(slot.word(\.timedLookups)), cycles: glance(slot.word(\.timedCycles)))
        let last = lastTableTimes[worker][table]
        lastTableTimes[worker][table] = now
        guard now.packets > last.packets else { return nil }
        return Double(now.cycles &- last.cycles) / Double(now.packets - last.packets)
    }

    func groupReports() -> [GroupReport] {
        model.groupStatistics(.all).compactMap { statistics in
            guard let group = model.groups[statistics.groupID] else { return nil }
            let buckets = zip(group.buckets, statistics.buckets).map { bucket, counter in
                var report = GroupReport.Bucket(
                    weight: bucket.weight,
                    live: model.isLive(bucket),
                    actions: bucket.actions.map { "\($0)" },
                    packets: counter.packetCount,
                    bytes: counter.byteCount
                )
                if bucket.watchPort != .any { report.watchPort = bucket.watchPort.rawValue }
                if bucket.watchGroup != .any { report.watchGroup = bucket.watchGroup.rawValue }
                return report
            }
            return GroupReport(
                group: group.id.rawValue,
                type: group.type.name,
                references: statistics.referenceCount,
                packets: statistics.packetCount,
                bytes: statistics.byteCount,
                buckets: buckets
            )
        }
    }

    func workerReports() -> [WorkerReport] {
        workers.enumerated().map { index, worker in
            let counters = worker.pointee.counters.pointee
            var report = WorkerReport(worker: index, core: core(of: index))
            report.packets = counters.packets
            report.bursts = counters.bursts
            report.emptyPolls = counters.emptyPolls
            report.injected = counters.injected
            report.cacheLookups = counters.cacheLookups
            report.cacheHits = counters.cacheHits
            report.copies = counters.copies
            report.packetIns = (0..<3).reduce(0) { $0 + counters.packetIns[$1] }
            var now = WorkerLoad(busyCycles: counters.busyCycles, packets: counters.packets)
            (now.bursts, now.deltaCycles) = (counters.bursts, counters.deltaCycles)
            now.cacheHits = counters.cacheHits
            for slot in 0..<PortSlot.limit { now.timedCycles[slot] = worker.pointee.ports[slot].counters.timedCycles }
            let last = lastLoads[index]
            let elapsed = Double(max(1, now.cycles &- last.cycles))
            let busy = Double(now.busyCycles &- last.busyCycles)
            report.busyRatio = min(1, busy / elapsed)
            report.changeRatio = min(1, Double(now.deltaCycles &- last.deltaCycles) / elapsed)
            if now.packets > last.packets {
                report.cyclesPerPacket = busy / Double(now.packets - last.packets)
                report.cachedRatio = Double(now.cacheHits - last.cacheHits) / Double(now.packets - last.packets)
            }
            if now.bursts > last.bursts {
                report.packetsPerBurst = Double(now.packets - last.packets) / Double(now.bursts - last.bursts)
            }
            let second = Double(Clock.cyclesPerSecond)
            report.busySeconds = Double(counters.busyCycles) / second
            report.longestStep = Double(counters.longestStep) / second
            report.involuntarySwitches = ProcessStatus.involuntarySwitches(ofThread: worker.pointee.thread.pointee) ?? 0
            report.steps = (0..<WorkerCounters.stepBuckets).map { bucket in
                let isLast = bucket == WorkerCounters.stepBuckets - 1
                let bound = Double(UInt64(1) << UInt64(WorkerCounters.shortestStep + bucket)) / second
                return WorkerReport.StepCount(seconds: isLast ? nil : bound, count: counters.steps[bucket])
            }
            lastLoads[index] = now
            report.receiveQueues = datapath.ports.entries.values.sorted { $0.number < $1.number }.flatMap { entry in
                let slot = Int(entry.slot)
                let cycles = (now.timedCycles[slot] &- last.timedCycles[slot]) &* WorkerCounters.timedBursts
                let load = min(1, Double(cycles) / elapsed)
                return entry.plan.receive.enumerated().filter { $0.element == index }
                    .map { WorkerReport.Queue(port: entry.name, queue: $0.offset, load: load) }
            }
            return report
        }
    }

    func channelReports() -> [ChannelReport] {
        let now = NIODeadline.now()
        func seconds(since: NIODeadline) -> Int { Int((now - since).nanoseconds / 1_000_000_000) }
        let open = sessions.all.map { session in
            var report = ChannelReport(
                endpoint: session.endpoint,
                peer: session.peer,
                role: "\(session.role)",
                state: "active"
            )
            report.certificate = session.certificate
            report.seconds = seconds(since: session.connectedSince)
            report.lastError = endpoints.lastError(session.endpoint)
            report.messages = session.messages.report
            return report
        }
        let unreached = endpoints.unreached.map { controller in
            var report = ChannelReport(
                endpoint: "\(controller.address)",
                peer: "\(controller.address)",
                role: "equal",
                state: controller.state.rawValue
            )
            report.seconds = seconds(since: controller.since)
            report.lastError = controller.lastError
            return report
        }
        return open + unreached
    }

    func dropReports() -> [DropReport] {
        func reports(_ counters: PortCounters, _ port: UInt32?) -> [DropReport] {
            DropReason.allCases.map { DropReport(reason: $0.name, port: port, packets: counters.drops[$0.rawValue]) }
        }
        let ports = datapath.ports.entries.values.sorted { $0.number < $1.number }.flatMap { entry in
            reports(datapath.ports.counters(entry.number) ?? PortCounters(), entry.number.rawValue)
        }
        // Of packets that came in by no port: packet-outs.
        return ports + reports(datapath.ports.countersWithoutPort, nil).filter { $0.packets > 0 }
    }

    func vmReports() -> [VMReport] {
        vms.ports.sorted { $0.settings.number < $1.settings.number }.map { vm in
            let counters = vm.counters
            let port = datapath.ports.counters(PortNumber(rawValue: vm.settings.number)) ?? PortCounters()
            var report = VMReport(
                number: vm.settings.number,
                name: vm.settings.name,
                group: vm.settings.group,
                state: vm.state.rawValue,
                ring: vm.settings.ring
            )
            (report.attachments, report.lastEnd) = (vm.attachments, vm.lastEnd?.rawValue)
            (report.lent, report.reclaimed) = (vm.lent, vm.reclaimed)
            (report.transmitPackets, report.receivePackets) = (port.transmittedPackets, port.receivedPackets)
            (report.copied, report.wakes) = (counters.copied, counters.wakes)
            (report.foreignBuffers, report.badPlaces) = (counters.foreignBuffers, counters.badPlaces)
            report.badVerdicts = counters.badVerdicts
            report.queues = vm.settings.queues
            (report.empty, report.messages, report.made) = (vm.settings.empty, vm.settings.messages, counters.made)
            (report.messagesSent, report.messagesReceived) = (counters.messagesSent, counters.messagesReceived)
            (report.messagesFull, report.messagesUnreachable) = (counters.messagesFull, counters.messagesUnreachable)
            return report
        }
    }

    private func bufferReports() -> [BufferReport] {
        vms.groups.values.sorted { $0.name < $1.name }.map { group in
            BufferReport(
                group: group.name,
                buffers: group.region.count,
                free: group.region.pool.available,
                lent: group.region.lent
            )
        }
    }

    func metricsSnapshot() -> MetricsSnapshot {
        var snapshot = MetricsSnapshot(version: Version.number, startTime: startTime)
        snapshot.ports = portReports()
        snapshot.drops = dropReports()
        snapshot.tables = tableReports()
        snapshot.queues = model.queueReports()
        snapshot.workers = workerReports()
        (snapshot.vms, snapshot.buffers) = (vmReports(), bufferReports())
        snapshot.services = serviceReports()
        snapshot.channels = channelReports()
        snapshot.messages = sessions.messages.sorted { $0.key < $1.key }
            .map { MetricsSnapshot.EndpointMessages(endpoint: $0.key, messages: $0.value.report) }
        for reason in PacketInReason.allCases { snapshot.packetIns[reason.name] = sessions.packetIns[reason] ?? 0 }
        snapshot.packetInsDropped = sessions.packetInsDropped
        (snapshot.learnedAddresses, snapshot.isStandalone) = (model.addresses.count, model.isStandalone)
        for command in FlowModCommand.allCases { snapshot.flowMods[command.name] = requests.flowMods(command) }
        snapshot.barriers = requests.barriers
        return snapshot
    }

    private func core(of worker: Int) -> Int { configuration.workers.cores[worker] }
}

extension GroupType {
    fileprivate var name: String {
        switch self {
        case .all: "all"
        case .select: "select"
        case .indirect: "indirect"
        case .fastFailover: "fast_failover"
        }
    }
}

extension MessageCounts {
    fileprivate var report: [ChannelReport.MessageCount] {
        let received = received.counted.map {
            ChannelReport.MessageCount(direction: .receive, type: $0.type.name, count: $0.count)
        }
        let sent = sent.counted.map {
            ChannelReport.MessageCount(direction: .transmit, type: $0.type.name, count: $0.count)
        }
        return (received + sent).sorted { ($0.type, $0.direction.rawValue) < ($1.type, $1.direction.rawValue) }
    }
}

extension MessageType { fileprivate var name: String { snakeCase("\(self)") } }
extension FlowModCommand { fileprivate var name: String { snakeCase("\(self)") } }
extension PacketInReason {
    /// The name in metrics and traces.
    var name: String {
        switch self {
        case .noMatch: "no_match"
        case .action: "action"
        case .invalidTTL: "invalid_ttl"
        }
    }
}

/// `flowMod` as the specification writes it: `flow_mod`.
private func snakeCase(_ name: String) -> String {
    name.reduce(into: "") { text, letter in
        if letter.isUppercase { text += "_" }
        text += letter.lowercased()
    }
}
