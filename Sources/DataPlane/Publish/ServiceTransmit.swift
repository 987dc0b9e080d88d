// Packets to a service: each goes to the replica that its connection belongs to.

import CDPDK

extension Worker {
    /// Sends a service's gathered packets, and what else is gathered for its replicas.
    @inline(never)
    borrowing func distribute(
        _ gathered: UnsafeMutablePointer<OpaquePointer?>,
        _ count: Int,
        among service: UnsafeMutablePointer<Service>,
        slot: Int
    ) {
        let hashes = service.pointee.hashes
        for i in 0..<count {
            let hash = connectionHash(gathered[i].unsafelyUnwrapped, seed: service.pointee.seed)
            service.pointee.prefetch(hash)
            hashes[i] = hash
        }
        let age = ConnectionAge.units(cycles: state.pointee.stepStart) & ConnectionAge.limit
        for i in 0..<count {
            let mbuf = gathered[i].unsafelyUnwrapped
            guard let replica = service.pointee.replica(of: hashes[i], at: age, ports) else {
                drop(mbuf, .vmDetached, at: slot)
                continue
            }
            guard UInt32(truncatingIfNeeded: ports[replica].number) != state.pointee.inPort else {
                drop(mbuf, .outputToIngress, at: slot)
                continue
            }
            service.pointee.counters.packets &+= 1
            service.pointee.counters.bytes &+= UInt64(cdpdk_mbuf_packet_length(mbuf))
            let port = ports + replica
            port.pointee.gathered[port.pointee.count] = mbuf
            port.pointee.count &+= 1
            if port.pointee.count == PortSlot.capacity { send(replica) }
        }
        let list = service.pointee.list
        for place in 0..<ReplicaList.count(list) { send(ReplicaList.slot(place, in: list)) }
    }

    /// Of the packet as it is by now: actions may have changed it since it was looked up.
    @inline(__always)
    private borrowing func connectionHash(_ mbuf: OpaquePointer, seed: UInt64) -> UInt64 {
        let key = burst.keyWords(Burst.spare)
        let layout = burst.layouts + Burst.spare
        var data = UnsafePointer(cdpdk_mbuf_data(mbuf))
        var length = Int(cdpdk_mbuf_data_length(mbuf))
        if cdpdk_mbuf_is_elsewhere(mbuf) { (data, length) = burst.headers.copy(data, length) }
        if !Parser.parsePlain(data, length: length, port: 0, key, layout) {
            Parser.parse(data, length: length, depth: .full, into: key, layout)
        }
        return FlowHash.connection(key, isFragment: layout.pointee.isFragment, seed: seed)
    }
}
