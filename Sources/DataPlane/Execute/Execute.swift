// Does what a flow entry says with one packet: applies its actions, keeps its action set, sends it on to the next table or
// ends its way (OpenFlow 1.3.5 §5.9 to §5.12).

import CDPDK

extension Worker {
    /// Executes a flow entry's instructions in the order of §5.9.
    @inline(never)
    borrowing func execute(
        _ program: UnsafePointer<ActionProgram>,
        packet: Int,
        table: UInt8,
        record: FlowRecordPointer?,
        ingress: Ingress
    ) {
        let done = executePlain(program, packet: packet, ingress: ingress)
        if done >= 0 {
            executeRest(program, from: done, packet: packet, table: table, record: record, ingress: ingress)
        }
    }

    /// Executes what the entries found say with the packet at `first` and those behind it in the list, up to one that is only
    /// output; returns its place. A loop of its own: what it needs fits into registers, and stays there.
    @inline(never)
    borrowing func execute(
        _ list: some PacketList,
        from first: Int,
        _ listed: Int,
        table: UInt8,
        ingress: Ingress
    ) -> Int {
        var i = first
        while i < listed, let record = burst.found[i] {
            let program = record.pointee.program
            if program.pointee.flags.contains(.onlyOutput) && i > first { break }
            let done = executePlain(program, packet: list[i], ingress: ingress)
            if done >= 0 {
                executeRest(program, from: done, packet: list[i], table: table, record: record, ingress: ingress)
            }
            i &+= 1
        }
        return i
    }

    /// Most entries rewrite fields, then output the packet or send it on. Does so and returns -1; of any other entry, and where a
    /// rewrite needs a closer look, returns how many of the applied operations have been executed.
    @inline(__always)
    private borrowing func executePlain(_ program: UnsafePointer<ActionProgram>, packet: Int, ingress: Ingress) -> Int {
        let flags = program.pointee.flags
        guard flags.contains(.isPlain) else { return 0 }
        let count = Int(program.pointee.applyCount)
        let edit = burst.edit(packet)
        var done = 0
        while done < count && edit.rewrite(program.applyOps[done]) { done &+= 1 }
        let next = program.pointee.gotoTable
        if done == count && next != ActionProgram.noTable {
            if flags.contains(.metadata) { writeMetadata(program, packet) }
            if flags.contains(.changesLength) { burst.lengths[packet] = cdpdk_mbuf_packet_length(edit.mbuf) }
            burst.nextTable[packet] = next
            return -1
        }
        if done &+ 1 == count && flags.contains(.outputsLast) && burst.setCount[packet] == 0 {
            output(edit.mbuf, to: Int(program.pointee.outputSlot), ingress: ingress)
            return -1
        }
        return done
    }

    /// Goes on with a flow entry's applied operations from one of them on.
    @inline(never)
    private borrowing func executeRest(
        _ program: UnsafePointer<ActionProgram>,
        from done: Int,
        packet: Int,
        table: UInt8,
        record: FlowRecordPointer?,
        ingress: Ingress
    ) {
        let header = program.pointee
        let last = header.gotoTable == ActionProgram.noTable
        // The last output of a packet whose way ends here takes the packet itself; the others take copies.
        let moves =
            last && header.writeCount == 0 && (burst.setCount[packet] == 0 || header.flags.contains(.clear))
        guard
            run(
                program.applyOps + done,
                Int(header.applyCount) &- done,
                packet: packet,
                moves: moves,
                table: table,
                record: record,
                ingress: ingress
            )
        else { return }
        if header.flags.contains(.clear) { burst.setCount[packet] = 0 }
        if header.writeCount > 0 {
            let count = Int(burst.setCount[packet])
            burst.set[packet &* Self.tableCount &+ count] = program
            burst.setCount[packet] = UInt8(truncatingIfNeeded: count &+ 1)
        }
        if header.flags.contains(.metadata) { writeMetadata(program, packet) }
        guard last else {
            if header.flags.contains(.needsParsing) { burst.edit(packet).reparse() }
            if header.flags.contains(.changesLength) {
                burst.lengths[packet] = cdpdk_mbuf_packet_length(burst.mbufs[packet].unsafelyUnwrapped)
            }
            burst.nextTable[packet] = header.gotoTable
            return
        }
        runActionSet(packet: packet, table: table, record: record, ingress: ingress)
    }

