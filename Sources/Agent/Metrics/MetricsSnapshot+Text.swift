// The series: names, labels and where each number comes from. docs/metrics.md has a row for each, which a test compares.

extension MetricsSnapshot {
    /// The body of `GET /metrics`.
    package var prometheusText: String {
        var text = PrometheusText()
        writePorts(&text)
        writeQueues(&text)
        writeVMs(&text)
        writeServices(&text)
        writeDrops(&text)
        writeTables(&text)
        writeWorkers(&text)
        writeChannels(&text)
        text.family("ringway_learned_addresses", .gauge, "Addresses that output to NORMAL has seen and knows.")
        text.series([], UInt64(learnedAddresses))
        text.family("ringway_standalone", .gauge, "Whether all packets are output to NORMAL for want of a controller.")
        text.series([], UInt64(isStandalone ? 1 : 0))
        text.family("ringway_build_info", .gauge, "Always 1; the label has the agent's version.")
        text.series([("version", version)], UInt64(1))
        text.family("ringway_start_time_seconds", .gauge, "When the agent started, in seconds since 1970.")
        text.series([], startTime)
        return text.text
    }

    private func writePorts(_ text: inout PrometheusText) {
        func family(_ name: String, _ kind: PrometheusText.Kind, _ help: String, _ value: (PortReport) -> UInt64?) {
            text.family("ringway_port_\(name)", kind, help)
            for port in ports {
                if let value = value(port) { text.series([("port", "\(port.number)"), ("name", port.name)], value) }
            }
        }
        family("receive_packets_total", .counter, "Packets received.", \.receivePackets)
        family("receive_bytes_total", .counter, "Bytes received.", \.receiveBytes)
        family("transmit_packets_total", .counter, "Packets sent.", \.transmitPackets)
        family("transmit_bytes_total", .counter, "Bytes sent.", \.transmitBytes)
        family(
            "receive_dropped_total",
            .counter,
            "Packets that the device lost before a worker saw them.",
            \.receiveDropped
        )
        family("transmit_dropped_total", .counter, "Packets that the port's queue had no room for.", \.transmitDropped)
        family(
            "receive_errors_total",
            .counter,
            "Packets received damaged, as the device counts them.",
            \.receiveErrors
        )
        family("transmit_errors_total", .counter, "Packets that the device failed to send.", \.transmitErrors)
        family("up", .gauge, "Whether the port's link is up.") { $0.linkUp ? 1 : 0 }
        family("speed_bytes_per_second", .gauge, "The link's speed, where the device knows it.") { port in
            port.linkSpeed.map { UInt64($0) * 125_000 }
        }
    }

    private func writeQueues(_ text: inout PrometheusText) {
        func family(_ name: String, _ kind: PrometheusText.Kind, _ help: String, _ value: (QueueReport) -> UInt64) {
            text.family("ringway_queue_\(name)", kind, help)
            for queue in queues {
                text.series(
                    [
                        ("port", "\(queue.port)"), ("name", queue.name),
                        ("queue", queue.queue.map(String.init) ?? "default"),
                    ],
                    value(queue)
                )
            }
        }
        family("transmit_packets_total", .counter, "Packets that left the port's queue.", \.transmitPackets)
        family("transmit_bytes_total", .counter, "Bytes that left the port's queue.", \.transmitBytes)
        family("dropped_total", .counter, "Packets that the queue had no room for.", \.dropped)
        family("waiting_packets", .gauge, "Packets in the queue.", \.waiting)
    }

