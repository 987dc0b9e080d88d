// A match as bytes: `ofp_match` and the OXM TLVs in it (OpenFlow 1.3.5 §7.2.3 / A.2.3). The set-field action uses the
// TLVs too.

/// OFPXMC_OPENFLOW_BASIC: the class of all fields in the registry.
private let openFlowBasic: UInt16 = 0x8000

extension Match {
    /// OFPMT_OXM.
    private static let oxmType: UInt16 = 1

    /// The match and its padding.
    ///
    /// Throws errors of type OFPET_BAD_MATCH: BAD_TYPE for another type than OXM, BAD_LEN, BAD_FIELD, DUP_FIELD,
    /// BAD_MASK for a mask on a field that takes none or of bits that it does not have, BAD_VALUE for bits that it
    /// does not have, BAD_WILDCARDS for bits outside of the mask.
    init(from reader: inout WireReader) throws(OpenFlowError) {
        guard let type = reader.peek(UInt16.self), let length = reader.peek(UInt16.self, at: 2) else {
            throw .badMatch(.badLength, "match: \(reader.remaining) bytes left, 4 wanted")
        }
        guard type == Self.oxmType else { throw .badMatch(.badType, "match type \(type)") }
        guard length >= 4 else { throw .badMatch(.badLength, "match length \(length)") }
        let padding = (8 - Int(length) % 8) % 8
        var content = try reader.slice(Int(length) + padding, scope: .match)
        try content.pad(4)
        var tlvs = try content.slice(Int(length) - 4, scope: .match)

        fields = []
        fields.reserveCapacity((Int(length) - 4) / 6)
        var seen: UInt64 = 0
        while !tlvs.isAtEnd {
            let field = try MatchField(from: &tlvs)
            let bit: UInt64 = 1 << UInt64(field.field.rawValue)
            guard seen & bit == 0 else { throw .badMatch(.duplicateField, "OXM \(field.field.name) twice") }
            seen |= bit
            fields.append(field)
        }
    }

    func write(to writer: inout WireWriter) {
        writer.write(Self.oxmType)
        writer.lengthPrefixed(after: 2, alignment: 8, countingPadding: false) { writer in
            for field in fields {
                field.write(to: &writer)
            }
        }
    }
}

extension MatchField {
    init(from reader: inout WireReader) throws(OpenFlowError) {
        let header = try OXMHeader(from: &reader)
        guard let field = header.field else { throw .badMatch(.badField, "OXM header \(Text.hex(header.rawValue))") }
        guard !header.hasMask || field.isMaskable else { throw .badMatch(.badMask, "OXM \(field.name) takes no mask") }
        let byteCount = field.byteCount
        let expected = header.hasMask ? 2 * byteCount : byteCount
        guard header.length == expected else {
            throw .badMatch(.badLength, "OXM \(field.name): \(header.length) bytes, \(expected) wanted")
        }
        let value = try reader.read(byteCount: byteCount)
        guard value & ~field.allOnes == 0 else {
            throw .badMatch(.badValue, "OXM \(field.name): \(Text.hex(value)) in \(field.bits) bits")
        }
        self.init(field, value)
        guard header.hasMask else { return }
        let mask = try reader.read(byteCount: byteCount)
        guard mask & ~field.allOnes == 0 else {
            throw .badMatch(.badMask, "OXM \(field.name): mask \(Text.hex(mask)) for \(field.bits) bits")
        }
        guard value & ~mask == 0 else {
            throw .badMatch(
                .badWildcards,
                "OXM \(field.name): \(Text.hex(value)) has bits outside of \(Text.hex(mask))"
            )
        }
        self.mask = mask
    }

    func write(to writer: inout WireWriter) {
        writer.write(OXMHeader(field, hasMask: mask != nil).rawValue)
        writer.write(value, byteCount: field.byteCount)
        if let mask { writer.write(mask, byteCount: field.byteCount) }
    }
}

/// The first four bytes of an OXM TLV: class (16 bits), field (7), has-mask (1), length of what follows (8).
struct OXMHeader: Hashable {
    var rawValue: UInt32

    init(rawValue: UInt32) { self.rawValue = rawValue }

    init(_ field: OXMField, hasMask: Bool = false) {
        let length = UInt32(field.byteCount) << (hasMask ? 1 : 0)
        rawValue = UInt32(openFlowBasic) << 16 | UInt32(field.rawValue) << 9 | (hasMask ? 1 << 8 : 0) | length
    }

    init(from reader: inout WireReader) throws(OpenFlowError) { rawValue = try reader.read() }

    /// The field, if it is in the registry.
    var field: OXMField? {
        guard UInt16(rawValue >> 16) == openFlowBasic else { return nil }
        return OXMField(rawValue: UInt8(truncatingIfNeeded: rawValue >> 9) & 0x7f)
    }

    var isExperimenter: Bool { rawValue >> 16 == 0xffff }
    var hasMask: Bool { rawValue & 0x100 != 0 }
    var length: Int { Int(rawValue & 0xff) }
}
