"""Rules as OpenFlow 1.3 messages, encoded before anything is timed."""

import struct

from .rules import Rule, unpack

ADD, MODIFY_STRICT, DELETE, DELETE_STRICT = 0, 2, 3, 4
HELLO, ERROR, EXPERIMENTER, FLOW_MOD, MULTIPART_REQUEST, MULTIPART_REPLY, BARRIER_REQUEST, BARRIER_REPLY = 0, 1, 4, 14, 18, 19, 20, 21
PORT_STATISTICS = 4
ANY = 0xFFFFFFFF

# Bundles: extension 230 of the ONF, as experimenter messages.
ONF, BUNDLE_CONTROL, BUNDLE_ADD = 0x4F4E4600, 2300, 2301
OPEN, COMMIT = 0, 4
ATOMIC_AND_ORDERED = 3

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


def message(kind, body):
    return struct.pack("!BBHI", 4, kind, 8 + len(body), 0) + body


def flow_mod(rule: Rule, command=ADD, port=2, cookie=0, hard_timeout=0):
    """Table 0, no buffer or flags; what is there then applies an output to `port`."""
    body = match(rule)
    if command in (ADD, MODIFY_STRICT):
        body += struct.pack("!HHIHHIHxxxxxx", 4, 24, 0, 0, 16, port, 0)
    fixed = (cookie, 0, 0, command, 0, hard_timeout, rule.priority, ANY, ANY, ANY, 0)
    return message(FLOW_MOD, struct.pack("!QQBBHHHIIIHxx", *fixed) + body)


def delete_all(cookie):
    """Deletes the rules of that cookie from table 0."""
    fixed = struct.pack("!QQBBHHHIIIHxx", cookie, (1 << 64) - 1, 0, DELETE, 0, 0, 0, ANY, ANY, ANY, 0)
    return message(FLOW_MOD, fixed + struct.pack("!HHxxxx", 1, 4))


def bundle(mods):
    """The messages as one atomic bundle, and a barrier request behind it."""

    def control(kind):
        return message(EXPERIMENTER, struct.pack("!IIIHH", ONF, BUNDLE_CONTROL, 1, kind, ATOMIC_AND_ORDERED))

    head = struct.pack("!IIIxxH", ONF, BUNDLE_ADD, 1, ATOMIC_AND_ORDERED)
    return b"".join([control(OPEN), *(message(EXPERIMENTER, head + mod) for mod in mods), control(COMMIT), barrier()])


def port_statistics():
    """Asks for the counters of all ports."""
    return message(MULTIPART_REQUEST, struct.pack("!HHxxxxIxxxx", PORT_STATISTICS, 0, ANY))


def transmitted(reply):
    """Packets sent by each port, by number, of what follows the header of such a reply."""
    entries = range(8, len(reply), 112)
    return {number: sent for number, sent in (struct.unpack_from("!I12xQ", reply, at) for at in entries)}


def barrier():
    return message(BARRIER_REQUEST, b"")


def flow_mods(rules):
    """All of them added, and a barrier request behind them."""
    return b"".join(flow_mod(rule) for rule in rules) + barrier()
