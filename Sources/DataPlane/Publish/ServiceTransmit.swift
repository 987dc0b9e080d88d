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
}
