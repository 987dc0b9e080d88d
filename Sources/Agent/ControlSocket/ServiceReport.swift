// `show services`.

/// One service's port, and the replicas behind it.
package struct ServiceReport: Codable, Hashable, Sendable {
    /// The OpenFlow port number.
    package var number: UInt32
    package var name: String
    /// Packets that found a replica.
    package var packets: UInt64 = 0
    package var bytes: UInt64 = 0
    /// Connections that were given a place, of all time.
    package var connections: UInt64 = 0
    /// Connections that went to another replica because theirs was gone.
    package var moved: UInt64 = 0
    /// Packets of connections that there was no room to remember.
    package var unremembered: UInt64 = 0
    package var replicas: [Replica] = []

    package struct Replica: Codable, Hashable, Sendable {
        /// Its own OpenFlow port number.
        package var number: UInt32
        package var name: String
        /// As `VMReport.state`.
        package var state: String
        /// Packets that it has in hand.
        package var lent: UInt64
        /// Connections that are remembered to be its.
        package var connections: Int

        package init(number: UInt32, name: String, state: String, lent: UInt64, connections: Int) {
            (self.number, self.name, self.state) = (number, name, state)
            (self.lent, self.connections) = (lent, connections)
        }
    }

    package init(number: UInt32, name: String) { (self.number, self.name) = (number, name) }
}
