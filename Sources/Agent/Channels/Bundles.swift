// The bundles of one connection, from their opening to their commit (ONF extension 230, OpenFlow 1.4 §6.9 and §7.3.9). A pure
// value: it keeps messages and says what is to be answered; SwitchRequests carries it out.

import NIOCore
import OpenFlow

/// Bundles by their number. Another connection's are its own.
package struct Bundles {
    /// The most bundles that a connection may have at a time.
    package static let limit = 64

    /// What a bundle may take.
    package struct Allowance {
        /// Messages in one bundle.
        package var messages: Int
        /// About how many bytes of memory may come in.
        package var bytes: Int

        package init(messages: Int, bytes: Int) { (self.messages, self.bytes) = (messages, bytes) }
    }

    /// What a control message comes to.
    package enum Outcome: Hashable {
        case reply(BundleControlType)
        /// The bundle is gone from here: its messages are to be carried out, and the reply sent when they are in force.
        case commit(BundleContents)
    }

    private struct Bundle {
        /// The message that opened it.
        let opening: Envelope
        var isClosed = false
        var contents: BundleContents
        var byteCount = 0
        var lastUsed: NIODeadline
    }

    private var bundles: [UInt32: Bundle] = [:]
    /// About how many bytes of memory all of them take.
    package private(set) var byteCount = 0

    package init() {}

    package var isEmpty: Bool { bundles.isEmpty }

    /// ONFT_BUNDLE_CONTROL.
    ///
    /// Throws errors of bundles: BAD_TYPE; BAD_ID for a bundle that is to be opened and there, or to be anything else and not
    /// there; BAD_FLAGS, BUNDLE_CLOSED, OUT_OF_BUNDLES. After any but BAD_TYPE and OUT_OF_BUNDLES the bundle is gone.
    package mutating func control(
        _ control: BundleControl,
        in envelope: Envelope,
        now: NIODeadline
    ) throws(OpenFlowError) -> Outcome {
        switch BundleControlType(rawValue: control.type) {
        case .openRequest:
            guard !discard(control.bundleID) else {
                throw .bundleFailed(.badID, "bundle \(control.bundleID) was open; it is discarded")
            }
            try open(control.bundleID, control.flags, by: envelope, now: now)
            return .reply(.openReply)
        case .closeRequest:
            let place = try find(control.bundleID, control.flags)
            try refuseIfClosed(place)
            bundles.values[place].isClosed = true
            bundles.values[place].lastUsed = now
            return .reply(.closeReply)
        case .commitRequest:
            let contents = bundles.values[try find(control.bundleID, control.flags)].contents
            discard(control.bundleID)
            return .commit(contents)
        case .discardRequest:
            // The flags do not matter for what is thrown away.
            guard discard(control.bundleID) else { throw unknown(control.bundleID) }
            return .reply(.discardReply)
        case .openReply, .closeReply, .commitReply, .discardReply, nil:
            throw .bundleFailed(.badType, "bundle control type \(control.type)")
        }
    }

    /// ONFT_BUNDLE_ADD_MESSAGE. A bundle that is not there is opened by it.
    ///
    /// Throws errors of bundles: BUNDLE_CLOSED and BAD_FLAGS, after which the bundle is gone; OUT_OF_BUNDLES;
    /// MSG_TOO_MANY, after which it stays as it was.
    package mutating func add(
        _ add: BundleAdd,
        in envelope: Envelope,
        now: NIODeadline,
        allowance: Allowance
    ) throws(OpenFlowError) {
        if bundles[add.bundleID] == nil { try open(add.bundleID, add.flags, by: envelope, now: now) }
        let place = try find(add.bundleID, add.flags)
        try refuseIfClosed(place)
        let size = add.message.message.approximateSize
        guard bundles.values[place].contents.messages.count < allowance.messages, size <= allowance.bytes else {
            throw .bundleFailed(.messageTooMany, "no room in bundle \(add.bundleID) for \(size) bytes more")
        }
        // In place: a bundle may have a hundred thousand messages.
        bundles.values[place].contents.messages.append(add.message)
        bundles.values[place].byteCount += size
        bundles.values[place].lastUsed = now
        byteCount += size
    }

    /// Discards bundles for which nothing has come in for `timeout`; the errors to send, each about the opening.
    package mutating func expire(now: NIODeadline, timeout: TimeAmount) -> [Envelope] {
        bundles.filter { $0.value.lastUsed + timeout <= now }.map { id, bundle in
            discard(id)
            return bundle.opening.refusal(.bundleFailed(.timeout, "bundle \(id) is idle"))
        }
    }

    // MARK: One bundle

    private mutating func open(
        _ id: UInt32,
        _ flags: BundleFlags,
        by envelope: Envelope,
        now: NIODeadline
    ) throws(OpenFlowError) {
        guard flags.isSubset(of: .all) else { throw .bundleFailed(.badFlags, "bundle flags \(flags.rawValue)") }
        guard bundles.count < Self.limit else { throw .bundleFailed(.outOfBundles, "\(Self.limit) bundles are open") }
        bundles[id] = Bundle(opening: envelope, contents: BundleContents(id: id, flags: flags), lastUsed: now)
    }

    /// Where the bundle is, which must have been opened with these flags.
    private mutating func find(_ id: UInt32, _ flags: BundleFlags) throws(OpenFlowError) -> [UInt32: Bundle].Index {
        guard let place = bundles.index(forKey: id) else { throw unknown(id) }
        let opened = bundles.values[place].contents.flags
        guard opened == flags else {
            discard(id)
            throw .bundleFailed(.badFlags, "bundle \(id) has flags \(opened.rawValue), not \(flags.rawValue)")
        }
        return place
    }

    private mutating func refuseIfClosed(_ place: [UInt32: Bundle].Index) throws(OpenFlowError) {
        guard bundles.values[place].isClosed else { return }
        let id = bundles.keys[place]
        discard(id)
        throw .bundleFailed(.bundleClosed, "bundle \(id) is closed")
    }

    /// False if there was none.
    @discardableResult
    private mutating func discard(_ id: UInt32) -> Bool {
        guard let bundle = bundles.removeValue(forKey: id) else { return false }
        byteCount -= bundle.byteCount
        return true
    }

    private func unknown(_ id: UInt32) -> OpenFlowError { .bundleFailed(.badID, "there is no bundle \(id)") }
}

/// What a bundle holds.
package struct BundleContents: Hashable {
    package let id: UInt32
    package let flags: BundleFlags
    /// In the order in which they came.
    package var messages: [Envelope] = []

    /// The message by which one of them came in: what an error about it refers to.
    package func arrival(of index: Int) -> Envelope {
        let message = messages[index]
        return Envelope(
            xid: message.xid,
            message: .bundleAdd(BundleAdd(bundleID: id, flags: flags, message: message))
        )
    }
}

extension Message {
    /// About how many bytes of memory it takes to keep this.
    fileprivate var approximateSize: Int {
        func size(of actions: [Action]) -> Int { 32 + actions.count * MemoryLayout<Action>.stride }
        switch self {
        case .flowMod(let mod):
            let instructions = mod.instructions.reduce(0) { sum, instruction in
                switch instruction {
                case .applyActions(let actions), .writeActions(let actions): sum + size(of: actions)
                default: sum
                }
            }
            return 256 + mod.match.fields.count * MemoryLayout<MatchField>.stride + instructions
        case .groupMod(let mod): return mod.buckets.reduce(256) { $0 + 64 + size(of: $1.actions) }
        default: return 256
        }
    }
}
