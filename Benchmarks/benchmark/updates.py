"""Rows that change many rules at once under traffic: what rate is kept meanwhile, and how long packets may have waited."""

import json
import threading
import time
from dataclasses import dataclass, replace
from typing import Callable

from . import messages
from .contestants import complete
from .measure import take_sample, take_window
from .openflow import OpenFlowSwitch
from .processes import Invalid, run as run_program
from .ringway import Ringway
from .rules import idle_rules
from .shares import Kept, Share
from .switches import BareLoop

COOKIE = 7
# Seconds after which rules that are to expire do so.
EXPIRY = 20
# Packets shall not wait longer than this for a change, in seconds.
LONGEST_WAIT = 50e-6


def add_bundle(_):
    return messages.bundle([messages.flow_mod(rule) for rule in idle_rules(100_000)])


def modify_bundle(workload):
    """Modifies rules that packets hit all the time; they say the same afterwards."""
    return messages.bundle([messages.flow_mod(rule, messages.MODIFY_STRICT) for rule in workload.rules[:10_000]])


def grow(_):
    return messages.flow_mods(idle_rules(1_000_000))


def delete(_):
    return messages.delete_all(COOKIE) + messages.barrier()


def nothing(_):
    return messages.barrier()


def add(hard_timeout=0):
    def make():
        mods = (messages.flow_mod(rule, cookie=COOKIE, hard_timeout=hard_timeout) for rule in idle_rules(100_000))
        return b"".join(mods) + messages.barrier()

    return make


def turns(switch):
    """Of the turns of Ringway's polling loop in which there was something to do, how many took how long at most (seconds)."""
    if not isinstance(switch, Ringway):
        return {}
    command = (switch.executable(), "show", "workers", "--json", "--socket", switch.directory / "bench.ctl")
    worker = json.loads(run_program(*command))["result"][0]
    return {step.get("seconds", float("inf")): step["count"] for step in worker["steps"]}


def long_turns(before, after):
    """What a report says of the turns between."""
    longer = {most: after[most] - before[most] for most in after if most > 2 * LONGEST_WAIT}
    between = {most: count for most, count in longer.items() if count}
    if not between:
        return "none"
    return ", ".join(f"{count} of up to {most * 1e6:,.0f} µs" for most, count in between.items())


@dataclass(frozen=True)
class Update(Kept):
    """A row that measures a rate, and then another while rules change."""

    prepare: Callable | None = None  # makes messages that are sent first
    change: Callable = nothing  # makes those that the second rate is measured during, of the workload
    left: int = 0  # rules that are there more at the end
    wait: float = 0  # seconds from the preparation to the change

    def setup(self, run, workload, feed):
        setup = super().setup(run, workload, feed)
        return replace(setup, flow_limit=setup.flow_limit + max(self.left, 100_000))

    def take(self, run, switch, feed, workload):
        # Made before anything is measured.
        prepare, change = self.prepare and self.prepare(), self.change(workload)
        with feed.into(switch):
            self.pause(run, switch)
            if not isinstance(switch, OpenFlowSwitch):
                return Share(take_sample(switch, run.window), take_sample(switch, run.window))
            rules = switch.aggregate(table=0)[1]
            begin = time.monotonic()
            if prepare:
                switch.send(prepare)
            counted = turns(switch)
            steady = take_window(switch, run.window)
            quiet = long_turns(counted, turns(switch))
            time.sleep(max(0.0, begin + self.wait - time.monotonic()))
            if self.wait and switch.aggregate(table=0)[1] == rules:
                raise Invalid(f"{switch.name}: the rules have expired before the window")
            counted = turns(switch)
            disturbed, seconds = self.take_changing(run, switch, change)
            changing = long_turns(counted, turns(switch))
            self.check(switch, rules + self.left)
            if counted:
                run.remark(
                    self.name,
                    switch.name,
                    f"the change took {seconds:.2f} s; turns of the loop of more than {LONGEST_WAIT * 1e6:.0f} µs: "
                    f"{changing} in the window with the change, {quiet} in one before",
                )
            return Share(steady, disturbed)

    @staticmethod
    def take_changing(run, switch, change):
        """The rate of a window in which the change is made, and the seconds that the change took."""
        seconds = []
        thread = threading.Thread(target=lambda: seconds.append(switch.send(change)), daemon=True)
        thread.start()
        sample = take_window(switch, run.window, lossless=False)
        thread.join(timeout=120)
        if not seconds:
            raise Invalid(f"{switch.name}: the change failed, or is not answered after two minutes")
        return sample, seconds[0]

    @staticmethod
    def check(switch, rules):
        """Waits until there are as many rules as there should be: what expires does so at its time."""
        deadline = time.monotonic() + 10
        while (held := switch.aggregate(table=0)[1]) != rules:
            if time.monotonic() > deadline:
                raise Invalid(f"{switch.name}: {held} rules are there, not {rules}")
            time.sleep(0.5)

    def body(self, run, name, samples):
        valid = complete(samples)
        valid.pop(BareLoop.name, None)
        return super().body(run, name, valid) if valid else "No valid round.\n"
