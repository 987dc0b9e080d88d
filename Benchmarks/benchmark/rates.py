"""Rows that compare the rate of packets through each switch."""

import time
from dataclasses import dataclass
from typing import Callable

from . import report
from .contestants import best_rival, compare, complete
from .feeds import Pcap
from .measure import take_sample, take_window
from .messages import flow_mods
from .openvswitch import OpenVSwitch
from .ringway import Ringway
from .rules import Workload
from .runs import Target
from .switches import BareLoop, Setup

# More rules than this are sent as messages: reading them as text takes ovs-ofctl too long.
MANY_RULES = 200_000
# A rate that grows by less than this factor in 3 s is steady.
STEADY = 1.05
# Mpps: less than this, and a switch does something else than forward.
HARDLY = 0.1


@dataclass(frozen=True)
class Rate:
    """A row that compares the rate of packets through each switch."""

    name: str
    title: str
    workload: Callable[[int], Workload]
    target: Target | None = None
    settle: float = 3
    ovs_settle: float = 3
    seeded: bool = False
    feed: Callable = Pcap

    def measure(self, run):
        return "".join(self.measure_seed(run, seed) for seed in (run.seeds if self.seeded else (1,)))

    def measure_seed(self, run, seed):
        name = self.name if seed == 1 else f"{self.name}, seed {seed}"
        workload = self.workload(seed)
        if run.order == "zipf":
            # Most flows come hardly ever.
            workload = workload._replace(group="none")
        run.say(f"{name}: {workload.size:,} rules, {len(workload.flows):,} flows")
        feed = self.feed(run, self.name, workload, seed)
        setup = self.setup(run, workload, feed)

        try:
            samples = compare(run, name, lambda switch: self.take(run, switch, feed, workload), setup)
        finally:
            feed.close()
        return report.section(
            f"{name}: {self.title}", self.explanation(run, workload, feed), self.body(run, name, samples)
        )

    def setup(self, run, workload, feed):
        more = {"flow_limit": max(Setup.flow_limit, workload.size + 10_000), "sockets": feed.sockets}
        if workload.size > MANY_RULES:
            return Setup(feed.sources, feed.sink, messages=flow_mods(workload.rules), **more)
        rules = run.directory / f"{self.name}.rules"
        rules.write_text("\n".join(workload.lines) + "\n", encoding="ascii")
        return Setup(feed.sources, feed.sink, rules, **more)

    def pause(self, run, switch):
        """Before a measurement, for the switch to fill its caches: as long as the row says, and for Open vSwitch then until
        it has become steady, a minute at most."""
        if run.settle is not None or not isinstance(switch, OpenVSwitch):
            time.sleep(self.settle if run.settle is None else run.settle)
            return
        time.sleep(self.ovs_settle)
        before = 0
        for _ in range(20):
            rate = take_window(switch, 3, lossless=False).rate
            if rate < before * STEADY:
                return
            before = rate
        run.remark(self.name, switch.name, f"a minute after the usual pause its rate still grows: {before:.2f} Mpps")

    def take(self, run, switch, feed, workload):
        with feed.into(switch):
            self.pause(run, switch)
            return take_sample(switch, run.window, workload, partner=feed.process)

    @staticmethod
    def explanation(run, workload, feed):
        return (
            f"{workload.size:,} rules, {len(workload.flows):,} flows, frames of {feed.size} B{feed.order}; "
            f"rounds: {run.rounds}, in each of which every switch is started anew and measured over {run.window:g} s. "
            "Median [first to third quartile]. *Per core* is by the time that the polling thread had the core, and so "
            "are the ratios, each within a round."
        )

    def body(self, run, name, samples):
        """The table, and what it means; a round counts where all switches in it are valid."""
        valid = complete(samples)
        if not valid:
            return "No valid round.\n"
        rates = {switch: [sample.per_core for sample in taken] for switch, taken in valid.items()}
        best = best_rival(rates)
        lines = []
        for switch, values in rates.items():
            taken = valid[switch]
            disturbed = sum(sample.disturbed for sample in taken)
            lines.append(
                (
                    switch,
                    report.spread([sample.rate for sample in taken], 2),
                    report.spread(values, 2),
                    report.ratio(values, rates.get(best)),
                    report.ratio(values, rates.get(BareLoop.name)),
                    f"{min(sample.core_share for sample in taken):.1%}",
                    f"{max(sample.steal for sample in taken):.1%}",
                    f"{disturbed} of {len(taken)}" if disturbed else "none",
                )
            )
        header = ("switch", "Mpps", "Mpps per core", f"to {best or OpenVSwitch.name}", "to the bare loop")
        text = report.table((*header, "least core share", "most steal", "disturbed"), lines)
        if best and report.median(rates[best]) < HARDLY:
            run.remark(
                name,
                best,
                "forwards hardly anything, as its cache of flows does not settle: a ratio to that says little",
            )
        if best and Ringway.name in rates:
            text += run.judge(name, self.title, report.median_ratio(rates[Ringway.name], rates[best]), self.target)
        return text
