// From YAML to a Configuration: which keys there are, what each may say, and what must agree with what. Every key is
// described in docs/configuration.md. Positions and messages come from YAMLReader.swift; ports, VMs and services are
// read by Configuration+Ports.swift and Configuration+Services.swift.

import NIOCore
import TLS

extension Configuration {
    /// Reads a configuration. Throws all mistakes that it finds, in the order of the text.
    ///
    /// - Parameters:
    ///   - file: The name that mistakes are reported under.
    ///   - availableCores: The cores that workers may be given.
    ///   - checksFiles: Whether the files that it names are read, and what is wrong with them counts as well.
    package static func parse(
        _ text: String,
        file: String,
        availableCores: [Int] = ProcessorSet.available,
        checksFiles: Bool = true
    ) throws(ConfigurationErrors) -> Configuration {
        try parse(text, reader: YAMLReader(file: file), availableCores: availableCores, checksFiles: checksFiles)
    }

    /// Every key there is, as docs/configuration.md writes it: `ports[].number`. (The parser asks a document that has all mappings, and
    /// nothing in them, for each of them.)
    package static var knownKeys: Set<String> {
        let reader = YAMLReader(file: "")
        let allMappings =
            "{datapath: {}, openflow: {tls: {}}, workers: {}, memory: {}, ports: [{}], vms: [{}], groups: [{}], services: [{}], metrics: {}}"
        _ = try? parse(allMappings, reader: reader, availableCores: [0], checksFiles: false)
        return reader.knownKeys
    }

    private static func parse(
        _ text: String,
        reader: YAMLReader,
        availableCores: [Int],
        checksFiles: Bool
    ) throws(ConfigurationErrors) -> Configuration {
        // Where datapath.id is missing, or a core cannot be chosen, the mistakes below say so and this value is not used.
        var configuration = Configuration(datapath: Datapath(id: 0), workers: Workers(cores: availableCores.suffix(1)))
        reader.document(text)?.mapping { top in
            configuration.read(&top, availableCores: availableCores, checksFiles: checksFiles)
        }
        guard reader.errors.isEmpty else {
            // Mistakes without a place concern the whole file and come first.
            throw ConfigurationErrors(
                errors: reader.errors.sorted { ($0.line ?? 0, $0.column ?? 0) < ($1.line ?? 0, $1.column ?? 0) }
            )
        }
        return configuration
    }

    private mutating func read(_ top: inout YAMLMapping, availableCores: [Int], checksFiles: Bool) {
        top.required("datapath")?.mapping { datapath.read(&$0) }
        top["openflow"]?.mapping { openflow.read(&$0, checksFiles: checksFiles) }
        let workersValue = top["workers"]
        workersValue?.mapping { workers.read(&$0, availableCores: availableCores) }
        let memoryValue = top["memory"]
        memoryValue?.mapping { memory.read(&$0) }
        let (portList, vmList, serviceList) = (top["ports"]?.list, top["vms"]?.list, top["services"]?.list)
        var names = UniqueNames()
        if let portList { readPorts(portList, &names) }
        if let vmList { readVMs(vmList, &names) }
        if let list = top["groups"]?.list { readGroups(list) }
        if let serviceList { readServices(serviceList, &names) }
        top["metrics"]?.mapping { metrics.read(&$0) }
        if let value = top["run_directory"] {
            set(&runDirectory, value.parsed(parseRunDirectory))
            if runDirectory.utf8.count + datapath.name.utf8.count + ".mgmt".utf8.count + 1 > longestSocketPath {
                value.fail("the path is too long: \(managementSocket) may have at most \(longestSocketPath) bytes")
            }
        }
        if let queues = workersValue?.node.mapping?["queues"] {
            checkQueues(YAMLValue(node: queues, path: "workers.queues", reader: top.owner.reader))
        }
        checkMemory(memoryValue ?? top.owner)
    }

    /// What the packets of all ports need must fit into the memory, or nothing starts.
    private func checkMemory(_ value: YAMLValue) {
        let needed = memoryNeeded
        guard needed.atLeast > memory.size else { return }
        let problem =
            "\(sizeText(memory.size)) do not suffice: these ports and workers need \(sizeText(needed.atLeast))"
        value.reader.fail(value.node.mapping?["size"]?.mark ?? value.node.mark, "memory.size", problem)
    }
}

