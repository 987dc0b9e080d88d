// The addresses of the configuration, written as Open vSwitch writes them. A host is an IPv4 address, or an IPv6 address
// in brackets; a controller's may be a name as well.

import NIOCore

/// Where the agent waits for controllers and tools.
package enum ListenAddress: Hashable, Sendable, CustomStringConvertible {
    /// `ptcp:PORT[:HOST]`. The host is an IP address without brackets; port 0 is any that is free.
    case tcp(host: String, port: Int)
    /// `ptls:PORT[:HOST]`, or `pssl:` as Open vSwitch writes it: the same over TLS.
    case tls(host: String, port: Int)
    /// `punix:PATH`, an absolute path.
    case unix(path: String)

    /// Not 6653: that is the controllers' own, who often run on the same machine.
    package static let defaultPort = 6654
    /// The one that IANA gave OpenFlow, with TLS and without.
    package static let defaultTLSPort = 6653

    init(parsing text: String) throws(InvalidValue) {
        guard let (scheme, rest) = split(text, at: ":") else { throw Self.refusal(text) }
        switch scheme {
        case "ptcp":
            let (host, port) = try Self.parse(rest, defaultPort: Self.defaultPort)
            self = .tcp(host: host, port: port)
        case "ptls", "pssl":
            let (host, port) = try Self.parse(rest, defaultPort: Self.defaultTLSPort)
            self = .tls(host: host, port: port)
        case "punix":
            self = .unix(path: try parseSocketPath(rest))
        default: throw Self.refusal(text)
        }
    }

    /// PORT, :HOST and both may be left out.
    private static func parse(_ rest: String, defaultPort: Int) throws(InvalidValue) -> (host: String, port: Int) {
        let (portText, hostText) = split(rest, at: ":") ?? (rest, "127.0.0.1")
        let port = portText.isEmpty ? defaultPort : try parsePort(portText, from: 0)
        return (try parseIPAddress(hostText), port)
    }

    /// Whether openflow.tls has to be there.
    package var needsTLS: Bool {
        if case .tls = self { true } else { false }
    }

    private static func refusal(_ text: String) -> InvalidValue {
        InvalidValue(
            "\"\(text)\" is no address to listen at: ptcp:PORT[:HOST], ptls:PORT[:HOST] or punix:PATH is wanted"
        )
    }

    package var description: String {
        switch self {
        case .tcp(let host, let port): "ptcp:\(port):\(bracketed(host))"
        case .tls(let host, let port): "ptls:\(port):\(bracketed(host))"
        case .unix(let path): "punix:\(path)"
        }
    }
}

/// A controller that the agent connects to: `tcp:HOST[:PORT]`, or `tls:HOST[:PORT]`, which Open vSwitch writes `ssl:`.
package struct ControllerAddress: Hashable, Sendable, CustomStringConvertible {
    /// An IP address without brackets, or a name.
    package var host: String
    package var port: Int
    /// Whether TLS is spoken, and openflow.tls has to be there.
    package var needsTLS: Bool

    /// The port that IANA gave OpenFlow controllers, with TLS and without.
    package static let defaultPort = 6653

    package init(host: String, port: Int = defaultPort, needsTLS: Bool = false) {
        (self.host, self.port, self.needsTLS) = (host, port, needsTLS)
    }

    /// The host if it is a name, nil if it is an IP address.
    var hostName: String? { (try? SocketAddress(ipAddress: host, port: port)) == nil ? host : nil }

    init(parsing text: String) throws(InvalidValue) {
        guard let (scheme, rest) = split(text, at: ":") else { throw Self.refusal(text) }
        switch scheme {
        case "tcp", "tls", "ssl":
            let (hostText, portText) = try splitHostAndPort(rest)
            port = try portText.map { text throws(InvalidValue) in try parsePort(text, from: 1) } ?? Self.defaultPort
            host = try parseHost(hostText)
            needsTLS = scheme != "tcp"
        default: throw Self.refusal(text)
        }
    }

    private static func refusal(_ text: String) -> InvalidValue {
        InvalidValue("\"\(text)\" is no controller: tcp:HOST[:PORT] or tls:HOST[:PORT] is wanted")
    }

    package var description: String { "\(needsTLS ? "tls" : "tcp"):\(bracketed(host)):\(port)" }
}

