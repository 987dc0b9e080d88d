// All numbers that `/metrics` serves, at one moment, as a plain value. The reports are those of `show`, so both agree.

/// What a scrape says. PrometheusText.swift writes it, docs/metrics.md describes it.
package struct MetricsSnapshot: Sendable {
    /// The agent's version.
    package var version: String
    /// When the agent started, in seconds since 1970.
    package var startTime: Double
    package var ports: [PortReport] = []
    package var drops: [DropReport] = []
    package var tables: [TableReport] = []
    package var workers: [WorkerReport] = []
    package var queues: [QueueReport] = []
    package var vms: [VMReport] = []
    package var buffers: [BufferReport] = []
    package var services: [ServiceReport] = []
    /// The connections of this moment. Their own message counts are not used: `messages` has them.
    package var channels: [ChannelReport] = []
    /// Messages of all connections since the start, those that are closed included, for each endpoint.
    package var messages: [EndpointMessages] = []
    /// Packet-ins sent to controllers: no_match, action, invalid_ttl.
    package var packetIns: [String: UInt64] = [:]
    /// Packet-ins that `openflow.packet_in_rate` dropped.
    package var packetInsDropped: UInt64 = 0
    /// Addresses that output to NORMAL knows.
    package var learnedAddresses = 0
    /// Whether the switch is a learning one for want of a controller.
    package var isStandalone = false
    /// Flow-mods accepted: add, modify, modify_strict, delete, delete_strict.
    package var flowMods: [String: UInt64] = [:]
    /// From the arrival of a barrier request to its reply, in seconds.
    package var barriers = Histogram(bounds: barrierBounds)

    package init(version: String, startTime: Double) {
        (self.version, self.startTime) = (version, startTime)
    }

    /// Bounds for barriers: from 10 µs to 1 s.
    package static let barrierBounds = [
        0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
        1,
    ]

    /// The messages of all connections of one endpoint, as `ChannelReport.endpoint` names it.
    package struct EndpointMessages: Hashable, Sendable {
        package var endpoint: String
        package var messages: [ChannelReport.MessageCount]

        package init(endpoint: String, messages: [ChannelReport.MessageCount]) {
            (self.endpoint, self.messages) = (endpoint, messages)
        }
    }
}

/// How often something took how long.
package struct Histogram: Hashable, Sendable {
    /// The upper ends of the buckets, ascending; what is above the last falls into one more.
    package let bounds: [Double]
    /// How many fell into each bucket: one more than there are bounds.
    package private(set) var counts: [UInt64]
    package private(set) var sum = 0.0

    package init(bounds: [Double]) {
        self.bounds = bounds
        counts = Array(repeating: 0, count: bounds.count + 1)
    }

    /// - Parameter counts: For each bucket; one more than there are bounds.
    package init(bounds: [Double], counts: [UInt64], sum: Double) {
        (self.bounds, self.counts, self.sum) = (bounds, counts, sum)
    }

    package mutating func observe(_ value: Double) {
        counts[bounds.firstIndex { value <= $0 } ?? bounds.count] += 1
        sum += value
    }

    package var count: UInt64 { counts.reduce(0, +) }
}
