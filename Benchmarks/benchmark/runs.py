"""What the rows have in common: one call of the benchmark, and what they are to reach."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, NamedTuple

# For one switch at a time: DPDK's memory of 1 GiB, what Open vSwitch adds to it for its packets, and the generator's.
HUGE_MEGABYTES = 3072


class Target(NamedTuple):
    """What a row's figure should be at least, and what it is to become. `unit`: behind figures, as in "2.5 ×"."""

    floor: float
    aim: float | None = None
    unit: str = "×"
    more_is_better: bool = True

    def reached(self, figure, bound):
        return figure >= bound if self.more_is_better else figure <= bound

    def verdict(self, figure):
        """A sentence for the report."""
        at = "at least" if self.more_is_better else "at most"
        text = f"Ringway: {figure:.2f} {self.unit}; floor: {at} {self.floor:g} {self.unit}"
        text += f", aim: {self.aim:g} {self.unit}" if self.aim is not None else ""
        if not self.reached(figure, self.floor):
            return f"{text}. **The floor is missed.**"
        if self.aim is None or self.reached(figure, self.aim):
            return f"{text}. Reached."
        return f"{text}. The floor is reached, the aim is not."


class Outcome(NamedTuple):
    """The figure of a row that its target is about."""

    row: str
    what: str
    figure: float
    target: Target


@dataclass
class Run:
    """One call of the benchmark: where its files are, how it measures, what came out, what turned out invalid."""

    directory: Path
    rounds: int
    window: float
    say: Callable[[str], None]
    settle: float | None = None  # seconds before each window, in the place of the row's own
    contestants: tuple = ()  # only these; all if empty
    seeds: tuple = (1,)
    order: str | None = None  # of the generator's packets, in the place of the row's own
    size: str | None = None  # of its frames
    rate: float | None = None  # Mpps that the latency row offers; by itself, half of Open vSwitch's best
    invalid: list = field(default_factory=list)
    outcomes: list = field(default_factory=list)
    remarks: list = field(default_factory=list)
    starts: int = 0

    def place(self, name):
        """A new directory for one start of a switch. Short: the path of a Unix socket has at most 107 bytes."""
        self.starts += 1
        return self.directory / f"{self.starts}-{name}"

    def refuse(self, row, who, reason):
        """The report gets the first line of the reason; the log that may follow it is for the terminal."""
        self.invalid.append(f"{row}, {who}: {str(reason).splitlines()[0]}")
        self.say(f"{row}, {who}: INVALID: {reason}")

    def remark(self, row, who, text):
        """Something that readers of the figures should know."""
        self.remarks.append(f"{row}, {who}: {text}")
        self.say(self.remarks[-1])

    def judge(self, row, what, figure, target):
        """Notes a figure; returns what the report says of it."""
        if target is None:
            return ""
        self.outcomes.append(Outcome(row, what, figure, target))
        return "\n" + target.verdict(figure) + "\n"