    @inline(__always)
    borrowing func writeMetadata(_ program: UnsafePointer<ActionProgram>, _ packet: Int) {
        let (mask, value) = (program.pointee.metadataMask, program.pointee.metadataValue)
        let word = burst.keyWords(packet) + FlowKey.Word.metadata
        word.pointee = (word.pointee & ~mask) | (value & mask)
    }

    /// Runs a packet-out's actions on a packet that is in hand but not parsed.
    borrowing func runActions(_ program: UnsafePointer<ActionProgram>, packet: Int, ingress: Ingress) {
        state.pointee.now = Clock.ticks(Clock.cycles)
        let key = burst.keyWords(packet)
        for word in 0..<FlowKey.wordCount { key[word] = 0 }
        key[FlowKey.Word.port] = ingress.keyWord
        burst.copies[packet] = 0
        burst.setCount[packet] = 0
        burst.nextTable[packet] = ActionProgram.noTable
        burst.edit(packet).reparse()
        execute(program, packet: packet, table: 0, record: nil, ingress: ingress)
    }

    /// Executes the action set, merged if several tables wrote to it: of each kind of action the last one written counts.
    @inline(__always)
    private borrowing func runActionSet(packet: Int, table: UInt8, record: FlowRecordPointer?, ingress: Ingress) {
        let count = Int(burst.setCount[packet])
        let programs = burst.set + packet &* Self.tableCount
        if count == 0 {
            finish(packet: packet, ingress: ingress)
        } else if count == 1 {
            let program = programs[0].unsafelyUnwrapped
            runSet(program.writeOps, Int(program.pointee.writeCount), packet, table, record, ingress)
        } else {
            runSet(mergedSet, merge(programs, count), packet, table, record, ingress)
        }
    }

    /// Merges what several programs wrote to an action set into `mergedSet`; returns how many operations it has.
    @inline(never)
    private borrowing func merge(_ programs: UnsafePointer<UnsafePointer<ActionProgram>?>, _ count: Int) -> Int {
        var places: UInt64 = 0
        for i in 0..<count {
            let program = programs[i].unsafelyUnwrapped
            for j in 0..<Int(program.pointee.writeCount) {
                let op = program.writeOps[j]
                mergedSet[op.setPlace] = op
                places |= 1 << UInt64(op.setPlace)
            }
        }
        // A group takes the place of an output.
        if places & 1 << UInt64(ActionOp.groupPlace) != 0 { places &= ~(1 << UInt64(ActionOp.outputPlace)) }
        var used = 0
        for place in 0..<ActionOp.setPlaces where places & (1 << UInt64(place)) != 0 {
            mergedSet[used] = mergedSet[place]
            used &+= 1
        }
        return used
    }

    /// Without an output at its end an action set drops the packet (§5.10).
    @inline(__always)
    private borrowing func runSet(
        _ ops: UnsafePointer<ActionOp>,
        _ count: Int,
        _ packet: Int,
        _ table: UInt8,
        _ record: FlowRecordPointer?,
        _ ingress: Ingress
    ) {
        if run(ops, count, packet: packet, moves: true, table: table, record: record, ingress: ingress) {
            finish(packet: packet, ingress: ingress)
        }
    }

    /// Ends the way of a packet that nothing has taken: a drop, unless it left before, as copies; then the last of these
    /// stands for the packet itself.
    borrowing func finish(packet: Int, ingress: Ingress) {
        let mbuf = burst.mbufs[packet].unsafelyUnwrapped
        if burst.copies[packet] == 0 {
            drop(mbuf, .noOutput, at: ingress.slot)
        } else {
            counters.pointee.copies &-= 1
            free(mbuf)
        }
    }

