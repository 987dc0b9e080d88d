// Lists too long for one message: a multipart reply is at most 65,535 bytes, so they go out in several.

import OpenFlow

/// Something in a list of a multipart reply.
protocol SizedElement {
    /// How many bytes it takes in the message.
    var wireSize: Int { get }
}

/// Cuts lists into messages.
enum MultipartPieces {
    /// Bytes for a list in one message: 65,535 without both headers (OpenFlow 1.3.5 §7.1, §7.3.5).
    static let capacity = 0xffff - 16

    /// Whether an element fits into a message at all.
    static func fits(_ element: some SizedElement) -> Bool { element.wireSize <= capacity }

    /// The list in as few messages as its order allows; one with nothing in it if it is empty.
    static func cut<Element: SizedElement>(
        _ list: [Element],
        _ reply: ([Element]) -> MultipartReply
    ) -> [MultipartReply] {
        var replies: [MultipartReply] = []
        var start = 0
        var size = 0
        for (index, element) in list.enumerated() {
            let more = element.wireSize
            if size + more > capacity {
                replies.append(reply(Array(list[start..<index])))
                (start, size) = (index, 0)
            }
            size += more
        }
        return replies + [reply(Array(list[start...]))]
    }

    /// `size` with the padding to a multiple of 8.
    static func padded(_ size: Int) -> Int { (size + 7) & ~7 }
}

extension FlowStatistics: SizedElement {
    var wireSize: Int { instructions.reduce(48 + match.wireSize) { $0 + $1.wireSize } }
}

extension Port: SizedElement {
    var wireSize: Int { 64 }
}

extension PortStatistics: SizedElement {
    var wireSize: Int { 112 }
}

extension TableFeatures: SizedElement {
    var wireSize: Int { properties.reduce(64) { $0 + $1.wireSize } }
}

extension TableFeatureProperty {
    /// Of the properties without experimenters' parts, which this switch sends.
    fileprivate var wireSize: Int {
        switch self {
        case .instructions(let list, _): MultipartPieces.padded(4 + 4 * list.count)
        case .nextTables(let list, _): MultipartPieces.padded(4 + list.count)
        case .writeActions(let list, _), .applyActions(let list, _): MultipartPieces.padded(4 + 4 * list.count)
        case .match(let list), .wildcards(let list), .writeSetField(let list, _), .applySetField(let list, _):
            MultipartPieces.padded(4 + 4 * list.count)
        case .experimenter: MultipartPieces.capacity
        }
    }
}

extension Match {
    fileprivate var wireSize: Int {
        MultipartPieces.padded(fields.reduce(4) { $0 + 4 + $1.field.byteCount * ($1.mask == nil ? 1 : 2) })
    }
}

extension Instruction {
    fileprivate var wireSize: Int {
        switch self {
        case .gotoTable, .clearActions, .meter: 8
        case .writeMetadata: 24
        case .writeActions(let actions), .applyActions(let actions): actions.reduce(8) { $0 + $1.wireSize }
        }
    }
}

extension Action {
    fileprivate var wireSize: Int {
        switch self {
        case .output: 16
        case .setField(let field, _): MultipartPieces.padded(8 + field.byteCount)
        default: 8
        }
    }
}
