// The ports, VMs and trust groups of a configuration, from YAML: what each may say, and what each needs of its own.

import OpenFlow

extension Configuration {
    /// What each port needs of its own, and who has it.
    struct UniqueNames {
        private var places: [String: YAMLValue] = [:]

        mutating func take(_ what: String, _ value: YAMLValue?, _ text: String) {
            guard let value, let first = places.updateValue(value, forKey: "\(what) \(text)") else { return }
            let line = first.node.mark.map { " in line \($0.line)" } ?? ""
            value.fail("the \(what) \(text) is taken by \(first.path)\(line): each port needs its own")
        }
    }

    mutating func readPorts(_ list: [YAMLValue], _ names: inout UniqueNames) {
        if list.count > Limits.ports {
            list[Limits.ports].fail("there are \(list.count) ports: at most \(Limits.ports) are allowed")
        }
        for element in list {
            element.mapping { mapping in
                let (number, name, device) = (
                    mapping.required("number"), mapping.required("name"), mapping.required("device")
                )
                var port = Port(number: 0, name: "", device: "")
                if set(&port.number, number?.portNumber) {
                    names.take("number", number, "\(PortNumber(rawValue: port.number))")
                }
                if set(&port.name, name?.parsed(parseName)) { names.take("name", name, port.name) }
                if set(&port.device, device?.parsed(parseDevice)) { names.take("device", device, port.deviceName) }
                set(&port.queues, mapping["queues"]?.number(1...Limits.receiveQueues))
                set(&port.mtu, mapping["mtu"]?.number(Limits.mtu))
                set(&port.group, mapping["group"]?.parsed(parseName))
                port.readVLANs(&mapping)
                port.egress.read(&mapping)
                ports.append(port)
            }
        }
    }

    mutating func readVMs(_ list: [YAMLValue], _ names: inout UniqueNames) {
        let most = Limits.ports - ports.count
        if list.count > most, most >= 0 {
            list[most].fail(
                "there are \(ports.count) ports and \(list.count) VMs: at most \(Limits.ports) are allowed together"
            )
        }
        for element in list {
            element.mapping { mapping in
                let (number, name, group) = (
                    mapping.required("number"), mapping.required("name"), mapping.required("group")
                )
                var vm = VM(number: 0, name: "", group: "")
                if set(&vm.number, number?.number(1...Limits.portNumber)) {
                    names.take("number", number, "\(PortNumber(rawValue: vm.number))")
                }
                if set(&vm.name, name?.parsed(parseName)) { names.take("name", name, vm.name) }
                set(&vm.group, group?.parsed(parseName))
                let queues = mapping["queues"]
                if set(&vm.queues, queues?.number(1...Limits.vmQueues)),
                    vm.queues * workers.cores.count > Limits.vmPairs
                {
                    queues?.fail(
                        "\(vm.queues) with each of \(workers.cores.count) workers are too many: at most \(Limits.vmPairs) are wanted"
                    )
                }
                set(&vm.ring, mapping["ring"]?.powerOfTwo(Limits.vmRing))
                set(&vm.empty, mapping["empty"]?.powerOfTwo(Limits.vmBuffers, orNone: true))
                set(&vm.messages, mapping["messages"]?.powerOfTwo(Limits.vmBuffers, orNone: true))
                if let verdicts = mapping["verdicts"], let list = verdicts.list {
                    set(&vm.verdicts, list.compactMap { $0.choice(Verdict.self) })
                    if list.isEmpty { verdicts.fail("the list is empty: at least one verdict is wanted") }
                }
                set(&vm.heartbeat, mapping["heartbeat"]?.duration(Limits.heartbeat))
                set(&vm.violations, mapping["violations"]?.number(0...Limits.violations))
                vms.append(vm)
            }
        }
    }

    /// `groups` speaks of ports and VMs, so it is read when those are known.
    mutating func readGroups(_ list: [YAMLValue]) {
        for element in list {
            element.mapping { mapping in
                let (name, buffers) = (mapping.required("name"), mapping["buffers"])
                var group = Group(name: "")
                if set(&group.name, name?.parsed(parseName)), groups.contains(where: { $0.name == group.name }) {
                    name?.fail("the group \(group.name) is in the list already: each is wanted once")
                }
                set(&group.buffers, buffers?.number(Limits.groupBuffers).map(Optional.some))
                let needed = buffersNeeded(ofGroup: group.name)
                if let wanted = group.buffers, wanted < needed, groupNames.contains(group.name) {
                    buffers?.fail("\(wanted) do not suffice: its ports and VMs need \(needed)")
                }
                groups.append(group)
            }
        }
    }

    /// `workers.queues` speaks of ports and cores, so it is checked when those are known. (Its shape has been checked before.)
    mutating func checkQueues(_ value: YAMLValue) {
        for (key, queues) in (value.node.mapping == nil ? nil : value.entries) ?? [] {
            guard let name = key.node.scalar?.string, let port = ports.first(where: { $0.name == name }) else {
                key.fail("there is no such port: the name of one of the ports is wanted")
                continue
            }
            let receiveQueues = port.queues ?? workers.cores.count
            for (queueKey, core) in queues.entries ?? [] {
                guard let queue = queueKey.number(0...Limits.receiveQueues - 1), let core = core.number(0...Limits.core)
                else { continue }
                if queue >= receiveQueues {
                    queueKey.fail(
                        "port \(name) has \(receiveQueues) receive queues: a number from 0 to \(receiveQueues - 1) is wanted"
                    )
                }
                if !workers.cores.contains(core) {
                    queueKey.fail("there is no worker on core \(core): allowed is \(listText(workers.cores))")
                }
                workers.queues[name, default: [:]][queue] = core
            }
        }
    }
}

extension Configuration.Port {
    fileprivate mutating func readVLANs(_ mapping: inout YAMLMapping) {
        let (tag, trunks) = (mapping["tag"], mapping["trunks"])
        if let vlan = tag?.number(Limits.vlan) { vlans = .access(vlan) }
        guard let trunks, let list = trunks.list else { return }
        if tag != nil { trunks.fail("the port has a tag: an access port is in that VLAN alone") }
        if list.isEmpty { trunks.fail("the list is empty: without it the port carries all VLANs") }
        vlans = .trunk(Set(list.compactMap { $0.number(Limits.trunk) }))
    }
}

extension YAMLValue {
    /// Places of a ring.
    fileprivate func powerOfTwo(_ range: ClosedRange<Int>, orNone: Bool = false) -> Int? {
        if orNone, node.scalar?.string == "0" { return 0 }
        guard let places = number(range, or: orNone ? "0" : nil) else { return nil }
        if places & (places - 1) != 0 { fail("\(places) is no power of two: 64, 128, 256, … is wanted") }
        return places
    }

    /// The number of a port, or LOCAL.
    fileprivate var portNumber: UInt32? {
        if node.scalar?.string == "LOCAL" { return PortNumber.local.rawValue }
        return number(1...Limits.portNumber, or: "LOCAL")
    }
}

private func parseDevice(_ text: String) throws(InvalidValue) -> String {
    guard let first = text.utf8.first, isLetterOrDigit(first), text.utf8.allSatisfy({ (0x21...0x7e).contains($0) })
    else {
        throw InvalidValue(
            "\"\(text)\" is no device: DPDK devargs without spaces are wanted, \"net_af_packet0,iface=veth1\" or a PCI address"
        )
    }
    return text
}
