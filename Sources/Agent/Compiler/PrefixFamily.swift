// Which masks differ only in how long a prefix of one field they take: their rules may go into one trie.

import DataPlane

/// A field of the flow key that is often matched by prefixes; in whole bytes.
struct PrefixField: Hashable {
    /// Bytes from the start of the key.
    let offset: Int
    /// At least two, as the trie's root takes two.
    let byteCount: Int

    private init(word: Int, byte: Int = 0, _ byteCount: Int) {
        offset = 8 * word + byte
        self.byteCount = byteCount
    }

    /// In the order in which they are preferred where a mask has prefixes of several.
    static let all = [
        PrefixField(word: FlowKey.Word.ipv4, byte: 4, 4),  // destination
        PrefixField(word: FlowKey.Word.ipv4, 4),  // source
        PrefixField(word: FlowKey.Word.ipv6Dst, 16),
        PrefixField(word: FlowKey.Word.ipv6Src, 16),
        PrefixField(word: FlowKey.Word.l4, byte: 2, 2),  // destination port
        PrefixField(word: FlowKey.Word.l4, 2),  // source port
        PrefixField(word: FlowKey.Word.ethDst, 6),
        PrefixField(word: FlowKey.Word.ethSrc, 6),
        PrefixField(word: FlowKey.Word.metadata, 8),
        PrefixField(word: FlowKey.Word.tunnel, 8),
        PrefixField(word: FlowKey.Word.ndTarget, 16),
    ]

    /// The field's bits in a key, left-aligned.
    func bits(_ key: FlowKey) -> UInt128 {
        var bits: UInt128 = 0
        for byte in offset..<offset + byteCount {
            bits = bits << 8 | UInt128(UInt8(truncatingIfNeeded: key.words[byte / 8] >> UInt64(byte % 8 * 8)))
        }
        return bits << UInt128(128 - 8 * byteCount)
    }

    /// How long a prefix of the field a mask takes; nil if what it takes is no prefix.
    func prefixLength(_ mask: FlowKey) -> Int? {
        let bits = bits(mask)
        let length = (~bits).leadingZeroBitCount
        return length == 128 || bits << UInt128(length) == 0 ? length : nil
    }

    /// A mask or a key without the field.
    func clearing(_ key: FlowKey) -> FlowKey { shortening(key, to: 0) }

    /// A mask or a key with no more of the field than its first `length` bits, whole bytes.
    func shortening(_ key: FlowKey, to length: Int) -> FlowKey {
        var rest = key
        for byte in offset + length / 8..<offset + byteCount {
            rest.words[byte / 8] &= ~(0xff << UInt64(byte % 8 * 8))
        }
        return rest
    }
}

/// The masks that take a prefix of one field and are alike in all else.
struct PrefixFamily: Hashable {
    let field: PrefixField
    let rest: MaskWords

    /// The families that a mask belongs to: one for each field that it takes a prefix of.
    static func all(of mask: FlowKey) -> [PrefixFamily] {
        PrefixField.all.compactMap { field in
            guard let length = field.prefixLength(mask), length > 0 else { return nil }
            // Whole long values would be long ways down.
            if field.byteCount > 4 && length == 8 * field.byteCount { return nil }
            return PrefixFamily(field: field, rest: MaskWords(field.clearing(mask)))
        }
    }
}

/// A prefix of a field.
struct Prefix {
    /// Left-aligned; what is behind the prefix is 0.
    let bits: UInt128
    /// In bits, from 0.
    let length: Int

    func byte(_ index: Int) -> UInt8 { UInt8(truncatingIfNeeded: bits >> UInt128(120 - 8 * index)) }
    /// The first 16 bits.
    var start: Int { Int(truncatingIfNeeded: bits >> 112) }
}
