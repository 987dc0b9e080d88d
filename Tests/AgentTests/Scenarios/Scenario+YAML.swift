// Reads a scenario's file, strictly: an unknown key is a mistake of the author.

import DataPlane
import OpenFlow

extension Scenario {
    init(file: String, yaml: String) throws {
        self.init(file: file)
        let top = try ScenarioValue(yaml: yaml)
        let keys = try top.mapping(
            of: "name",
            "ports",
            "live",
            "reason",
            "config",
            "queues",
            "groups",
            "meters",
            "rules",
            "refused",
            "packets",
            "counters"
        )
        guard let name = try keys["name"]?.text() else { throw top.failure("name is missing") }
        self.name = name
        if let ports = keys["ports"] { self.ports = try ports.list().map { try $0.number(UInt32.self) } }
        if try keys["live"]?.flag() == false {
            guard let reason = try keys["reason"]?.text() else { throw top.failure("live: false needs a reason") }
            notLive = reason
        }
        if let config = keys["config"] { steps.append(try Step(config: config)) }
        if let queues = keys["queues"] { steps.append(try Step(queues: queues)) }
        if let groups = keys["groups"] {
            let messages = try groups.list().map { Scenario.OpenFlowMessage.group(try $0.text()) }
            steps.append(Step(line: groups.line, event: .rules(messages)))
        }
        if let meters = keys["meters"] { steps.append(try Step(meters: meters)) }
        if let rules = keys["rules"] {
            steps.append(Step(line: rules.line, event: .rules(try rules.list().map(Scenario.OpenFlowMessage.init))))
        }
        for value in try keys["refused"]?.list() ?? [] { steps.append(try Step(refused: value)) }
        for value in try keys["packets"]?.list() ?? [] { steps.append(try Step(value)) }
        if let counters = keys["counters"] { steps.append(try Step(counters: counters)) }
    }
}

extension Scenario.Step {
    /// One entry of `packets`.
    fileprivate init(_ value: ScenarioValue) throws {
        let keys = try value.mapping(
            of: "in",
            "out",
            "packet_out",
            "groups",
            "rules",
            "meters",
            "wait",
            "flow_removed",
            "counters",
            "config",
            "port_config",
            "refused"
        )
        let removed = try keys["flow_removed"]?.list().map(Scenario.FlowRemovedExpectation.init) ?? []
        if let packet = keys["in"] {
            var description = try packet.mapping()
            guard let port = try description.removeValue(forKey: "port")?.number(UInt32.self) else {
                throw packet.failure("port is missing")
            }
            let bare = ScenarioValue(.mapping(description), line: packet.line)
            let frame = try ScenarioPacket.frame(bare)
            self.init(
                line: value.line,
                event: .packet(frame, port: port, out: try Self.fates(value, keys["out"], of: bare))
            )
        } else if let packetOut = keys["packet_out"] {
            let packet = try packetOut.mapping()["packet"] ?? ScenarioValue(.mapping([:]), line: packetOut.line)
            let text = try Scenario.PacketOutText(packetOut)
            self.init(line: value.line, event: .packetOut(text, out: try Self.fates(value, keys["out"], of: packet)))
        } else if let rules = keys["rules"] {
            self.init(
                line: value.line,
                event: .rules(try rules.list().map(Scenario.OpenFlowMessage.init)),
                flowRemoved: removed
            )
        } else if let groups = keys["groups"] {
            let messages = try groups.list().map { Scenario.OpenFlowMessage.group(try $0.text()) }
            self.init(line: value.line, event: .rules(messages), flowRemoved: removed)
        } else if let meters = keys["meters"] {
            try self.init(meters: meters)
            flowRemoved = removed
        } else if let wait = keys["wait"] {
            guard let seconds = Double(try wait.text()), seconds <= 10 else { throw wait.failure("at most 10 seconds") }
            self.init(line: value.line, event: .wait(seconds), flowRemoved: removed)
        } else if let counters = keys["counters"] {
            try self.init(counters: counters)
        } else if let config = keys["config"] {
            try self.init(config: config)
        } else if let ports = keys["port_config"] {
            try self.init(portConfig: ports)
        } else if let refused = keys["refused"] {
            try self.init(refused: refused)
        } else {
            throw value.failure("an unknown step: Fixtures/scenarios/README.md has all")
        }
    }