    /// Runs operations on a packet. False if the packet was taken: output, dropped, or sent to the controller.
    @inline(__always)
    borrowing func run(
        _ ops: UnsafePointer<ActionOp>,
        _ count: Int,
        packet: Int,
        moves: Bool,
        table: UInt8,
        record: FlowRecordPointer?,
        ingress: Ingress
    ) -> Bool {
        let edit = burst.edit(packet)
        for i in 0..<count {
            let takes = moves && i == count &- 1
            switch ops[i] {
            case .output(let slot):
                guard let mbuf = hand(packet, takes, ingress) else { continue }
                output(mbuf, to: Int(slot), ingress: ingress)
            case .outputInPort:
                guard let mbuf = hand(packet, takes, ingress) else { continue }
                gather(mbuf, at: ingress.slot)
            case .outputAll:
                outputAll(packet, ingress: ingress)
                continue
            case .outputNormal:
                guard outputNormal(packet, takes: takes, ingress: ingress) else { continue }
            case .outputNowhere:
                guard let mbuf = hand(packet, takes, ingress) else { continue }
                drop(mbuf, .noSuchPort, at: ingress.slot)
            case .controller(let reason):
                guard let mbuf = hand(packet, takes, ingress) else { continue }
                packetIn(mbuf, packet, reason: reason, table: table, record: record, ingress: ingress)
            case .group(let slot):
                runGroup(Int(slot), packet: packet, takes: takes, table: table, record: record, ingress: ingress)
            case .outputTable:
                guard submit(packet, takes, ingress) else { continue }
            case .setQueue(let queue):
                cdpdk_mbuf_set_queue(edit.mbuf, queue)
                continue
            case .meter(let slot):
                guard passes(slot, edit.mbuf, packet: packet, ingress: ingress) else { return false }
                continue
            case let op where edit.rewrite(op): continue
            case .decrementNetworkTTL, .decrementMPLSTTL:
                guard edit.decrementTTL(ops[i]) else {
                    packetIn(
                        edit.mbuf,
                        packet,
                        reason: PacketInRecord.invalidTTL,
                        table: table,
                        record: record,
                        ingress: ingress
                    )
                    return false
                }
                continue
            case .pushVLAN, .pushMPLS, .pushPBB:
                guard edit.push(ops[i]) else {
                    drop(edit.mbuf, .noBuffer, at: ingress.slot)
                    return false
                }
                continue
            case let op:
                edit.apply(op)
                continue
            }
            if takes { return false }
        }
        return true
    }

    /// The packet itself or a copy of it; nil if there is no buffer for one.
    @inline(__always)
    borrowing func hand(_ packet: Int, _ takes: Bool, _ ingress: Ingress) -> OpaquePointer? {
        let mbuf = burst.mbufs[packet].unsafelyUnwrapped
        if takes {
            return mbuf
        }
        counters.pointee.copies &+= 1
        burst.copies[packet] &+= 1
        guard let copy = cdpdk_mbuf_copy(mbuf, pool) else {
            countDrop(.noBuffer, at: ingress.slot)
            return nil
        }
        return copy
    }

    /// Sends a packet-out's packet (or a copy of it, in the next place of the burst) through the tables.
    private borrowing func submit(_ packet: Int, _ takes: Bool, _ ingress: Ingress) -> Bool {
        guard let mbuf = hand(packet, takes, ingress) else { return false }
        let place = takes ? packet : packet &+ 1
        burst.mbufs[place] = mbuf
        burst.lengths[place] = cdpdk_mbuf_packet_length(mbuf)
        let key = burst.keyWords(place)
        for word in 0..<FlowKey.wordCount { key[word] = 0 }
        key[FlowKey.Word.port] = ingress.keyWord
        burst.edit(place).reparse()
        burst.copies[place] = 0
        burst.setCount[place] = 0
        burst.nextTable[place] = ActionProgram.noTable
        burst.list[0] = UInt8(truncatingIfNeeded: place)
        runTables(from: 0, 1, ingress: ingress)
        return true
    }

