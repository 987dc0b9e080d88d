"""Rules over the 5-tuple, and flows that hit them: both from the same list, and the same for the same seed."""

import ipaddress
import random
from collections import deque
from functools import partial
from itertools import pairwise
from typing import Callable, NamedTuple, Sequence

from .packets import ICMP, ICMPV6, TCP, UDP, Flow
from .switches import FUNCTION

NAMES = {
    (4, None): "ip",
    (4, ICMP): "icmp",
    (4, TCP): "tcp",
    (4, UDP): "udp",
    (6, None): "ipv6",
    (6, ICMPV6): "icmp6",
    (6, TCP): "tcp6",
    (6, UDP): "udp6",
}
OUTPUT = "actions=output:2"
ROUTES = 10_000
FLOWS = 100_000
# How many random packets of a rule are tried before it counts as shadowed by rules of higher priority.
TRIES = 64


def address_bits(version):
    return 32 if version == 4 else 128


def pack(flow):
    """The 5-tuple as one number: what masks are applied to, and what hashes are made of, in one step."""
    bits = address_bits(flow.version)
    addresses = flow.source << bits | flow.destination
    return addresses << 40 | flow.protocol << 32 | flow.source_port << 16 | flow.destination_port


def unpack(number, version=4):
    bits = address_bits(version)
    source, destination = number >> 40 + bits, number >> 40 & (1 << bits) - 1
    return Flow(source, destination, number >> 16 & 0xFFFF, number & 0xFFFF, number >> 32 & 0xFF, version)


def prefix_mask(length, bits=32):
    return (1 << bits) - (1 << bits - length)


class Rule(NamedTuple):
    """A match on the 5-tuple, packed; bits that are 0 in `mask` are 0 in `value`, and match all. It sends to port 2.

    A rule that says something of the ports has TCP or UDP as its protocol, which is matched in full or not at all.
    """

    priority: int
    value: int
    mask: int
    version: int = 4

    @classmethod
    def of(cls, priority, value: Flow, mask: Flow):
        return cls(priority, pack(value) & pack(mask), pack(mask), value.version)

    def __str__(self):
        """As ovs-ofctl reads it."""
        value, mask = unpack(self.value, self.version), unpack(self.mask, self.version)
        kind = NAMES[self.version, value.protocol if mask.protocol else None]
        words = [f"priority={self.priority}", kind]
        name = "nw" if self.version == 4 else "ipv6"
        for field, short in (("source", "src"), ("destination", "dst")):
            if bits := getattr(mask, field):
                number = getattr(value, field)
                address = ipaddress.IPv4Address(number) if self.version == 4 else ipaddress.IPv6Address(number)
                words.append(f"{name}_{short}={address}/{bits.bit_count()}")
        if mask.source_port:
            words.append(f"tp_src={value.source_port:#x}/{mask.source_port:#x}")
        if mask.destination_port:
            words.append(f"tp_dst={value.destination_port:#x}/{mask.destination_port:#x}")
        return ",".join([*words, OUTPUT])

    @property
    def free(self):
        """The bits that it says nothing of."""
        return (1 << 2 * address_bits(self.version) + 40) - 1 & ~self.mask

    def draw(self, bits):
        """The flow within it whose other bits are these; where it says nothing of the protocol, UDP."""
        flow = unpack(self.value | bits & self.free, self.version)
        if not self.mask >> 32 & 0xFF:
            flow = flow._replace(protocol=UDP)
        if flow.protocol in (ICMP, ICMPV6):
            flow = flow._replace(source_port=0, destination_port=0)
        return flow


class Workload(NamedTuple):
    """What the switches of a row get."""

    flows: Sequence[Flow]
    rules: Sequence[Rule] = ()
    homes: Sequence[Rule] = ()  # for each flow the rule that it hits; empty if that is not known
    texts: Sequence[str] = ()  # other rules, as ovs-ofctl reads them
    group: str = "rule"  # what hits are checked of: every "rule", "priority" or "table"; "none" if of nothing

    @property
    def lines(self):
        """All rules, as ovs-ofctl reads them."""
        return [*map(str, self.rules), *self.texts]

    @property
    def size(self):
        return len(self.rules) + len(self.texts)


class TupleSpace:
    """Finds the rule that a flow hits: a dictionary for each mask, from the highest priority down."""

    def __init__(self, rules):
        spaces = {}
        for rule in rules:
            known = spaces.setdefault(rule.mask, {}).get(rule.value)
            if known is None or known.priority < rule.priority:
                spaces[rule.mask][rule.value] = rule
        tops = [(max(rule.priority for rule in space.values()), mask, space) for mask, space in spaces.items()]
        self.spaces = sorted(tops, key=lambda top: -top[0])

    def find(self, flow):
        key, best = pack(flow), None
        for top, mask, space in self.spaces:
            if best is not None and best.priority >= top:
                break
            rule = space.get(key & mask)
            if rule is not None and (best is None or best.priority < rule.priority):
                best = rule
        return best


