// Long replies in several messages, and limits that keep every length within 16 bits.

import NIOCore
import OpenFlow
import Testing

@Suite(.timeLimit(.minutes(1)))
struct MultipartReplyTests {
    private func flows(_ count: Int) -> [FlowStatistics] {
        (0..<count).map { index in
            FlowStatistics(
                tableID: 0,
                priority: 5,
                cookie: UInt64(index),
                match: Match([MatchField(.ethType, 0x0800), MatchField(.ipv4Dst, UInt128(index))]),
                instructions: index % 3 == 0 ? [] : [.applyActions([.output(1, maxLength: 0)])]
            )
        }
    }

    @Test(arguments: [0, 1, 500, 591, 592, 700, 5000])
    func splitsWithoutLoss(_ count: Int) throws {
        let all = flows(count)
        let envelopes = Envelope.multipartReplies(xid: 77, .flow(all))
        var seen: [FlowStatistics] = []
        for (index, envelope) in envelopes.enumerated() {
            #expect(envelope.xid == 77)
            let bytes = try envelope.encoded()
            #expect(bytes.count <= 65535)
            guard
                case .multipartReply(.flow(let part), let more) = try Envelope(decoding: ByteBuffer(bytes: bytes))
                    .message
            else {
                Issue.record("\(envelope)")
                return
            }
            #expect(more == (index < envelopes.count - 1))
            seen += part
        }
        #expect(seen == all)
        #expect(envelopes.count >= 1)
        // As few as possible: two neighbours never fit into one message.
        let lengths = try envelopes.map { try $0.encoded().count }
        for (length, next) in zip(lengths, lengths.dropFirst()) {
            #expect(length + next - 16 > 65535)
        }
    }

    @Test func fillsAMessageToItsLastByte() throws {
        let two = Array(flows(3).suffix(2))
        let length = try Envelope(xid: 1, message: .multipartReply(.flow(two), more: false)).encoded().count
        #expect(Envelope.multipartReplies(xid: 1, .flow(two), limit: length).count == 1)
        #expect(Envelope.multipartReplies(xid: 1, .flow(two), limit: length - 1).count == 2)
    }

    @Test func splitsEveryKindOfList() throws {
        let replies = try Fixture.accepted.compactMap { fixture -> MultipartReply? in
            guard case .multipartReply(let reply, _) = try Envelope(decoding: fixture.buffer).message else {
                return nil
            }
            return reply
        }
        #expect(replies.count > 15)
        for reply in replies {
            // No room for two: one message for each entry.
            let envelopes = Envelope.multipartReplies(xid: 1, reply, limit: 17)
            #expect(!envelopes.isEmpty)
            // An experimenter's header is in each message, too.
            let header = if case .flowMonitor = reply { 24 } else { 16 }
            var bytes = header
            for envelope in envelopes { bytes += try envelope.encoded().count - header }
            #expect(try Envelope(xid: 1, message: .multipartReply(reply, more: false)).encoded().count == bytes)
        }
    }

    /// The longest entry that is accepted can be reported.
    @Test func theLongestFlowModFitsIntoAReply() throws {
        func flowMod(_ actions: Int) -> FlowMod {
            FlowMod(instructions: [.applyActions(Array(repeating: .popVLAN, count: actions))])
        }
        let most = (65535 - 64 - 16) / 8
        let bytes = try Envelope(xid: 1, message: .flowMod(flowMod(most))).encoded()
        guard case .flowMod(let longest) = try Envelope(decoding: ByteBuffer(bytes: bytes)).message else { return }
        let entry = FlowStatistics(
            tableID: 0,
            priority: 0,
            match: longest.match,
            instructions: longest.instructions
        )
        for envelope in Envelope.multipartReplies(xid: 1, .flow([entry, entry])) {
            #expect(try envelope.encoded().count <= 65535)
        }
        let tooLong = try Envelope(xid: 1, message: .flowMod(flowMod(most + 1))).encoded()
        #expect(throws: OpenFlowError.badAction(.tooMany)) { try Envelope(decoding: ByteBuffer(bytes: tooLong)) }
    }

    @Test func groupsAndMetersThatCouldNotBeReportedAreRefused() throws {
        let bucket = Bucket(actions: Array(repeating: .popVLAN, count: 8000))
        let group = GroupMod(
            command: .add,
            groupID: 1,
            buckets: [bucket, Bucket(actions: Array(repeating: .popVLAN, count: 185))]
        )
        let groupBytes = try Envelope(xid: 1, message: .groupMod(group)).encoded()
        #expect(throws: OpenFlowError.groupModFailed(.outOfBuckets)) {
            _ = try Envelope(decoding: ByteBuffer(bytes: groupBytes)).xid
        }
        let band = MeterBand.experimenter(
            rate: 1,
            burst: 1,
            experimenter: 1,
            data: ByteBuffer(repeating: 0, count: 65516 - 16)
        )
        let meter = MeterMod(command: .add, meterID: 1, bands: [band])
        let meterBytes = ByteBuffer(bytes: try Envelope(xid: 1, message: .meterMod(meter)).encoded())
        #expect(throws: OpenFlowError.meterModFailed(.outOfBands)) { _ = try Envelope(decoding: meterBytes).xid }
    }

    @Test func textsAreCutBetweenCharacters() throws {
        let port = Port(number: 1, hardwareAddress: 2, name: "fifteen-bytes-ö")
        let bytes = try Envelope(xid: 1, message: .portStatus(PortStatus(reason: .add, port: port))).encoded()
        guard case .portStatus(let status) = try Envelope(decoding: ByteBuffer(bytes: bytes)).message else { return }
        #expect(status.port.name == "fifteen-bytes-")
    }
}
