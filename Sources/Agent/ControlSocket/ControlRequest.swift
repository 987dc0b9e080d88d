// What may be asked over the control socket. docs/control-socket.md describes the protocol.

import Foundation

/// One request: one JSON object on one line.
package enum ControlRequest: Hashable, Sendable {
    /// `{"command": "show", "what": "ports"}`
    case show(ShowSubject)
    /// `{"command": "trace", "flow": "in_port=1,…"}`: a packet in the syntax of `ovs-ofctl`.
    case trace(flow: String)
    /// `{"command": "reload"}`: read the configuration file again and put it into force.
    case reload
    /// `{"command": "flush"}`: forget where output to NORMAL has seen addresses.
    case flush
    /// `{"command": "version"}`
    case version
}

/// What `show` shows.
package enum ShowSubject: String, CaseIterable, Hashable, Sendable, Codable {
    case ports, tables, groups, meters, queues, workers, channels, drops, addresses, vms, services
}

extension ControlRequest {
    /// Why a request is not understood.
    package struct Refusal: Error, Hashable, Sendable, CustomStringConvertible {
        package var description: String

        package init(description: String) { self.description = description }
    }

    /// The request that a line asks for. Keys that a command does not know are ignored, so that newer tools may add some.
    package init(parsing line: some DataProtocol) throws(Refusal) {
        let fields: Fields
        do {
            fields = try ControlJSON.decoder.decode(Fields.self, from: Data(line))
        } catch DecodingError.typeMismatch(_, let context) where !context.codingPath.isEmpty {
            throw Refusal(description: "\"\(context.codingPath[0].stringValue)\" is no text")
        } catch DecodingError.typeMismatch {
            throw Refusal(description: "a JSON object is wanted, {\"command\": …}")
        } catch {
            throw Refusal(description: "this is no JSON: one object on one line is wanted, {\"command\": …}")
        }
        switch fields.command {
        case "show":
            let subjects = ShowSubject.allCases.map(\.rawValue).joined(separator: ", ")
            guard let what = fields.what else { throw Refusal(description: "show lacks \"what\": one of \(subjects)") }
            guard let subject = ShowSubject(rawValue: what) else {
                throw Refusal(description: "show does not know \(Self.quoted(what)): one of \(subjects) is wanted")
            }
            self = .show(subject)
        case "trace":
            guard let flow = fields.flow else {
                throw Refusal(description: "trace lacks \"flow\": \"in_port=1,…\", say")
            }
            self = .trace(flow: flow)
        case "reload": self = .reload
        case "flush": self = .flush
        case "version": self = .version
        case let command?:
            throw Refusal(
                description: "there is no command \(Self.quoted(command)): \(Self.commands) is wanted"
            )
        case nil: throw Refusal(description: "there is no \"command\": \(Self.commands) is wanted")
        }
    }

    /// The line that asks for it, without its end.
    package var line: Data {
        let fields =
            switch self {
            case .show(let subject): Fields(command: "show", what: subject.rawValue)
            case .trace(let flow): Fields(command: "trace", flow: flow)
            case .reload: Fields(command: "reload")
            case .flush: Fields(command: "flush")
            case .version: Fields(command: "version")
            }
        // Optional texts always encode.
        return (try? ControlJSON.encoder.encode(fields)) ?? Data()
    }

    private struct Fields: Codable {
        var command: String?
        var what: String?
        var flow: String?
    }

    private static let commands = "show, trace, reload, flush or version"

    private static func quoted(_ text: String) -> String { "\"\(text.prefix(40))\"" }
}

/// How JSON is written on the control socket: keys in snake case and in alphabetical order, no slashes escaped, one line.
enum ControlJSON {
    static var encoder: JSONEncoder {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return encoder
    }

    static var decoder: JSONDecoder {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return decoder
    }
}
