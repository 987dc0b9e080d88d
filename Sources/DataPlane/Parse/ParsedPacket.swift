// What the parser makes of a packet, without a worker: for whoever compares it with another parser.

/// The key and the layout that a worker would have of a packet.
package struct ParsedPacket {
    package private(set) var key = FlowKey()
    private(set) var layout = PacketLayout()

    package var isFragment: Bool { layout.isFragment }

    /// What the words of a key hold that the parser does not fill, but for those that are none of its business: what a worker
    /// parsed before may lie there.
    private static let leftover: UInt64 = 0xa5a5_a5a5_a5a5_a5a5

    /// - Parameter packet: From the Ethernet header on, 14 bytes at least.
    package init(_ packet: UnsafeBufferPointer<UInt8>, depth: ParseDepth) {
        guard let bytes = packet.baseAddress else { return }
        fillLeftovers()
        Self.withWords(&key) { Parser.parse(bytes, length: packet.count, depth: depth, into: $0, &layout) }
    }

    /// By the parser's short way for most of the traffic; nil if the packet has to go the long one.
    package init?(plain packet: UnsafeBufferPointer<UInt8>) {
        guard let bytes = packet.baseAddress else { return nil }
        fillLeftovers()
        guard Self.withWords(&key, { Parser.parsePlain(bytes, length: packet.count, port: 0, $0, &layout) }) else {
            return nil
        }
    }

    /// Whether the short way has filled its words, and the layout, as the long one does.
    package func agrees(withPlain plain: ParsedPacket) -> Bool {
        layout == plain.layout
            && (FlowKey.Word.ethSrc...FlowKey.Word.l4).allSatisfy { key.words[$0] == plain.key.words[$0] }
    }

    private mutating func fillLeftovers() {
        for word in 0..<FlowKey.wordCount { key.words[word] = Self.leftover }
        for word in [FlowKey.Word.port, FlowKey.Word.metadata, FlowKey.Word.tunnel] { key.words[word] = 0 }
    }

    private static func withWords<Result>(_ key: inout FlowKey, _ body: (UnsafeMutablePointer<UInt64>) -> Result)
        -> Result
    {
        withUnsafeMutablePointer(to: &key) { body(UnsafeMutableRawPointer($0).assumingMemoryBound(to: UInt64.self)) }
    }
}
