// Random frames over the same small world, most of them well-formed, some cut off or garbled.

enum RandomPacket {
    static func make(_ random: inout SeededGenerator) -> [UInt8] {
        func odds(_ n: Int) -> Bool { Int.random(in: 0..<n, using: &random) == 0 }
        func byte() -> UInt8 { UInt8.random(in: 0...255, using: &random) }
        var frame: [UInt8] = []
        func put(_ value: UInt128, _ count: Int) {
            for i in (0..<count).reversed() { frame.append(UInt8(truncatingIfNeeded: value >> UInt128(8 * i))) }
        }
        func addresses() {
            put(SmallWorld.value(.ethDst, &random), 6)
            put(SmallWorld.value(.ethSrc, &random), 6)
        }
        addresses()
        while odds(3) {
            put(odds(2) ? 0x8100 : 0x88a8, 2)
            put(SmallWorld.value(.vlanVID, &random) & 0xfff | UInt128(byte() & 0xf0) << 8, 2)
        }
        switch Int.random(in: 0..<16, using: &random) {
        case 0..<6:
            put(0x0800, 2)
            ipv4(&random, put: put)
        case 6..<10:
            put(0x86dd, 2)
            ipv6(&random, put: put)
        case 10, 11:
            put(odds(4) ? 0x8848 : 0x8847, 2)
            while odds(2) { shim(bottom: odds(8), &random, put: put) }
            shim(bottom: !odds(8), &random, put: put)
            if odds(2) { ipv4(&random, put: put) } else { ipv6(&random, put: put) }
        case 12, 13:
            put(0x88e7, 2)
            put(UInt128(byte()) << 24 | SmallWorld.value(.pbbISID, &random), 4)
            addresses()
            if odds(2) {
                put(0x8100, 2)
                put(5, 2)
            }
            if odds(3) {
                put(0x8847, 2)
                shim(bottom: true, &random, put: put)
            } else {
                put(0x0800, 2)
            }
            ipv4(&random, put: put)
        case 14:
            put(0x0806, 2)
            put(0x0001_0800_0604, 6)
            put(SmallWorld.value(.arpOp, &random), 2)
            put(SmallWorld.value(.arpSHA, &random), 6)
            put(SmallWorld.value(.arpSPA, &random), 4)
            put(SmallWorld.value(.arpTHA, &random), 6)
            put(SmallWorld.value(.arpTPA, &random), 4)
        default:
            put(UInt128(byte()) << 8, 2)
            for _ in 0..<20 { put(UInt128(byte()), 1) }
        }
        if odds(10) { frame.removeLast(Int.random(in: 0...(frame.count - 14), using: &random)) }
        if odds(15) { frame[Int.random(in: 12..<frame.count, using: &random)] = byte() }
        return frame
    }

    private static func shim(bottom: Bool, _ random: inout SeededGenerator, put: (UInt128, Int) -> Void) {
        let label = SmallWorld.value(.mplsLabel, &random) << 12 | SmallWorld.value(.mplsTC, &random) << 9
        put(label | (bottom ? 0x100 : 0) | UInt128(UInt64.random(in: 0...4, using: &random)), 4)
    }

    private static func ipv4(_ random: inout SeededGenerator, put: (UInt128, Int) -> Void) {
        let options = Int.random(in: 0..<6, using: &random) == 0 ? 4 : 0
        put(UInt128(0x45 + options / 4), 1)
        put(SmallWorld.value(.ipDSCP, &random) << 2 | SmallWorld.value(.ipECN, &random), 1)
        // Mostly right for TCP and SCTP; the lengths of IP count for SCTP's checksum only.
        put(UInt128([40, 40, 33, 1500].randomElement(using: &random) ?? 40) + UInt128(options), 2)
        put(7, 2)
        put([0, 0, 0, 0x2000, 0x0010, 0x4000][Int.random(in: 0..<6, using: &random)], 2)
        put(UInt128(UInt64.random(in: 0...4, using: &random)), 1)
        let inner: UInt128? = Int.random(in: 0..<12, using: &random) == 0 ? 4 : nil
        let proto = inner ?? SmallWorld.value(.ipProto, &random)
        put(proto, 1)
        put(UInt128(UInt64.random(in: 0...0xffff, using: &random)), 2)
        put(SmallWorld.value(.ipv4Src, &random), 4)
        put(SmallWorld.value(.ipv4Dst, &random), 4)
        put(0, options)
        if inner == nil { transport(proto, &random, put: put) } else { ipv4(&random, put: put) }
    }

