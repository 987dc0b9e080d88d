// One compiled action list: a flat run of plain-value operations behind a small header. Flow entries with the same
// instructions share one program. Ports are resolved to slots of the worker's port table when it is compiled.

/// One operation. Values are in host byte order unless said otherwise.
package enum ActionOp: BitwiseCopyable {
    /// Out of the port in this slot of the port table; to the ingress port only drops (OpenFlow 1.3.5 §5.11: `inPort` is for that).
    case output(slot: UInt16)
    /// Out of every port but the ingress port.
    case outputAll
    /// Out of the ingress port.
    case outputInPort
    /// As a learning switch does it.
    case outputNormal
    /// To the controllers, as a packet-in with this reason (OFPR_*). Whole, whatever `max_len` says, because packets are not
    /// buffered (OpenFlow 1.3.5 §7.4.1).
    case controller(reason: UInt8)
    /// Through the flow tables from the first one on; in a packet-out only.
    case outputTable
    /// Out of a port that does not exist (yet).
    case outputNowhere
    /// Through the group in this slot of the group table.
    case group(slot: UInt16)
    case pushVLAN(etherType: UInt16)
    case popVLAN
    case pushMPLS(etherType: UInt16)
    case popMPLS(etherType: UInt16)
    case pushPBB(etherType: UInt16)
    case popPBB
    case copyTTLIn
    case copyTTLOut
    case setNetworkTTL(UInt8)
    case decrementNetworkTTL
    case setMPLSTTL(UInt8)
    case decrementMPLSTTL
    /// The address in the low six bytes of the word, as it lies in the packet.
    case setEthDst(UInt64)
    case setEthSrc(UInt64)
    case setEthType(UInt16)
    case setVLANVID(UInt16)
    case setVLANPCP(UInt8)
    case setDSCP(UInt8)
    case setECN(UInt8)
    case setIPProto(UInt8)
    /// In network byte order, as are the IPv6 addresses.
    case setIPv4Src(UInt32)
    case setIPv4Dst(UInt32)
    case setIPv6Src(UInt64, UInt64)
    case setIPv6Dst(UInt64, UInt64)
    case setTransportSrc(UInt16, proto: UInt8)
    case setTransportDst(UInt16, proto: UInt8)
    case setICMPType(UInt8, proto: UInt8)
    case setICMPCode(UInt8, proto: UInt8)
    case setARPOp(UInt16)
    case setARPSPA(UInt32)
    case setARPTPA(UInt32)
    case setARPSHA(UInt64)
    case setARPTHA(UInt64)
    case setFlowLabel(UInt32)
    case setNDTarget(UInt64, UInt64)
    /// Of the ICMPv6 type 135 (source) or 136 (target).
    case setNDLinkLayer(UInt64, type: UInt8)
    /// The bits of the shim that change, and their values.
    case setMPLS(mask: UInt32, value: UInt32)
    case setISID(UInt32)
    /// In network byte order, as the flow key has it.
    case setTunnelID(UInt64)
    /// By which queue of a port it is to leave from now on.
    case setQueue(UInt32)
    /// The instruction of a meter, by its `MeterSlot`: the first of the applied operations, as it runs before them (§5.9).
    case meter(UnsafeMutableRawPointer)
}

