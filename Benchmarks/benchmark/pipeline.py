"""Six tables, as a virtual network has: port security, VLAN, L2, ACL, L3, egress. Packets hit a rule in each."""

import random
from typing import Callable

from .packets import TCP, UDP, Flow
from .rules import Workload

PORT_SECURITY, VLAN, L2, ACL, L3, EGRESS = range(6)
VLANS = range(100, 116)
HOSTS = 2000
ROUTES = 1000
ACL_RULES = 200
NEXT_HOPS = 16
ROUTER = 0x02FE00000000


def mac(number):
    return number.to_bytes(6, "big").hex(":")


def ipv4(number):
    return ".".join(str(byte) for byte in number.to_bytes(4, "big"))


def host(number):
    """(VLAN, Ethernet address, IPv4 address) of a host: a /20 for each VLAN."""
    vlan = number % len(VLANS)
    return VLANS[vlan], 0x020A00000000 + number, (10 << 24) + (vlan << 12) + 10 + number // len(VLANS)


def route(number):
    """(network, next hop): a /24 each."""
    return (100 << 24) + (number << 8), number % NEXT_HOPS


def rules(randomness):
    """Lines for ovs-ofctl; what the ACL denies is what no flow is made of, TCP to ports below 1,024 but 80 and 443."""
    lines = []
    for number in range(HOSTS):
        vlan, address, source = host(number)
        match = f"in_port=1,dl_vlan={vlan},dl_src={mac(address)},ip,nw_src={ipv4(source)}"
        lines.append(f"table={PORT_SECURITY},priority=100,{match},actions=goto_table:{VLAN}")
    for vlan in VLANS:
        lines.append(
            f"table={VLAN},priority=100,in_port=1,dl_vlan={vlan},actions=write_metadata:{vlan},goto_table:{L2}"
        )
        router = f"dl_vlan={vlan},dl_dst={mac(ROUTER + vlan)}"
        lines.append(f"table={L2},priority=100,{router},actions=goto_table:{ACL}")
    for number in range(ACL_RULES):
        vlan, prefix = randomness.choice(VLANS), randomness.choice((16, 20, 24))
        network = route(randomness.randrange(ROUTES))[0] & 0xFFFFFFFF << 32 - prefix
        port = randomness.choice((22, 23, 25, 110, 139, 445))
        match = f"metadata={vlan},tcp,nw_dst={ipv4(network)}/{prefix},tp_dst={port}"
        lines.append(f"table={ACL},priority={1000 - number},{match},actions=drop")
    for match in ("tcp,tp_dst=80", "tcp,tp_dst=443", "udp", "icmp"):
        lines.append(f"table={ACL},priority=100,{match},actions=goto_table:{L3}")
    for number in range(ROUTES):
        network, hop = route(number)
        rewrite = (
            f"dec_ttl,set_field:{mac(ROUTER + 0x10000 + hop)}->eth_src,set_field:{mac(ROUTER + 0x20000 + hop)}->eth_dst"
        )
        change = f"{rewrite},set_field:{4096 + 200 + hop}->vlan_vid,goto_table:{EGRESS}"
        lines.append(f"table={L3},priority=24,vlan_tci=0x1000/0x1000,ip,nw_dst={ipv4(network)}/24,actions={change}")
    for hop in range(NEXT_HOPS):
        lines.append(f"table={EGRESS},priority=100,dl_vlan={200 + hop},actions=pop_vlan,output:2")
    return lines


def flow(randomness):
    vlan, address, source = host(randomness.randrange(HOSTS))
    network, _ = route(randomness.randrange(ROUTES))
    protocol, port = randomness.choice(((TCP, 80), (TCP, 443), (UDP, 53), (UDP, randomness.randint(1024, 0xFFFF))))
    destination = network + randomness.randint(1, 254)
    source_port = randomness.randint(1024, 0xFFFF)
    return Flow(source, destination, source_port, port, protocol, 4, vlan, address, ROUTER + vlan)


def pipeline(count) -> Callable[[int], Workload]:
    """These tables and `count` flows."""

    def make(seed):
        randomness = random.Random(seed)
        lines, flows = rules(randomness), {}
        while len(flows) < count:
            flows[flow(randomness)] = None
        return Workload(list(flows), texts=lines, group="table")

    return make
