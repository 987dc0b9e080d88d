// Instructions as the data plane executes them. Flow entries with the same instructions share one program; programs are
// never changed, so all workers share them too.

import DataPlane
import OpenFlow

/// Turns actions into operations, for the ports that exist at the moment.
struct ActionCompiler {
    /// The slot of each configured port.
    let slots: [PortNumber: UInt16]
    /// The slot of each group.
    let groups: [GroupID: UInt16]
    /// OFPR_* of an output to the controller.
    var reason = PacketInReason.action

    func compile(_ actions: [Action]) -> [ActionOp] { actions.flatMap(compile) }

    private func compile(_ action: Action) -> [ActionOp] {
        switch action {
        case .output(let port, _): [output(port)]
        case .pushVLAN(let etherType): [.pushVLAN(etherType: etherType)]
        case .popVLAN: [.popVLAN]
        case .setNWTTL(let ttl): [.setNetworkTTL(ttl)]
        case .decNWTTL: [.decrementNetworkTTL]
        case .setField(let field, let value): setField(field, value)
        case .copyTTLOut: [.copyTTLOut]
        case .copyTTLIn: [.copyTTLIn]
        case .setMPLSTTL(let ttl): [.setMPLSTTL(ttl)]
        case .decMPLSTTL: [.decrementMPLSTTL]
        case .pushMPLS(let etherType): [.pushMPLS(etherType: etherType)]
        case .popMPLS(let etherType): [.popMPLS(etherType: etherType)]
        case .pushPBB(let etherType): [.pushPBB(etherType: etherType)]
        case .popPBB: [.popPBB]
        case .group(let id): groups[id].map { [.group(slot: $0)] } ?? [.outputNowhere]
        case .setQueue(let id): [.setQueue(id)]
        }
    }

    private func output(_ port: PortNumber) -> ActionOp {
        switch port {
        case .inPort: .outputInPort
        // No port is blocked by a spanning tree, which is all that would tell the two apart (OpenFlow 1.3.5 §4.5).
        case .all, .flood: .outputAll
        case .normal: .outputNormal
        case .controller: .controller(reason: reason.rawValue)
        case .table: .outputTable
        default: slots[port].map { .output(slot: $0) } ?? .outputNowhere
        }
    }

    private func setField(_ field: OXMField, _ value: UInt128) -> [ActionOp] {
        let low = UInt64(truncatingIfNeeded: value)
        let high = UInt64(truncatingIfNeeded: value >> 64)
        // As it lies in the packet: its first byte lowest.
        let address = (low << 16).bigEndian
        let ipv4 = UInt32(truncatingIfNeeded: low).bigEndian
        let word = UInt16(truncatingIfNeeded: low)
        let byte = UInt8(truncatingIfNeeded: low)
        return switch field {
        case .ethDst: [.setEthDst(address)]
        case .ethSrc: [.setEthSrc(address)]
        case .ethType: [.setEthType(word)]
        case .vlanVID: [.setVLANVID(word)]
        case .vlanPCP: [.setVLANPCP(byte)]
        case .ipDSCP: [.setDSCP(byte)]
        case .ipECN: [.setECN(byte)]
        case .ipProto: [.setIPProto(byte)]
        case .ipv4Src: [.setIPv4Src(ipv4)]
        case .ipv4Dst: [.setIPv4Dst(ipv4)]
        case .ipv6Src: [.setIPv6Src(high.bigEndian, low.bigEndian)]
        case .ipv6Dst: [.setIPv6Dst(high.bigEndian, low.bigEndian)]
        case .tcpSrc: [.setTransportSrc(word, proto: 6)]
        case .tcpDst: [.setTransportDst(word, proto: 6)]
        case .udpSrc: [.setTransportSrc(word, proto: 17)]
        case .udpDst: [.setTransportDst(word, proto: 17)]
        case .sctpSrc: [.setTransportSrc(word, proto: 132)]
        case .sctpDst: [.setTransportDst(word, proto: 132)]
        case .icmpv4Type: [.setICMPType(byte, proto: 1)]
        case .icmpv4Code: [.setICMPCode(byte, proto: 1)]
        case .icmpv6Type: [.setICMPType(byte, proto: 58)]
        case .icmpv6Code: [.setICMPCode(byte, proto: 58)]
        case .arpOp: [.setARPOp(word)]
        case .arpSPA: [.setARPSPA(ipv4)]
        case .arpTPA: [.setARPTPA(ipv4)]
        case .arpSHA: [.setARPSHA(address)]
        case .arpTHA: [.setARPTHA(address)]
        case .ipv6FLabel: [.setFlowLabel(UInt32(truncatingIfNeeded: low))]
        case .ipv6NDTarget: [.setNDTarget(high.bigEndian, low.bigEndian)]
        case .ipv6NDSLL: [.setNDLinkLayer(address, type: 135)]
        case .ipv6NDTLL: [.setNDLinkLayer(address, type: 136)]
        case .mplsLabel: [.setMPLS(mask: 0xffff_f000, value: UInt32(truncatingIfNeeded: low << 12))]
        case .mplsTC: [.setMPLS(mask: 0x0e00, value: UInt32(truncatingIfNeeded: low << 9))]
        case .mplsBOS: [.setMPLS(mask: 0x0100, value: UInt32(truncatingIfNeeded: low << 8))]
        case .pbbISID: [.setISID(UInt32(truncatingIfNeeded: low))]
        case .tunnelID: [.setTunnelID(low.bigEndian)]
        case .inPort, .inPhyPort, .metadata, .ipv6ExtHdr:
            []  // refused by the switch model before it comes here
        }
    }
}