def any_bits(randomness, version=4):
    """Draws the bits of flows that rules say nothing of: all alike."""
    return partial(randomness.getrandbits, 2 * address_bits(version) + 40)


def draw_hit(rule, space, bits):
    """A flow that hits this rule and none of higher priority; None if none is found. `bits`: draws what is open."""
    for _ in range(TRIES):
        flow = rule.draw(bits())
        if space.find(flow) is rule:
            return flow
    return None


def reachable(rules, bits):
    """Those of the rules that others of higher priority leave packets for."""
    space = TupleSpace(rules)
    return [rule for rule in rules if draw_hit(rule, space, bits) is not None]


def hit_all(rules, count, bits, group="rule"):
    """`count` different flows, as many for each rule as for any other, unless the rule has not so many."""
    space, homes = TupleSpace(rules), {}
    turns = deque((rule, 0) for rule in rules)
    while len(homes) < count and turns:
        rule, failures = turns.popleft()
        flow = draw_hit(rule, space, bits)
        if flow is None or flow in homes:
            failures += 1
        else:
            homes[flow] = rule
        if failures < TRIES // 4:
            turns.append((rule, failures))
    return Workload(list(homes), rules, list(homes.values()), group=group)


def exact_flows(count):
    """`count` different 5-tuples of UDP: the destination address alone tells them apart."""
    return [
        Flow(0xC0A80000 + (i * 7 & 0xFFFF), 0x0A000000 + i, 1024 + i * 13 % 60000, 1 + i * 31 % 60000)
        for i in range(count)
    ]


def exact_match(flow, priority=100):
    """The rule that matches all of an IPv4 flow's 5-tuple."""
    return Rule(priority, pack(flow), (1 << 104) - 1)


def exact_rules(count):
    """An exact 5-tuple rule for each of these flows."""
    return [exact_match(flow) for flow in exact_flows(count)]


def idle_rules(count):
    """Exact 5-tuple rules like those of the traffic, but that no packet hits."""
    return [exact_match(Flow(0xAC100000 + i, 0x0B000000 + i, 1024 + i % 50_000, 53)) for i in range(count)]


def exact(count, group="rule") -> Callable[[int], Workload]:
    def make(_):
        rules = exact_rules(count)
        return Workload(exact_flows(count), rules, rules, group=group)

    return make


def one_port(_):
    """One rule on the ingress port, one flow."""
    return Workload(exact_flows(1), texts=[f"priority=100,in_port=1,{OUTPUT}"])


def through_functions(count):
    """A rule to each network function of a chain and one from the last of them, 1,000 flows."""
    ways = pairwise((1, *range(FUNCTION, FUNCTION + count), 2))
    texts = [f"priority=100,in_port={one},actions=output:{other}" for one, other in ways]
    return lambda _: Workload(exact_flows(1000), texts=texts)


# Of 1,000 routes, how many have which length: as in the Internet's table, where half to two thirds are /24.
IPV4_LENGTHS = {24: 590, 23: 98, 22: 107, 21: 49, 20: 43, 19: 25, 18: 14, 17: 8, 16: 14} | {
    15: 2, 14: 2, 13: 1, 12: 1, 11: 1, 10: 1, 9: 1, 8: 1
}  # fmt: skip
IPV6_LENGTHS = {48: 460, 44: 110, 40: 100, 36: 50, 32: 130, 46: 40, 47: 30, 42: 20, 45: 10, 56: 20, 64: 30}
# How many of the routes lie within a shorter one.
NESTED = 0.5


def prefixes(version) -> Callable[[int], Workload]:
    """10,000 routes and a default route; the longer prefix has the higher priority. 100,000 flows."""
    lengths = IPV4_LENGTHS if version == 4 else IPV6_LENGTHS
    bits = address_bits(version)
    # 1.0.0.0 to 223.255.255.255; 2000::/3
    lowest, highest = (1 << 24, (224 << 24) - 1) if version == 4 else (1 << 125, (1 << 126) - 1)
    protocol_and_ports = 40
    # Some are drawn in vain: longer ones that are drawn later leave no addresses for them.
    spare = 500

    def make(seed):
        randomness = random.Random(seed)
        sorted_lengths = sorted(randomness.choices(list(lengths), lengths.values(), k=ROUTES + spare))
        routes, shorter = {}, []
        for length in sorted_lengths:
            while True:
                network = randomness.randint(lowest, highest)
                if shorter and randomness.random() < NESTED:
                    parent, parent_length = randomness.choice(shorter)
                    if parent_length < length:
                        network = parent | network & ~prefix_mask(parent_length, bits)
                network &= prefix_mask(length, bits)
                if (network, length) not in routes:
                    break
            value, mask = network << protocol_and_ports, prefix_mask(length, bits) << protocol_and_ports
            routes[network, length] = Rule(length, value, mask, version)
            shorter.append((network, length))
        drawn = any_bits(randomness, version)
        kept = randomness.sample(reachable(list(routes.values()), drawn), ROUTES)
        return hit_all([*kept, Rule(1, 0, 0, version)], FLOWS, drawn)

    return make
