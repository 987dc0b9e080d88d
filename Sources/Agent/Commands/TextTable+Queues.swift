// `ringway show queues` for people.

extension TextTable {
    package init(queues: [QueueReport]) {
        self.init([
            ">PORT", "NAME", ">QUEUE", ">MIN RATE", ">MAX RATE", ">TX PACKETS", ">TX BYTES", ">DROPPED", ">WAITING",
        ])
        for queue in queues {
            add([
                "\(queue.port)", queue.name, queue.queue.map(String.init) ?? "default",
                queue.minRate.map(rateText) ?? "-", queue.maxRate.map(rateText) ?? "-", "\(queue.transmitPackets)",
                "\(queue.transmitBytes)", "\(queue.dropped)", "\(queue.waiting)",
            ])
        }
    }
}
