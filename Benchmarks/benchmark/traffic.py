"""The packets and the rules of a row, from the same list of flows: a pcap for the switches to receive for ever, and a
file of rules for ovs-ofctl, one for each flow. Both are the same in every run."""

import random
import struct
from pathlib import Path
from typing import NamedTuple

SEED = 1


class Flow(NamedTuple):
    """The 5-tuple of a UDP flow; host byte order."""

    source: int
    destination: int
    source_port: int
    destination_port: int


def flows(count):
    """`count` different 5-tuples: the destination address alone tells them apart."""
    return [
        Flow(0xC0A80000 + (i * 7 & 0xFFFF), 0x0A000000 + i, 1024 + i * 13 % 60000, 1 + i * 31 % 60000)
        for i in range(count)
    ]


def checksum(data):
    """The Internet checksum of an even number of bytes."""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def frame(flow, size):
    """A UDP packet of that flow, `size` bytes on the wire: the last 4, the frame check sequence, are not in it."""
    ip_length = size - 4 - 14
    udp_length = ip_length - 20
    addresses = struct.pack("!II", flow.source, flow.destination)
    payload = bytes(udp_length - 8)

    ip = struct.pack("!BBHHHBBH", 0x45, 0, ip_length, 0, 0, 64, 17, 0) + addresses
    ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
    udp = struct.pack("!HHHH", flow.source_port, flow.destination_port, udp_length, 0)
    pseudo = addresses + struct.pack("!BBH", 0, 17, udp_length)
    padding = bytes(len(payload) % 2)
    # A sum of 0 is sent as 0xffff: 0 means that there is none.
    udp = udp[:6] + struct.pack("!H", checksum(pseudo + udp + payload + padding) or 0xFFFF)

    index = flow.destination & 0xFFFFFF
    ethernet = b"\x02\x00\x00" + index.to_bytes(3, "big") + b"\x02\x01\x00" + index.to_bytes(3, "big") + b"\x08\x00"
    return ethernet + ip + udp + payload


def write_pcap(path: Path, count, size=64):
    """One packet of each flow, in an order as good as random."""
    shuffled = flows(count)
    random.Random(SEED).shuffle(shuffled)
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for flow in shuffled:
            data = frame(flow, size)
            file.write(struct.pack("<IIII", 0, 0, len(data), len(data)) + data)


def address(value):
    return ".".join(str(value >> shift & 255) for shift in (24, 16, 8, 0))


def write_rules(path: Path, count):
    """An exact 5-tuple rule for each flow, to port 2, as ovs-ofctl reads them."""
    with open(path, "w", encoding="ascii") as file:
        for flow in flows(count):
            file.write(
                f"priority=100,udp,nw_src={address(flow.source)},nw_dst={address(flow.destination)},"
                f"tp_src={flow.source_port},tp_dst={flow.destination_port},actions=output:2\n"
            )


def flow_mods(count):
    """The same rules as OpenFlow 1.3 messages, and a barrier request behind them."""
    instructions = struct.pack("!HHIHHIHxxxxxx", 4, 24, 0, 0, 16, 2, 0)
    messages = []
    for flow in flows(count):
        fields = struct.pack("!IHIB", 0x80000A02, 0x0800, 0x80001401, 17)
        fields += struct.pack("!IIII", 0x80001604, flow.source, 0x80001804, flow.destination)
        fields += struct.pack("!IHIH", 0x80001E02, flow.source_port, 0x80002002, flow.destination_port)
        match = struct.pack("!HH", 1, 4 + len(fields)) + fields
        match += bytes(-len(match) % 8)
        # Cookie and mask, table 0, ADD, no timeouts, priority 100, no buffer, any port and group, no flags.
        fixed = struct.pack("!QQBBHHHIIIHxx", 0, 0, 0, 0, 0, 0, 100, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
        messages.append(struct.pack("!BBHI", 4, 14, 8 + len(fixed) + len(match) + len(instructions), 0))
        messages += fixed, match, instructions
    return b"".join(messages) + struct.pack("!BBHI", 4, 20, 8, 0)


def write_port_rule(path: Path, _):
    """The one rule of B1, whatever the number of flows."""
    path.write_text("priority=100,in_port=1,actions=output:2\n", encoding="ascii")
