"""Rows that measure how long packets are under way."""

import time
from dataclasses import dataclass
from typing import NamedTuple

from . import report
from .contestants import best_rival, compare, complete
from .measure import take_window
from .openvswitch import OpenVSwitch
from .processes import Invalid
from .rates import Rate
from .ringway import Ringway

# The generator's core has other work too: what it could not send in time it leaves out.
LEAST_OFFERED = 0.9


class Delay(NamedTuple):
    """Of the packets of a window, in µs; from before they are sent to after they are received, in the generator."""

    median: float
    p99: float
    p999: float
    most: float
    received: float  # Mpps
    uncounted: float  # of the packets, those that waited because the generator itself did not run

    def __str__(self):
        return f"{self.median:.1f} µs, p99 {self.p99:.1f}, p99.9 {self.p999:.1f} ({self.received:.2f} Mpps)"


@dataclass(frozen=True)
class Latency(Rate):
    """Latency at half of the rate that the better Open vSwitch can do, the same for all."""

    def measure_seed(self, run, seed):
        workload = self.workload(seed)
        feed = self.feed(run, self.name, workload, seed)
        setup = self.setup(run, workload, feed)

        def most(switch):
            with feed.into(switch):
                self.pause(run, switch)
                return take_window(switch, run.window, lossless=False).rate

        def delay(switch):
            with feed.into(switch):
                self.pause(run, switch)
                feed.pace(offered * 1e6)
                time.sleep(2)
                feed.reset()
                before = switch.counts()
                time.sleep(run.window)
                packets, median, p99, p999, longest, uncounted = feed.latency()
                after = switch.counts()
                rate = (after.sent - before.sent) / (after.time - before.time) / 1e6
                if not packets or rate < LEAST_OFFERED * offered:
                    raise Invalid(
                        f"{packets} packets came back, {rate:.2f} Mpps of the {offered:.2f} that were to be sent"
                    )
                return Delay(median, p99, p999, longest, rate, uncounted / (packets + uncounted))

        try:
            offered = run.rate
            if offered is None:
                rates = complete(compare(run, f"{self.name}, full load", most, setup, names=("ovs", "ovs-tuned")))
                if not rates:
                    raise Invalid("the rate of no Open vSwitch is known: give one with --rate")
                offered = max(map(report.median, rates.values())) / 2
            run.say(f"{self.name}: {offered:.2f} Mpps are offered")
            samples = compare(run, self.name, delay, setup)
        finally:
            feed.close()
        explanation = (
            f"{workload.size:,} rules, {len(workload.flows):,} flows, frames of {feed.size} B{feed.order}; "
            f"{offered:.2f} Mpps are offered: half of what the better Open vSwitch does with this source and sink. "
            f"Rounds: {run.rounds} of {run.window:g} s. Median [first to third quartile], in µs."
        )
        return report.section(f"{self.name}: {self.title}", explanation, self.body(run, self.name, samples))

    def body(self, run, name, samples):
        valid = complete(samples)
        if not valid:
            return "No valid round.\n"
        p99 = {switch: [delay.p99 for delay in taken] for switch, taken in valid.items()}
        best = best_rival(p99, min)
        lines = [
            (
                switch,
                report.spread([delay.median for delay in taken], 1),
                report.spread([delay.p99 for delay in taken], 1),
                report.spread([delay.p999 for delay in taken], 1),
                report.spread([delay.most for delay in taken], 0),
                report.ratio(p99[switch], p99.get(best)),
                f"{min(delay.received for delay in taken):.2f}",
                f"{max(delay.uncounted for delay in taken):.1%}",
            )
            for switch, taken in valid.items()
        ]
        header = (
            "switch",
            "p50",
            "p99",
            "p99.9",
            "most",
            f"p99, to {best or OpenVSwitch.name}",
            "least Mpps",
            "most not counted",
        )
        text = report.table(header, lines)
        if best and Ringway.name in p99:
            text += run.judge(
                name, f"{self.title}: p99", report.median_ratio(p99[Ringway.name], p99[best]), self.target
            )
        return text