    fileprivate init(meters value: ScenarioValue) throws {
        let meters = try value.list().map { meter -> Scenario.OpenFlowMessage in
            if case .text(let text) = meter.content { .meter(text) } else { try Scenario.OpenFlowMessage(meter) }
        }
        self.init(line: value.line, event: .rules(meters))
    }

    fileprivate init(config: ScenarioValue) throws {
        let handling: FragmentHandling? =
            switch try config.mapping(of: "frags")["frags"]?.text() {
            case "drop": .drop
            case "normal": .normal
            default: nil
            }
        guard let handling else { throw config.failure("frags: drop or normal") }
        self.init(line: config.line, event: .config(handling))
    }

    /// `{2: [1, 2]}`: queues, by port.
    fileprivate init(queues value: ScenarioValue) throws {
        var ports: [UInt32: [UInt32]] = [:]
        for (key, queues) in try value.mapping() {
            guard let number = UInt32(key) else { throw value.failure("a port number expected, not \(key)") }
            ports[number] = try queues.list().map { try $0.number(UInt32.self) }
        }
        self.init(line: value.line, event: .queues(ports))
    }

    /// `{2: [no-forward]}`, with the words of `ovs-ofctl mod-port`.
    private init(portConfig value: ScenarioValue) throws {
        var ports: [UInt32: PortConfig] = [:]
        for (key, words) in try value.mapping() {
            guard let number = UInt32(key) else { throw value.failure("a port number expected, not \(key)") }
            ports[number] = try words.list().reduce(into: PortConfig()) { config, word in
                switch try word.text() {
                case "down": config.insert(.portDown)
                case "no-receive": config.insert(.noReceive)
                case "no-forward": config.insert(.noForward)
                case "no-packet-in": config.insert(.noPacketIn)
                default: throw word.failure("down, no-receive, no-forward or no-packet-in expected")
                }
            }
        }
        self.init(line: value.line, event: .portConfig(ports))
    }

    fileprivate init(refused value: ScenarioValue) throws {
        let keys = try value.mapping(of: "rule", "group", "meter", "packet_out", "message", "error")
        guard let error = try keys["error"]?.text() else { throw value.failure("error is missing") }
        let message: Scenario.OpenFlowMessage
        if let rule = keys["rule"] {
            message = .rule(try rule.text())
        } else if let group = keys["group"] {
            message = .group(try group.text())
        } else if let meter = keys["meter"] {
            message = .meter(try meter.text())
        } else if let packetOut = keys["packet_out"] {
            message = .packetOut(try Scenario.PacketOutText(packetOut))
        } else if keys["message"] != nil {
            message = try Scenario.OpenFlowMessage(value)
        } else {
            throw value.failure("one of rule, group, meter, packet_out, message expected")
        }
        self.init(line: value.line, event: .refused(message, error: error))
    }

    fileprivate init(counters value: ScenarioValue) throws {
        let list = try value.mapping().sorted { $0.key < $1.key }.map { key, values in
            let counted: Scenario.Counted =
                if key.hasPrefix("table="), let number = UInt8(key.dropFirst(6)) {
                    .table(number)
                } else if key.hasPrefix("port="), let number = UInt32(key.dropFirst(5)) {
                    .port(number)
                } else if key.hasPrefix("meter="), let number = UInt32(key.dropFirst(6)) {
                    .meter(number)
                } else {
                    .rule(key)
                }
            if case .text("gone") = values.content {
                return Scenario.CounterExpectation(line: values.line, counted: counted, values: [:], gone: true)
            }
            let numbers = try values.mapping().mapValues { try $0.number(UInt64.self) }
            return Scenario.CounterExpectation(line: values.line, counted: counted, values: numbers)
        }
        self.init(line: value.line, event: .counters(list))
    }

    private static func fates(
        _ step: ScenarioValue,
        _ value: ScenarioValue?,
        of packet: ScenarioValue
    ) throws -> [Scenario.Fate] {
        let fates = try value?.list().map { try Scenario.Fate($0, of: packet) } ?? []
        // No packet vanishes: a drop is a fate, too.
        guard !fates.isEmpty else { throw step.failure("out: at least one entry") }
        return fates
    }
}

extension Scenario.OpenFlowMessage {
    /// A rule's text, or a message's bytes.
    fileprivate init(_ value: ScenarioValue) throws {
        if case .text(let text) = value.content {
            self = .rule(text)
        } else if let message = try value.mapping()["message"] {
            self = .raw(try message.hexBytes())
        } else {
            throw value.failure("a rule or {message: …} expected")
        }
    }
}

