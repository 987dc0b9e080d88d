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
    /// To the controllers, as a packet-in with this reason (OFPR_*). Whole, whatever `max_len` says, because packets are not
    /// buffered (OpenFlow 1.3.5 §7.4.1).
    case controller(reason: UInt8)
    /// Through the flow tables from the first one on; in a packet-out only.
    case outputTable
    /// Out of a port that does not exist (yet).
    case outputNowhere
    case pushVLAN(etherType: UInt16)
    case popVLAN
    case setNetworkTTL(UInt8)
    case decrementNetworkTTL
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
}

extension ActionOp {
    /// Which place an operation takes in an action set: a set holds one of each (§5.10), executed in ascending order.
    var setPlace: Int {
        switch self {
        case .popVLAN: 0
        case .pushVLAN: 1
        case .decrementNetworkTTL: 2
        case .setNetworkTTL: 3
        case .setEthDst: 4
        case .setEthSrc: 5
        case .setEthType: 6
        case .setVLANVID: 7
        case .setVLANPCP: 8
        case .setDSCP: 9
        case .setECN: 10
        case .setIPProto: 11
        case .setIPv4Src: 12
        case .setIPv4Dst: 13
        case .setIPv6Src: 14
        case .setIPv6Dst: 15
        case .setTransportSrc(_, let proto): proto == IPProtocol.tcp ? 16 : 18
        case .setTransportDst(_, let proto): proto == IPProtocol.tcp ? 17 : 19
        case .setICMPType(_, let proto): proto == IPProtocol.icmp ? 20 : 22
        case .setICMPCode(_, let proto): proto == IPProtocol.icmp ? 21 : 23
        case .setARPOp: 24
        case .setARPSPA: 25
        case .setARPTPA: 26
        case .setARPSHA: 27
        case .setARPTHA: 28
        case .output, .outputAll, .outputInPort, .controller, .outputTable, .outputNowhere: 29
        }
    }
    static let setPlaces = 30

    /// Whether it sends the packet somewhere; the others change the packet.
    package var isOutput: Bool { setPlace == Self.setPlaces - 1 }
}

/// The header of a program; `applyCount` operations follow, then `writeCount` for the action set, in its order.
package struct ActionProgram {
    package var applyCount: UInt16
    package var writeCount: UInt16
    /// Where the pipeline goes on; 255 if it ends.
    package var gotoTable: UInt8
    package var flags: Flags
    /// The slot of `Flags.onlyOutput`.
    package var outputSlot: UInt16
    package var metadataMask: UInt64
    /// Both in network byte order, as the flow key has them.
    package var metadataValue: UInt64

    package static let noTable: UInt8 = 255
    package static let opsOffset = 32

    package struct Flags: OptionSet, Sendable {
        package let rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }
        /// Clear-Actions.
        static let clear = Flags(rawValue: 1)
        /// Write-Metadata.
        static let metadata = Flags(rawValue: 2)
        /// The applied operations change headers, so the next table needs another look at them.
        static let changesHeaders = Flags(rawValue: 4)
        /// One output to a port, nothing else: the way of most packets.
        static let onlyOutput = Flags(rawValue: 8)
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
        if apply.contains(where: { !$0.isOutput }) { flags.insert(.changesHeaders) }
        var outputSlot: UInt16 = 0
        if case .output(let slot)? = apply.first, apply.count == 1, write.isEmpty, !clear, metadata == nil,
            gotoTable == nil
        {
            flags.insert(.onlyOutput)
            outputSlot = slot
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

    /// An action set's operations in the order of their execution, the last of each kind only (§5.10).
    private static func inSetOrder(_ write: [ActionOp]) -> [ActionOp] {
        var places = [ActionOp?](repeating: nil, count: ActionOp.setPlaces)
        for op in write { places[op.setPlace] = op }
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
