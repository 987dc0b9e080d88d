"""Access control lists: 5-tuple rules with prefixes and open fields, each filter with a priority of its own, and flows
that hit all of them."""

import random
from typing import NamedTuple

from .packets import ICMP, TCP, UDP, Flow
from .rules import FLOWS, Rule, any_bits, hit_all, prefix_mask, reachable

# How many more filters are drawn than needed: some are hidden by others.
SPARE = 1.3
ALL_PORTS = (0, 0xFFFF)
USER_PORTS = (1024, 0xFFFF)
WELL_KNOWN = (20, 21, 22, 25, 53, 80, 110, 123, 143, 161, 389, 443, 445, 993, 1433, 1521, 3306, 5060, 8080)
RANGES = ((20, 21), (67, 68), (137, 139), (1812, 1813), (5060, 5061), (6000, 6063), (8000, 8999), (33434, 33690))


class Networks:
    """Addresses that lie together as those of sites do: few /8, more /16 in them, and so on, so that prefixes nest."""

    def __init__(self, randomness):
        self.randomness = randomness
        self.bytes = [[randomness.randint(1, 223) for _ in range(8)]]
        self.bytes += [[randomness.randrange(256) for _ in range(many)] for many in (16, 64, 256)]

    def prefix(self, length):
        """(address, mask)"""
        octets = bytes(self.randomness.choice(choices) for choices in self.bytes)
        return int.from_bytes(octets, "big"), prefix_mask(length)


def masked_ports(low, high):
    """A range of ports as (value, mask) pairs: OpenFlow knows no ranges."""
    pairs = []
    while low <= high:
        size = low & -low or 0x10000
        while low + size - 1 > high:
            size //= 2
        pairs.append((low, 0x10000 - size))
        low += size
    return pairs


def filter_rules(priority, source, destination, protocol, ports):
    """The rules that a filter becomes: one for each pair of masked ports.

    `source`, `destination`: (address, mask); `protocol`: None for all; `ports`: two ranges.
    """
    everything = 0xFF if protocol is not None else 0
    rules = []
    for source_port, source_mask in masked_ports(*ports[0]):
        for port, mask in masked_ports(*ports[1]):
            value = Flow(source[0], destination[0], source_port, port, protocol or 0)
            bits = Flow(source[1], destination[1], source_mask, mask, everything)
            rules.append(Rule.of(priority, value, bits))
    return rules


def masked(seed):
    """1,000 rules of 36 masks: prefixes, a destination port, a block of 64 or none, TCP or UDP; random priorities."""
    randomness = random.Random(seed)
    networks, bits = Networks(randomness), any_bits(randomness)
    rules = {}
    while len(rules) < 1000 * SPARE:
        source = networks.prefix(randomness.choice((0, 16, 24, 32)))
        destination = networks.prefix(randomness.choice((24, 28, 32)))
        port, block = randomness.choice(WELL_KNOWN), randomness.randrange(0, 0x10000, 64)
        ports = ALL_PORTS, randomness.choice((ALL_PORTS, (port, port), (block, block + 63)))
        rule = filter_rules(2000 - len(rules), source, destination, randomness.choice((TCP, UDP)), ports)[0]
        rules.setdefault((rule.value, rule.mask), rule)
    return hit_all(reachable(list(rules.values()), bits)[:1000], FLOWS, bits, "priority")


class Shape(NamedTuple):
    """How the filters of a kind are distributed: by the classes that ClassBench (Taylor and Turner) found in access control
    lists, firewalls and IP chains; the weights are our own, rounded.

    Port classes: WC all, HI the user's ports (1024 and up), LO those below, AR another range, EM one port.
    """

    lengths: dict  # (source, destination) prefix lengths -> weight
    source_ports: dict  # class -> weight
    destination_ports: dict
    protocols: dict  # number, or None for all -> weight


SHAPES = {
    "acl": Shape(
        {(32, 32): 30, (24, 32): 12, (0, 32): 10, (32, 24): 8, (24, 24): 8, (16, 32): 6, (0, 24): 6, (28, 32): 5}
        | {(21, 32): 4, (32, 28): 4, (27, 30): 3, (16, 24): 2, (0, 16): 1, (30, 27): 1},
        {"WC": 100},
        {"EM": 60, "WC": 30, "AR": 6, "HI": 4},
        {TCP: 75, UDP: 15, ICMP: 4, None: 6},
    ),
    "fw": Shape(
        {(0, 32): 22, (32, 0): 12, (32, 32): 16, (0, 24): 10, (24, 0): 6, (16, 32): 8, (0, 28): 6, (32, 16): 5}
        | {(24, 32): 5, (0, 16): 4, (22, 32): 3, (27, 0): 2, (0, 0): 1},
        {"WC": 72, "HI": 16, "EM": 9, "AR": 3},
        {"EM": 45, "WC": 37, "HI": 10, "AR": 6, "LO": 2},
        {TCP: 58, UDP: 27, ICMP: 5, None: 10},
    ),
    "ipc": Shape(
        {(32, 32): 34, (24, 24): 10, (0, 32): 10, (32, 24): 8, (24, 32): 8, (32, 0): 6, (16, 16): 5, (0, 24): 5}
        | {(26, 32): 4, (32, 29): 4, (16, 32): 3, (22, 24): 2, (0, 0): 1},
        {"WC": 58, "EM": 32, "HI": 7, "AR": 3},
        {"WC": 45, "EM": 42, "HI": 7, "AR": 4, "LO": 2},
        {TCP: 48, UDP: 36, ICMP: 6, None: 10},
    ),
}


def classbench(kind, count):
    """`count` filters of that kind; a filter with a range of ports is several rules of the same priority."""
    shape = SHAPES[kind]

    def make(seed):
        randomness = random.Random(seed)
        networks, bits = Networks(randomness), any_bits(randomness)

        def draw(weights):
            return randomness.choices(list(weights), weights.values())[0]

        def ports(name):
            if name == "EM":
                port = randomness.choice(WELL_KNOWN) if randomness.random() < 0.7 else randomness.randint(1, 0xFFFF)
                return port, port
            if name == "AR":
                return randomness.choice(RANGES)
            return {"WC": ALL_PORTS, "HI": USER_PORTS, "LO": (0, 1023)}[name]

        filters = {}
        while len(filters) < count * SPARE:
            lengths, protocol = draw(shape.lengths), draw(shape.protocols)
            ranges = ports(draw(shape.source_ports)), ports(draw(shape.destination_ports))
            if protocol not in (TCP, UDP):
                ranges = ALL_PORTS, ALL_PORTS
            addresses = [networks.prefix(length) for length in lengths]
            made = filter_rules(0, *addresses, protocol, ranges)
            # Specific filters come first, as a rule: nobody writes many that others hide.
            order = made[0].mask.bit_count() + randomness.randint(-8, 8)
            filters.setdefault((made[0].value, made[0].mask), (order, made))
        rules = []
        for number, (_, made) in enumerate(sorted(filters.values(), key=lambda each: -each[0])):
            rules += [rule._replace(priority=60_000 - number) for rule in made]
        reached = reachable(rules, bits)
        kept = set(randomness.sample(sorted({rule.priority for rule in reached}), count))
        return hit_all([rule for rule in reached if rule.priority in kept], FLOWS, bits, "priority")

    return make
