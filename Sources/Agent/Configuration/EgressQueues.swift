// What a port's packets wait in before they leave: its rate and its queues, in the configuration's words.

import DataPlane

/// `ports[].rate` and `ports[].egress_queues`; rates in bits a second.
package struct EgressQueues: Equatable, Sendable {
    /// What may leave the port; nil: as much as the device takes.
    package var rate: UInt64?
    /// By ascending id.
    package var queues: [PortScheduler.QueueRates] = []

    package init(rate: UInt64? = nil, queues: [PortScheduler.QueueRates] = []) {
        (self.rate, self.queues) = (rate, queues)
    }

    /// Without rate and queues packets leave at once.
    package var isEmpty: Bool { rate == nil && queues.isEmpty }

    /// Packets that may wait: each holds a buffer.
    var places: Int { isEmpty ? 0 : PortScheduler.queueCount(queues) * PortScheduler.depth }
}

extension EgressQueues {
    mutating func read(_ mapping: inout YAMLMapping) {
        let value = mapping["rate"]
        rate = value?.rate
        let list = mapping["egress_queues"]
        guard let list, let entries = list.entries else { return }
        if entries.count > Limits.egressQueues {
            list.fail("there are \(entries.count) queues: at most \(Limits.egressQueues) are allowed")
        }
        for (key, value) in entries { readQueue(key, value) }
        queues.sort { $0.id < $1.id }
        let guaranteed = queues.reduce(0) { $0 + ($1.minimum ?? 0) }
        if let rate, guaranteed > rate {
            list.fail(
                "the queues' min_rate are \(rateText(guaranteed)) together: the port's rate of \(rateText(rate)) is the most"
            )
        }
    }

    private mutating func readQueue(_ key: YAMLValue, _ value: YAMLValue) {
        guard let id = key.number(0...Limits.queueID) else { return }
        if queues.contains(where: { $0.id == id }) { key.fail("the queue \(id) is there already: each is wanted once") }
        var queue = PortScheduler.QueueRates(id: id)
        value.mapping { keys in
            let (minimum, maximum) = (keys["min_rate"], keys["max_rate"])
            (queue.minimum, queue.maximum) = (minimum?.rate, maximum?.rate)
            if let least = queue.minimum, let most = queue.maximum, least > most {
                minimum?.fail("\(rateText(least)) are more than the queue's max_rate of \(rateText(most))")
            }
            if let most = queue.maximum, let rate, most > rate {
                maximum?.fail("\(rateText(most)) are more than the port's rate of \(rateText(rate))")
            }
        }
        queues.append(queue)
    }
}

extension YAMLValue {
    fileprivate var rate: UInt64? {
        parsed { text throws(InvalidValue) in
            guard let rate = parseRate(text), Limits.rate.contains(rate) else {
                throw InvalidValue(
                    "\"\(text)\" is no rate from \(rateText(Limits.rate.lowerBound)) to \(rateText(Limits.rate.upperBound)): a whole"
                        + " number and kbit/s, Mbit/s or Gbit/s is wanted"
                )
            }
            return rate
        }
    }
}