extension Configuration.Datapath {
    fileprivate mutating func read(_ mapping: inout YAMLMapping) {
        set(&id, mapping.required("id")?.number(1...UInt64.max))
        set(&name, mapping["name"]?.parsed(parseName))
        set(
            &description,
            mapping["description"]?.parsed { text throws(InvalidValue) in
                guard text.utf8.count <= Limits.description, !text.utf8.contains(0) else {
                    throw InvalidValue(
                        "the text has \(text.utf8.count) bytes: at most \(Limits.description) are allowed, none of them zero"
                    )
                }
                return text
            }
        )
        set(&macTableSize, mapping["mac_table_size"]?.number(Limits.macTable))
        set(&macAgingTime, mapping["mac_aging_time"]?.duration(Limits.macAging))
    }
}

extension Configuration.OpenFlow {
    fileprivate mutating func read(_ mapping: inout YAMLMapping, checksFiles: Bool) {
        let hasTLS = mapping.owner.node.mapping?["tls"] != nil
        set(
            &listen,
            mapping["listen"].flatMap {
                unique($0) { text throws(InvalidValue) in
                    let address = try ListenAddress(parsing: text)
                    if address.needsTLS && !hasTLS { throw Self.lackOfTLS(address) }
                    return address
                }
            }
        )
        set(
            &controllers,
            mapping["controllers"].flatMap {
                unique($0) { text throws(InvalidValue) in
                    let address = try ControllerAddress(parsing: text)
                    if address.needsTLS && !hasTLS { throw Self.lackOfTLS(address) }
                    return address
                }
            }
        )
        mapping["tls"]?.mapping { set(&tls, Self.readTLS(&$0, checksFiles: checksFiles)) }
        if let value = mapping["fail_mode"] {
            set(&failMode, value.choice(Configuration.FailMode.self))
            if failMode == .standalone && controllers.isEmpty {
                value.fail("standalone is for a switch with openflow.controllers, of which there are none")
            }
        }
        if let value = mapping["inactivity_probe"] {
            let isOff = value.node.scalar.map { $0.string == "0" || parseDuration($0.string) == .zero } ?? false
            set(
                &inactivityProbe,
                isOff ? .some(nil) : value.duration(Limits.probe, or: "0 (no probes)").map(Optional.some)
            )
        }
        set(&maxBackoff, mapping["max_backoff"]?.duration(Limits.backoff))
        set(&packetInRate, mapping["packet_in_rate"]?.number(0...Limits.packetInRate).map { $0 == 0 ? nil : $0 })
        set(&packetInBurst, mapping["packet_in_burst"]?.number(1...Limits.packetInRate))
        set(&flowLimit, mapping["flow_limit"]?.number(1...Limits.flows))
        set(&tableFlowLimit, mapping["table_flow_limit"]?.number(1...Limits.flows))
        set(&groupLimit, mapping["group_limit"]?.number(1...Limits.groups))
        set(&bucketLimit, mapping["bucket_limit"]?.number(1...Limits.buckets))
        set(&meterLimit, mapping["meter_limit"]?.number(1...Limits.meters))
        set(&meterBandLimit, mapping["meter_band_limit"]?.number(1...Limits.meterBands))
        set(&auxiliaryConnections, mapping["auxiliary_connections"]?.number(0...Limits.auxiliaryConnections))
        set(&bundleLimit, mapping["bundle_limit"]?.number(1...Limits.bundleMessages))
        set(&bundleTimeout, mapping["bundle_timeout"]?.duration(Limits.bundleTimeout))
        set(&maxConnections, mapping["max_connections"]?.number(1...Limits.channels))
        set(&maxMessage, mapping["max_message"]?.number(Limits.message))
    }

    private static func lackOfTLS(_ address: some CustomStringConvertible) -> InvalidValue {
        InvalidValue("\(address) speaks TLS: openflow.tls is wanted, with private_key, certificate and ca_certificate")
    }

    private static func readTLS(_ mapping: inout YAMLMapping, checksFiles: Bool) -> TLSFiles? {
        let values = (
            key: mapping.required("private_key"), certificate: mapping.required("certificate"),
            authority: mapping.required("ca_certificate")
        )
        let paths = (
            key: values.key?.parsed(parsePath), certificate: values.certificate?.parsed(parsePath),
            authority: values.authority?.parsed(parsePath)
        )
        guard let key = paths.key, let certificate = paths.certificate, let authority = paths.authority else {
            return nil
        }
        let files = TLSFiles(privateKey: key, certificate: certificate, caCertificate: authority)
        guard checksFiles else { return files }
        do throws(TLSFiles.Failure) {
            _ = try TLSContext(files: files)
        } catch {
            switch error.file {
            case .privateKey: values.key?.fail(error.problem)
            case .certificate: values.certificate?.fail(error.problem)
            case .caCertificate: values.authority?.fail(error.problem)
            }
        }
        return files
    }