    /// To all ports but the ingress port and those that controllers have closed (§4.5).
    private borrowing func outputAll(_ packet: Int, ingress: Ingress) {
        let list = settings.pointee.floodPorts
        let slots = (list + SlotList.slotsOffset).assumingMemoryBound(to: UInt16.self)
        for i in 0..<list.load(as: Int.self) where Int(slots[i]) != ingress.slot {
            if Destination(rawValue: ports[Int(slots[i])].destination).isClosed { continue }
            if let copy = hand(packet, false, ingress) { gather(copy, at: Int(slots[i])) }
        }
    }
}

extension PacketEdit {
    /// The operations of routers and address translators, those of the former without a call. False for any other, and for a
    /// TTL that needs a closer look: nothing has been done then.
    @inline(__always)
    func rewrite(_ op: ActionOp) -> Bool {
        switch op {
        case .setEthDst(let address): setEthDst(address)
        case .setEthSrc(let address): setEthSrc(address)
        case .setVLANVID(let vid): setVLAN(mask: 0x0fff, value: vid & 0x0fff)
        case .decrementNetworkTTL: return decrementPlainTTL()
        case .popVLAN: if !popOnlyTag() { popVLAN() }
        default:
            guard op.isRewrite else { return false }
            apply(op)
        }
        return true
    }

    /// The operations that only rewrite header fields.
    @inline(never)
    func apply(_ op: ActionOp) {
        switch op {
        case .popMPLS(let etherType): popMPLS(etherType: etherType)
        case .popPBB: popPBB()
        case .copyTTLIn: copyTTLIn()
        case .copyTTLOut: copyTTLOut()
        case .setNetworkTTL(let ttl): setTTL(ttl)
        case .setMPLSTTL(let ttl): setMPLSTTL(ttl)
        case .setEthType(let type):
            setEthType(type)
            reparse()
        case .setVLANPCP(let pcp): setVLAN(mask: 0xe000, value: UInt16(pcp) << 13)
        case .setDSCP(let dscp): setTrafficClass(mask: 0xfc, value: dscp << 2)
        case .setECN(let ecn): setTrafficClass(mask: 0x03, value: ecn & 0x03)
        case .setIPProto(let proto): setIPProto(proto)
        case .setIPv4Src(let address): setIPv4Address(at: 12, address)
        case .setIPv4Dst(let address): setIPv4Address(at: 16, address)
        case .setIPv6Src(let high, let low): setIPv6Address(at: 8, high, low)
        case .setIPv6Dst(let high, let low): setIPv6Address(at: 24, high, low)
        case .setTransportSrc(let port, let proto): setTransportPort(at: 0, port, proto: proto)
        case .setTransportDst(let port, let proto): setTransportPort(at: 2, port, proto: proto)
        case .setICMPType(let type, let proto): setICMP(mask: 0xff00, value: UInt16(type) << 8, proto: proto)
        case .setICMPCode(let code, let proto): setICMP(mask: 0x00ff, value: UInt16(code), proto: proto)
        case .setARPOp(let operation): setARPOp(operation)
        case .setARPSPA(let address): setARPAddress(at: 14, address)
        case .setARPTPA(let address): setARPAddress(at: 24, address)
        case .setARPSHA(let address): setARPHardwareAddress(at: 8, address)
        case .setARPTHA(let address): setARPHardwareAddress(at: 18, address)
        case .setFlowLabel(let label): setFlowLabel(label)
        case .setNDTarget(let high, let low): setNDTarget(high, low)
        case .setNDLinkLayer(let address, let type): setNDLinkLayer(address, type: type)
        case .setMPLS(let mask, let value): setMPLS(mask: mask, value: value)
        case .setISID(let service): setISID(service)
        case .setTunnelID(let tunnel): key[FlowKey.Word.tunnel] = tunnel
        case .output, .outputAll, .outputInPort, .outputNormal, .controller, .outputTable, .outputNowhere, .pushVLAN,
            .pushMPLS, .pushPBB, .decrementNetworkTTL, .decrementMPLSTTL, .setQueue, .group, .meter, .setEthDst,
            .setEthSrc, .setVLANVID, .popVLAN:
            break  // not rewrites, or done by `rewrite`
        }
    }
}
