// The control socket with real sockets: requests, limits, and peers that misbehave.

import Agent
import Foundation
import NIOCore
import NIOPosix
import Testing

/// Answers `version` at once, `reload` later and `show` never.
private final class Handler: ControlRequestHandler {
    let eventLoop: any EventLoop

    init(eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    func handle(_ request: ControlRequest, reply: @escaping (ControlReply) -> Void) {
        switch request {
        case .version: reply(.result(VersionReport(version: "1", pid: 2)))
        case .reload: eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(50)) { reply(.failure("not now")) }
        case .trace(let flow): reply(.result([String](repeating: flow, count: 100_000)))
        case .show, .flush: break
        }
    }
}

/// A peer that writes bytes and reads lines.
private struct Peer {
    let descriptor: CInt

    init(_ path: String) throws {
        descriptor = try UnixListener.connect(path: path)
        var patience = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    }

    func send(_ text: String) {
        _ = text.withCString { Foundation.send(descriptor, $0, strlen($0), Int32(MSG_NOSIGNAL)) }
    }

    /// The next line; nil at the end.
    func line() -> String? {
        var bytes: [UInt8] = []
        var byte: UInt8 = 0
        while recv(descriptor, &byte, 1, 0) == 1 {
            if byte == UInt8(ascii: "\n") { return String(decoding: bytes, as: UTF8.self) }
            bytes.append(byte)
        }
        return nil
    }

    func endInput() { shutdown(descriptor, Int32(SHUT_WR)) }
    func close() { _ = Foundation.close(descriptor) }
}

@Suite(.timeLimit(.minutes(2)))
struct ControlServerTests {
    static let version = #"{"ok":true,"result":{"pid":2,"version":"1"}}"#

    /// Runs `body` on a thread of its own, with the path of a server.
    private func withServer(
        limits: ControlServer.Limits = .init(),
        _ body: @escaping @Sendable (String) throws -> Void,
        afterwards: (() async throws -> Int) async throws -> Void = { _ in }
    ) async throws {
        let path = "/tmp/ringway-control-\(UUID().uuidString.prefix(8)).ctl"
        let eventLoop = MultiThreadedEventLoopGroup.singleton.any()
        let box = NIOLoopBoundBox<ControlServer?>.makeEmptyBox(valueType: ControlServer.self, eventLoop: eventLoop)
        try await eventLoop.flatSubmit {
            ControlServer.start(path: path, on: eventLoop, handler: Handler(eventLoop: eventLoop), limits: limits)
                .map { box.value = $0 }
        }.get()
        let result = try await NIOThreadPool.singleton.runIfActive { Result { try body(path) } }
        try await afterwards { try await eventLoop.submit { box.value?.connections ?? 0 }.get() }
        try await eventLoop.flatSubmit { box.value?.close() ?? eventLoop.makeSucceededVoidFuture() }.get()
        #expect(!FileManager.default.fileExists(atPath: path))
        try result.get()
    }

    @Test func requestsAreAnsweredInOrder() async throws {
        try await withServer { path in
            let peer = try Peer(path)
            defer { peer.close() }
            peer.send("{\"command\":\"reload\"}\n\n  \r\n{\"command\":\"version\"}\nnonsense\n{\"comm")
            #expect(peer.line() == #"{"error":"not now","ok":false}"#)
            #expect(peer.line() == Self.version)
            #expect(peer.line()?.contains("this is no JSON") == true)
            peer.send("and\":\"version\"}\n")
            #expect(peer.line() == Self.version)
        }
    }

    @Test func anEndOfInputEndsTheLastRequestAndTheConnection() async throws {
        try await withServer { path in
            let peer = try Peer(path)
            defer { peer.close() }
            peer.send("{\"command\":\"reload\"}\n{\"command\":\"version\"}")
            peer.endInput()
            #expect(peer.line() == #"{"error":"not now","ok":false}"#)
            #expect(peer.line() == Self.version)
            #expect(peer.line() == nil)
        }
    }

