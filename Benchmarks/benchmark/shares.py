"""Rows that ask how much of its rate a switch keeps when something else happens: new flows, or changes of its rules."""

import math
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Callable, NamedTuple

from . import report
from .contestants import complete
from .measure import Sample, take_sample
from .rates import Rate
from .ringway import Ringway
from .switches import BareLoop


@contextmanager
def new_flows(_run, _row, _switch, feed):
    """From here on, each packet is of a flow that was never there before."""
    feed.never_repeat()
    time.sleep(1)
    yield


class Share(NamedTuple):
    """Two samples of one start of a switch."""

    steady: Sample
    disturbed: Sample

    def kept(self, ceiling):
        """The part of the steady rate, or of what the source allows meanwhile if that is less (`ceiling`: Mpps)."""
        return self.disturbed.per_core / min(self.steady.per_core, ceiling)

    def __str__(self):
        return f"{self.steady}, then {self.disturbed}"


@dataclass(frozen=True)
class Kept(Rate):
    """A row that measures a rate, and then another in the same start of the switch while `disturbance` is in effect."""

    meanwhile: str = ""  # what the second rate is: a table's header
    disturbance: Callable = field(default=new_flows)

    def take(self, run, switch, feed, workload):
        with feed.into(switch):
            self.pause(run, switch)
            steady = take_sample(switch, run.window, workload, partner=feed.process)
            with self.disturbance(run, self.name, switch, feed):
                # What is lost meanwhile is lost: the rate is that of the packets that left.
                return Share(steady, take_sample(switch, run.window, lossless=False, partner=feed.process))

    def body(self, run, name, samples):
        valid = complete(samples)
        if not valid:
            return "No valid round.\n"
        ceilings = [share.disturbed.per_core for share in valid.get(BareLoop.name, ())]
        kept = {
            switch: [share.kept(ceiling) * 100 for share, ceiling in zip_longest(taken, ceilings, fillvalue=math.inf)]
            for switch, taken in valid.items()
        }
        lines = [
            (
                switch,
                report.spread([share.steady.per_core for share in taken], 2),
                report.spread([share.disturbed.per_core for share in taken], 2),
                report.spread(kept[switch], 1) + " %",
            )
            for switch, taken in valid.items()
        ]
        text = report.table(("switch", "Mpps per core", f"{self.meanwhile}, Mpps per core", "kept"), lines)
        text += "\n*Kept* is of the steady rate or, if that is less, of what the bare loop receives meanwhile.\n"
        if Ringway.name in valid:
            text += run.judge(name, f"{self.title}: rate kept", report.median(kept[Ringway.name]), self.target)
        return text
