// The metrics server with real connections: what it answers, and clients that misbehave.

import Agent
import Foundation
import NIOCore
import NIOPosix
import Testing

/// A client that writes bytes and reads all that comes until the end.
private struct Client {
    let descriptor: CInt

    init(_ address: SocketAddress) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var patience = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        let result = address.withSockAddr { connect(descriptor, $0, socklen_t($1)) }
        guard result == 0 else { throw POSIXError(.ECONNREFUSED) }
    }

    func send(_ text: String) {
        _ = text.withCString { Foundation.send(descriptor, $0, strlen($0), Int32(MSG_NOSIGNAL)) }
    }

    func rest() -> String {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
            bytes += buffer[..<count]
        }
    }

    func close() { _ = Foundation.close(descriptor) }
}

@Suite(.timeLimit(.minutes(2)))
struct MetricsServerTests {
    /// Runs `body` on a thread of its own, with the address of a server.
    private func withServer(
        limits: MetricsServer.Limits = .init(),
        _ body: @escaping @Sendable (SocketAddress) throws -> Void,
        afterwards: (() async throws -> Int) async throws -> Void = { _ in }
    ) async throws {
        let eventLoop = MultiThreadedEventLoopGroup.singleton.any()
        let box = NIOLoopBoundBox<MetricsServer?>.makeEmptyBox(valueType: MetricsServer.self, eventLoop: eventLoop)
        let address = try await eventLoop.flatSubmit {
            MetricsServer.start(at: HTTPAddress(host: "127.0.0.1", port: 0), on: eventLoop, limits: limits) {
                fullSnapshot()
            }
            .map { server -> SocketAddress? in
                box.value = server
                return server.localAddress
            }
        }.get()
        let server = try #require(address)
        let result = try await NIOThreadPool.singleton.runIfActive { Result { try body(server) } }
        try await afterwards { try await eventLoop.submit { box.value?.connections ?? 0 }.get() }
        try await eventLoop.flatSubmit { box.value?.close() ?? eventLoop.makeSucceededVoidFuture() }.get()
        try result.get()
    }

    private static func answer(_ address: SocketAddress, _ request: String) throws -> String {
        let client = try Client(address)
        defer { client.close() }
        client.send(request)
        return client.rest()
    }

    @Test func getAnswersTheText() async throws {
        try await withServer { address in
            for target in ["/metrics", "/metrics?x=1"] {
                let answer = try Self.answer(address, "GET \(target) HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                let text = fullSnapshot().prometheusText
                #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
                #expect(
                    answer.contains(
                        "\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: \(text.utf8.count)\r\n"
                    )
                )
                #expect(answer.hasSuffix("\r\n\r\n" + text))
            }
        }
    }

    @Test func headAnswersNoBody() async throws {
        try await withServer { address in
            let answer = try Self.answer(address, "HEAD /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(answer.contains("\r\nContent-Length: \(fullSnapshot().prometheusText.utf8.count)\r\n"))
            #expect(answer.hasSuffix("\r\n\r\n"))
        }
    }

    @Test func everythingElseIsRefused() async throws {
        try await withServer { address in
            let close = "HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
            #expect(try Self.answer(address, "GET / \(close)").hasPrefix("HTTP/1.1 404 Not Found\r\n"))
            #expect(try Self.answer(address, "GET /metrics/ \(close)").hasPrefix("HTTP/1.1 404 "))
            #expect(try Self.answer(address, "POST /other \(close)").hasPrefix("HTTP/1.1 404 "))
            let answer = try Self.answer(
                address,
                "POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nConnection: close\r\n\r\nxy"
            )
            #expect(answer.hasPrefix("HTTP/1.1 405 Method Not Allowed\r\n"))
            #expect(answer.contains("\r\nAllow: GET, HEAD\r\n"))
            #expect(try Self.answer(address, "nonsense\r\n\r\n").hasPrefix("HTTP/1.1 400 "))
            #expect(try Self.answer(address, "GET /metrics HTTP/1.0\r\n\r\n").hasPrefix("HTTP/1.0 200 "))
        }
    }

    @Test func aConnectionServesSeveralRequests() async throws {
        try await withServer { address in
            let one = "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"
            let answer = try Self.answer(address, one + one + "GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            #expect(answer.components(separatedBy: "HTTP/1.1 200 OK\r\n").count == 3)
            #expect(answer.hasSuffix("Metrics are at /metrics.\n"))
        }
    }

    @Test func requestsThatAreTooLargeAreRefused() async throws {
        try await withServer { address in
            let header = "GET /metrics HTTP/1.1\r\nX: \(String(repeating: "x", count: 100_000))\r\n\r\n"
            #expect(!(try Self.answer(address, header)).contains("200 OK"))
            let body = String(repeating: "x", count: 70_000)
            let answer = try Self.answer(
                address,
                "POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 9000000\r\n\r\n\(body)"
            )
            #expect(answer.isEmpty || answer.hasPrefix("HTTP/1.1 413 "))
        }
    }

    @Test func silentAndSlowClientsAreCutOffAndHoldNobodyUp() async throws {
        var limits = MetricsServer.Limits()
        limits.patience = .milliseconds(500)
        try await withServer(limits: limits) { address in
            let silent = try Client(address)
            let half = try Client(address)
            half.send("GET /metrics HTTP/1.1\r\nHost:")
            // Asks for more than sockets buffer, and does not read it: its connection stays open on this side.
            let greedy = try Client(address)
            greedy.send(String(repeating: "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", count: 10_000))
            #expect(try Self.answer(address, "HEAD /metrics HTTP/1.0\r\n\r\n").hasPrefix("HTTP/1.0 200 OK"))
            #expect(!silent.rest().contains("200 OK"))
            #expect(!half.rest().contains("200 OK"))
            for client in [silent, half] { client.close() }
        } afterwards: { connections in
            // The time limit of the suite ends this if the greedy one is never cut off.
            while try await connections() > 0 { try await Task.sleep(for: .milliseconds(20)) }
        }
    }

    @Test func connectionsAreLimited() async throws {
        var limits = MetricsServer.Limits()
        limits.connections = 1
        try await withServer(limits: limits) { address in
            let first = try Client(address)
            first.send("HEAD /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
            var byte: UInt8 = 0
            #expect(recv(first.descriptor, &byte, 1, 0) == 1)
            #expect(try Self.answer(address, "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n").hasPrefix("HTTP/1.1 503 "))
            first.close()
        }
    }
}