    private func writeVMs(_ text: inout PrometheusText) {
        func family(_ name: String, _ kind: PrometheusText.Kind, _ help: String, _ value: (VMReport) -> UInt64) {
            text.family("ringway_vm_\(name)", kind, help)
            for vm in vms {
                text.series([("port", "\(vm.number)"), ("name", vm.name), ("group", vm.group)], value(vm))
            }
        }
        family("attached", .gauge, "Whether a network function is attached.") { $0.state == "attached" ? 1 : 0 }
        family("attachments_total", .counter, "How often one has attached.") { UInt64($0.attachments) }
        family("lent_packets", .gauge, "Buffers that it has.", \.lent)
        family("made_packets_total", .counter, "Packets that it made.", \.made)
        family("copied_packets_total", .counter, "Packets that came from other memory than the group's.", \.copied)
        family("wakes_total", .counter, "How often it was woken.", \.wakes)
        family("reclaimed_packets_total", .counter, "Packets taken back from it when it was gone.") {
            UInt64($0.reclaimed)
        }
        text.family("ringway_vm_violations_total", .counter, "What it gave back against the rules of its ring.")
        for vm in vms {
            for (kind, count) in [
                ("foreign_buffer", vm.foreignBuffers), ("bad_place", vm.badPlaces), ("bad_verdict", vm.badVerdicts),
            ] { text.series([("port", "\(vm.number)"), ("name", vm.name), ("kind", kind)], count) }
        }
        text.family(
            "ringway_vm_messages_total",
            .counter,
            "Messages between VMs of a group, by the VM that sent or got them."
        )
        for vm in vms {
            for (direction, count) in [("sent", vm.messagesSent), ("received", vm.messagesReceived)] {
                text.series([("port", "\(vm.number)"), ("name", vm.name), ("direction", direction)], count)
            }
        }
        text.family("ringway_vm_message_drops_total", .counter, "Messages of a VM that were dropped.")
        for vm in vms {
            for (reason, count) in [("full", vm.messagesFull), ("unreachable", vm.messagesUnreachable)] {
                text.series([("port", "\(vm.number)"), ("name", vm.name), ("reason", reason)], count)
            }
        }
        text.family("ringway_group_buffers", .gauge, "Packet buffers of a trust group, by who has them.")
        for group in buffers {
            let others = group.buffers - group.free - group.lent
            for (state, count) in [("free", group.free), ("lent", group.lent), ("in_flight", max(0, others))] {
                text.series([("group", group.group), ("state", state)], UInt64(count))
            }
        }
    }

    private func writeServices(_ text: inout PrometheusText) {
        func family(_ name: String, _ help: String, _ value: (ServiceReport) -> UInt64) {
            text.family("ringway_service_\(name)", .counter, help)
            for service in services {
                text.series([("port", "\(service.number)"), ("name", service.name)], value(service))
            }
        }
        family("packets_total", "Packets that found a replica.", \.packets)
        family("bytes_total", "Their bytes.", \.bytes)
        family("connections_total", "Connections that were given a replica.", \.connections)
        family("moved_connections_total", "Connections whose replica was gone.", \.moved)
        family("unremembered_packets_total", "Packets of connections without a place.", \.unremembered)
        text.family("ringway_service_replica_connections", .gauge, "Connections remembered, by replica.")
        for service in services {
            for replica in service.replicas {
                text.series(
                    [("port", "\(service.number)"), ("name", service.name), ("replica", replica.name)],
                    UInt64(replica.connections)
                )
            }
        }
    }

    private func writeDrops(_ text: inout PrometheusText) {
        text.family("ringway_drops_total", .counter, "Packets dropped by the switch, by reason and port.")
        for drop in drops {
            text.series([("reason", drop.reason), ("port", drop.port.map(String.init) ?? "")], drop.packets)
        }
    }

    private func writeTables(_ text: inout PrometheusText) {
        text.family("ringway_table_lookups_total", .counter, "Packets looked up in the table.")
        for table in tables { text.series([("table", "\(table.table)")], table.lookups) }
        text.family("ringway_table_matches_total", .counter, "Packets that matched an entry of the table.")
        for table in tables { text.series([("table", "\(table.table)")], table.matches) }
        text.family(
            "ringway_table_entries",
            .gauge,
            "Flow entries in the table, with the form of lookup chosen for them."
        )
        for table in tables {
            text.series([("table", "\(table.table)"), ("form", table.formText)], UInt64(max(0, table.activeEntries)))
        }
        text.family("ringway_table_masks", .gauge, "Different masks of the table's flow entries.")
        for table in tables { text.series([("table", "\(table.table)")], UInt64(table.masks)) }
        text.family("ringway_table_memory_bytes", .gauge, "What the table takes of each worker's memory.")
        for table in tables { text.series([("table", "\(table.table)")], UInt64(table.memory)) }
        text.family(
            "ringway_table_lookup_cycles",
            .gauge,
            "Cycles of the time stamp counter for each packet looked up."
        )
        for table in tables {
            for form in table.forms {
                guard let cycles = form.cyclesPerLookup else { continue }
                text.series([("table", "\(table.table)"), ("core", "\(form.core)")], cycles)
            }
        }
    }

