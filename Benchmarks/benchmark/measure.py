"""One sample of a rate: how it is taken, and what makes it invalid."""

import time
from typing import NamedTuple

from .machine import CoreTimes
from .processes import Invalid, Threads
from .switches import OpenFlowSwitch, Switch

# The part of the packets received in a window that may be under way at its ends.
IN_FLIGHT = 0.001
# How unevenly the rules may be hit. Each is by the same number of packets, but Open vSwitch counts in arrears, and
# reading the counters of many rules takes a while.
LEAST_HIT = 0.1
# Less of the core's time than this, or more of it given to other guests, and the sample is disturbed: taken again.
FULL_CORE = 0.98
MUCH_STEAL = 0.01
ATTEMPTS = 3


class Sample(NamedTuple):
    """What one window told."""

    rate: float  # Mpps out of port 2
    core_share: float  # of the polling core, by the polling thread
    steal: float  # of the polling core, by the hypervisor

    @property
    def per_core(self):
        """Mpps for each second that the polling thread had the core: what comparisons are made by."""
        return self.rate / self.core_share

    @property
    def disturbed(self):
        return self.core_share < FULL_CORE or self.steal > MUCH_STEAL


def take_sample(switch: Switch, window) -> Sample:
    """The least disturbed of up to ATTEMPTS windows."""
    rules = switch.packets_by_rule() if isinstance(switch, OpenFlowSwitch) else None
    samples = []
    for _ in range(ATTEMPTS):
        samples.append(take_window(switch, window))
        if not samples[-1].disturbed:
            break
    if rules is not None:
        check_rules(switch, rules)
    return max(samples, key=lambda sample: sample.core_share - sample.steal)


def take_window(switch: Switch, window) -> Sample:
    core, threads = CoreTimes(switch.core), Threads(switch.pid)
    before = switch.counts()
    time.sleep(window)
    after = switch.counts()
    shares, steal = threads.shares(), core.steal()
    switch.process.require_alive()

    seconds = after.time - before.time
    received, sent = after.received - before.received, after.sent - before.sent
    if after.sink_received:
        raise Invalid(f"the sink received {after.sink_received} packets: it floods the switch")
    if not sent:
        raise Invalid(f"no packet left in {seconds:.1f} s ({received} came in)")
    if abs(received - sent) > IN_FLIGHT * received:
        raise Invalid(f"{received} packets came in and {sent} left: some were dropped, or missed the rules")
    polling = max(shares, key=shares.get)
    # Ticks of 10 ms make it a little more than all of the core at times.
    core_share = min(1.0, shares[polling])
    if polling not in threads.pinned_to(switch.core):
        raise Invalid(f"the busiest thread ({polling}) is not pinned to core {switch.core}")
    return Sample(sent / seconds / 1e6, core_share, steal)


def check_rules(switch: OpenFlowSwitch, before, seconds=20):
    """Every packet that left was counted by a rule, and every rule was hit since it had counted what `before` says."""
    sent = switch.counts().sent
    # Open vSwitch brings its flow counters up to date now and then.
    deadline = time.monotonic() + seconds
    while (counted := switch.aggregate()[0]) < sent:
        if time.monotonic() > deadline:
            raise Invalid(f"{sent} packets left, but the rules counted {counted}: not all hit the intended rules")
        time.sleep(0.2)
    hits = [packets - before.get(rule, 0) for rule, packets in switch.packets_by_rule().items()]
    mean = sum(hits) / len(hits)
    if min(hits) < LEAST_HIT * mean:
        raise Invalid(f"the rules are hit unevenly: {min(hits)} to {max(hits)} packets, {mean:.0f} in the mean")
