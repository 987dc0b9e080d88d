"""The rows of the benchmark, with what they are to reach."""

from functools import partial

from . import acl, rules, updates
from .barriers import TrueBarriers
from .churn import churn
from .control import AddFlows, DumpFlows, FlowMods
from .feeds import Pcap
from .functions import LatencyThroughFunction, ThroughFunction
from .generator import Generator
from .latency import Latency
from .memory import Memory
from .pipeline import pipeline
from .rates import Rate
from .resources import Build, Idle
from .runs import Target
from .scaling import Scaling
from .shares import Kept

# Open vSwitch fills its cache of flows slowly.
SLOW = {"settle": 5, "ovs_settle": 45}


def by_classbench(kind, count):
    short = f"{count // 1000}k"
    title = f"{count:,} filters as of ClassBench, {kind}, 100,000 flows"
    return Rate(f"B6b-{kind}-{short}", title, acl.classbench(kind, count), Target(5), seeded=True, **SLOW)


def by_function(name, title, target=None, size=64, **options):
    if size != 64:
        name, title = f"{name}-{size}", f"{title}, frames of {size} B"
    workload = rules.through_functions(1)
    return ThroughFunction(name, title, workload, target, ovs_settle=10, feed=partial(Pcap, size=size), **options)


def by_chain(length, floor):
    return ThroughFunction(
        f"B13-{length}",
        f"NIC, {length} functions, NIC",
        rules.through_functions(length),
        Target(floor),
        ovs_settle=10,
        functions=length,
    )


def by_pipeline(short, count, floor, aim):
    settle = SLOW if count > 10_000 else {"settle": 3, "ovs_settle": 10}
    return Rate(f"B7-{short}", f"six tables, {count:,} flows", pipeline(count), Target(floor, aim), **settle)


UNIFORM = partial(Generator, order="uniform")
PERCENT = {"unit": "%"}


def by_new_flows(number, workload):
    """B11: the rules of that row, from a generator that then sends nothing but new flows."""
    title = f"every packet of a new flow, against the rules of B{number}"
    options = {"feed": UNIFORM, "meanwhile": "new flows", **SLOW}
    return Kept(f"B11-B{number}", title, workload, Target(80, 90, **PERCENT), **options)


FUNCTIONS = [
    by_function("B12", "NIC, function, NIC", Target(3.5, 5)),
    by_function("B12", "NIC, function, NIC", Target(2.2, 4), size=1518),
    *(by_function("B12", "NIC, function, NIC", size=size) for size in (128, 256, 512, 1024)),
    *(
        by_function(f"B12-{how}", f"NIC, function, NIC, {title}", size=size, attachment=how)
        for how, title in (("copied", "in another trust group than the NICs"), ("vhost", "by vhost-user"))
        for size in (64, 1518)
    ),
    by_chain(2, 3),
    by_chain(5, 5),
]
# With 1,000 flows, which Open vSwitch has all in its cache: this is about forwarding.
LATENCY = Latency(
    "B14",
    "latency at half load, rules and flows of B2",
    rules.exact(1000, "none"),
    Target(0.33, more_is_better=False),
    ovs_settle=10,
    feed=partial(Generator, order="uniform", returned=True),
)
LATENCY_THROUGH_FUNCTION = LatencyThroughFunction(
    "B14-function",
    "latency at half load through a network function",
    rules.through_functions(1),
    Target(0.33, more_is_better=False),
    ovs_settle=10,
    feed=partial(Generator, order="uniform", returned=True),
)
SCALING = Scaling("B15", "one and two polling cores, rules and flows of B2", rules.exact(1000), Target(95, **PERCENT))
CHURN = Kept(
    "B9",
    "10,000 flow-mods a second during B3",
    rules.exact(100_000, "none"),
    Target(90, 95, **PERCENT),
    meanwhile="with flow-mods",
    disturbance=churn,
    **SLOW,
)



def by_update(name, title, **options):
    """A change of many rules during B3, all at once."""
    options = {"meanwhile": "with the change", "settle": 3, "ovs_settle": 45} | options
    return updates.Update(name, title, rules.exact(100_000, "none"), Target(90, 95, **PERCENT), **options)


UPDATES = [
    by_update(
        "U-bundle", "a bundle of 100,000 new rules during B3", change=updates.add_bundle, left=100_000
    ),
    by_update("U-modify", "a bundle that modifies 10,000 rules in use during B3", change=updates.modify_bundle),
    by_update("U-growth", "a million new rules during B3", change=updates.grow, left=1_000_000),
    by_update("U-delete", "100,000 rules deleted by one message during B3", prepare=updates.add(), change=updates.delete),
    by_update(
        "U-expiry",
        "100,000 rules that time out at once during B3",
        prepare=updates.add(updates.EXPIRY),
        wait=updates.EXPIRY - 1.5,
    ),
]

ALL = [
    Rate("B1", "one rule on in_port, 1 flow", rules.one_port, Target(1.7, 2.2)),
    Rate("B2", "1,000 exact 5-tuple rules, 1,000 flows", rules.exact(1000), Target(3, 4)),
    Rate("B3", "100,000 exact 5-tuple rules and flows", rules.exact(100_000), Target(6, 9), **SLOW),
    Rate(
        "B4",
        "1,000,000 exact 5-tuple rules and flows",
        rules.exact(1_000_000, "none"),
        Target(8, 10),
        feed=UNIFORM,
        **SLOW,
    ),
    Rate("B5", "10,000 IPv4 prefixes, 100,000 flows", rules.prefixes(4), Target(8, 11), seeded=True, **SLOW),
    Rate("B5v6", "10,000 IPv6 prefixes, 100,000 flows", rules.prefixes(6), Target(8, 11), seeded=True, **SLOW),
    Rate("B6", "1,000 masked ACL rules, 100,000 flows", acl.masked, Target(3, 5), seeded=True, **SLOW),
    *(by_classbench(kind, count) for kind in acl.SHAPES for count in (1000, 10_000)),
    by_pipeline("100", 100, 1.2, 1.5),
    by_pipeline("10k", 10_000, 3, 4),
    by_pipeline("100k", 100_000, 8, 10),
    CHURN,
    TrueBarriers(),
    *UPDATES,
    *(by_new_flows(*row) for row in ((3, rules.exact(100_000, "none")), (5, rules.prefixes(4)), (6, acl.masked))),
    *FUNCTIONS,
    LATENCY,
    LATENCY_THROUGH_FUNCTION,
    SCALING,
    Memory(),
    AddFlows(),
    DumpFlows(),
    FlowMods(),
    Idle(),
    Build(),
]
ROWS = {row.name: row for row in ALL}
# The others take minutes a round: by name only, or all.
USUAL_ROWS = ["B1", "B2", "add-flows", "dump-flows", "B8", "idle", "build"]


def named(word):
    """The rows of that name, or whose names begin with it and a hyphen; none if there is none."""
    return [word] if word in ROWS else [name for name in ROWS if name.startswith(word + "-")]
