// The tables of `ringway show`.

import Foundation

extension TextTable {
    package init(ports: [PortReport]) {
        self.init([
            ">PORT", "NAME", "DEVICE", "LINK", ">RX PACKETS", ">RX BYTES", ">RX LOST", ">TX PACKETS", ">TX BYTES",
            ">TX LOST", "RX QUEUES", "TX QUEUES",
        ])
        for port in ports {
            let speed = port.linkSpeed.map { " \($0)M" } ?? ""
            let receive = port.receiveQueues.map { "\($0.queue) on core \($0.core)" }.joined(separator: ", ")
            let transmit =
                port.transmitCore.map { "\(port.transmitQueues), by core \($0)" }
                ?? "\(port.transmitQueues), one a worker"
            add(
                "\(port.number)",
                port.name,
                port.device,
                port.linkUp ? "up\(speed)" : "down",
                "\(port.receivePackets)",
                "\(port.receiveBytes)",
                "\(port.receiveDropped &+ port.receiveErrors)",
                "\(port.transmitPackets)",
                "\(port.transmitBytes)",
                "\(port.transmitDropped &+ port.transmitErrors)",
                receive.isEmpty ? "-" : receive,
                transmit
            )
        }
    }

    package init(tables: [TableReport]) {
        self.init([
            ">TABLE", ">ENTRIES", ">MASKS", ">BYTES/WORKER", ">LOOKUPS", ">MATCHES", ">CYCLES/LOOKUP", "FORM",
        ])
        for table in tables {
            let cycles = table.forms.map { $0.cyclesPerLookup.map(Self.decimal) ?? "-" }
            add(
                "\(table.table)",
                "\(table.activeEntries)",
                "\(table.masks)",
                "\(table.memory)",
                "\(table.lookups)",
                "\(table.matches)",
                cycles.joined(separator: ", "),
                table.partsText.isEmpty ? table.formText : "\(table.formText): \(table.partsText)"
            )
        }
    }

    /// A line for each bucket, one for a group without any.
    package init(groups: [GroupReport]) {
        self.init([">GROUP", "TYPE", ">REFERENCES", ">BUCKET", ">WEIGHT", "LIVE", ">PACKETS", ">BYTES", "ACTIONS"])
        for group in groups {
            let (id, references) = ("\(group.group)", "\(group.references)")
            if group.buckets.isEmpty {
                add(id, group.type, references, "-", "-", "-", "\(group.packets)", "\(group.bytes)", "-")
            }
            for (index, bucket) in group.buckets.enumerated() {
                add(
                    id,
                    group.type,
                    references,
                    "\(index)",
                    group.type == "select" ? "\(bucket.weight)" : "-",
                    bucket.live ? "yes" : "no",
                    "\(bucket.packets)",
                    "\(bucket.bytes)",
                    bucket.actions.isEmpty ? "drop" : bucket.actions.joined(separator: ",")
                )
            }
        }
    }

    package init(workers: [WorkerReport]) {
        self.init([
            ">WORKER", ">CORE", ">PACKETS", ">BURSTS", ">EMPTY POLLS", ">BUSY", ">CHANGES", ">LONGEST",
            ">SWITCHED", ">PACKETS/BURST", ">CYCLES/PACKET", ">CACHED", "RX QUEUES",
        ])
        for worker in workers {
            let queues = worker.receiveQueues.map { "\($0.port):\($0.queue) \(Self.decimal($0.load * 100)) %" }
            add(
                "\(worker.worker)",
                "\(worker.core)",
                "\(worker.packets)",
                "\(worker.bursts)",
                "\(worker.emptyPolls)",
                Self.decimal(worker.busyRatio * 100) + " %",
                Self.decimal(worker.changeRatio * 100) + " %",
                Self.decimal(worker.longestStep * 1e6) + " µs",
                "\(worker.involuntarySwitches)",
                worker.packetsPerBurst.map(Self.decimal) ?? "-",
                worker.cyclesPerPacket.map(Self.decimal) ?? "-",
                worker.cachedRatio.map { Self.decimal($0 * 100) + " %" } ?? "-",
                queues.isEmpty ? "-" : queues.joined(separator: ", ")
            )
        }
    }

    package init(channels: [ChannelReport]) {
        self.init(["ENDPOINT", "PEER", "ROLE", "STATE", ">SECONDS", ">RECEIVED", ">SENT", "LAST ERROR"])
        for channel in channels {
            func messages(_ direction: ChannelReport.Direction) -> String {
                "\(channel.messages.reduce(UInt64(0)) { $1.direction == direction ? $0 &+ $1.count : $0 })"
            }
            add(
                channel.endpoint,
                channel.certificate.map { "\(channel.peer) (\($0))" } ?? channel.peer,
                channel.role,
                channel.state,
                "\(channel.seconds)",
                messages(.receive),
                messages(.transmit),
                channel.lastError ?? "-"
            )
        }
    }

    package init(drops: [DropReport]) {
        self.init(["REASON", ">PORT", ">PACKETS"])
        for drop in drops { add(drop.reason, drop.port.map(String.init) ?? "-", "\(drop.packets)") }
    }

    package init(addresses: [AddressReport]) {
        self.init(["ADDRESS", ">VLAN", ">PORT", ">SECONDS"])
        for address in addresses {
            add(address.address, "\(address.vlan)", "\(address.port)", "\(address.seconds)")
        }
    }

    /// One digit behind the point.
    private static func decimal(_ value: Double) -> String { String(format: "%.1f", value) }
}
