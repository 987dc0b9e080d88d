"""Rows whose packets go through network functions on the way."""

from contextlib import contextmanager
from dataclasses import dataclass, replace

from .latency import Latency
from .machine import CONTROL_CORE
from .measure import take_sample
from .rates import Rate


@contextmanager
def attached(switch):
    """The process of the functions that is attached to a switch meanwhile; None for the bare loop, which has none."""
    function = switch.start_function()
    if function is None:
        yield None
        return
    try:
        function.wait_for(switch.has_function, "attachment to the switch")
        yield function
    finally:
        function.stop()


@dataclass(frozen=True)
class ThroughFunction(Rate):
    """The rate of packets that leave after functions, a process on the control core, have had them."""

    functions: int = 1
    attachment: str = "shared"

    def setup(self, run, workload, feed):
        setup = super().setup(run, workload, feed)
        return replace(setup, functions=self.functions, attachment=self.attachment)

    def take(self, run, switch, feed, workload):
        with feed.into(switch), attached(switch) as function:
            self.pause(run, switch)
            return take_sample(switch, run.window, workload, partner=function)

    @staticmethod
    def explanation(run, workload, feed):
        return (
            f"{Rate.explanation(run, workload, feed)} Functions are one process on core {CONTROL_CORE}: the upper "
            "bound for guests. What is dropped before them, for want of room, is not counted. The bare loop has none."
        )


@dataclass(frozen=True)
class LatencyThroughFunction(Latency):
    """Latency through a function on the way, which is the generator itself: both have the control core."""

    def setup(self, run, workload, feed):
        return replace(super().setup(run, workload, feed), functions=1)