    private func writeWorkers(_ text: inout PrometheusText) {
        func family(_ name: String, _ help: String, _ value: (WorkerReport) -> UInt64) {
            text.family("ringway_worker_\(name)", .counter, help)
            for worker in workers { text.series(worker.labels, value(worker)) }
        }
        family("packets_total", "Packets that the worker received from ports.", \.packets)
        family("bursts_total", "Polls that found packets.", \.bursts)
        family("empty_polls_total", "Polls that found none.", \.emptyPolls)
        family("injected_packets_total", "Packets that came by packet-out.", \.injected)
        family("copied_packets_total", "Copies made of packets that left more than once.", \.copies)
        family("packet_ins_total", "Packets handed to the control side as packet-ins.", \.packetIns)
        text.family(
            "ringway_worker_busy_ratio",
            .gauge,
            "The part of its time that the worker spent on packets and changes, 0 to 1."
        )
        for worker in workers { text.series(worker.labels, worker.busyRatio) }
        text.family(
            "ringway_worker_cycles_per_packet",
            .gauge,
            "Cycles of the time stamp counter that the worker spent on each packet."
        )
        for worker in workers {
            if let cycles = worker.cyclesPerPacket { text.series(worker.labels, cycles) }
        }
        text.family(
            "ringway_worker_flow_cache_lookups_total",
            .counter,
            "Packets whose path through the tables was looked for in the flow cache."
        )
        for worker in workers { text.series(worker.labels, worker.cacheLookups) }
        text.family("ringway_worker_flow_cache_hits_total", .counter, "Packets whose path was in the flow cache.")
        for worker in workers { text.series(worker.labels, worker.cacheHits) }
        text.family(
            "ringway_worker_change_ratio",
            .gauge,
            "The part of its time that the worker spent on changes, 0 to 1."
        )
        for worker in workers { text.series(worker.labels, worker.changeRatio) }
        text.family(
            "ringway_worker_queue_load_ratio",
            .gauge,
            "The part of the worker's time that the port's packets took."
        )
        for worker in workers {
            for queue in worker.receiveQueues {
                let labels = worker.labels + [("port", queue.port), ("queue", "\(queue.queue)")]
                text.series(labels, queue.load)
            }
        }
        text.family(
            "ringway_worker_step_seconds",
            .histogram,
            "How long packets that came in meanwhile had to wait at most."
        )
        for worker in workers where !worker.steps.isEmpty {
            let bounds = worker.steps.compactMap(\.seconds)
            let histogram = Histogram(bounds: bounds, counts: worker.steps.map(\.count), sum: worker.busySeconds)
            text.series(worker.labels, histogram)
        }
        text.family("ringway_worker_longest_step_seconds", .gauge, "The longest of these times since the start.")
        for worker in workers { text.series(worker.labels, worker.longestStep) }
        family(
            "involuntary_switches_total",
            "How often the kernel has taken the core away from the worker.",
            \.involuntarySwitches
        )
    }

    private func writeChannels(_ text: inout PrometheusText) {
        text.family("ringway_channel_connected", .gauge, "OpenFlow connections of the peer in this role.")
        for peer in connectedChannels { text.series([("peer", peer.endpoint), ("role", peer.role)], peer.count) }
        text.family("ringway_channel_messages_total", .counter, "OpenFlow messages, by peer, direction and type.")
        for endpoint in messages {
            for message in endpoint.messages {
                text.series(
                    [("peer", endpoint.endpoint), ("direction", message.direction.rawValue), ("type", message.type)],
                    message.count
                )
            }
        }
        text.family("ringway_packet_in_total", .counter, "Packet-ins sent to controllers, by reason.")
        for (reason, count) in packetIns.sorted(by: { $0.key < $1.key }) { text.series([("reason", reason)], count) }
        text.family("ringway_packet_in_dropped_total", .counter, "Packet-ins dropped because there were too many.")
        text.series([], packetInsDropped)
        text.family("ringway_flow_mods_total", .counter, "Flow-mods accepted, by command.")
        for (command, count) in flowMods.sorted(by: { $0.key < $1.key }) { text.series([("command", command)], count) }
        text.family("ringway_barrier_seconds", .histogram, "From a barrier request to its reply.")
        text.series([], barriers)
    }

    /// How many connections each endpoint has in each role, in the order of `channels`. One that is not connected counts 0, so that
    /// a controller that is lost shows.
    private var connectedChannels: [(endpoint: String, role: String, count: UInt64)] {
        var peers: [(endpoint: String, role: String, count: UInt64)] = []
        for channel in channels {
            let connected: UInt64 = channel.isConnected ? 1 : 0
            if let index = peers.firstIndex(where: { $0.endpoint == channel.endpoint && $0.role == channel.role }) {
                peers[index].count += connected
            } else {
                peers.append((channel.endpoint, channel.role, connected))
            }
        }
        return peers
    }
}

extension WorkerReport {
    fileprivate var labels: [(String, String)] { [("worker", "\(worker)"), ("core", "\(core)")] }
}