/// The programs in use, each with the number of flow entries that share it.
final class ProgramStore {
    struct Key: Hashable {
        var instructions: [Instruction]
        /// An output to the controller is NO_MATCH for a table-miss entry (OpenFlow 1.3.5 §5.4).
        var isTableMiss: Bool
    }

    struct Program {
        let key: Key
        let memory: UnsafeMutableRawPointer
        let size: Int
        var users: Int
        let depth: ParseDepth
        let namesPort: Bool
        var pointer: UnsafePointer<ActionProgram> { UnsafePointer(memory.assumingMemoryBound(to: ActionProgram.self)) }
    }

    private let memory: TableMemory
    /// By handle; nil: not in use.
    private var programs: [Program?] = []
    private var freeHandles: [Int] = []
    private var byKey: [Key: Int] = [:]
    /// What was used last, which mostly is what is used next; -1: nothing.
    private var last = -1
    /// The configured ports; changing them makes programs that name ports out of date.
    var slots: [PortNumber: UInt16] = [:]
    /// The `MeterSlot` of a meter, which stays what it is as long as a flow entry refers to it.
    var meterSlot: (UInt32) -> UnsafeMutableRawPointer? = { _ in nil }
    /// The groups that there are. A group keeps its slot as long as a program names it.
    var groups: [GroupID: UInt16] = [:]

    init(memory: TableMemory) { self.memory = memory }

    /// The program for these instructions, with one more user; nil if there is no memory.
    func use(_ key: Key) -> Int? {
        if last >= 0, programs[last]?.key == key {
            programs[last]?.users += 1
            return last
        }
        if let handle = byKey[key] {
            programs[handle]?.users += 1
            last = handle
            return handle
        }
        guard let program = compile(key) else { return nil }
        let handle = freeHandles.popLast() ?? programs.count
        if handle == programs.count { programs.append(program) } else { programs[handle] = program }
        byKey[key] = handle
        last = handle
        return handle
    }

    func pointer(_ handle: Int) -> UnsafePointer<ActionProgram> { programs[handle].unsafelyUnwrapped.pointer }
    func depth(_ handle: Int) -> ParseDepth { programs[handle]?.depth ?? .full }

    /// One user less; after the last one the memory is to be freed when no worker uses it any more.
    func release(_ handle: Int, retire: (UnsafeMutableRawPointer, Int) -> Void) {
        programs[handle]?.users -= 1
        guard let program = programs[handle], program.users == 0 else { return }
        programs[handle] = nil
        if last == handle { last = -1 }
        freeHandles.append(handle)
        if byKey[program.key] == handle { byKey[program.key] = nil }
        retire(program.memory, program.size)
    }

    /// Forgets the programs that name a port, so that the next use compiles them anew. The old ones stay until released.
    func forgetPorts() {
        last = -1
        for (key, handle) in byKey where programs[handle]?.namesPort == true { byKey[key] = nil }
    }

    private func compile(_ key: Key) -> Program? {
        let actions = ActionCompiler(slots: slots, groups: groups, reason: key.isTableMiss ? .noMatch : .action)
        var apply: [ActionOp] = []
        var write: [ActionOp] = []
        var clear = false
        var metadata: (value: UInt64, mask: UInt64)?
        var gotoTable: UInt8?
        var namesPort = false
        var meter: UnsafeMutableRawPointer?
        for instruction in key.instructions {
            switch instruction {
            case .applyActions(let list):
                apply = actions.compile(list)
                namesPort = namesPort || list.contains(where: \.namesPort)
            case .writeActions(let list):
                write = actions.compile(list)
                namesPort = namesPort || list.contains(where: \.namesPort)
            case .clearActions: clear = true
            case .writeMetadata(let value, let mask): metadata = (value, mask)
            case .gotoTable(let table): gotoTable = table
            case .meter(let id): meter = meterSlot(id)
            }
        }
        // Before all else (OpenFlow 1.3.5 §5.9).
        if let meter { apply.insert(.meter(meter), at: 0) }
        let size = ActionProgram.size(count: apply.count + write.count)
        guard let block = memory.allocate(size) else { return nil }
        ActionProgram.initialize(
            block,
            apply: apply,
            write: write,
            clear: clear,
            metadata: metadata,
            gotoTable: gotoTable
        )
        let changesHeaders = (apply + write).contains(where: \.changesHeaders)
        // A group may change headers, and chooses by them.
        let namesGroup = (apply + write).contains(where: \.isGroup)
        return Program(
            key: key,
            memory: block,
            size: size,
            users: 1,
            depth: namesGroup ? .full : changesHeaders ? .transport : .port,
            namesPort: namesPort
        )
    }
}

extension Action {
    /// Whether it outputs to a port of the configuration, not to one that stands for others.
    var namesPort: Bool {
        if case .output(let port, _) = self { return port.isStandard }
        return false
    }
}