    /// The addresses of a list, each of which may be there once.
    private func unique<Address: Hashable>(
        _ value: YAMLValue,
        _ parse: @escaping (String) throws(InvalidValue) -> Address
    ) -> [Address]? {
        guard let list = value.list else { return nil }
        var addresses: [Address] = []
        for element in list {
            guard let address = element.parsed(parse) else { continue }
            if addresses.contains(address) {
                element.fail("\(address) is in the list already: each address is wanted once")
            }
            addresses.append(address)
        }
        return addresses
    }
}

extension Configuration.Workers {
    fileprivate mutating func read(_ mapping: inout YAMLMapping, availableCores: [Int]) {
        if let value = mapping["cores"], let list = value.list {
            cores = []
            for element in list {
                guard let core = element.number(0...Limits.core) else { continue }
                if !availableCores.contains(core) {
                    element.fail("core \(core) is not available: allowed is \(listText(availableCores))")
                } else if cores.contains(core) {
                    element.fail("core \(core) is in the list already: a core runs one worker")
                }
                cores.append(core)
            }
            if list.isEmpty { value.fail("the list is empty: at least one core is wanted") }
            if list.count > Limits.workers { value.fail("\(list.count) cores: at most \(Limits.workers) are allowed") }
        }
        set(&idle, mapping["idle"]?.choice(Configuration.Idle.self))
        set(&flowCache, mapping["flow_cache"]?.choice(Configuration.FlowCache.self))
        // What it says is checked when the ports are known.
        _ = mapping["queues"]?.entries
    }
}

extension Configuration.Memory {
    fileprivate mutating func read(_ mapping: inout YAMLMapping) {
        set(&hugePages, mapping["huge_pages"]?.choice(Configuration.HugePages.self))
        set(
            &size,
            mapping["size"]?.parsed { text throws(InvalidValue) in
                guard let size = parseSize(text), Limits.memory.contains(size) else {
                    throw InvalidValue(
                        "\"\(text)\" is no size from 64MiB to 1TiB: a whole number and KiB, MiB, GiB or TiB is wanted"
                    )
                }
                return size
            }
        )
    }
}

extension Configuration.Metrics {
    fileprivate mutating func read(_ mapping: inout YAMLMapping) {
        set(&listen, mapping["listen"]?.parsed(HTTPAddress.init(parsing:)))
    }
}

extension YAMLValue {
    /// A duration within a range; `or` tells what else is allowed.
    func duration(_ range: ClosedRange<TimeAmount>, or alternative: String? = nil) -> TimeAmount? {
        parsed { text throws(InvalidValue) in
            guard let duration = parseDuration(text), range.contains(duration) else {
                let other = alternative.map { ", or \($0)" } ?? ""
                throw InvalidValue(
                    "\"\(text)\" is no duration from \(durationText(range.lowerBound)) to \(durationText(range.upperBound)): a whole"
                        + " number and ms, s, min or h is wanted\(other)"
                )
            }
            return duration
        }
    }
}

/// Assigns what was read; false, and nothing happens, where it was absent or refused.
@discardableResult
func set<Value>(_ target: inout Value, _ value: Value?) -> Bool {
    guard let value else { return false }
    target = value
    return true
}

func listText(_ numbers: [Int]) -> String { numbers.map(String.init).joined(separator: ", ") }

/// A name that serves as a label, a file name and an `ofp_port` name.
func parseName(_ text: String) throws(InvalidValue) -> String {
    let punctuation = Set("._-".utf8)
    guard (1...Limits.name).contains(text.utf8.count) else {
        throw InvalidValue("the name \"\(text)\" has \(text.utf8.count) bytes: 1 to \(Limits.name) are allowed")
    }
    guard let first = text.utf8.first, isLetterOrDigit(first),
        text.utf8.allSatisfy({ isLetterOrDigit($0) || punctuation.contains($0) })
    else {
        throw InvalidValue("\"\(text)\" is no name: letters, digits, and behind the first of them . _ - are allowed")
    }
    return text
}

private func parseRunDirectory(_ text: String) throws(InvalidValue) -> String {
    let text = try parsePath(text)
    let end = text.lastIndex { $0 != "/" } ?? text.startIndex
    return String(text[...end])
}
