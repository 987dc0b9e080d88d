// Multipart requests: what the switch tells about itself (OpenFlow 1.3.5 §7.3.5).

import NIOCore
import OpenFlow

extension SwitchModel {
    /// The answer, however long: `Envelope.multipartReplies` makes messages of it.
    ///
    /// Throws the error to answer with: `BAD_REQUEST/BAD_TABLE_ID` or `BAD_PORT`, errors of type BAD_MATCH,
    /// `QUEUE_OP_FAILED/…`, `METER_MOD_FAILED/UNKNOWN_METER`, those of type TABLE_FEATURES_FAILED,
    /// `BAD_REQUEST/BAD_EXPERIMENTER`.
    package func answer(_ request: MultipartRequest) throws(OpenFlowError) -> MultipartReply {
        switch request {
        case .description: return .description(description)
        case .flow(let request):
            return .flow(try selected(by: request).map(statistics))
        case .aggregate(let request): return .aggregate(try aggregate(request))
        case .table: return .table(tableIDs.map { tableStatistics(Int($0)) })
        case .portStatistics(let number):
            return .portStatistics(try portStatistics(number))
        case .portDescription: return .portDescription(portDescriptions)
        case .tableFeatures(let changes):
            if !changes.isEmpty { try setTableFeatures(changes) }
            return .tableFeatures(tableFeatures)
        case .queue(let request): return .queue(try queueStatistics(request))
        case .group(let id): return .group(groupStatistics(id))
        case .groupDescription: return .groupDescription(groupDescriptions)
        case .groupFeatures: return .groupFeatures(groupFeatures)
        case .meter(let id): return .meter(try meterStatistics(id))
        case .meterConfig(let id): return .meterConfig(try meterConfigs(id))
        case .meterFeatures: return .meterFeatures(meterFeatures)
        case .flowMonitor(let monitors):
            for monitor in monitors {
                guard hasTable(monitor.tableID) || monitor.tableID == TableID.all else {
                    throw .badRequest(.badTableID, "table \(monitor.tableID) of monitor \(monitor.id)")
                }
                try validate(monitor.match)
            }
            return .flowMonitor(FlowMonitors.initialUpdates(of: monitors, entries))
        case .experimenter(let request) where request.experimenter == ONF.experimenter:
            throw .badRequest(.badExperimenterType, "multipart request \(request.type) of the ONF")
        case .experimenter(let request):
            throw .badRequest(.badExperimenter, "multipart request of experimenter \(request.experimenter)")
        }
    }

    private func selected(by request: FlowStatisticsRequest) throws(OpenFlowError) -> [FlowEntry] {
        guard hasTable(request.tableID) || request.tableID == TableID.all else {
            throw .badRequest(.badTableID, "table \(request.tableID)")
        }
        try validate(request.match)
        return entries(selectedBy: FlowFilter(request))
    }

    /// What has gone through an entry since its counters were last reset.
    package func counters(of entry: FlowEntry) -> FlowCounters {
        let counters = datapath.counters(of: entry)
        return FlowCounters(
            packets: counters.packets &- entry.countersAtReset.packets,
            bytes: counters.bytes &- entry.countersAtReset.bytes,
            lastUsed: counters.lastUsed
        )
    }

    private func statistics(of entry: FlowEntry) -> FlowStatistics {
        let counters = counters(of: entry)
        let duration = WireDuration(from: entry.installed, to: now())
        return FlowStatistics(
            tableID: entry.tableID,
            durationSeconds: duration.seconds,
            durationNanoseconds: duration.nanoseconds,
            priority: entry.priority,
            idleTimeout: entry.idleTimeout,
            hardTimeout: entry.hardTimeout,
            flags: entry.flags,
            cookie: entry.cookie,
            packetCount: counters.packets,
            byteCount: counters.bytes,
            match: entry.match,
            instructions: entry.instructions
        )
    }

    private func aggregate(_ request: FlowStatisticsRequest) throws(OpenFlowError) -> AggregateStatistics {
        var sum = AggregateStatistics(packetCount: 0, byteCount: 0, flowCount: 0)
        for entry in try selected(by: request) {
            let counters = counters(of: entry)
            sum.packetCount &+= counters.packets
            sum.byteCount &+= counters.bytes
            sum.flowCount += 1
        }
        return sum
    }

    private func tableStatistics(_ index: Int) -> TableStatistics {
        let counters = datapath.counters(ofTable: UInt8(index))
        return TableStatistics(
            tableID: UInt8(index),
            activeCount: UInt32(clamping: tables[index].entries.count),
            lookupCount: counters.lookups,
            matchedCount: counters.matches
        )
    }

    private func portStatistics(_ number: PortNumber) throws(OpenFlowError) -> [PortStatistics] {
        guard number == .any || ports[number] != nil else { throw .badRequest(.badPort, "port \(number)") }
        let time = now()
        return ports.values.filter { number == .any || $0.port.number == number }
            .sorted { $0.port.number < $1.port.number }
            .map { port in
                var statistics = datapath.counters(ofPort: port.port.number) ?? PortStatistics(number: port.port.number)
                let duration = WireDuration(from: port.added, to: time)
                (statistics.durationSeconds, statistics.durationNanoseconds) = (duration.seconds, duration.nanoseconds)
                return statistics
            }
    }
}
