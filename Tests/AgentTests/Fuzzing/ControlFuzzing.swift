// Any line as a request of the control socket, and as a packet to trace: a refusal in words, or a request, or a packet that has the
// fields that it was described with.

import Agent
import Foundation
import OpenFlow

enum ControlFuzzing {
    static var seeds: [[UInt8]] {
        let flows = [
            "in_port=1,tcp,nw_dst=10.0.0.2,tp_dst=80", "udp,tp_src=1,nw_tos=184,nw_ecn=1,nw_ttl=1",
            "arp,nw_src=10.0.0.1,nw_proto=1",
            "icmp6,icmp_type=135,nd_target=2001:db8::1,nd_sll=02:00:00:00:00:01",
            "vlan_vid=0x1005,vlan_pcp=3,sctp6,tp_dst=9",
            "mpls,mpls_label=16,mpls_tc=3,mpls_bos=0,mpls_ttl=2", "pbb,pbb_isid=7",
            "ipv6,ipv6_exthdr=0x28,ipv6_label=1",
            "eth_type=0x800,ip_proto=17,ipv4_src=1.2.3.4,udp_dst=53,ip_dscp=46,tunnel_id=0,in_port=CONTROLLER",
        ]
        let lines =
            ShowSubject.allCases.map { ControlRequest.show($0).line } + [
                ControlRequest.reload.line, ControlRequest.version.line,
            ]
            + flows.map { ControlRequest.trace(flow: $0).line }
        return lines.map { [UInt8]($0) } + flows.map { Array($0.utf8) }
    }

    static func run(_ input: UnsafeBufferPointer<UInt8>) throws {
        do throws(ControlRequest.Refusal) {
            let request = try ControlRequest(parsing: Data(buffer: input))
            guard let again = try? ControlRequest(parsing: request.line), again == request else {
                throw ControlRequest.Refusal(description: "")
            }
            if case .trace(let flow) = request { try? trace(flow) }
        } catch {
            if error.description.isEmpty { throw FuzzFailure("a request that its own line does not say") }
        }
        if let text = String(validating: input, as: UTF8.self) { try trace(text) }
    }

    private static func trace(_ flow: String) throws {
        let packet: PacketDescription
        do throws(FlowSyntaxError) {
            packet = try FlowSyntax.packet(flow)
        } catch {
            if error.description.isEmpty { throw FuzzFailure("no reason") }
            return
        }
        let frame = PacketBuilder.frame(packet)
        guard let fields = PacketFields(frame) else { throw FuzzFailure("\(packet) became \(frame)") }
        for (field, value) in packet.fields where fields.values[field] != value {
            throw FuzzFailure("\(field.name) of \(packet) is \(fields.values[field] ?? 0) in \(frame)")
        }
    }
}
