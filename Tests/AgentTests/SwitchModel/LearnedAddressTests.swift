// What the switch model learns of addresses, and when it forgets.

import Agent
import NIOCore
import OpenFlow
import Testing

@Suite("Learned addresses")
struct LearnedAddressTests {
    private let fixture = SwitchModelFixture()
    private let station = LearnedAddress(vlan: 5, address: 0x02_00_00_00_00_01)

    @Test("are those of ports that are there and up")
    func ports() {
        fixture.model.learn(station, at: 9)
        #expect(fixture.model.addresses.isEmpty)
        fixture.model.learn(station, at: 1)
        #expect(fixture.model.addresses == [station: 1])
        fixture.model.learn(station, at: 2)
        #expect(fixture.model.addresses == [station: 2] && fixture.datapath.learned == [station: 2])
        fixture.model.setPort(Port(number: 1, hardwareAddress: 0, name: "p1", state: .linkDown))
        #expect(fixture.model.addresses == [station: 2])
        fixture.model.setPort(Port(number: 2, hardwareAddress: 0, name: "p2", state: .linkDown))
        #expect(fixture.model.addresses.isEmpty && fixture.datapath.learned.isEmpty)
        fixture.model.learn(station, at: 2)
        #expect(fixture.model.addresses.isEmpty)
        fixture.model.learn(station, at: 3)
        fixture.model.removePort(3)
        #expect(fixture.model.addresses.isEmpty && fixture.datapath.learned.isEmpty)
    }

    @Test("are no more than the limit, and none without memory")
    func limit() {
        fixture.model.addressLimit = 2
        for vlan in 1...3 as ClosedRange<UInt16> {
            fixture.model.learn(LearnedAddress(vlan: vlan, address: station.address), at: 1)
        }
        #expect(fixture.model.addresses.keys.map(\.vlan).sorted() == [1, 2])
        // One that is known may move all the same.
        fixture.model.learn(LearnedAddress(vlan: 1, address: station.address), at: 2)
        #expect(fixture.model.addresses.values.sorted() == [1, 2])
        fixture.model.addressLimit = 3
        fixture.datapath.hasMemoryForAddresses = false
        fixture.model.learn(station, at: 1)
        #expect(fixture.model.addresses.count == 2)
    }

    @Test("are forgotten when they have not been seen for the ageing time")
    func ageing() {
        let other = LearnedAddress(vlan: 0, address: station.address)
        fixture.model.addressAgeing = .seconds(10)
        fixture.model.learn(station, at: 1)
        fixture.model.learn(other, at: 1)
        fixture.datapath.ages = [station: .seconds(10), other: .milliseconds(10_001)]
        fixture.model.expireAddresses()
        #expect(fixture.model.addresses == [station: 1] && fixture.datapath.learned == [station: 1])
    }
}
