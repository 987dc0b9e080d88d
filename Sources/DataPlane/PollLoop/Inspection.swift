// One packet through a worker's tables, with its way and its end made visible: what `ringway trace` and the tests look at. The
// worker is not polling: an observer of another one's tables, or a test's own. Its ports keep what is output to them.

import CDPDK

/// What became of one packet.
package struct Outcome {
    /// The tables visited and the entry found in each; nil: none.
    package var steps: [(table: UInt8, record: UInt32?)] = []
    /// Port number, bytes, and the queue that actions have said (nil: none), ports in the order in which they were first output to.
    package var outputs: [(port: UInt32, bytes: [UInt8], queue: UInt32?)] = []
    package var packetIns: [(record: PacketInRecord, bytes: [UInt8])] = []
    package var drops: [DropReason] = []

    package init() {}
}

extension Worker {
    /// Makes this worker look at the tables of `other`, through which no change may be on its way.
    package borrowing func observe(_ other: borrowing Worker) {
        tables.update(from: other.tables, count: Self.tableCount)
        groups.update(from: other.groups, count: GroupSlot.limit)
        settings.pointee = other.settings.pointee
        for slot in 0..<PortSlot.limit {
            ports[slot].number = other.ports[slot].number
            ports[slot].config = other.ports[slot].config
            ports[slot].accessVLAN = other.ports[slot].accessVLAN
            ports[slot].trunks = other.ports[slot].trunks
            let destination = Destination(rawValue: other.ports[slot].destination)
            let goesNowhere = destination == .none || destination.isClosed
            ports[slot].destination = (goesNowhere ? destination : .capture).rawValue
        }
    }

    /// Begins a step at this time, in cycles of the time stamp counter.
    package borrowing func beginStep(at time: UInt64) { state.pointee.stepStart = time }

    /// Takes the deltas that have been sent: for a worker that does not poll.
    package borrowing func takeDeltas() {
        beginStep(at: Clock.cycles)
        while !deltas.isEmpty { _ = applyDeltas() }
    }

    /// Runs one packet, which came in by the port in `slot`, through the tables; nil if it is shorter than an Ethernet header.
    ///
    /// - Parameters:
    ///   - time: When it came in, in cycles of the time stamp counter; meters go by it.
    ///   - cached: Whether it goes by the flow cache, if there is one; the outcome has no steps then.
    package borrowing func inspect(
        _ mbuf: OpaquePointer,
        slot: Int,
        at time: UInt64 = Clock.cycles,
        cached: Bool = false
    ) -> Outcome? {
        guard cdpdk_mbuf_data_length(mbuf) >= 14 else {
            cdpdk_mbuf_free(mbuf)
            return nil
        }
        let before = dropCounts
        var outcome = Outcome()
        beginStep(at: time)
        state.pointee.now = Clock.ticks(time)
        let ingress = ingress(slot: slot)
        state.pointee.inPort = ingress.number
        burst.mbufs[0] = mbuf
        burst.lengths[0] = cdpdk_mbuf_packet_length(mbuf)
        let key = burst.keyWords(0)
        for word in 0..<FlowKey.wordCount { key[word] = 0 }
        key[FlowKey.Word.port] = ingress.keyWord
        let depth = ParseDepth(rawValue: settings.pointee.depth) ?? .full
        if depth != .port {
            Parser.parse(
                cdpdk_mbuf_data(mbuf),
                length: Int(cdpdk_mbuf_data_length(mbuf)),
                depth: depth,
                into: key,
                burst.layouts
            )
        }
        (burst.copies[0], burst.setCount[0], burst.nextTable[0]) = (0, 0, ActionProgram.noTable)
        if let reason = refusal(of: ingress) {
            drop(mbuf, reason, at: slot)
        } else if settings.pointee.standalone != 0 {
            runStandalone(1, ingress: ingress)
        } else if settings.pointee.dropFragments != 0 && burst.layouts[0].isFragment {
            drop(mbuf, .fragment, at: slot)
        } else if cached, depth != .port, let plan = planInUse() {
            runCached(1, by: plan, ingress: ingress)
        } else {
            outcome.steps = walk(ingress)
        }
        flush()
        collect(into: &outcome)
        outcome.drops = zip(dropCounts, before).enumerated().flatMap { reason, counts in
            [DropReason](repeating: DropReason.allCases[reason], count: Int(counts.0 - counts.1))
        }
        return outcome
    }

    /// What a packet-out's delta did, after `takeDeltas`.
    package borrowing func collect(into outcome: inout Outcome) {
        for slot in 0..<PortSlot.limit where ports[slot].count > 0 {
            for i in 0..<ports[slot].count {
                let mbuf = ports[slot].gathered[i].unsafelyUnwrapped
                let queue = cdpdk_mbuf_queue(mbuf)
                outcome.outputs.append(
                    (
                        UInt32(ports[slot].number), PacketPool.bytes(of: mbuf),
                        queue == PortScheduler.noQueue ? nil : queue
                    )
                )
                if counts {
                    ports[slot].counters.transmittedPackets &+= 1
                    ports[slot].counters.transmittedBytes &+= UInt64(cdpdk_mbuf_packet_length(mbuf))
                }
                cdpdk_mbuf_free(mbuf)
            }
            ports[slot].count = 0
        }
        while let record = packetIns.pop() {
            outcome.packetIns.append((record, PacketPool.bytes(of: record.mbuf)))
            cdpdk_mbuf_free(record.mbuf)
        }
    }

    /// The slot of the port where output to NORMAL sends what is for an address; nil: to all of the VLAN.
    package borrowing func slot(of key: AddressKey) -> Int? {
        AddressTable.find(key, in: settings.pointee.addresses).map { Int($0.pointee.place >> 48) }
    }

    /// Visits the tables, one by one.
    private borrowing func walk(_ ingress: Ingress) -> [(table: UInt8, record: UInt32?)] {
        var steps: [(table: UInt8, record: UInt32?)] = []
        var table: UInt8 = 0
        while table != ActionProgram.noTable {
            burst.list[0] = 0
            let list = ListedPackets(places: burst.list)
            Lookup.find(
                in: tables + Int(table),
                keys: burst.keys,
                list: list,
                count: 1,
                scratch: scratch,
                found: burst.found
            )
            steps.append((table, burst.found[0]?.pointee.id))
            burst.nextTable[0] = ActionProgram.noTable
            visit(table, list, 1, ingress: ingress)
            table = burst.nextTable[0]
        }
        return steps
    }

    /// Drops at all ports, by reason.
    private var dropCounts: [UInt64] {
        DropReason.allCases.map { reason in
            (0..<PortSlot.limit).reduce(0) { $0 + ports[$1].counters.drops[reason.rawValue] }
        }
    }
}
