// The first message of both sides: which versions they speak.

/// OFPT_HELLO (OpenFlow 1.3.5 §7.5.1 / A.5.1).
package struct Hello: Hashable, Sendable {
    /// The version in the message's header: the highest that the sender speaks.
    package var version: UInt8
    /// OFPHET_VERSIONBITMAP: bit n of word m stands for version 32 * m + n. Nil: the element is not there.
    package var versionBitmap: [UInt32]?

    package init(
        version: UInt8 = ProtocolVersion.openFlow13,
        versionBitmap: [UInt32]? = [1 << UInt32(ProtocolVersion.openFlow13)]
    ) {
        self.version = version
        self.versionBitmap = versionBitmap
    }
}

extension Hello {
    /// OFPHET_VERSIONBITMAP.
    private static let versionBitmapType: UInt16 = 1

    /// The body of a hello. Elements of unknown types are skipped, as the specification asks.
    init(version: UInt8, from reader: inout WireReader) throws(OpenFlowError) {
        self.init(version: version, versionBitmap: nil)
        while !reader.isAtEnd {
            let type: UInt16 = try reader.read()
            let length: UInt16 = try reader.read()
            var content = try reader.slice(Int(length) - 4, scope: .message)
            try reader.pad((8 - Int(length) % 8) % 8)
            if type == Self.versionBitmapType {
                versionBitmap = try content.list { bitmaps throws(OpenFlowError) in try bitmaps.read(UInt32.self) }
            }
        }
    }

    func write(to writer: inout WireWriter) {
        guard let versionBitmap else { return }
        writer.write(Self.versionBitmapType)
        writer.lengthPrefixed(after: 2, alignment: 8, countingPadding: false) { writer in
            for bitmap in versionBitmap {
                writer.write(bitmap)
            }
        }
    }

    /// Whether the sender and one that sends the default hello can speak `ProtocolVersion.openFlow13` together: by
    /// the bitmap if there is one, else by the lower of the two versions (OpenFlow 1.3.5 §6.3).
    package var allowsOpenFlow13: Bool {
        guard let versionBitmap else { return version >= ProtocolVersion.openFlow13 }
        guard let first = versionBitmap.first else { return false }
        return first >> UInt32(ProtocolVersion.openFlow13) & 1 == 1
    }

    /// The versions that the sender speaks, for people: `0x01, 0x04`, or `up to 0x06`.
    package var offer: String {
        guard let versionBitmap else { return "up to \(Text.hex(version))" }
        let versions = versionBitmap.enumerated().flatMap { index, bits in
            (0..<32).filter { bits >> UInt32($0) & 1 == 1 }.map { Text.hex(32 * index + $0) }
        }
        return versions.isEmpty ? "none" : versions.joined(separator: ", ")
    }
}