extension Scenario.PacketOutText {
    fileprivate init(_ value: ScenarioValue) throws {
        let keys = try value.mapping(of: "in_port", "actions", "packet")
        inPort = try keys["in_port"]?.text() ?? "CONTROLLER"
        actions = try keys["actions"]?.text() ?? ""
        frame = try ScenarioPacket.frame(keys["packet"] ?? ScenarioValue(.mapping([:]), line: value.line))
    }
}

extension Scenario.Fate {
    /// - Parameter packet: The description of the packet that came in: what is not said here is as there.
    fileprivate init(_ value: ScenarioValue, of packet: ScenarioValue) throws {
        var keys = try value.mapping()
        if let drop = keys["drop"] {
            guard let reason = DropReason.allCases.first(where: { $0.name == (try? drop.text()) }), keys.count == 1
            else {
                throw value.failure("no such reason of a drop")
            }
            self = .drop(reason)
            return
        }
        let (port, controller) = (keys.removeValue(forKey: "port"), keys.removeValue(forKey: "controller"))
        let table = try keys.removeValue(forKey: "table")?.number(UInt8.self) ?? 0
        let cookie = keys.removeValue(forKey: "cookie")
        let metadata = try keys.removeValue(forKey: "metadata")?.number(UInt64.self) ?? 0
        let tunnelID = try keys.removeValue(forKey: "tunnel")?.number(UInt64.self) ?? 0
        let queue = try keys.removeValue(forKey: "queue")?.number(UInt32.self)
        let frame: [UInt8]
        if let whole = keys.removeValue(forKey: "packet") {
            guard keys.isEmpty else { throw value.failure("packet describes all of it: nothing beside it") }
            frame = try ScenarioPacket.frame(whole)
        } else {
            frame = try ScenarioPacket.frame(Self.change(packet, keys, value))
        }
        if let port {
            self = .port(try port.number(UInt32.self), frame, queue: queue)
            return
        }
        let reason: PacketInReason? =
            switch try controller?.text() {
            case "no_match": .noMatch
            case "action": .action
            case "invalid_ttl": .invalidTTL
            default: nil
            }
        guard let reason else {
            throw value.failure("one of port, controller (no_match, action, invalid_ttl), drop expected")
        }
        let isWithoutEntry = if case .text("none")? = cookie?.content { true } else { false }
        self = .controller(
            reason,
            tableID: table,
            cookie: isWithoutEntry ? .max : try cookie?.number(UInt64.self) ?? 0,
            metadata: metadata,
            tunnelID: tunnelID,
            frame
        )
    }

    /// The packet with some of its description said anew.
    private static func change(
        _ packet: ScenarioValue,
        _ keys: [String: ScenarioValue],
        _ value: ScenarioValue
    ) throws -> ScenarioValue {
        if keys.isEmpty { return packet }
        if keys["raw"] != nil { return ScenarioValue(.mapping(keys), line: value.line) }
        var base = try packet.mapping()
        if base["raw"] != nil {
            throw value.failure("what came in is raw: only raw or packet can describe what leaves")
        }
        // `vlan` and `vlans` are two ways to say the same.
        if keys["vlans"] != nil { base["vlan"] = nil }
        if keys["vlan"] != nil, base["vlans"] != nil { throw value.failure("say vlans: it came in with vlans") }
        return ScenarioValue(.mapping(base), line: packet.line).overlaid(
            with: ScenarioValue(.mapping(keys), line: value.line)
        )
    }
}

extension Scenario.FlowRemovedExpectation {
    fileprivate init(_ value: ScenarioValue) throws {
        let keys = try value.mapping(of: "rule", "reason", "packets", "bytes")
        let reason: FlowRemovedReason? =
            switch try keys["reason"]?.text() {
            case "idle_timeout": .idleTimeout
            case "hard_timeout": .hardTimeout
            case "delete": .delete
            case "group_delete": .groupDelete
            default: nil
            }
        guard let rule = try keys["rule"]?.text(), let reason else {
            throw value.failure("rule and reason (idle_timeout, hard_timeout, delete, group_delete) expected")
        }
        self.init(
            rule: rule,
            reason: reason,
            packets: try keys["packets"]?.number(UInt64.self),
            bytes: try keys["bytes"]?.number(UInt64.self)
        )
    }
}
