"""Rows that measure the control channel: how long rules take."""

import os
import shutil
import statistics
import time

from . import report
from .machine import CONTROL_CORE, WORKER_CORE, HugePages
from .messages import flow_mods
from .openvswitch import OpenVSwitch
from .processes import Invalid, Threads
from .ringway import Ringway
from .rules import exact_rules
from .runs import HUGE_MEGABYTES, Target
from .switches import ALL_CORES, Setup

RULES = 100_000


class AddFlows:
    """How long `ovs-ofctl add-flows` takes, which waits for a barrier after each rule; no traffic."""

    name = "add-flows"
    title = f"{RULES:,} rules, a barrier after each"
    explanation = "`ovs-ofctl add-flows` over the management socket, into an empty table"
    target = None

    def take(self, switch, rules):
        """Does what is timed; returns the seconds that it took."""
        return switch.push(rules)

    def measure(self, run):
        rules = run.directory / f"{self.name}.rules"
        rules.write_text("\n".join(map(str, exact_rules(RULES))) + "\n", encoding="ascii")
        contestants = [
            lambda: Ringway(run.place("ringway"), Setup()),
            lambda: Ringway(run.place("ringway"), Setup(), idle="adaptive"),
            lambda: OpenVSwitch(run.place("ovs"), Setup()),
        ]
        seconds = {}
        with HugePages(HUGE_MEGABYTES):
            for number in range(1, run.rounds + 1):
                for make in contestants:
                    switch = make()
                    taken = seconds.setdefault(switch.name, [])
                    try:
                        with switch:
                            time.sleep(1)
                            threads = Threads(switch.pid)
                            elapsed = self.take(switch, rules)
                            share = max(threads.shares()[thread] for thread in threads.pinned_to(WORKER_CORE))
                            if (held := switch.aggregate()[1]) != RULES:
                                raise Invalid(f"{held} rules are there, {RULES} were added")
                    except Invalid as reason:
                        run.refuse(self.name, f"{switch.name}, round {number}", reason)
                        taken.append(None)
                    else:
                        taken.append((elapsed, share))
                        figure = f"{elapsed:.2f} s ({share:.0%} of the core)"
                        run.say(f"{self.name}, round {number}: {switch.name}: {figure}")
                    shutil.rmtree(switch.directory, ignore_errors=True)
        return report.section(
            f"{self.name}: {self.title}",
            f"{self.explanation}, on core {CONTROL_CORE}; rounds: {run.rounds}.",
            self.body(run, seconds),
        )

    def body(self, run, seconds):
        complete = [number for number, all_of in enumerate(zip(*seconds.values())) if None not in all_of]
        if not complete:
            return "No valid round.\n"
        valid = {name: [taken[number][0] for number in complete] for name, taken in seconds.items()}
        rival = valid[OpenVSwitch.name]
        lines = [
            (
                name,
                report.spread(taken, 2),
                f"{RULES / statistics.median(taken):,.0f}",
                report.ratio(taken, rival),
                f"{min(seconds[name][number][1] for number in complete):.1%}",
            )
            for name, taken in valid.items()
        ]
        header = ("switch", "seconds", "rules/s", "time, to Open vSwitch", "least core share of the polling thread")
        text = report.table(header, lines)
        return text + run.judge(self.name, self.title, statistics.median(valid[Ringway.name]), self.target)


class DumpFlows(AddFlows):
    """How long `ovs-ofctl dump-flows` takes, with what it prints itself; no traffic."""

    name = "dump-flows"
    title = f"{RULES:,} rules"
    explanation = "`ovs-ofctl dump-flows` over the management socket, its output included"

    def take(self, switch, rules):
        switch.push(rules)
        return switch.dump()


class FlowMods(AddFlows):
    """How long 100,000 flow-mods take that somebody has encoded before, with one barrier behind them; no traffic."""

    name = "B8"
    title = f"{RULES:,} exact 5-tuple flow-mods over TCP, then a barrier"
    explanation = "From the first byte sent to the barrier's reply, into an empty table"
    target = Target(0.4, 0.2, "s", more_is_better=False)
    messages = b""

    def measure(self, run):
        self.messages = flow_mods(exact_rules(RULES))
        return super().measure(run)

    def take(self, switch, rules):
        # The client shares its core with the control side, as ovs-ofctl does in the other rows.
        os.sched_setaffinity(0, {CONTROL_CORE})
        try:
            return switch.send(self.messages)
        finally:
            os.sched_setaffinity(0, ALL_CORES)
