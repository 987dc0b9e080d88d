// Groups as a worker executes them (OpenFlow 1.3.5 §5.6). An action names a slot of the worker's group table; the slot has the
// address of a program, the one word that a change of the group replaces. The buckets that packets may take, the live ones
// where that matters, have been chosen when the program was made.

import CDPDK

/// One place of a worker's group table.
package struct GroupSlot {
    /// The address of a `GroupProgram`; 0: no group. Deltas replace it.
    package var program: UInt64
    package var packets: UInt64
    package var bytes: UInt64
    private var padding: UInt64 = 0

    package static let limit = 8192
}

/// One worker's counters of a bucket.
package struct BucketCounters {
    package var packets: UInt64
    package var bytes: UInt64
}

/// One bucket; its operations are an action set in the order of its execution.
package struct GroupBucket {
    /// Of this bucket and those before it.
    var weights: UInt32
    var count: UInt16
    /// Which of the group's counters are its own.
    var counter: UInt16
    var ops: UnsafePointer<ActionOp>
}

/// The header of a group; `bucketCount` buckets follow, then their operations. The workers have one each, as counters differ.
package struct GroupProgram {
    var bucketCount: UInt32
    /// The sum of the buckets' weights, of which a packet takes one; 0: it takes all of them.
    var totalWeight: UInt32
    var counters: UnsafeMutablePointer<BucketCounters>

    static let bucketsOffset = 16

    /// A bucket as it goes into a program; a weight of 0 in all of them: packets take all.
    package struct Bucket {
        package var weight: UInt32
        package var counter: UInt16
        package var ops: [ActionOp]

        package init(weight: UInt32, counter: UInt16, set: [ActionOp]) {
            (self.weight, self.counter, ops) = (weight, counter, ActionProgram.inSetOrder(set))
        }
    }

    /// Bytes that a program of these buckets takes.
    package static func size(_ buckets: [Bucket]) -> Int {
        buckets.reduce(bucketsOffset) {
            $0 + MemoryLayout<GroupBucket>.stride + MemoryLayout<ActionOp>.stride * $1.ops.count
        } + MemoryLayout<ActionOp>.alignment
    }

    /// Writes a program into `memory`, which holds `size` bytes.
    package static func initialize(
        _ memory: UnsafeMutableRawPointer,
        _ buckets: [Bucket],
        counters: UnsafeMutablePointer<BucketCounters>
    ) {
        let list = (memory + bucketsOffset).assumingMemoryBound(to: GroupBucket.self)
        var ops = UnsafeMutableRawPointer(list + buckets.count).alignedUp(for: ActionOp.self)
            .assumingMemoryBound(to: ActionOp.self)
        var weights: UInt32 = 0
        for (index, bucket) in buckets.enumerated() {
            weights += bucket.weight
            let entry = GroupBucket(
                weights: weights,
                count: UInt16(bucket.ops.count),
                counter: bucket.counter,
                ops: UnsafePointer(ops)
            )
            (list + index).initialize(to: entry)
            for op in bucket.ops {
                ops.initialize(to: op)
                ops += 1
            }
        }
        memory.storeBytes(
            of: GroupProgram(bucketCount: UInt32(buckets.count), totalWeight: weights, counters: counters),
            as: GroupProgram.self
        )
    }
}

extension Worker {
    /// How deep groups may be nested: each level but the first has a place of its own for the copy in hand.
    package static let groupDepth = 8

    /// Sends a packet through a group: through each bucket a copy, the last one taking the packet itself if `takes`.
    @inline(never)
    borrowing func runGroup(
        _ slot: Int,
        packet: Int,
        takes: Bool,
        table: UInt8,
        record: FlowRecordPointer?,
        ingress: Ingress
    ) {
        let group = groups + slot
        let length = UInt64(cdpdk_mbuf_packet_length(burst.mbufs[packet].unsafelyUnwrapped))
        if counts {
            group.pointee.packets &+= 1
            group.pointee.bytes &+= length
        }
        var (first, end) = (0, 0)
        let address = UnsafeRawPointer(bitPattern: UInt(group.pointee.program))
        if let address {
            let program = address.assumingMemoryBound(to: GroupProgram.self)
            end = Int(program.pointee.bucketCount)
            // What was set before the group is in the packet, not in its key.
            burst.edit(packet).reparse()
            if program.pointee.totalWeight > 0 {
                let buckets = (address + GroupProgram.bucketsOffset).assumingMemoryBound(to: GroupBucket.self)
                let hash = FlowHash.flow(burst.keyWords(packet))
                let share = UInt32(truncatingIfNeeded: ((hash >> 32) &* UInt64(program.pointee.totalWeight)) >> 32)
                while buckets[first].weights <= share { first &+= 1 }
                end = first &+ 1
            }
        }
        guard let address, first < end else {
            if takes { finish(packet: packet, ingress: ingress) }
            return
        }
        let program = address.assumingMemoryBound(to: GroupProgram.self)
        let buckets = (address + GroupProgram.bucketsOffset).assumingMemoryBound(to: GroupBucket.self)
        while first < end {
            let bucket = buckets[first]
            first &+= 1
            if counts {
                let counters = program.pointee.counters + Int(bucket.counter)
                counters.pointee.packets &+= 1
                counters.pointee.bytes &+= length
            }
            var place = packet
            if !takes || first < end {
                guard let copy = hand(packet, false, ingress) else { continue }
                place = packet < burstSize ? burstSize : packet &+ 1
                prepare(place, from: packet, copy)
            } else {
                // The copies that left by other buckets say nothing about what becomes of this one.
                burst.copies[packet] = 0
            }
            let isLeft = run(
                bucket.ops,
                Int(bucket.count),
                packet: place,
                moves: true,
                table: table,
                record: record,
                ingress: ingress
            )
            if isLeft { finish(packet: place, ingress: ingress) }
        }
    }

    /// Puts a copy of a packet into another place, with all that is known of the packet.
    @inline(__always)
    private borrowing func prepare(_ place: Int, from packet: Int, _ copy: OpaquePointer) {
        burst.mbufs[place] = copy
        burst.lengths[place] = burst.lengths[packet]
        (burst.keys + place).update(from: burst.keys + packet, count: 1)
        (burst.layouts + place).update(from: burst.layouts + packet, count: 1)
        burst.copies[place] = 0
        burst.setCount[place] = 0
        burst.nextTable[place] = ActionProgram.noTable
    }
}