    private static func ipv6(_ random: inout SeededGenerator, put: (UInt128, Int) -> Void) {
        put(0x6000_0000 | SmallWorld.value(.ipDSCP, &random) << 22 | SmallWorld.value(.ipv6FLabel, &random), 4)
        put([40, 20, 24, 32].randomElement(using: &random) ?? 40, 2)
        let proto: UInt128 = [6, 17, 58, 58, 132, 59, 50, 41].randomElement(using: &random) ?? 6
        let extensions: [UInt128] =
            [[], [], [], [0], [60, 43], [43], [44], [51], [0, 51], [51, 0], [60, 60, 60], [44, 43, 44]]
            .randomElement(using: &random) ?? []
        put(extensions.first ?? proto, 1)
        put(UInt128(UInt64.random(in: 0...4, using: &random)), 1)
        put(SmallWorld.value(.ipv6Src, &random), 16)
        put(SmallWorld.value(.ipv6Dst, &random), 16)
        for (i, header) in extensions.enumerated() {
            let next = i + 1 < extensions.count ? extensions[i + 1] : proto
            put(next, 1)
            switch header {
            case 44:
                put(0, 1)
                put([0, 1, 0x0018].randomElement(using: &random) ?? 0, 2)
                put(5, 4)
            case 51:
                put(1, 1)
                put(0, 10)
            case 43:
                put(0, 2)
                put([0, 0, 1].randomElement(using: &random) ?? 0, 1)
                put(0, 4)
            default:
                put(0, 1)
                put(0, 6)
            }
        }
        if proto == 41 { ipv4(&random, put: put) } else { transport(proto, &random, put: put) }
    }

    private static func transport(_ proto: UInt128, _ random: inout SeededGenerator, put: (UInt128, Int) -> Void) {
        let checksum = UInt128([0, UInt64.random(in: 0...0xffff, using: &random)].randomElement(using: &random) ?? 0)
        switch proto {
        case 6:
            put(SmallWorld.value(.tcpSrc, &random), 2)
            put(SmallWorld.value(.tcpDst, &random), 2)
            put(0x1234, 8)
            put(0x5010_ffff, 4)
            put(checksum, 2)
            put(0, 2)
        case 17:
            put(SmallWorld.value(.udpSrc, &random), 2)
            put(SmallWorld.value(.udpDst, &random), 2)
            put(8, 2)
            put(checksum, 2)
        case 132:
            put(SmallWorld.value(.sctpSrc, &random), 2)
            put(SmallWorld.value(.sctpDst, &random), 2)
            put(0x1234_5678_9abc_def0, 8)
            put(0x0b00_0004, 4)
            put(UInt128(UInt64.random(in: 0 ... .max, using: &random)), Int.random(in: 0...8, using: &random))
        case 58:
            let type = SmallWorld.value(.icmpv6Type, &random)
            put(type, 1)
            put(SmallWorld.value(.icmpv6Code, &random), 1)
            put(checksum, 2)
            put(0, 4)
            guard type == 135 || type == 136 else { return }
            put(SmallWorld.value(.ipv6NDTarget, &random), 16)
            for _ in 0..<Int.random(in: 0...2, using: &random) {
                let option = UInt128([1, 2, 5].randomElement(using: &random) ?? 1)
                let units: UInt128 = [1, 1, 1, 2, 0].randomElement(using: &random) ?? 1
                put(option << 8 | units, 2)
                put(SmallWorld.value(.ethDst, &random), 6)
                if units == 2 { put(0, 8) }
            }
        default:
            put(SmallWorld.value(.icmpv4Type, &random), 1)
            put(SmallWorld.value(.icmpv4Code, &random), 1)
            put(checksum, 2)
            put(0, 4)
        }
    }
}