/// Where metrics are served: `HOST:PORT`.
package struct HTTPAddress: Hashable, Sendable, CustomStringConvertible {
    /// An IP address without brackets.
    package var host: String
    /// 0 is any that is free.
    package var port: Int

    package init(host: String, port: Int) {
        (self.host, self.port) = (host, port)
    }

    init(parsing text: String) throws(InvalidValue) {
        let (hostText, portText) = try splitHostAndPort(text)
        guard let portText else { throw InvalidValue("\"\(text)\" names no port: HOST:PORT is wanted") }
        host = try parseIPAddress(hostText)
        port = try parsePort(portText, from: 0)
    }

    package var description: String { "\(bracketed(host)):\(port)" }
}

/// The longest path that fits into a Unix socket's address: `sun_path` without its terminating zero.
package let longestSocketPath = 107

/// An absolute path.
func parsePath(_ text: String) throws(InvalidValue) -> String {
    guard text.hasPrefix("/"), !text.utf8.contains(0) else {
        throw InvalidValue("\"\(text)\" is no absolute path: it has to start with /")
    }
    return text
}

func parseSocketPath(_ path: String) throws(InvalidValue) -> String {
    guard path.hasPrefix("/") else { throw InvalidValue("\"\(path)\" is no absolute path: it has to start with /") }
    guard path.utf8.count <= longestSocketPath else {
        throw InvalidValue(
            "the socket's path has \(path.utf8.count) bytes: at most \(longestSocketPath) are allowed (\(path))"
        )
    }
    return path
}

private func parsePort(_ text: String, from lowest: Int) throws(InvalidValue) -> Int {
    guard let port = parseDecimal(text), (UInt64(lowest)...65535).contains(port) else {
        throw InvalidValue("\"\(text)\" is no port: a number from \(lowest) to 65535 is wanted")
    }
    return Int(port)
}

private func parseIPAddress(_ text: String) throws(InvalidValue) -> String {
    guard let address = ipAddress(text) else {
        throw InvalidValue("\"\(text)\" is no IP address: 127.0.0.1 or [::1], say, is wanted")
    }
    return address
}

private func parseHost(_ text: String) throws(InvalidValue) -> String {
    if let address = ipAddress(text) { return address }
    let labels = text.split(separator: ".", omittingEmptySubsequences: false)
    let isName = labels.allSatisfy { label in
        (1...63).contains(label.utf8.count) && label.utf8.allSatisfy { isLetterOrDigit($0) || $0 == UInt8(ascii: "-") }
    }
    // What consists of digits alone was meant to be an address.
    guard isName, text.utf8.count <= 253, !labels.allSatisfy({ parseDecimal(String($0)) != nil }) else {
        throw InvalidValue("\"\(text)\" is no host: an IP address (IPv6 in brackets) or a name is wanted")
    }
    return text
}

/// The address without its brackets, which IPv6 must have and IPv4 must not.
private func ipAddress(_ text: String) -> String? {
    let inner = text.hasPrefix("[") && text.hasSuffix("]") ? String(text.dropFirst().dropLast()) : text
    guard let address = try? SocketAddress(ipAddress: inner, port: 0) else { return nil }
    switch address {
    case .v4: return inner == text ? inner : nil
    case .v6: return inner == text ? nil : inner
    case .unixDomainSocket: return nil
    }
}

private func bracketed(_ host: String) -> String { host.contains(":") ? "[\(host)]" : host }

/// What is before and behind the first `separator`.
private func split(_ text: String, at separator: Character) -> (String, String)? {
    guard let index = text.firstIndex(of: separator) else { return nil }
    return (String(text[..<index]), String(text[text.index(after: index)...]))
}

/// `HOST`, `HOST:PORT`, `[V6]`, `[V6]:PORT`.
private func splitHostAndPort(_ text: String) throws(InvalidValue) -> (host: String, port: String?) {
    guard text.hasPrefix("[") else {
        guard let (host, port) = split(text, at: ":") else { return (text, nil) }
        return (host, port)
    }
    guard let end = text.firstIndex(of: "]") else {
        throw InvalidValue("\"\(text)\" lacks the bracket that closes the host")
    }
    let host = String(text[...end])
    let rest = text[text.index(after: end)...]
    if rest.isEmpty { return (host, nil) }
    guard rest.hasPrefix(":") else {
        throw InvalidValue("\"\(text)\": a colon and the port are wanted behind the bracket")
    }
    return (host, String(rest.dropFirst()))
}
