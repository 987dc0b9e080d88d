// What `show` tells, and what metrics are made of: plain values with the numbers of one moment, so that both say the same.
// On the control socket the names are in snake case: `receivePackets` is "receive_packets".

/// `show ports`: one port, with its counters as in OFPMP_PORT_STATS.
package struct PortReport: Codable, Hashable, Sendable {
    /// The OpenFlow port number.
    package var number: UInt32
    package var name: String
    /// DPDK devargs; "vm" for a VM's port.
    package var device: String
    /// `02:00:00:00:00:01`
    package var hardwareAddress: String
    package var linkUp: Bool
    /// In Mbit/s; nil: the device does not know.
    package var linkSpeed: UInt32?
    package var receivePackets: UInt64
    package var receiveBytes: UInt64
    package var transmitPackets: UInt64
    package var transmitBytes: UInt64
    /// Packets that the device lost before a worker saw them.
    package var receiveDropped: UInt64
    /// Packets meant for this port that were dropped: its queue was full.
    package var transmitDropped: UInt64
    package var receiveErrors: UInt64
    package var transmitErrors: UInt64
    package var receiveQueues: [Queue]
    package var transmitQueues: Int
    /// The core of the worker that sends for all others; nil: each worker has a transmit queue of its own.
    package var transmitCore: Int?

    /// A receive queue and the core whose worker polls it.
    package struct Queue: Codable, Hashable, Sendable {
        package var queue: Int
        package var core: Int

        package init(queue: Int, core: Int) { (self.queue, self.core) = (queue, core) }
    }

    package init(number: UInt32, name: String, device: String) {
        (self.number, self.name, self.device, hardwareAddress) = (number, name, device, "00:00:00:00:00:00")
        (linkUp, receivePackets, receiveBytes, transmitPackets, transmitBytes) = (false, 0, 0, 0, 0)
        (receiveDropped, transmitDropped, receiveErrors, transmitErrors) = (0, 0, 0, 0)
        (receiveQueues, transmitQueues) = ([], 0)
    }
}

/// `show tables`: one flow table, with its counters as in OFPMP_TABLE.
package struct TableReport: Codable, Hashable, Sendable {
    /// 0 to 253.
    package var table: UInt8
    package var activeEntries: Int
    package var lookups: UInt64
    package var matches: UInt64
    /// How many different masks the entries have.
    package var masks = 0
    /// Bytes that the table takes of each worker's memory, the entries' own lines included.
    package var memory = 0
    /// The form of lookup on each worker.
    package var forms: [Form]

    /// How one worker looks the table up.
    package struct Form: Codable, Hashable, Sendable {
        package var core: Int
        /// constant, direct_index, linear, hash, longest_prefix, tuple_space.
        package var form: String
        /// What a tuple_space is made of, in the order of the search: subtable, prefixes, merged, linear.
        package var parts: [String] = []
        /// Cycles of the time stamp counter for each packet looked up, since the last report of it; nil: none was.
        package var cyclesPerLookup: Double?

        package init(core: Int, form: String) { (self.core, self.form) = (core, form) }
    }

    package init(table: UInt8, activeEntries: Int, lookups: UInt64, matches: UInt64, forms: [Form]) {
        (self.table, self.activeEntries, self.lookups, self.matches, self.forms) = (
            table, activeEntries, lookups, matches, forms
        )
    }

    /// The workers' form; where they differ, each that there is.
    package var formText: String {
        var names: [String] = []
        for form in forms where !names.contains(form.form) { names.append(form.form) }
        return names.joined(separator: "+")
    }

    /// What the first worker's lookup is made of: `2 prefixes, 1 linear`; empty if it is not made of parts.
    package var partsText: String {
        var counts: [(part: String, count: Int)] = []
        for part in forms.first?.parts ?? [] {
            if let index = counts.firstIndex(where: { $0.part == part }) {
                counts[index].count += 1
            } else {
                counts.append((part, 1))
            }
        }
        return counts.map { "\($0.count) \($0.part)" }.joined(separator: ", ")
    }
}

