"""Rules as OpenFlow 1.3 messages, encoded before anything is timed."""

import struct

from .rules import Rule, unpack

ADD, DELETE_STRICT = 0, 4
ERROR, FLOW_MOD, BARRIER_REQUEST, BARRIER_REPLY = 1, 14, 20, 21

# OXM headers without the length: class 0x8000, the field's number, no mask.
ETH_TYPE, IP_PROTO = 5, 10
ADDRESSES = {4: (11, 12), 6: (26, 27)}
PORTS = {6: (13, 14), 17: (15, 16)}


def oxm(field, size, value, mask):
    """One field; nothing if the mask is 0."""
    everything = (1 << 8 * size) - 1
    if not mask:
        return b""
    if mask == everything:
        return struct.pack("!HBB", 0x8000, field << 1, size) + value.to_bytes(size, "big")
    header = struct.pack("!HBB", 0x8000, field << 1 | 1, 2 * size)
    return header + value.to_bytes(size, "big") + mask.to_bytes(size, "big")


def match(rule: Rule):
    value, mask = unpack(rule.value, rule.version), unpack(rule.mask, rule.version)
    size = 4 if rule.version == 4 else 16
    fields = oxm(ETH_TYPE, 2, 0x0800 if rule.version == 4 else 0x86DD, 0xFFFF)
    fields += oxm(IP_PROTO, 1, value.protocol, mask.protocol)
    source, destination = ADDRESSES[rule.version]
    fields += oxm(source, size, value.source, mask.source) + oxm(destination, size, value.destination, mask.destination)
    if mask.source_port or mask.destination_port:
        source, destination = PORTS[value.protocol]
        fields += oxm(source, 2, value.source_port, mask.source_port)
        fields += oxm(destination, 2, value.destination_port, mask.destination_port)
    return struct.pack("!HH", 1, 4 + len(fields)) + fields + bytes(-(4 + len(fields)) % 8)


def flow_mod(rule: Rule, command=ADD):
    """Table 0, no cookie, time-outs, buffer or flags; applies an output to port 2."""
    body = match(rule)
    if command == ADD:
        body += struct.pack("!HHIHHIHxxxxxx", 4, 24, 0, 0, 16, 2, 0)
    fixed = struct.pack("!QQBBHHHIIIHxx", 0, 0, 0, command, 0, 0, rule.priority, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return struct.pack("!BBHI", 4, FLOW_MOD, 8 + len(fixed) + len(body), 0) + fixed + body


def barrier():
    return struct.pack("!BBHI", 4, BARRIER_REQUEST, 8, 0)


def flow_mods(rules):
    """All of them added, and a barrier request behind them."""
    return b"".join(flow_mod(rule) for rule in rules) + barrier()
