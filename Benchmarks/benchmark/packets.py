"""Flows, and the frames that they consist of: pcaps for the switches to receive for ever."""

import random
import struct
from pathlib import Path
from typing import NamedTuple

ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58

# The frame check sequence is on the wire, but not in a pcap or a packet buffer.
CHECK_SEQUENCE = 4


class Flow(NamedTuple):
    """What all packets of a flow have in common. Numbers are in host byte order.

    ICMP has no ports: both are 0. Ethernet addresses that are None follow from the destination address.
    """

    source: int
    destination: int
    source_port: int
    destination_port: int
    protocol: int = UDP
    version: int = 4
    vlan: int | None = None
    ethernet_source: int | None = None
    ethernet_destination: int | None = None


def checksum(data):
    """The Internet checksum of some bytes (RFC 1071)."""
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def transport(flow, pseudo, payload):
    """The header of the transport protocol, with its checksum, and what it carries.

    `pseudo`: the sum of what the checksum covers besides, without the length.
    """
    if flow.protocol == TCP:
        # No sequence numbers, a header of 20 bytes, ACK, a window of 512.
        header = struct.pack("!HHIIBBHHH", flow.source_port, flow.destination_port, 0, 0, 0x50, 0x10, 512, 0, 0)
        at = 16
    elif flow.protocol == UDP:
        header = struct.pack("!HHHH", flow.source_port, flow.destination_port, 8 + len(payload), 0)
        at = 6
    else:
        # An echo request; only that of ICMPv6 has a pseudo header.
        header = struct.pack("!BBHHH", 128 if flow.protocol == ICMPV6 else 8, 0, 0, 1, 1)
        at = 2
    covered = b"" if flow.protocol == ICMP else pseudo + struct.pack("!H", len(header) + len(payload))
    # A sum of 0 is sent as 0xffff: for UDP, 0 means that there is none.
    total = checksum(covered + header + payload) or 0xFFFF
    return header[:at] + struct.pack("!H", total) + header[at + 2 :] + payload


def frame(flow, size=64):
    """A packet of that flow, `size` bytes on the wire, or as many more as its headers need; without check sequence."""
    headers = 14 + (4 if flow.vlan is not None else 0) + (20 if flow.version == 4 else 40)
    headers += 20 if flow.protocol == TCP else 8
    payload = bytes(max(0, size - CHECK_SEQUENCE - headers))
    if flow.version == 4:
        addresses = struct.pack("!II", flow.source, flow.destination)
        segment = transport(flow, addresses + struct.pack("!H", flow.protocol), payload)
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(segment), 0, 0, 64, flow.protocol, 0) + addresses
        ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
    else:
        addresses = flow.source.to_bytes(16, "big") + flow.destination.to_bytes(16, "big")
        segment = transport(flow, addresses + struct.pack("!H", flow.protocol), payload)
        ip = struct.pack("!IHBB", 6 << 28, len(segment), flow.protocol, 64) + addresses
    index = flow.destination & 0xFFFFFF
    ethernet_destination, ethernet_source = flow.ethernet_destination, flow.ethernet_source
    ethernet = (0x020000000000 + index if ethernet_destination is None else ethernet_destination).to_bytes(6, "big")
    ethernet += (0x020100000000 + index if ethernet_source is None else ethernet_source).to_bytes(6, "big")
    if flow.vlan is not None:
        ethernet += struct.pack("!HH", 0x8100, flow.vlan)
    return ethernet + struct.pack("!H", 0x0800 if flow.version == 4 else 0x86DD) + ip + segment


def write_pcap(path: Path, flows, seed, size=64):
    """One packet of each flow, in an order as good as random."""
    shuffled = list(flows)
    random.Random(seed).shuffle(shuffled)
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for flow in shuffled:
            data = frame(flow, size)
            file.write(struct.pack("<IIII", 0, 0, len(data), len(data)) + data)