/// `show groups`: one group, with its counters as in OFPMP_GROUP.
package struct GroupReport: Codable, Hashable, Sendable {
    package var group: UInt32
    /// all, select, indirect, fast_failover.
    package var type: String
    /// Flow entries and groups that name it.
    package var references: UInt32
    package var packets: UInt64
    package var bytes: UInt64
    package var buckets: [Bucket]

    /// A bucket; its counters began with the last group-mod.
    package struct Bucket: Codable, Hashable, Sendable {
        package var weight: UInt16
        /// nil: it watches none.
        package var watchPort: UInt32?
        package var watchGroup: UInt32?
        /// Whether what it watches is live, or it watches nothing.
        package var live: Bool
        /// As `trace` writes them: `output:2`.
        package var actions: [String]
        package var packets: UInt64
        package var bytes: UInt64

        package init(weight: UInt16 = 0, live: Bool = true, actions: [String], packets: UInt64, bytes: UInt64) {
            (self.weight, self.live, self.actions) = (weight, live, actions)
            (self.packets, self.bytes) = (packets, bytes)
        }
    }

    package init(group: UInt32, type: String, references: UInt32, packets: UInt64, bytes: UInt64, buckets: [Bucket]) {
        (self.group, self.type, self.references) = (group, type, references)
        (self.packets, self.bytes, self.buckets) = (packets, bytes, buckets)
    }
}

/// `show workers`: one polling core.
package struct WorkerReport: Codable, Hashable, Sendable {
    /// Counted from 0, in the order of `workers.cores`.
    package var worker: Int
    package var core: Int
    /// Packets received from ports.
    package var packets: UInt64
    /// Polls that found packets.
    package var bursts: UInt64
    /// Polls that found none.
    package var emptyPolls: UInt64
    /// Packets that came by packet-out.
    package var injected: UInt64 = 0
    /// Copies made of packets that left more than once.
    package var copies: UInt64 = 0
    /// Packets handed to the control side as packet-ins, whether a controller took them or not.
    package var packetIns: UInt64 = 0
    /// The part of its time that it spent on packets and changes, 0 to 1, since the last report of it (at first: since its start).
    package var busyRatio: Double
    /// Cycles of the time stamp counter for each packet, over the same time; nil: there were no packets.
    package var cyclesPerPacket: Double?
    /// Packets of a burst, over the same time; nil: there were none.
    package var packetsPerBurst: Double?
    /// Packets whose path through the tables was looked for in the flow cache, and those whose path was there.
    package var cacheLookups: UInt64 = 0
    package var cacheHits: UInt64 = 0
    /// The part of the packets that went by the flow cache, 0 to 1, over the same time; nil: there were none.
    package var cachedRatio: Double?
    /// The part of its time that it spent on changes of tables and the like, 0 to 1, since the last report of it.
    package var changeRatio: Double = 0
    /// Seconds since its start that it spent on packets and changes.
    package var busySeconds: Double = 0
    /// The longest time since its start that a packet may have waited for the worker, in seconds, while that was not asleep.
    package var longestStep: Double = 0
    /// How often the kernel has taken the core away from it since its start.
    package var involuntarySwitches: UInt64 = 0
    /// Steps of its loop with something to do, by their length.
    package var steps: [StepCount] = []
    package var receiveQueues: [Queue]

    /// How often a step was at most so long.
    package struct StepCount: Codable, Hashable, Sendable {
        /// Nil: any length.
        package var seconds: Double?
        package var count: UInt64

        package init(seconds: Double?, count: UInt64) { (self.seconds, self.count) = (seconds, count) }
    }

    /// A receive queue that it polls.
    package struct Queue: Codable, Hashable, Sendable {
        /// The port's name.
        package var port: String
        package var queue: Int
        /// The part of the worker's time that packets of this port took it, 0 to 1, since the last report; of all queues of the
        /// port together that it polls.
        package var load: Double

        package init(port: String, queue: Int, load: Double) {
            (self.port, self.queue, self.load) = (port, queue, load)
        }
    }

    package init(worker: Int, core: Int) {
        (self.worker, self.core, packets, bursts, emptyPolls, busyRatio, receiveQueues) = (worker, core, 0, 0, 0, 0, [])
    }
}

