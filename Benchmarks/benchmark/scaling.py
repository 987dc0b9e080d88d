"""What a second polling core brings."""

import shutil
from dataclasses import dataclass, replace

from . import report
from .contestants import compare, complete
from .feeds import Pcap
from .machine import CONTROL_CORE, WORKER_CORE
from .rates import Rate
from .ringway import Ringway
from .switches import BareLoop


@dataclass(frozen=True)
class Scaling(Rate):
    """Rates on one core and on both, with a source for each; the second core has the control side besides."""

    def measure_seed(self, run, seed):
        workload = self.workload(seed)
        feed = Pcap(run, self.name, workload, seed)
        one = self.setup(run, workload, feed)
        # A file of its own, so that the sources share nothing.
        second = feed.file.with_suffix(".second.pcap")
        shutil.copy(feed.file, second)
        both = replace(
            one,
            sources=(*feed.sources, f"net_pcap1,rx_pcap={second},infinite_rx=1"),
            cores=(WORKER_CORE, CONTROL_CORE),
        )

        def take(switch):
            return self.take(run, switch, feed, workload)

        try:
            samples = complete(compare(run, self.name, take, one, both))
        finally:
            feed.close()
            second.unlink()
        explanation = f"{self.explanation(run, workload, feed)} Each is measured on one core and then on two."
        return report.section(f"{self.name}: {self.title}", explanation, self.two(run, samples))

    def two(self, run, samples):
        """The table of (on one core, on both) of each."""
        if not samples:
            return "No valid round.\n"
        scaling = {switch: [both.rate / one.rate for one, both in taken] for switch, taken in samples.items()}
        loop = scaling.get(BareLoop.name)
        lines = [
            (
                switch,
                report.spread([one.rate for one, _ in taken], 2),
                report.spread([both.rate for _, both in taken], 2),
                report.spread(scaling[switch], 2) + " ×",
                report.ratio(scaling[switch], loop),
                f"{min(both.core_share for _, both in taken):.1%}",
            )
            for switch, taken in samples.items()
        ]
        header = (
            "switch",
            "one core, Mpps",
            "two cores, Mpps",
            "scaling",
            "to that of the bare loop",
            "least core share",
        )
        text = report.table(header, lines)
        if loop and Ringway.name in scaling:
            figure = report.median_ratio(scaling[Ringway.name], loop) * 100
            text += run.judge(self.name, f"{self.title}: part of the bare loop's scaling", figure, self.target)
        return text
