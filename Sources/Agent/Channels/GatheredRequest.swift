// Multipart requests that come in several messages (OpenFlow 1.3.5 §7.3.5): only those whose bodies are lists can.

import OpenFlow

/// The parts of a request so far.
struct GatheredRequest {
    let xid: UInt32
    var request: MultipartRequest
}

extension ControllerSession {
    /// Puts a request together; nil until it is complete. A request is known by its transaction id, so that others may come
    /// between its parts, though not others in parts.
    ///
    /// Throws `BAD_REQUEST/MULTIPART_BUFFER_OVERFLOW` for more than there is room for, or for parts of what can't have any; what had
    /// been put together is gone then.
    func gather(_ part: MultipartRequest, more: Bool, xid: UInt32) throws(OpenFlowError) -> MultipartRequest? {
        guard let begun = gathered, begun.xid == xid else {
            guard more, !part.isRefused else { return part }
            guard gathered == nil else {
                throw .badRequest(.multipartBufferOverflow, "request \(xid) amidst the parts of another one")
            }
            guard part.isList else {
                throw .badRequest(.multipartBufferOverflow, "a request of this type is one message")
            }
            gathered = GatheredRequest(xid: xid, request: try MultipartRequest.join(nil, part))
            return nil
        }
        gathered = nil
        let whole = try MultipartRequest.join(begun.request, part)
        guard more else { return whole }
        gathered = GatheredRequest(xid: xid, request: whole)
        return nil
    }
}

extension MultipartRequest {
    /// Whether it is a list, which may be spread over messages.
    fileprivate var isList: Bool {
        switch self {
        case .tableFeatures, .flowMonitor: true
        default: false
        }
    }

    /// Whether it is refused for what it is, in parts or not.
    fileprivate var isRefused: Bool { if case .experimenter = self { true } else { false } }

    fileprivate static func join(_ begun: MultipartRequest?, _ part: MultipartRequest) throws(OpenFlowError)
        -> MultipartRequest
    {
        switch (begun, part) {
        case (nil, .tableFeatures(let tables)), (.tableFeatures([])?, .tableFeatures(let tables)):
            return .tableFeatures(try bounded(tables, Int(SwitchModel.tableCount)))
        case (.tableFeatures(let first)?, .tableFeatures(let next)):
            return .tableFeatures(try bounded(first + next, Int(SwitchModel.tableCount)))
        case (nil, .flowMonitor(let monitors)): return .flowMonitor(try bounded(monitors, FlowMonitors.limit))
        case (.flowMonitor(let first)?, .flowMonitor(let next)):
            return .flowMonitor(try bounded(first + next, FlowMonitors.limit))
        default: throw .badRequest(.multipartBufferOverflow, "the parts of a request differ in type")
        }
    }

    private static func bounded<Element>(_ list: [Element], _ limit: Int) throws(OpenFlowError) -> [Element] {
        guard list.count <= limit else {
            throw .badRequest(.multipartBufferOverflow, "a request of \(list.count) entries; \(limit) at most")
        }
        return list
    }
}