    @Test func theClientAsks() async throws {
        try await withServer { path in
            let line = try ControlClient.ask(.version, path: path)
            #expect(String(decoding: line, as: UTF8.self) == Self.version)
            #expect(try ControlClient.result(VersionReport.self, of: line).pid == 2)
            #expect(throws: ControlClient.Failure.refused("not now")) { try ControlClient.ask(.reload, path: path) }
            #expect(throws: ControlClient.Failure.self) { try ControlClient.ask(.show(.ports), path: path, seconds: 1) }
            #expect(try ControlClient.ask(.trace(flow: "xyz"), path: path).count > 600_000)
        }
        #expect(throws: ControlClient.Failure.unreachable("/tmp/nowhere.ctl: connect: No such file or directory")) {
            try ControlClient.ask(.version, path: "/tmp/nowhere.ctl")
        }
    }

    @Test func aRequestThatIsTooLongIsRefused() async throws {
        var limits = ControlServer.Limits()
        limits.request = 1000
        try await withServer(limits: limits) { path in
            for end in ["", "\n"] {
                let peer = try Peer(path)
                defer { peer.close() }
                peer.send(String(repeating: "x", count: 1001) + end)
                #expect(peer.line() == #"{"error":"the request has more than 1000 bytes","ok":false}"#)
                #expect(peer.line() == nil)
            }
        }
    }

    @Test func connectionsAreLimited() async throws {
        var limits = ControlServer.Limits()
        limits.connections = 2
        try await withServer(limits: limits) { path in
            let first = try Peer(path)
            let second = try Peer(path)
            defer { second.close() }
            second.send("{\"command\":\"version\"}\n")
            #expect(second.line() == Self.version)
            let third = try Peer(path)
            #expect(third.line() == #"{"error":"there are 2 connections already","ok":false}"#)
            third.close()
            first.close()
            // The place is free as soon as the server has seen the end.
            var answer: String?
            for _ in 0..<1000 where answer != Self.version {
                let fourth = try Peer(path)
                fourth.send("{\"command\":\"version\"}\n")
                answer = fourth.line()
                fourth.close()
            }
            #expect(answer == Self.version)
        }
    }

    @Test func silentAndSlowPeersAreCutOffAndHoldNobodyUp() async throws {
        var limits = ControlServer.Limits()
        limits.patience = .milliseconds(500)
        try await withServer(limits: limits) { path in
            let silent = try Peer(path)
            let half = try Peer(path)
            half.send("{\"command\":")
            // Asks for more than a socket buffers, and does not read it: its connection stays open on this side.
            let greedy = try Peer(path)
            greedy.send("{\"command\":\"trace\",\"flow\":\"\(String(repeating: "x", count: 100))\"}\n")
            let other = try Peer(path)
            other.send("{\"command\":\"version\"}\n")
            #expect(other.line() == Self.version)
            #expect(silent.line() == nil)
            #expect(half.line() == nil)
            for peer in [silent, half, other] { peer.close() }
        } afterwards: { connections in
            // The time limit of the suite ends this if the greedy one is never cut off.
            while try await connections() > 0 { try await Task.sleep(for: .milliseconds(20)) }
        }
    }

    @Test func theSocketIsTheOwnersAlone() async throws {
        try await withServer { path in
            let attributes = try FileManager.default.attributesOfItem(atPath: path)
            #expect(attributes[.posixPermissions] as? Int == 0o600)
        }
    }

    @Test func aSocketThatIsLeftOverIsReplacedAndALiveOneIsNot() throws {
        let path = "/tmp/ringway-stale-\(UUID().uuidString.prefix(8)).ctl"
        defer { unlink(path) }
        close(try UnixListener.open(path: path))
        #expect(FileManager.default.fileExists(atPath: path))
        let live = try UnixListener.open(path: path)
        defer { close(live) }
        #expect(throws: UnixListener.ListenError.self) { try UnixListener.open(path: path) }
        // Even one whose queue is full is alive.
        let queueFull = "/tmp/ringway-full-\(UUID().uuidString.prefix(8)).ctl"
        defer { unlink(queueFull) }
        let full = try UnixListener.open(path: queueFull, backlog: 0)
        let waiting = try UnixListener.connect(path: queueFull)
        defer { for descriptor in [full, waiting] { close(descriptor) } }
        #expect(throws: UnixListener.ListenError.self) { try UnixListener.open(path: queueFull) }
    }

    @Test func aFileOfAnotherKindIsNotReplaced() throws {
        let path = "/tmp/ringway-file-\(UUID().uuidString.prefix(8))"
        try Data("precious".utf8).write(to: URL(filePath: path))
        defer { unlink(path) }
        #expect(throws: UnixListener.ListenError.self) { try UnixListener.open(path: path) }
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "precious")
        #expect(throws: UnixListener.ListenError.self) {
            try UnixListener.open(path: "/tmp/" + String(repeating: "x", count: 103))
        }
    }
}
