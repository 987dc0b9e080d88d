// The life of the agent's process: start, wait for signals, stop.

import Dispatch
import Glibc
import Logging
import NIOCore
import NIOPosix

/// Runs the agent until SIGINT or SIGTERM. SIGHUP reads the configuration at `path` anew.
package func runAgent(configuration: Configuration, path: String) async throws {
    var log = Logger(label: "ringway") { StreamLogHandler.standardError(label: $0) }
    log.logLevel = .info
    // A peer that goes away in the middle of a write is no reason to end.
    signal(SIGPIPE, SIG_IGN)
    let signals = Signals([SIGINT, SIGTERM, SIGHUP])
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let loop = group.next()
    let logger = log
    let agent = try await loop.submit {
        NIOLoopBound(
            try Agent(configuration: configuration, path: path, group: group, loop: loop, log: logger),
            eventLoop: loop
        )
    }.get()
    do {
        try await loop.flatSubmit { agent.value.open() }.get()
        logger.info("ready", metadata: ["datapath": "\(configuration.datapath.name)"])
        for await signal in signals.received {
            guard signal == SIGHUP else { break }
            await reload(agent, loop, logger)
        }
    } catch {
        try? await loop.submit { agent.value.close() }.get()
        throw error
    }
    logger.info("stopping")
    try await loop.submit { agent.value.close() }.get()
    try await group.shutdownGracefully()
}

private func reload(_ agent: NIOLoopBound<Agent>, _ loop: any EventLoop, _ log: Logger) async {
    do {
        _ = try await loop.flatSubmit { agent.value.reload() }.get()
    } catch {
        log.error("reload refused", metadata: ["error": "\(error)"])
    }
}

/// Signals as a sequence.
private struct Signals {
    let received: AsyncStream<CInt>
    private let sources: [any DispatchSourceSignal]

    init(_ numbers: [CInt]) {
        let (stream, continuation) = AsyncStream.makeStream(of: CInt.self)
        received = stream
        sources = numbers.map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number)
            source.setEventHandler { continuation.yield(number) }
            source.resume()
            return source
        }
    }
}
