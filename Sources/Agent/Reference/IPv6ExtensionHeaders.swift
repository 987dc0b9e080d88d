// The pseudo-field ipv6_exthdr: which extension headers an IPv6 packet has, and whether they come as RFC 2460 §4.1
// recommends.

/// Gathers the bits of `ipv6_exthdr` (OFPIEH_*, OpenFlow 1.3.5 §7.2.3.8 / A.2.3.8) from header to header.
struct IPv6ExtensionHeaders {
    /// The bits so far.
    private(set) var bits: UInt16 = 0
    /// How often each header has come.
    private var counts: [UInt8: Int] = [:]
    /// The place in the recommended order that has been reached.
    private var reached = 0

    private static let noNext: UInt16 = 1 << 0
    private static let encapsulation: UInt16 = 1 << 1
    private static let repeated: UInt16 = 1 << 7
    private static let unordered: UInt16 = 1 << 8

    /// The headers with a bit of their own, in the recommended order. Destination options may come twice: before a
    /// routing header and last.
    private static let order: [(number: UInt8, bit: UInt16, place: Int)] = [
        (IPProtocol.hopByHop, 1 << 6, 1), (IPProtocol.destinationOptions, 1 << 3, 2), (IPProtocol.routing, 1 << 5, 3),
        (IPProtocol.fragment, 1 << 4, 4), (IPProtocol.authentication, 1 << 2, 5),
        (IPProtocol.encapsulation, encapsulation, 6),
    ]
    private static let last = 7

    /// One more header, which is there.
    mutating func note(_ number: UInt8) {
        guard let header = Self.order.first(where: { $0.number == number }) else { return }
        let isDestination = number == IPProtocol.destinationOptions
        counts[number, default: 0] += 1
        if counts[number]! > (isDestination ? 2 : 1) { bits |= Self.repeated }
        let place = isDestination && reached >= header.place ? Self.last : header.place
        if place < reached { bits |= Self.unordered }
        // Hop-by-hop options have their bit only as the first header.
        if number != IPProtocol.hopByHop || reached <= place { bits |= header.bit }
        reached = max(reached, place)
    }

    /// The number that ends the chain, with that many bytes of the frame behind it.
    mutating func end(_ number: UInt8, bytesLeft: Int) {
        if number == IPProtocol.noNextHeader { bits |= Self.noNext }
        if number == IPProtocol.encapsulation && bytesLeft >= 8 { note(number) }
    }
}
