// What people ask over the control socket: reports, traces, reloads.

import DataPlane
import Foundation
import NIOCore
import OpenFlow

extension Agent: ControlRequestHandler {
    func handle(_ request: ControlRequest, reply: @escaping (ControlReply) -> Void) {
        switch request {
        case .show(.ports): reply(.result(portReports()))
        case .show(.tables): reply(.result(tableReports()))
        case .show(.groups): reply(.result(groupReports()))
        case .show(.meters): reply(.result(model.meterReports()))
        case .show(.queues): reply(.result(model.queueReports()))
        case .show(.workers): reply(.result(workerReports()))
        case .show(.channels): reply(.result(channelReports()))
        case .show(.drops): reply(.result(dropReports().filter { $0.packets > 0 }))
        case .show(.addresses): reply(.result(model.addressReports()))
        case .show(.vms): reply(.result(vmReports()))
        case .show(.services): reply(.result(serviceReports()))
        case .flush:
            let count = model.addresses.count
            model.forgetAddresses()
            reply(.result(FlushReport(addresses: count)))
        case .version:
            reply(.result(VersionReport(version: Version.number, pid: ProcessInfo.processInfo.processIdentifier)))
        case .trace(let flow): trace(flow, reply: reply)
        case .reload:
            reload().assumeIsolated().whenComplete { result in
                switch result {
                case .success(let change): reply(.result(ReloadReport(changes: change.lines)))
                case .failure(let error): reply(.failure("\(error)"))
                }
            }
        }
    }

    // MARK: Trace

    /// What would happen to a packet: by the first worker's tables, when it has taken all changes, and by the model.
    private func trace(_ text: String, reply: @escaping (ControlReply) -> Void) {
        let packet: PacketDescription
        do { packet = try FlowSyntax.packet(text) } catch {
            reply(.failure("\(error)"))
            return
        }
        guard let inPort = packet.inPort, let slot = datapath.ports.slots[inPort] else {
            let known = datapath.ports.entries.keys.sorted().map { "\($0)" }.joined(separator: ", ")
            reply(.failure("in_port: one of the switch's ports is wanted: \(known)"))
            return
        }
        let frame = PacketBuilder.frame(packet)
        datapath.whenApplied { [self] in
            guard let mbuf = frame.withUnsafeBytes({ pool.packet($0) }) else {
                reply(.failure("no packet buffer is free"))
                return
            }
            observer.pointee.observe(workers[0].pointee)
            guard let outcome = observer.pointee.inspect(mbuf, slot: Int(slot)) else { return }
            let reference = ReferencePipeline.receive(frame, inPort: inPort, by: model)
            let compiled = path(of: outcome)
            let expected = path(of: reference)
            reply(
                .result(
                    TraceReport(
                        flow: text,
                        compiled: compiled,
                        model: expected,
                        agree: compiled.outputs.sorted() == expected.outputs.sorted()
                    )
                )
            )
        }
        datapath.publisher.spin(microseconds: 1_000)
    }

    private func path(of outcome: Outcome) -> TraceReport.Path {
        var steps = outcome.steps.map { table, record in
            let entry = record.flatMap { datapath.compiler.flows.entry(Int($0)) }
            let form = datapath.form(ofTable: table).name
            return "table \(table) (\(form)): \(entry.map { "\($0)" } ?? "no match")"
        }
        steps += outcome.drops.map { "drop: \($0.name)" }
        let outputs = outcome.outputs.map { output(toPort: PortNumber(rawValue: $0.port), $0.bytes, $0.queue) }
        let packetIns = outcome.packetIns.map { packetIn in
            output(toController: PacketInReason(rawValue: packetIn.record.reason) ?? .action, packetIn.bytes)
        }
        return TraceReport.Path(steps: steps, outputs: outputs + packetIns)
    }

    private func path(of reference: ReferencePipeline) -> TraceReport.Path {
        let outputs = reference.outputs.map { departure in
            switch departure.destination {
            case .port(let port): output(toPort: port, departure.frame, departure.queue)
            case .controller(let reason, _, _, _, _): output(toController: reason, departure.frame)
            }
        }
        return TraceReport.Path(steps: reference.steps.map(\.description), outputs: outputs)
    }

    private func output(toPort number: PortNumber, _ frame: [UInt8], _ queue: UInt32?) -> TraceReport.Output {
        let name = datapath.ports.entries[number]?.name ?? "?"
        return TraceReport.Output(
            destination: "port \(number) (\(name))\(queue.map { ", queue \($0)" } ?? "")",
            frame: hexadecimal(frame)
        )
    }

    private func output(toController reason: PacketInReason, _ frame: [UInt8]) -> TraceReport.Output {
        TraceReport.Output(destination: "controller (\(reason.name))", frame: hexadecimal(frame))
    }

    private func hexadecimal(_ bytes: [UInt8]) -> String { bytes.map { String(format: "%02x", $0) }.joined() }
}

extension [TraceReport.Output] {
    /// In an order that does not depend on who made the list.
    fileprivate func sorted() -> [TraceReport.Output] {
        sorted { ($0.destination, $0.frame) < ($1.destination, $1.frame) }
    }
}

extension ConfigurationChange {
    /// For people, a line for each change.
    fileprivate var lines: [String] {
        ports.lines { "port \($0.number) (\($0.name))" }
            + vms.lines { "vm \($0.number) (\($0.name))" }
            + adjustedVMs.map { "vm \($0.number) (\($0.name)) changed" }
            + services.lines { "service \($0.number) (\($0.name))" }
            + adjustedServices.map { "service \($0.number) (\($0.name)) changed" }
            + addedListeners.map { "listening at \($0)" } + removedListeners.map { "no longer listening at \($0)" }
            + addedControllers.map { "controller \($0) added" } + removedControllers.map { "controller \($0) removed" }
            + (metricsChanged ? ["metrics address changed"] : []) + (settingsChanged ? ["settings changed"] : [])
            + (certificatesRenewed ? ["certificates renewed"] : [])
    }
}

extension ListChange {
    fileprivate func lines(_ name: (Element) -> String) -> [String] {
        added.map { "\(name($0)) added" } + removed.map { "\(name($0)) removed" }
            + changed.map { "\(name($0.new)) replaced" }
    }
}
