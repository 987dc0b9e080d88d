// Reading of bytes that somebody else wrote: each read checks, none can trap. WireWriter.swift is the other direction.

import NIOCore

/// What is being read, which decides the error for bytes that are missing or too many.
enum WireScope {
    case message, match, instruction, action, setField, bucket, tableFeatures

    func badLength(_ reason: String) -> OpenFlowError {
        switch self {
        case .message: .badRequest(.badLength, reason)
        case .match: .badMatch(.badLength, reason)
        case .instruction: .badInstruction(.badLength, reason)
        case .action: .badAction(.badLength, reason)
        case .setField: .badAction(.badSetLength, reason)
        case .bucket: .groupModFailed(.badBucket, reason)
        case .tableFeatures: .tableFeaturesFailed(.badLength, reason)
        }
    }
}

/// A run of bytes with a position, in network byte order.
struct WireReader {
    private var buffer: ByteBuffer
    let scope: WireScope

    init(_ buffer: ByteBuffer, scope: WireScope = .message) {
        self.buffer = buffer
        self.scope = scope
    }

    var remaining: Int { buffer.readableBytes }
    var isAtEnd: Bool { buffer.readableBytes == 0 }

    mutating func read<Number: FixedWidthInteger>(_ type: Number.Type = Number.self) throws(OpenFlowError) -> Number {
        guard let value = buffer.readInteger(as: Number.self) else {
            throw scope.badLength("\(remaining) bytes left, \(Number.bitWidth / 8) wanted")
        }
        return value
    }

    /// A number of 1 to 16 bytes, most significant first.
    mutating func read(byteCount: Int) throws(OpenFlowError) -> UInt128 {
        switch byteCount {
        case 1: return try UInt128(read(UInt8.self))
        case 2: return try UInt128(read(UInt16.self))
        case 4: return try UInt128(read(UInt32.self))
        case 6:
            let high = try UInt128(read(UInt16.self))
            return try high << 32 | UInt128(read(UInt32.self))
        case 8: return try UInt128(read(UInt64.self))
        case 16: return try read(UInt128.self)
        default:
            var value: UInt128 = 0
            for _ in 0..<byteCount {
                value = try value << 8 | UInt128(read(UInt8.self))
            }
            return value
        }
    }

    mutating func readPort() throws(OpenFlowError) -> PortNumber { try PortNumber(rawValue: read()) }
    mutating func readGroup() throws(OpenFlowError) -> GroupID { try GroupID(rawValue: read()) }

    mutating func readEthernetAddress() throws(OpenFlowError) -> EthernetAddress {
        try EthernetAddress(rawValue: UInt64(truncatingIfNeeded: read(byteCount: 6)))
    }

    /// A field of `byteCount` bytes with text and at least one zero after it. What is not UTF-8 becomes `?`, so that
    /// the text fits into the field from which it comes.
    mutating func readText(byteCount: Int) throws(OpenFlowError) -> String {
        guard let bytes = buffer.readSlice(length: byteCount) else {
            throw scope.badLength("\(remaining) bytes left, \(byteCount) wanted")
        }
        let text = String(decoding: bytes.readableBytesView.dropLast().prefix { $0 != 0 }, as: UTF8.self)
        var scalars = String.UnicodeScalarView()
        scalars.append(contentsOf: text.unicodeScalars.lazy.map { $0 == "\u{fffd}" ? "?" : $0 })
        return String(scalars)
    }

    /// Bytes that mean nothing; their values are ignored.
    mutating func pad(_ byteCount: Int) throws(OpenFlowError) {
        guard remaining >= byteCount else {
            throw scope.badLength("\(remaining) bytes left, \(byteCount) of padding wanted")
        }
        buffer.moveReaderIndex(forwardBy: byteCount)
    }

    /// The next `byteCount` bytes as something of their own; throws that something's error if there are fewer.
    mutating func slice(_ byteCount: Int, scope: WireScope) throws(OpenFlowError) -> WireReader {
        guard byteCount >= 0, let bytes = buffer.readSlice(length: byteCount) else {
            throw scope.badLength("\(remaining) bytes left, a length wants \(byteCount) there")
        }
        return WireReader(bytes, scope: scope)
    }

    /// What is left, to be kept as it is.
    mutating func rest() -> ByteBuffer {
        let bytes = buffer
        buffer.moveReaderIndex(to: buffer.writerIndex)
        return bytes
    }

    /// The number `offset` bytes ahead, without moving; nil beyond the end.
    func peek<Number: FixedWidthInteger>(_ type: Number.Type, at offset: Int = 0) -> Number? {
        buffer.getInteger(at: buffer.readerIndex + offset, as: Number.self).flatMap {
            offset + Number.bitWidth / 8 <= remaining ? $0 : nil
        }
    }

    /// Elements up to the end. Each call of `element` reads at least one byte.
    mutating func list<Element>(
        _ element: (inout WireReader) throws(OpenFlowError) -> Element
    ) throws(OpenFlowError) -> [Element] {
        var result: [Element] = []
        while !isAtEnd {
            try result.append(element(&self))
        }
        return result
    }

    func expectEnd() throws(OpenFlowError) {
        guard isAtEnd else { throw scope.badLength("\(remaining) bytes too many") }
    }
}