extension ActionOp {
    /// Which place an operation takes in an action set: a set holds one of each (§5.10), executed in ascending order.
    var setPlace: Int {
        switch self {
        case .copyTTLIn: 0
        case .popVLAN: 1
        case .popMPLS: 2
        case .popPBB: 3
        case .pushMPLS: 4
        case .pushPBB: 5
        case .pushVLAN: 6
        case .copyTTLOut: 7
        case .decrementNetworkTTL: 8
        case .decrementMPLSTTL: 9
        case .setNetworkTTL: 10
        case .setMPLSTTL: 11
        // Fields in the order of their numbers on the wire.
        case .setEthDst: 12
        case .setEthSrc: 13
        case .setEthType: 14
        case .setVLANVID: 15
        case .setVLANPCP: 16
        case .setDSCP: 17
        case .setECN: 18
        case .setIPProto: 19
        case .setIPv4Src: 20
        case .setIPv4Dst: 21
        case .setTransportSrc(_, let proto): proto == IPProtocol.tcp ? 22 : proto == IPProtocol.udp ? 24 : 26
        case .setTransportDst(_, let proto): proto == IPProtocol.tcp ? 23 : proto == IPProtocol.udp ? 25 : 27
        case .setICMPType(_, let proto): proto == IPProtocol.icmp ? 28 : 38
        case .setICMPCode(_, let proto): proto == IPProtocol.icmp ? 29 : 39
        case .setARPOp: 30
        case .setARPSPA: 31
        case .setARPTPA: 32
        case .setARPSHA: 33
        case .setARPTHA: 34
        case .setIPv6Src: 35
        case .setIPv6Dst: 36
        case .setFlowLabel: 37
        case .setNDTarget: 40
        case .setNDLinkLayer(_, let type): type == 135 ? 41 : 42
        case .setMPLS(let mask, _): mask >> 12 != 0 ? 43 : mask >> 9 != 0 ? 44 : 45
        case .setISID: 46
        case .setTunnelID: 47
        case .setQueue: Self.queuePlace
        case .group: Self.groupPlace
        case .output, .outputAll, .outputInPort, .outputNormal, .controller, .outputTable, .outputNowhere:
            Self.outputPlace
        // In no action set.
        case .meter: Self.setPlaces
        }
    }
    static let queuePlace = 48
    static let groupPlace = 49
    static let outputPlace = 50
    static let setPlaces = 51

    /// Whether it sends the packet somewhere.
    package var isOutput: Bool { setPlace == Self.groupPlace || setPlace == Self.outputPlace }

    /// Whether it is an output by way of a group.
    package var isGroup: Bool { setPlace == Self.groupPlace }

    /// Whether it changes the packet. A meter that does sees to the key itself.
    package var changesHeaders: Bool { setPlace < Self.queuePlace }

    /// Whether it is one of those that most routers and address translators get by with; see `PacketEdit.rewrite`. They keep the
    /// key true.
    @inline(__always)
    var isRewrite: Bool {
        switch self {
        case .setEthDst, .setEthSrc, .setVLANVID, .setVLANPCP, .decrementNetworkTTL, .popVLAN, .setIPv4Src, .setIPv4Dst,
            .setTransportSrc, .setTransportDst, .setDSCP, .setECN, .setTunnelID:
            true
        default: false
        }
    }

    /// Whether it adds or removes a header.
    var changesLength: Bool {
        switch self {
        case .pushVLAN, .popVLAN, .pushMPLS, .popMPLS, .pushPBB, .popPBB: true
        default: false
        }
    }

    /// Whether what it makes of the flow key depends on more than the key and the layout of the headers: it uncovers or
    /// reinterprets bytes of the packet, or depends on a meter's state.
    var surprises: Bool {
        switch self {
        case .popMPLS, .popPBB, .pushMPLS, .pushPBB, .setEthType, .setIPProto, .meter: true
        // The fields of neighbour discovery go with the type, and with options that may be there or not.
        case .setICMPType, .setNDTarget, .setNDLinkLayer: true
        default: false
        }
    }

    /// Whether it changes the packet without keeping the key true: it sets what is seldom set.
    var needsParsing: Bool {
        switch self {
        case .copyTTLIn, .copyTTLOut, .setNetworkTTL, .decrementNetworkTTL, .setMPLSTTL, .decrementMPLSTTL, .setEthDst,
            .setEthSrc, .setEthType, .setVLANVID, .setVLANPCP, .setDSCP, .setECN, .setIPProto, .setIPv4Src, .setIPv4Dst,
            .setTransportSrc, .setTransportDst, .setTunnelID:
            false
        default: changesHeaders && !changesLength
        }
    }
}

