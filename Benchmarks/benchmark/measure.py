"""One sample of a rate: how it is taken, and what makes it invalid."""

import time
from collections import Counter
from itertools import pairwise
from typing import NamedTuple

from .machine import CoreTimes
from .openflow import OpenFlowSwitch
from .processes import Invalid, Threads
from .switches import Switch

# The part of the packets received in a window that may be under way at its ends.
IN_FLIGHT = 0.001
# And besides, in packets: a ring of them, at low rates.
BURSTS = 1024
# What part of the packets that a group of rules should have counted it must have. Open vSwitch counts in arrears, and
# reading the counters of many rules takes a while.
LEAST_HIT = 0.1
MEANT = 50
# Less of the core's time than this, or more of it given to other guests, and the sample is disturbed: taken again.
FULL_CORE = 0.98
MUCH_STEAL = 0.01
# The generator and the network function share their core with all that controls.
FULL_PARTNER = 0.95
ATTEMPTS = 3


class Sample(NamedTuple):
    """What one window told."""

    rate: float  # Mpps out of port 2
    core_share: float  # of the polling core, by the polling thread
    steal: float  # of the polling core, by the hypervisor
    partner_share: float = 1.0  # of the control core, by the generator or the network function

    @property
    def per_core(self):
        """Mpps for each second that the polling thread had the core: what comparisons are made by."""
        return self.rate / self.core_share

    @property
    def disturbed(self):
        return self.core_share < FULL_CORE or self.partner_share < FULL_PARTNER or self.steal > MUCH_STEAL

    def __str__(self):
        words = [f"{self.core_share:.0%} of the core"]
        if self.partner_share < FULL_PARTNER:
            words.append(f"{self.partner_share:.0%} of the other one for what is at the other end")
        if self.disturbed:
            words.append("disturbed")
        return f"{self.rate:.2f} Mpps ({', '.join(words)})"


def take_sample(switch: Switch, window, workload=None, lossless=True, partner=None) -> Sample:
    """The least disturbed of up to ATTEMPTS windows. With a workload it is checked that its rules were hit as it says;
    unless `lossless` is false, that no packet was lost."""
    checked = workload is not None and isinstance(switch, OpenFlowSwitch)
    before = hits(switch, workload) if checked else None
    samples = []
    for _ in range(ATTEMPTS):
        samples.append(take_window(switch, window, lossless, partner))
        if not samples[-1].disturbed:
            break
    if checked:
        check_rules(switch, workload, before)
    return max(samples, key=lambda sample: sample.core_share + sample.partner_share - sample.steal)


def take_window(switch: Switch, window, lossless=True, partner=None) -> Sample:
    """`partner`: the process on the control core, if there is one: the generator, or the network function."""
    cores, threads = [CoreTimes(core) for core in switch.setup.cores], Threads(switch.pid)
    others = Threads(partner.pid) if partner else None
    before = switch.counts()
    time.sleep(window)
    after = switch.counts()
    partner_share = min(1.0, max(others.shares().values())) if others else 1.0
    shares, steal = threads.shares(), max(core.steal() for core in cores)
    switch.process.require_alive()
    if partner:
        partner.require_alive()

    seconds = after.time - before.time
    way = [later - earlier for earlier, later in zip(before.way, after.way)]
    received, sent = way[0], way[-1]
    if after.sink_received:
        raise Invalid(f"the sink received {after.sink_received} packets: it floods the switch")
    if not sent:
        raise Invalid(f"no packet left in {seconds:.1f} s ({received} came in)")
    if lossless:
        check_losses(way)
    polling = []
    for core in cores:
        pinned = threads.pinned_to(core.core)
        if not pinned:
            raise Invalid(f"no thread is pinned to core {core.core}")
        polling.append(max(shares.get(thread, 0) for thread in pinned))
    # Ticks of 10 ms make it a little more than all of the core at times.
    core_share = min(1.0, *polling)
    return Sample(sent / seconds / 1e6, core_share, steal, partner_share)


def check_losses(way):
    """`way`: packets at each port that they go through. All that came in has left; where there is a network function, to which
    only as many go as it has room for, all that it was given. Between the functions of a chain there may be losses again."""
    slack = IN_FLIGHT * way[0] + BURSTS
    if any(later > earlier + slack for earlier, later in pairwise(way)):
        raise Invalid(f"packets came from nowhere: {', '.join(map(str, way))} from port to port")
    given = way[1:] if len(way) > 2 else way
    if len(way) <= 4 and any(earlier > later + slack for earlier, later in pairwise(given)):
        raise Invalid(f"{given[0]} packets came in and {given[-1]} left: some were dropped, or missed the rules")


def hits(switch: OpenFlowSwitch, workload):
    return {} if workload.group == "none" else switch.packets_by(workload.group)


def expected(workload, group):
    """The part of the packets that each key of `OpenFlowSwitch.packets_by` should have counted; None: all alike."""
    if group != "priority":
        return None
    flows = Counter(home.priority for home in workload.homes)
    return {priority: number / len(workload.flows) for priority, number in flows.items()}


def check_rules(switch: OpenFlowSwitch, workload, before, seconds=20):
    """Every packet that left was counted by a rule of table 0, and all groups of rules were hit since `before`."""
    sent = switch.counts().sent
    # Open vSwitch brings its flow counters up to date now and then.
    deadline = time.monotonic() + seconds
    while (counted := switch.aggregate(table=0)[0]) < sent:
        if time.monotonic() > deadline:
            raise Invalid(f"{sent} packets left, but the rules counted {counted}: not all hit the intended rules")
        time.sleep(0.2)
    if workload.group == "none":
        return
    after = hits(switch, workload)
    counts = {group: after[group] - before.get(group, 0) for group in after}
    total, parts = sum(counts.values()), expected(workload, workload.group)
    for group, packets in counts.items():
        part = parts[group] if parts else 1 / len(counts)
        # Of few packets, some groups get none by chance.
        if part * total > MEANT and packets < LEAST_HIT * part * total:
            what = f"{packets} packets of {total}, {part * total:.0f} were to"
            raise Invalid(f"the rules are hit otherwise than intended: {workload.group} {group} by {what}")
