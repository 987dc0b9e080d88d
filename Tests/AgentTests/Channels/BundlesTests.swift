// The bundles of one connection: what is kept, and which error each wrong message gets. Where Open vSwitch can be asked the
// same, it answers the same.

import Agent
import NIOCore
import OpenFlow
import Testing

@Suite("Bundles of a connection", .timeLimit(.minutes(1)))
struct BundlesTests {
    private var bundles = Bundles()
    private var time = NIODeadline.uptimeNanoseconds(1_000_000_000_000)

    private mutating func control(
        _ type: BundleControlType,
        _ id: UInt32 = 1,
        _ flags: BundleFlags = [.atomic, .ordered]
    ) throws(OpenFlowError) -> Bundles.Outcome {
        let control = BundleControl(bundleID: id, type: type, flags: flags)
        return try bundles.control(control, in: Envelope(xid: id, message: .bundleControl(control)), now: time)
    }

    private mutating func add(
        _ xid: UInt32,
        to id: UInt32 = 1,
        _ flags: BundleFlags = [.atomic, .ordered],
        allowance: Bundles.Allowance = .init(messages: 3, bytes: 1 << 20)
    ) throws(OpenFlowError) {
        let add = BundleAdd(bundleID: id, flags: flags, message: Self.message(xid))
        try bundles.add(add, in: Envelope(xid: xid, message: .bundleAdd(add)), now: time, allowance: allowance)
    }

    private static func message(_ xid: UInt32) -> Envelope {
        Envelope(xid: xid, message: .flowMod(FlowMod(cookie: UInt64(xid))))
    }

    /// The error of what is refused; nil: it was not.
    private func error(_ body: () throws(OpenFlowError) -> Void) -> OpenFlowError? {
        do {
            try body()
            return nil
        } catch {
            return error
        }
    }

    @Test mutating func isOpenedFilledClosedAndCommitted() throws {
        #expect(try control(.openRequest) == .reply(.openReply))
        try add(10)
        try add(11)
        #expect(bundles.byteCount > 0)
        #expect(try control(.closeRequest) == .reply(.closeReply))
        guard case .commit(let contents) = try control(.commitRequest) else {
            Issue.record("no commit")
            return
        }
        #expect(contents.messages == [Self.message(10), Self.message(11)])
        #expect(contents.flags == [.atomic, .ordered])
        #expect(contents.arrival(of: 1).xid == 11)
        #expect(bundles.isEmpty && bundles.byteCount == 0)
    }

    @Test mutating func isOpenedByItsFirstMessage() throws {
        try add(10, to: 5, [])
        guard case .commit(let contents) = try control(.commitRequest, 5, []) else {
            Issue.record("no commit")
            return
        }
        #expect(contents.messages.count == 1)
    }

    @Test mutating func isDiscarded() throws {
        _ = try control(.openRequest)
        try add(10)
        // The flags of what is thrown away do not matter.
        #expect(try control(.discardRequest, 1, []) == .reply(.discardReply))
        #expect(bundles.isEmpty && bundles.byteCount == 0)
    }

    @Test mutating func openingTwiceDiscards() throws {
        _ = try control(.openRequest)
        #expect(throws: OpenFlowError.bundleFailed(.badID)) { try control(.openRequest) }
        #expect(bundles.isEmpty)
    }

    @Test(arguments: [BundleControlType.closeRequest, .commitRequest, .discardRequest])
    mutating func whatIsNotThereHasABadID(_ type: BundleControlType) {
        #expect(throws: OpenFlowError.bundleFailed(.badID)) { try control(type) }
    }

    @Test(arguments: [BundleControlType.openReply, .closeReply, .commitReply, .discardReply])
    mutating func answersAreNoRequests(_ type: BundleControlType) {
        #expect(throws: OpenFlowError.bundleFailed(.badType)) { try control(type) }
    }

    @Test(arguments: [BundleControlType.closeRequest, .commitRequest])
    mutating func otherFlagsDiscard(_ type: BundleControlType) throws {
        _ = try control(.openRequest)
        #expect(throws: OpenFlowError.bundleFailed(.badFlags)) { try control(type, 1, .ordered) }
        #expect(bundles.isEmpty)
        _ = try control(.openRequest)
        #expect(throws: OpenFlowError.bundleFailed(.badFlags)) { try add(10, .atomic) }
        #expect(bundles.isEmpty)
        #expect(throws: OpenFlowError.bundleFailed(.badFlags)) {
            try control(.openRequest, 2, BundleFlags(rawValue: 4))
        }
    }

    @Test mutating func whatIsClosedTakesNothing() throws {
        for isAdd in [true, false] {
            _ = try control(.openRequest)
            _ = try control(.closeRequest)
            #expect(throws: OpenFlowError.bundleFailed(.bundleClosed)) {
                if isAdd { try add(10) } else { _ = try control(.closeRequest) }
            }
            #expect(bundles.isEmpty)
        }
    }

    @Test mutating func hasRoomForSoManyMessages() throws {
        for xid in 10..<13 as Range<UInt32> { try add(xid) }
        #expect(throws: OpenFlowError.bundleFailed(.messageTooMany)) { try add(13) }
        guard case .commit(let contents) = try control(.commitRequest) else { return }
        #expect(contents.messages.count == 3, "it stays as it was")
        #expect(throws: OpenFlowError.bundleFailed(.messageTooMany)) {
            try add(20, allowance: .init(messages: 3, bytes: 100))
        }
    }

    @Test mutating func thereIsRoomForSoManyBundles() throws {
        for id in 0..<UInt32(Bundles.limit) { _ = try control(.openRequest, id) }
        #expect(throws: OpenFlowError.bundleFailed(.outOfBundles)) { try control(.openRequest, 1000) }
        #expect(throws: OpenFlowError.bundleFailed(.outOfBundles)) { try add(10, to: 1000) }
        _ = try control(.discardRequest, 0)
        #expect(try control(.openRequest, 1000) == .reply(.openReply))
    }

    @Test mutating func whatIsIdleIsDiscardedWithAnErrorAboutItsOpening() throws {
        _ = try control(.openRequest, 1)
        _ = try control(.openRequest, 2)
        time = time + .seconds(6)
        try add(10, to: 2)
        time = time + .seconds(4)
        let errors = bundles.expire(now: time, timeout: .seconds(10))
        #expect(errors.map(\.xid) == [1])
        guard case .error(let message)? = errors.first?.message else { return }
        #expect(message.error == .bundleFailed(.timeout))
        time = time + .seconds(6)
        #expect(bundles.expire(now: time, timeout: .seconds(10)).map(\.xid) == [2])
        #expect(bundles.isEmpty && bundles.byteCount == 0)
    }
}