/// The header of a program; `applyCount` operations follow, then `writeCount` for the action set, in its order.
package struct ActionProgram {
    package var applyCount: UInt16
    package var writeCount: UInt16
    /// Where the pipeline goes on; 255 if it ends.
    package var gotoTable: UInt8
    package var flags: Flags
    /// The slot of `Flags.onlyOutput` and `Flags.outputsLast`.
    package var outputSlot: UInt16
    package var metadataMask: UInt64
    /// Both in network byte order, as the flow key has them.
    package var metadataValue: UInt64

    package static let noTable: UInt8 = 255
    package static let opsOffset = 32

    package struct Flags: OptionSet, Sendable {
        package let rawValue: UInt16
        package init(rawValue: UInt16) { self.rawValue = rawValue }
        /// Clear-Actions.
        static let clear = Flags(rawValue: 1)
        /// Write-Metadata.
        static let metadata = Flags(rawValue: 2)
        /// The applied operations change headers so that the next table needs another look at them.
        static let needsParsing = Flags(rawValue: 4)
        /// The applied operations add or remove headers.
        static let changesLength = Flags(rawValue: 32)
        /// One output to a port, nothing else: the way of most packets.
        static let onlyOutput = Flags(rawValue: 8)
        /// Goto-Table, perhaps Write-Metadata, nothing else: the way through most tables but the last.
        static let onlyGoto = Flags(rawValue: 16)
        /// A cached path ends here: an applied operation may surprise.
        static let endsCachedPath = Flags(rawValue: 64)
        /// The applied operations remove a VLAN tag.
        static let popsTag = Flags(rawValue: 128)
        /// Neither Clear-Actions nor Write-Actions; the applied operations are rewrites, and perhaps an output as the last one.
        static let isPlain = Flags(rawValue: 256)
        /// The last of the applied operations is an output to a port, and the pipeline ends.
        static let outputsLast = Flags(rawValue: 512)
    }

    /// Bytes for a program of `count` operations in all.
    package static func size(count: Int) -> Int { opsOffset + MemoryLayout<ActionOp>.stride * count }

    /// Writes a program into `memory`, which holds `size(count:)` bytes.
    package static func initialize(
        _ memory: UnsafeMutableRawPointer,
        apply: [ActionOp],
        write: [ActionOp],
        clear: Bool,
        metadata: (value: UInt64, mask: UInt64)?,
        gotoTable: UInt8?
    ) {
        let write = inSetOrder(write)
        var flags: Flags = []
        if clear { flags.insert(.clear) }
        if metadata != nil { flags.insert(.metadata) }
        if apply.contains(where: \.needsParsing) { flags.insert(.needsParsing) }
        if apply.contains(where: \.changesLength) { flags.insert(.changesLength) }
        if apply.contains(where: \.surprises) { flags.insert(.endsCachedPath) }
        if apply.contains(where: { if case .popVLAN = $0 { true } else { false } }) { flags.insert(.popsTag) }
        if apply.isEmpty, write.isEmpty, !clear, gotoTable != nil { flags.insert(.onlyGoto) }
        var outputSlot: UInt16 = 0
        var rewrites = apply[...]
        if case .output(let slot)? = apply.last, gotoTable == nil {
            flags.insert(.outputsLast)
            outputSlot = slot
            rewrites.removeLast()
        }
        if write.isEmpty, !clear, rewrites.allSatisfy(\.isRewrite) { flags.insert(.isPlain) }
        if flags.isSuperset(of: [.isPlain, .outputsLast]), apply.count == 1, metadata == nil {
            flags.insert(.onlyOutput)
        }
        memory.storeBytes(
            of: ActionProgram(
                applyCount: UInt16(apply.count),
                writeCount: UInt16(write.count),
                gotoTable: gotoTable ?? noTable,
                flags: flags,
                outputSlot: outputSlot,
                metadataMask: (metadata?.mask ?? 0).bigEndian,
                metadataValue: (metadata?.value ?? 0).bigEndian
            ),
            as: ActionProgram.self
        )
        let ops = (memory + opsOffset).assumingMemoryBound(to: ActionOp.self)
        for (i, op) in (apply + write).enumerated() { (ops + i).initialize(to: op) }
    }

    /// An action set's operations in the order of their execution, the last of each kind only, and no output if there is a group
    /// (§5.10).
    static func inSetOrder(_ write: [ActionOp]) -> [ActionOp] {
        var places = [ActionOp?](repeating: nil, count: ActionOp.setPlaces)
        for op in write { places[op.setPlace] = op }
        if places[ActionOp.groupPlace] != nil { places[ActionOp.outputPlace] = nil }
        return places.compactMap { $0 }
    }
}

extension UnsafePointer<ActionProgram> {
    /// The operations of Apply-Actions.
    @inline(__always)
    var applyOps: UnsafePointer<ActionOp> {
        (UnsafeRawPointer(self) + ActionProgram.opsOffset).assumingMemoryBound(to: ActionOp.self)
    }
    /// The operations of Write-Actions.
    @inline(__always)
    var writeOps: UnsafePointer<ActionOp> { applyOps + Int(pointee.applyCount) }
}