/// `show channels`: one OpenFlow connection, or a controller that is not connected.
package struct ChannelReport: Codable, Hashable, Sendable {
    /// What the configuration calls it: the controller's address, or that of the listener it came in by (`tls:127.0.0.1:6653`,
    /// `ptcp:6654:127.0.0.1`, `punix:/run/ringway/ringway.mgmt`).
    package var endpoint: String
    /// The other side's address; as `endpoint` for controllers, `unix` for a peer on a Unix socket.
    package var peer: String
    /// Whom the certificate that it presented belongs to, as RFC 2253 writes it; nil: no TLS is spoken.
    package var certificate: String?
    /// equal, master, slave.
    package var role: String
    /// connecting, negotiating, active, backoff.
    package var state: String
    /// Seconds since the state was entered.
    package var seconds: Int
    /// Why it was last lost; nil: never.
    package var lastError: String?
    package var messages: [MessageCount]

    /// Messages of one type, in one direction.
    package struct MessageCount: Codable, Hashable, Sendable {
        /// receive, transmit.
        package var direction: Direction
        /// As the specification has it, in lower case: flow_mod, barrier_request, …
        package var type: String
        package var count: UInt64

        package init(direction: Direction, type: String, count: UInt64) {
            (self.direction, self.type, self.count) = (direction, type, count)
        }
    }

    /// Seen from the agent.
    package enum Direction: String, Codable, Hashable, Sendable, CaseIterable {
        case receive, transmit
    }

    package init(endpoint: String, peer: String, role: String, state: String) {
        (self.endpoint, self.peer, self.role, self.state, seconds, messages) = (endpoint, peer, role, state, 0, [])
    }

    /// Whether OpenFlow messages go back and forth.
    package var isConnected: Bool { state == "active" }
}

/// `show drops`: packets dropped at one port for one reason.
package struct DropReport: Codable, Hashable, Sendable {
    /// table_miss, transmit_full, …: docs/metrics.md explains each.
    package var reason: String
    /// The port where they came in, or, for those of a destination that took no more, where they should have gone out; nil: none.
    package var port: UInt32?
    package var packets: UInt64

    package init(reason: String, port: UInt32?, packets: UInt64) {
        (self.reason, self.port, self.packets) = (reason, port, packets)
    }
}

/// `trace`: what would happen to a packet, by the compiled tables and by the switch model.
package struct TraceReport: Codable, Hashable, Sendable {
    /// The packet as it was understood.
    package var flow: String
    package var compiled: Path
    package var model: Path
    /// Whether both send the same frames to the same places. If not, it is a mistake in the agent.
    package var agree: Bool

    /// One way through the tables.
    package struct Path: Codable, Hashable, Sendable {
        /// Line by line: tables, the rules found there, actions, drops.
        package var steps: [String]
        package var outputs: [Output]

        package init(steps: [String], outputs: [Output]) { (self.steps, self.outputs) = (steps, outputs) }
    }

    /// One copy of the packet that leaves.
    package struct Output: Codable, Hashable, Sendable {
        /// `port 2 (out)`, `controller (no_match)`.
        package var destination: String
        /// The frame in hexadecimal digits.
        package var frame: String

        package init(destination: String, frame: String) { (self.destination, self.frame) = (destination, frame) }
    }

    package init(flow: String, compiled: Path, model: Path, agree: Bool) {
        (self.flow, self.compiled, self.model, self.agree) = (flow, compiled, model, agree)
    }
}

/// `reload`: what changed, a line for each.
package struct ReloadReport: Codable, Hashable, Sendable {
    /// `port 3 (out) added`; empty: the file says what is in force already.
    package var changes: [String]

    package init(changes: [String]) { self.changes = changes }
}

/// `version`.
package struct VersionReport: Codable, Hashable, Sendable {
    package var version: String
    /// The process of the agent.
    package var pid: Int32

    package init(version: String, pid: Int32) { (self.version, self.pid) = (version, pid) }
}
