// The commit of a bundle: all of its messages or none (ONF extension 230). Bundles themselves are the channels' business.

import OpenFlow

/// Why a bundle could not be committed; nothing of it has been.
package struct BundleFailure: Error, Hashable, Sendable {
    /// Which message failed; nil: the data path has no room for all of them together.
    package var message: Int?
    package var error: OpenFlowError

    package init(message: Int?, error: OpenFlowError) { (self.message, self.error) = (message, error) }
}

extension SwitchModel {
    /// What can be said of a message before it is its turn: whether it is acceptable in itself.
    package func check(forBundle message: Message) throws(OpenFlowError) {
        // The groups and the meter that a flow-mod names may come with the bundle.
        if case .flowMod(let mod) = message { try validate(mod, acceptsAnyGroup: true) }
        if case .meterMod(let mod) = message { try validate(mod) }
    }

    /// Carries out flow-mods, group-mods, meter-mods and port-mods in their order; what can't be in a bundle counts as failed.
    ///
    /// - Parameter atomically: No packet goes by a part of the messages (ONFBF_ATOMIC).
    package func execute(bundle messages: [Message], atomically: Bool) throws(BundleFailure) {
        var transaction = FlowTransaction()
        for (index, message) in messages.enumerated() {
            transaction.beginMessage()
            do throws(OpenFlowError) {
                try stage(message, in: &transaction)
            } catch {
                rollBack(transaction)
                throw BundleFailure(message: index, error: error)
            }
        }
        do throws(OpenFlowError) {
            try commit(transaction, atomically: atomically)
        } catch {
            throw BundleFailure(message: nil, error: error)
        }
    }

    private func stage(_ message: Message, in transaction: inout FlowTransaction) throws(OpenFlowError) {
        switch message {
        case .flowMod(let mod): try stage(mod, in: &transaction)
        case .groupMod(let mod): try stage(mod, in: &transaction)
        case .meterMod(let mod): try stage(mod, in: &transaction)
        case .portMod(let mod): try stage(mod, in: &transaction)
        default: throw .bundleFailed(.messageUnsupported, "\(message.type) in a bundle")
        }
    }
}
