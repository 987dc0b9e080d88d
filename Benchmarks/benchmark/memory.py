"""How much memory rules take."""

import re
from pathlib import Path
from typing import NamedTuple

from . import report
from .machine import CONTROL_CORE, WORKER_CORE
from .messages import flow_mods
from .processes import Invalid
from .ringway import Ringway
from .rules import exact_rules
from .runs import Target
from .switches import Setup


class Resident(NamedTuple):
    """Bytes of memory that a process has touched: in DPDK's own, where tables and packets are, and elsewhere."""

    tables: int
    elsewhere: int


def mappings(pid):
    """(first address, bytes, bytes touched, what it is) of each"""
    found = []
    for line in Path(f"/proc/{pid}/smaps").read_text(encoding="utf-8").splitlines():
        if area := re.match(r"([0-9a-f]+)-([0-9a-f]+) \S+ \S+ \S+ \S+ *(.*)", line):
            begin, end = int(area[1], 16), int(area[2], 16)
            found.append([begin, end - begin, 0, area[3]])
        elif line.startswith("Rss:"):
            found[-1][2] = int(line.split()[1]) * 1024
    return found


def dpdk_area(pid, size):
    """The addresses of DPDK's memory, which is mapped at the start in one piece of `size` bytes at least."""
    areas = [(begin, length) for begin, length, _, what in mappings(pid) if length >= size and what != "[heap]"]
    if not areas:
        raise Invalid(f"no mapping of {size} bytes is there: where is DPDK's memory?")
    begin, length = min(areas, key=lambda area: area[1])
    return range(begin, begin + length)


def resident(pid, area):
    inside = outside = 0
    for begin, _, touched, _ in mappings(pid):
        if begin in area:
            inside += touched
        else:
            outside += touched
    return Resident(inside, outside)


class Memory:
    """Bytes for each flow: of the tables of one core and of two, and of the control side."""

    name = "B17"
    title = "memory for each exact 5-tuple rule"
    flows = 1_000_000
    target = Target(160, unit="B", more_is_better=False)

    def measure(self, run):
        messages, lines, figures = flow_mods(exact_rules(self.flows)), [], []
        for cores in ((WORKER_CORE,), (WORKER_CORE, CONTROL_CORE)):
            try:
                tables, control = self.growth(run, cores, messages)
            except Invalid as reason:
                run.refuse(self.name, f"{Ringway.name}, {len(cores)} workers", reason)
                continue
            figures.append(tables / len(cores))
            lines.append((len(cores), f"{tables / len(cores):.0f}", f"{control:.0f}"))
            run.say(
                f"{self.name}: {len(cores)} workers: {figures[-1]:.0f} B for each flow and core, {control:.0f} B besides"
            )
        explanation = (
            f"{self.flows:,} rules, no traffic; what the process has touched of its memory after adding them, less before, "
            "in ordinary memory; what tables gave back while they grew counts too."
        )
        text = report.table(("workers", "B for each flow and core", "B for each flow, control side"), lines)
        if figures:
            text += run.judge(self.name, self.title, figures[0], self.target)
        return report.section(f"{self.name}: {self.title}", explanation, text)

    def growth(self, run, cores, messages):
        """Bytes for each flow, of all tables and of the rest of the process."""
        setup = Setup(flow_limit=self.flows + 10_000, cores=cores)
        with Ringway(run.place("ringway"), setup, idle="adaptive", huge_pages="none") as switch:
            area = dpdk_area(switch.pid, switch.MEMORY)
            before = resident(switch.pid, area)
            switch.send(messages)
            if (held := switch.aggregate()[1]) != self.flows:
                raise Invalid(f"{held} rules are there, {self.flows} were added")
            after = resident(switch.pid, area)
        return (after.tables - before.tables) / self.flows, (after.elsewhere - before.elsewhere) / self.flows
