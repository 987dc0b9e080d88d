// A burst's way through the flow tables (OpenFlow 1.3.5 §5.1): burst by table, not packet by pipeline. Goto-Table goes
// forward only, so the tables are visited in ascending order, each with all the packets that go there.

import CDPDK

/// Where packets lie. A type, so that parsing those that nobody else writes to asks no question.
private protocol PacketMemory {
    /// Whether VMs may write there at any time.
    static var isShared: Bool { get }
}
private enum PrivateMemory: PacketMemory { static var isShared: Bool { false } }
private enum SharedMemory: PacketMemory { static var isShared: Bool { true } }

extension Worker {
    /// Runs the first `count` packets of the burst through the tables, from the first one on.
    @inline(__always)
    borrowing func runPipeline(_ count: Int, ingress: Ingress) {
        state.pointee.now = Clock.ticks(state.pointee.stepStart)
        let depth = ParseDepth(rawValue: settings.pointee.depth) ?? .full
        if depth == .port {
            runUniform(count, ingress: ingress)
            return
        }
        if ports[ingress.slot].isShared == 0 {
            parse(count, depth: depth, ingress: ingress, in: PrivateMemory.self)
        } else {
            parse(count, depth: depth, ingress: ingress, in: SharedMemory.self)
        }
        if settings.pointee.dropFragments != 0 {
            runTables(from: 0, dropFragments(count, ingress: ingress), ingress: ingress)
        } else if let plan = planInUse() {
            runCached(count, by: plan, ingress: ingress)
        } else {
            visit(0, EveryPacket(), count, ingress: ingress)
            runFurtherTables(ingress: ingress)
        }
    }

    /// Fills the keys of the burst's packets and makes them ready for the first table. Out of line, so that its few values
    /// stay in registers.
    @inline(never)
    private borrowing func parse<Memory: PacketMemory>(
        _ count: Int,
        depth: ParseDepth,
        ingress: Ingress,
        in _: Memory.Type
    ) {
        let mbufs = burst.mbufs
        let keys = burst.keys
        let layouts = burst.layouts
        let port = ingress.keyWord
        let plain = depth == .transport
        for i in 0..<count {
            let mbuf = mbufs[i].unsafelyUnwrapped
            var data = UnsafePointer(cdpdk_mbuf_data(mbuf))
            var length = Int(cdpdk_mbuf_data_length(mbuf))
            if Memory.isShared { (data, length) = burst.headers.copy(data, length) }
            let key = UnsafeMutableRawPointer(keys + i).assumingMemoryBound(to: UInt64.self)
            key[FlowKey.Word.metadata] = 0
            key[FlowKey.Word.tunnel] = 0
            if plain && Parser.parsePlain(data, length: length, port: port, key, layouts + i) { continue }
            key[FlowKey.Word.port] = port
            Parser.parse(data, length: length, depth: depth, into: key, layouts + i)
        }
        burst.begin()
    }

    /// Visits the tables, beginning with `first` for the `listed` packets of `burst.list`.
    @inline(never)
    borrowing func runTables(from first: UInt8, _ listed: Int, ingress: Ingress) {
        visit(first, ListedPackets(places: burst.list), listed, ingress: ingress)
        runFurtherTables(ingress: ingress)
    }

    /// Visits the tables that packets go on to, until none does.
    @inline(__always)
    borrowing func runFurtherTables(ingress: Ingress) {
        while true {
            let table = burst.lowestNextTable
            guard table != ActionProgram.noTable else { return }
            let listed = burst.takeNext(table)
            visit(table, ListedPackets(places: burst.list), listed, ingress: ingress)
        }
    }

    /// Looks up the listed packets in one table and does what the entries say.
    @inline(never)
    borrowing func visit<List: PacketList>(_ table: UInt8, _ list: List, _ listed: Int, ingress: Ingress) {
        let slot = tables + Int(table)
        let start = state.pointee.isTimed ? Clock.cycles : 0
        Lookup.find(
            in: slot,
            keys: burst.keys,
            list: list,
            count: listed,
            scratch: scratch,
            found: burst.found
        )
        if start != 0 {
            slot.pointee.timedCycles &+= Clock.cycles &- start
            slot.pointee.timedLookups &+= UInt64(listed)
        }
        slot.pointee.lookups &+= UInt64(listed)
        slot.pointee.matches &+= UInt64(count(list, listed))
        if cache.pointee.recordedCount > 0 { record(table, list, listed) }
        var i = 0
        while i < listed {
            let packet = list[i]
            guard let record = burst.found[i] else {
                drop(burst.mbufs[packet].unsafelyUnwrapped, .tableMiss, at: ingress.slot)
                i &+= 1
                continue
            }
            let program = record.pointee.program
            if program.pointee.flags.contains(.onlyOutput) && (List.isFirstTable || burst.setCount[packet] == 0) {
                i = output(list, from: i, listed, by: program, ingress: ingress)
            } else if program.pointee.flags.contains(.onlyGoto) {
                if program.pointee.flags.contains(.metadata) { writeMetadata(program, packet) }
                burst.nextTable[packet] = program.pointee.gotoTable
                i &+= 1
            } else {
                i = execute(list, from: i, listed, table: table, ingress: ingress)
            }
        }
    }

    /// Counts the listed packets for the entries that were found; returns how many have one. A loop of its own: all it
    /// needs fits into registers.
    @inline(never)
    private borrowing func count(_ list: some PacketList, _ listed: Int) -> Int {
        let found = burst.found
        let lengths = burst.lengths
        let used = FlowRecord.used | UInt64(state.pointee.now)
        var matches = 0
        guard counts else {
            for i in 0..<listed where found[i] != nil { matches &+= 1 }
            return matches
        }
        for i in 0..<listed {
            guard let record = found[i] else { continue }
            matches &+= 1
            record.pointee.packets &+= 1
            record.pointee.bytes &+= UInt64(lengths[list[i]])
            record.pointee.lastUsed = used
        }
        return matches
    }

    /// Outputs the packet at `first` and those behind it in the list that the same program outputs; returns the place of
    /// the first other one.
    @inline(never)
    private borrowing func output<List: PacketList>(
        _ list: List,
        from first: Int,
        _ listed: Int,
        by program: UnsafePointer<ActionProgram>,
        ingress: Ingress
    ) -> Int {
        let slot = Int(program.pointee.outputSlot)
        let mbufs = burst.mbufs
        let found = burst.found
        let setCount = burst.setCount
        let port = ports + slot
        let gathered = port.pointee.gathered
        // The first goes the long way, which sees to it that the port is flushed and that nothing returns to the ingress port.
        output(mbufs[list[first]].unsafelyUnwrapped, to: slot, ingress: ingress)
        let next = first &+ 1
        guard slot != ingress.slot else { return next }
        let free = gathered + port.pointee.count
        // The last place is left to `gather`, which sends then.
        let limit = min(listed &- next, PortSlot.capacity &- 1 &- port.pointee.count)
        var count = 0
        while count < limit, let record = found[next &+ count], record.pointee.program == program {
            let packet = list[next &+ count]
            guard List.isFirstTable || setCount[packet] == 0 else { break }
            free[count] = mbufs[packet]
            count &+= 1
        }
        port.pointee.count &+= count
        return next &+ count
    }

    /// Where the tables look at nothing but the ingress port, all packets of a burst share their way: it is looked up once.
    @inline(__always)
    private borrowing func runUniform(_ count: Int, ingress: Ingress) {
        let key = burst.keyWords(0)
        for word in 0..<FlowKey.wordCount { key[word] = 0 }
        key[FlowKey.Word.port] = ingress.keyWord
        Lookup.find(in: tables, keys: burst.keys, list: EveryPacket(), count: 1, scratch: scratch, found: burst.found)
        tables.pointee.lookups &+= UInt64(count)
        guard let record = burst.found[0] else {
            for i in 0..<count { drop(burst.mbufs[i].unsafelyUnwrapped, .tableMiss, at: ingress.slot) }
            return
        }
        tables.pointee.matches &+= UInt64(count)
        let program = record.pointee.program
        let onlyOutput = program.pointee.flags.contains(.onlyOutput)
        var bytes: UInt64 = 0
        for i in 0..<count { bytes &+= UInt64(burst.lengths[i]) }
        if onlyOutput {
            outputBurst(count, to: Int(program.pointee.outputSlot), ingress: ingress)
        } else {
            burst.begin()
            for i in 0..<count {
                if i > 0 { (burst.keys + i).update(from: burst.keys, count: 1) }
                execute(program, packet: i, table: 0, record: record, ingress: ingress)
            }
        }
        if counts {
            record.pointee.packets &+= UInt64(count)
            record.pointee.bytes &+= bytes
            record.pointee.lastUsed = FlowRecord.used | UInt64(state.pointee.now)
        }
        guard !onlyOutput, program.pointee.gotoTable != ActionProgram.noTable else { return }
        runFurtherTables(ingress: ingress)
    }

    /// Takes fragments off the list; returns what is left on it.
    @inline(never)
    private borrowing func dropFragments(_ count: Int, ingress: Ingress) -> Int {
        var listed = 0
        for i in 0..<count {
            if burst.layouts[i].isFragment {
                drop(burst.mbufs[i].unsafelyUnwrapped, .fragment, at: ingress.slot)
            } else {
                burst.list[listed] = UInt8(truncatingIfNeeded: i)
                listed &+= 1
            }
        }
        return listed
    }
}
